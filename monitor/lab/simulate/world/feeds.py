"""Shows forced orders as each venue's feed does: which orders, and when they arrive."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.lab.simulate.world.mishaps import Outage
from monitor.lab.simulate.world.orders import Orders
from monitor.lab.simulate.world.settings import Feed
from monitor.model.events import MICROS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PUSH_US: Final[dict[Feed, int]] = {
    "complete": 500_000,
    "largest": MICROS,
    "latest": MICROS,
    "batch": 6 * MICROS,
}
"""Sending interval by feed, microseconds: as Bybit (500 ms), as throttled feeds (1 s), as Hyperliquid's batches (6 s).
"""


class ShownOrders(NamedTuple):
    """The orders that a feed shows: positions among all orders, and the time at which each is sent."""

    chosen: Ints
    sent_us: Ints


def select_shown(orders: Orders, venue: int, feed: Feed) -> ShownOrders:
    """Return the orders that a venue's feed shows; ``largest`` and ``latest`` show one in each whole second."""
    mine = np.flatnonzero(orders.venue == venue)
    if feed in ("largest", "latest") and len(mine):
        second = orders.time_us[mine] // MICROS
        rank = orders.micro_usd[mine] if feed == "largest" else np.arange(len(mine))
        by_rank = np.lexsort((rank, second))
        last = np.append(np.diff(second[by_rank]) > 0, True)
        mine = mine[by_rank][last]
    push = PUSH_US[feed]
    return ShownOrders(mine, (orders.time_us[mine] // push + 1) * push)


def latencies(rng: np.random.Generator, count: int, median_ms: float) -> Ints:
    """Return microseconds from sending to receipt, log-normal about the median; the 99th percentile is twice it."""
    return (median_ms * 1_000 * np.exp(0.3 * rng.standard_normal(count))).astype(np.int64)


class Delivery(NamedTuple):
    """The messages of a stream that are kept, and when these arrive."""

    kept: npt.NDArray[np.bool_]
    received_us: Ints


def apply_outages(sent_us: Ints, latency_us: Ints, outages: list[Outage]) -> Delivery:
    """Pass a stream through its venue's outages: a gap loses what is sent within it, a freeze delays it."""
    kept = np.ones(len(sent_us), np.bool_)
    received = sent_us + latency_us
    for outage in outages:
        within = (sent_us >= outage.start * MICROS) & (sent_us < outage.end * MICROS)
        if outage.kind == "gap":
            kept &= ~within
        else:
            received[within] = outage.end * MICROS + latency_us[within]
    return Delivery(kept, received)
