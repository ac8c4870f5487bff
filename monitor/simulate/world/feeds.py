"""How a venue shows forced orders: which of them, and when they arrive."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.events import MICROS
from monitor.simulate.world.mishaps import Outage
from monitor.simulate.world.orders import Orders
from monitor.simulate.world.settings import Feed

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PUSH_US: Final[dict[Feed, int]] = {
    "complete": 500_000,
    "largest": MICROS,
    "latest": MICROS,
    "batch": 6 * MICROS,
}
"""How often a feed sends: Bybit's shows all every 500 ms, throttled ones once a second, Hyperliquid's in batches."""


class Shown(NamedTuple):
    """What a feed shows: positions among the orders, and when each is sent."""

    chosen: Ints
    sent_us: Ints


def shown(orders: Orders, venue: int, feed: Feed) -> Shown:
    """What a venue's feed shows of the orders; ``largest`` and ``latest`` at most one in each whole second."""
    mine = np.flatnonzero(orders.venue == venue)
    if feed in ("largest", "latest") and len(mine):
        second = orders.time_us[mine] // MICROS
        rank = orders.micro_usd[mine] if feed == "largest" else np.arange(len(mine))
        by_rank = np.lexsort((rank, second))
        last = np.append(np.diff(second[by_rank]) > 0, True)
        mine = mine[by_rank][last]
    push = PUSH_US[feed]
    return Shown(mine, (orders.time_us[mine] // push + 1) * push)


def latencies(rng: np.random.Generator, count: int, median_ms: float) -> Ints:
    """Microseconds from sending to receipt, log-normal about the median: the 99th percentile is twice it."""
    return (median_ms * 1_000 * np.exp(0.3 * rng.standard_normal(count))).astype(np.int64)


class Delivery(NamedTuple):
    """What of a stream is kept, and when it arrives."""

    kept: npt.NDArray[np.bool_]
    received_us: Ints


def delivered(sent_us: Ints, latency_us: Ints, outages: list[Outage]) -> Delivery:
    """Send a venue's stream through its outages: a gap loses what is sent within it, a freeze holds it back."""
    kept = np.ones(len(sent_us), np.bool_)
    received = sent_us + latency_us
    for outage in outages:
        within = (sent_us >= outage.start * MICROS) & (sent_us < outage.end * MICROS)
        if outage.kind == "gap":
            kept &= ~within
        else:
            received[within] = outage.end * MICROS + latency_us[within]
    return Delivery(kept, received)
