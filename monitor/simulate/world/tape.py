"""One asset's events: forced orders as the feeds show them, marks, open interest and trade bars.

Nothing is shown more often than it says something: marks come every second and bars every ten while the price moves or
orders flow, and otherwise at a calm rate. Exchanges push the same numbers every second; a month of that is of no use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.events import MICROS, AnyEvent, Liquidation, MarkPrice, OpenInterest, PriceKind, Side, TradeBar
from monitor.simulate.world.bars import bars_of
from monitor.simulate.world.feedback import SEGMENT_S
from monitor.simulate.world.feeds import delivered, latencies, shown
from monitor.simulate.world.market import AssetMarket
from monitor.simulate.world.mishaps import Deviation, Outage
from monitor.simulate.world.settings import COVERAGE, Venue, WorldSettings

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

UNEASY: Final = (4.0, 1e-3)
STRESSED: Final = (6.0, 3e-3)
"""A one-minute move by this many usual standard deviations, or a minute in which this share of the open interest was
liquidated: marks come every :data:`UNEASY_MARK_S` seconds, or each second and bars of ten. The usual minute of forced
orders holds a fortieth of the lower share."""
UNEASY_MARK_S: Final = 10
BEFORE_S: Final = 30
AFTER_S: Final = 30
"""A finer rate begins this long before and ends this long after: nothing is missed for having been coarse."""
TREMBLE: Final = 5e-5
"""Marks differ between venues by half a basis point, and by a tenth of the last ten seconds' move."""
SPOT_FOLLOWS: Final = 0.8
"""Spot follows this share of what forced orders do to the perpetual; the rest is basis."""
FUNDING: Final = 1e-4
"""0.01 % in eight hours, the usual rate; a tenth of the basis is added."""
FUNDING_S: Final = 8 * 3_600
SLIPPAGE: Final = 3e-4
"""Forced orders fill some 3 bp beyond the mark."""


class Arrival(NamedTuple):
    """An event and when it arrives."""

    received_us: int
    event: AnyEvent


def rates(market: AssetMarket, deviations: Sequence[Deviation], index: int) -> npt.NDArray[np.int8]:
    """What each second is worth: 0 where nothing happens, 1 where it is uneasy, 2 where it is stressed."""
    path = market.log_price
    moves = np.zeros(len(path))
    moves[60:] = np.abs(path[60:] - path[:-60]) / (math.sqrt(60) * market.sigma[60:])
    usd = np.zeros(len(path))
    for side in range(2):
        seconds, micros = market.forced_usd(side)
        usd[seconds] += micros / MICROS
    flow = _trailing(usd, 60) / market.spec.open_interest_usd
    found = np.zeros(len(path), np.int8)
    for move, share in (UNEASY, STRESSED):
        flags = (moves > move) | (flow > share)
        for one in deviations:
            if one.asset == index:  # a bad price is shown, and so is that it was one
                flags[one.start : one.end + 1] = True
        found += _trailing(flags.astype(np.int64), BEFORE_S + AFTER_S, BEFORE_S) > 0
    return found


def _trailing(values: npt.NDArray[np.generic], window: int, ahead: int = 0) -> Floats:
    """Sum over the last ``window`` values, looking ``ahead``."""
    total = np.concatenate((np.zeros(window), np.cumsum(values), np.zeros(ahead)))
    total[window + len(values) :] = total[window + len(values) - 1]
    return np.asarray(total[window + ahead :] - total[ahead : len(total) - window])


class Tape:
    """The events of one asset, stretch by stretch.

    Args:
        settings: of the world.
        index: the asset's.
        market: its course.
        venues: where it trades.
        outages: of all venues.
        deviations: of all marks.
    """

    def __init__(
        self,
        settings: WorldSettings,
        index: int,
        market: AssetMarket,
        venues: Sequence[Venue],
        outages: Sequence[Outage],
        deviations: Sequence[Deviation],
    ) -> None:
        self._settings = settings
        self._index = index
        self._market = market
        self._venues = venues
        self._outages = [[outage for outage in outages if outage.venue == venue] for venue in range(len(venues))]
        self._deviations = [one for one in deviations if one.asset in (None, index)]
        self._rates = rates(market, self._deviations, index)
        self.symbol = f"{market.spec.name}USDT"
        self._decimals = max(0, 5 - math.floor(math.log10(market.spec.price)))

    def events(self, first: int, last: int) -> Iterator[Arrival]:
        """What is sent in [``first``, ``last``) seconds, whole segments; by stream and venue, not by arrival."""
        rng = np.random.default_rng([self._settings.seed, 8, self._index, first])
        for venue in range(len(self._venues)):
            yield from self._liquidations(rng, venue, first, last)
            yield from self._marks(rng, venue, first, last)
            yield from self._interest(rng, venue, first, last)
            yield from self._bars(rng, venue, first, last)

    def _through(self, rng: np.random.Generator, venue: int, sent_us: Ints) -> tuple[Flags, list[int]]:
        """Which messages get through, and when those arrive, microseconds since the epoch."""
        latency = latencies(rng, len(sent_us), self._venues[venue].latency_ms)
        kept, received = delivered(sent_us, latency, self._outages[venue])
        return kept, (self._settings.start_us + received[kept]).tolist()

    def _fine(self, first: int, last: int) -> Flags:
        """Segments in which there is a stressed second."""
        return np.asarray((self._rates[first:last] > 1).reshape(-1, SEGMENT_S).any(axis=1))

    def _price(self, log_price: npt.NDArray[np.floating]) -> list[float]:
        prices: list[float] = np.round(
            self._market.spec.price * np.exp(log_price.astype(np.float64)), self._decimals
        ).tolist()
        return prices

    def _liquidations(self, rng: np.random.Generator, venue: int, first: int, last: int) -> Iterator[Arrival]:
        of = self._venues[venue]
        orders = self._market.orders.within(first * MICROS, last * MICROS)
        index, sent = shown(orders, venue, of.feed)
        kept, received = self._through(rng, venue, sent)
        index = index[kept]
        time_us = orders.time_us[index]
        side = orders.side[index]
        slip = np.where(side == 0, -1.0, 1.0) * SLIPPAGE * rng.exponential(size=len(index))
        prices = self._price(self._market.log_price[time_us // MICROS] + slip)
        coverage = COVERAGE[of.feed]
        sides: tuple[Side, Side] = ("long", "short")
        kind: PriceKind = "average_fill"
        start = self._settings.start_us
        for at, which, micros, price, arrived, number in zip(
            time_us.tolist(),
            side.tolist(),
            orders.micro_usd[index].tolist(),
            prices,
            received,
            index.tolist(),
            strict=True,
        ):
            usd = micros / MICROS
            yield Arrival(
                arrived,
                Liquidation(
                    venue=of.name,
                    symbol=self.symbol,
                    asset=self._market.spec.name,
                    event_time_us=start + at,
                    receive_time_us=arrived,
                    side=sides[which],
                    notional_usd=usd,
                    coverage=coverage,
                    id=f"{of.name}:{self.symbol}:{first}-{number}",
                    quantity=usd / price,
                    price=price,
                    price_kind=kind,
                ),
            )

    def _marks(self, rng: np.random.Generator, venue: int, first: int, last: int) -> Iterator[Arrival]:
        market, start = self._market, self._settings.start_us
        seconds = np.arange(first, last)
        every = np.array((self._settings.calm_mark_s, UNEASY_MARK_S, 1))[self._rates[first:last]]
        seconds = seconds[seconds % every == 0]
        moved = np.abs(market.log_price[seconds] - market.log_price[np.maximum(0, seconds - 10)])
        off = (TREMBLE + 0.1 * moved) * rng.standard_normal(len(seconds))
        for one in self._deviations:
            if one.venue == venue:
                off += one.at(seconds)
        basis = (1 - SPOT_FOLLOWS) * market.endogenous[seconds].astype(np.float64)
        marks = self._price(market.log_price[seconds] + off)
        indices = self._price(market.log_price[seconds] - basis)
        funding = np.round(FUNDING + basis / 10, 8).tolist()
        kept, received = self._through(rng, venue, seconds * MICROS)
        name, asset = self._venues[venue].name, market.spec.name
        arrivals = iter(received)
        for second, mark, index, rate, is_kept in zip(
            seconds.tolist(), marks, indices, funding, kept.tolist(), strict=True
        ):
            if is_kept:
                arrived, at = next(arrivals), start + second * MICROS
                following = (at // (FUNDING_S * MICROS) + 1) * FUNDING_S * MICROS
                yield Arrival(
                    arrived,
                    MarkPrice(
                        venue=name,
                        symbol=self.symbol,
                        asset=asset,
                        event_time_us=at,
                        receive_time_us=arrived,
                        mark_price=mark,
                        index_price=index,
                        funding_rate=rate,
                        next_funding_time_us=following,
                    ),
                )

    def _interest(self, rng: np.random.Generator, venue: int, first: int, last: int) -> Iterator[Arrival]:
        of, market, start = self._venues[venue], self._market, self._settings.start_us
        seconds = np.arange(first, last, min(of.interest_s, SEGMENT_S))
        fine = self._fine(first, last)
        seconds = seconds[fine[(seconds - first) // SEGMENT_S] | (seconds % SEGMENT_S == 0)]
        kept, received = self._through(rng, venue, seconds * MICROS)
        seconds = seconds[kept]
        coins = self._open_coins(seconds) * of.share
        usd = np.round(coins * market.spec.price * np.exp(market.log_price[seconds].astype(np.float64)), 2)
        for second, amount, worth, arrived in zip(
            seconds.tolist(), np.round(coins, 4).tolist(), usd.tolist(), received, strict=True
        ):
            at = start + second * MICROS
            yield Arrival(
                arrived,
                OpenInterest(
                    venue=of.name,
                    symbol=self.symbol,
                    asset=market.spec.name,
                    event_time_us=at,
                    receive_time_us=arrived,
                    open_interest=amount,
                    open_interest_usd=worth,
                ),
            )

    def _open_coins(self, seconds: Ints) -> Floats:
        """Open interest of one side: that of the segment's start less half of what was forced since then.

        Half, because every second buyer of a long that dies closes a short.
        """
        market = self._market
        usual = market.spec.open_interest_usd / market.spec.price
        if not len(seconds):
            return np.zeros(0)
        first, last = int(seconds[0]) // SEGMENT_S * SEGMENT_S, int(seconds[-1]) + 1
        orders = market.orders.within(first * MICROS, last * MICROS)
        at = orders.time_us // MICROS
        forced = np.bincount(at - first, orders.micro_usd / MICROS, last - first)
        path = market.spec.price * np.exp(market.log_price[first:last].astype(np.float64))
        gone = np.concatenate(([0.0], np.cumsum(forced / path)))
        segment_start = seconds // SEGMENT_S * SEGMENT_S
        since = gone[seconds - first] - gone[segment_start - first]
        open_then = market.open_interest[seconds // SEGMENT_S] * usual
        return np.maximum(0.1 * usual, open_then - since / 2)

    def _bars(self, rng: np.random.Generator, venue: int, first: int, last: int) -> Iterator[Arrival]:
        of, name = self._venues[venue], self._market.spec.name
        fine = self._fine(first, last)
        for length, bars in bars_of(rng, self._market, venue, of.share, first, last, fine):
            kept, received = self._through(rng, venue, bars.end_us)
            interval_us = length * MICROS
            rows = [column[kept].tolist() for column in (bars.end_us, bars.buy_usd, bars.sell_usd, bars.trades)]
            prices = [self._price(column[kept]) for column in (bars.open, bars.high, bars.low, bars.close)]
            for end, buy, sell, trades, opened, high, low, close, arrived in zip(*rows, *prices, received, strict=True):
                yield Arrival(
                    arrived,
                    TradeBar(
                        venue=of.name,
                        symbol=self.symbol,
                        asset=name,
                        event_time_us=self._settings.start_us + end,
                        receive_time_us=arrived,
                        interval_us=interval_us,
                        open=opened,
                        high=high,
                        low=low,
                        close=close,
                        buy_quantity=buy / close,
                        sell_quantity=sell / close,
                        buy_usd=buy,
                        sell_usd=sell,
                        trades=trades,
                    ),
                )
