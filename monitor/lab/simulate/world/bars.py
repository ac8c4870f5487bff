"""Makes taker volume of one asset at one venue into bars: of 10 s while something happens, of 5 minutes otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.lab.simulate.world.feedback import SEGMENT_S
from monitor.lab.simulate.world.market import AssetMarket
from monitor.lab.simulate.world.settings import DAY_S
from monitor.model.events import MICROS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

BAR_S: Final = 10
"""Length of a fine bar, seconds."""
VOLUME_SPREAD: Final = 0.8
"""Log-normal spread of the volume."""
QUIET_SHARE: Final = 0.55
"""Volume in a still market as a share of the average; it grows with the move, and the usual move gives the average."""
LEAN: Final = 0.25
"""Takers follow the move: up to three of four dollars buy while the price rises fast."""
TRADES_PER_USD: Final = 1 / 8_000
"""Trades per USD of volume: one for 8 kUSD; of a bar only the presence of trades matters."""


class Bars(NamedTuple):
    """Bars of one length; log prices are relative to the start, times are microseconds since it."""

    end_us: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    buy_usd: Floats
    sell_usd: Floats
    trades: Ints


def bars_of(
    rng: np.random.Generator, market: AssetMarket, venue: int, share: float, first: int, last: int, fine: Flags
) -> Iterator[tuple[int, Bars]]:
    """Yield the bars of [``first``, ``last``) seconds by length: ``fine`` segments in fine bars, others in one bar."""
    path = market.log_price[first:last].astype(np.float64)
    sells, buys = _taker_usd(rng, market, venue, share, first, path)
    for length, segments in ((BAR_S, np.flatnonzero(fine)), (SEGMENT_S, np.flatnonzero(~fine))):
        if len(segments):
            rows = path.reshape(len(fine), -1, length)[segments].reshape(-1, length)
            usd = [
                np.round(side.reshape(len(fine), -1, length // BAR_S)[segments].sum(axis=2).ravel(), 2)
                for side in (buys, sells)
            ]
            ends = (np.arange(first, last, length).reshape(len(fine), -1)[segments].ravel() + length) * MICROS
            trades = np.maximum(1, np.rint((usd[0] + usd[1]) * TRADES_PER_USD)).astype(np.int64)
            yield (
                length,
                Bars(
                    end_us=ends,
                    open=rows[:, 0],
                    high=rows.max(axis=1),
                    low=rows.min(axis=1),
                    close=rows[:, -1],
                    buy_usd=usd[0],
                    sell_usd=usd[1],
                    trades=trades,
                ),
            )


def _taker_usd(
    rng: np.random.Generator, market: AssetMarket, venue: int, share: float, first: int, path: Floats
) -> tuple[Floats, Floats]:
    """Return USD sold and bought by takers in each ten seconds, forced orders included."""
    steps = path.reshape(-1, BAR_S)
    move = (steps[:, -1] - steps[:, 0]) / (math.sqrt(BAR_S) * market.sigma[first : first + len(path) : BAR_S])
    mean = QUIET_SHARE * market.volume_usd * share * BAR_S / DAY_S
    noise = np.exp(VOLUME_SPREAD * rng.standard_normal(len(move)) - VOLUME_SPREAD**2 / 2)
    volume = mean * (1 + np.abs(move)) * noise
    bought = 0.5 + LEAN * np.tanh(move / 2)
    taken = [volume * (1 - bought), volume * bought]
    orders = market.orders.within(first * MICROS, (first + len(path)) * MICROS)
    for side in range(2):
        mine = (orders.venue == venue) & (orders.side == side)
        step = orders.time_us[mine] // (BAR_S * MICROS) - first // BAR_S
        taken[side] += np.bincount(step, orders.micro_usd[mine] / MICROS, len(move))
    return taken[0], taken[1]
