"""Makes one asset's events: forced orders as the feeds show them, marks, open interest and trade bars.

Marks come every second and bars every ten while the price moves or orders flow, and otherwise at a calm rate. Exchanges
repeat the same numbers every second, and a month of repetitions is of no use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.lab.simulate.world.bars import bars_of
from monitor.lab.simulate.world.feedback import SEGMENT_S
from monitor.lab.simulate.world.feeds import apply_outages, latencies, select_shown
from monitor.lab.simulate.world.market import AssetMarket
from monitor.lab.simulate.world.mishaps import Deviation, Outage
from monitor.lab.simulate.world.settings import COVERAGE, Venue, WorldSettings
from monitor.model.events import MICROS, AnyEvent, Liquidation, MarkPrice, OpenInterest, PriceKind, Side, TradeBar

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

UNEASY: Final = (4.0, 1e-3)
"""Limits of one-minute moves (usual standard deviations) and flow (share of open interest) for marks of 10 s."""
STRESSED: Final = (6.0, 3e-3)
"""Limits of the same for marks of a second and bars of ten; a usual minute's flow is a fortieth of the lower share."""
UNEASY_MARK_S: Final = 10
"""Interval of marks in uneasy seconds, seconds."""
BEFORE_S: Final = 30
"""Time by which a finer rate begins ahead of its reason, seconds."""
AFTER_S: Final = 30
"""Time by which a finer rate outlasts its reason, seconds."""
MARK_NOISE: Final = 5e-5
"""Difference of marks between venues: half a basis point, plus a tenth of the last ten seconds' move."""
SPOT_FOLLOWS: Final = 0.8
"""Share of forced orders' effect on the perpetual that spot follows; the rest is basis."""
FUNDING: Final = 1e-4
"""Usual funding rate of eight hours (0.01 %); a tenth of the basis is added."""
FUNDING_S: Final = 8 * 3_600
SLIPPAGE: Final = 3e-4
"""Mean distance of forced orders' fills from the mark (3 bp)."""


class Arrival(NamedTuple):
    """An event and its time of arrival."""

    received_us: int
    event: AnyEvent


def activity_levels(market: AssetMarket, deviations: Sequence[Deviation], index: int) -> npt.NDArray[np.int8]:
    """Return the level of each second: 0 where nothing happens, 1 where it is uneasy, 2 where it is stressed."""
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
            if one.asset == index:  # so that a bad price is seen, and its end as well
                flags[one.start : one.end + 1] = True
        found += _trailing(flags.astype(np.int64), BEFORE_S + AFTER_S, BEFORE_S) > 0
    return found


def _trailing(values: npt.NDArray[np.generic], window: int, ahead: int = 0) -> Floats:
    """Return the sum over the last ``window`` values, shifted by ``ahead`` into the future."""
    total = np.concatenate((np.zeros(window), np.cumsum(values), np.zeros(ahead)))
    total[window + len(values) :] = total[window + len(values) - 1]
    return np.asarray(total[window + ahead :] - total[ahead : len(total) - window])


class Tape:
    """Makes the events of one asset, stretch by stretch.

    Args:
        settings: settings of the world.
        index: index of the asset.
        market: course of the asset.
        venues: venues at which it trades.
        outages: outages of all venues.
        deviations: deviations of all marks.
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
        self._levels = activity_levels(market, self._deviations, index)
        self.symbol = f"{market.spec.name}USDT"
        self._decimals = max(0, 5 - math.floor(math.log10(market.spec.price)))

    def events(self, first: int, last: int) -> Iterator[Arrival]:
        """Yield what is sent in [``first``, ``last``) seconds, whole segments; by stream and venue, not by arrival."""
        rng = np.random.default_rng([self._settings.seed, 8, self._index, first])
        for venue in range(len(self._venues)):
            yield from self._liquidations(rng, venue, first, last)
            yield from self._marks(rng, venue, first, last)
            yield from self._interest(rng, venue, first, last)
            yield from self._bars(rng, venue, first, last)

    def _deliver(self, rng: np.random.Generator, venue: int, sent_us: Ints) -> tuple[Flags, list[int]]:
        """Return which messages arrive, and when, microseconds since the epoch."""
        latency = latencies(rng, len(sent_us), self._venues[venue].latency_ms)
        kept, received = apply_outages(sent_us, latency, self._outages[venue])
        return kept, (self._settings.start_us + received[kept]).tolist()

    def _fine(self, first: int, last: int) -> Flags:
        """Return True for the segments with a stressed second."""
        return np.asarray((self._levels[first:last] > 1).reshape(-1, SEGMENT_S).any(axis=1))

    def _price(self, log_price: npt.NDArray[np.floating]) -> list[float]:
        prices: list[float] = np.round(
            self._market.spec.price * np.exp(log_price.astype(np.float64)), self._decimals
        ).tolist()
        return prices

    def _liquidations(self, rng: np.random.Generator, venue: int, first: int, last: int) -> Iterator[Arrival]:
        of = self._venues[venue]
        orders = self._market.orders.within(first * MICROS, last * MICROS)
        index, sent = select_shown(orders, venue, of.feed)
        kept, received = self._deliver(rng, venue, sent)
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
        every = np.array((self._settings.calm_mark_s, UNEASY_MARK_S, 1))[self._levels[first:last]]
        seconds = seconds[seconds % every == 0]
        moved = np.abs(market.log_price[seconds] - market.log_price[np.maximum(0, seconds - 10)])
        off = (MARK_NOISE + 0.1 * moved) * rng.standard_normal(len(seconds))
        for one in self._deviations:
            if one.venue == venue:
                off += one.at(seconds)
        basis = (1 - SPOT_FOLLOWS) * market.endogenous[seconds].astype(np.float64)
        marks = self._price(market.log_price[seconds] + off)
        indices = self._price(market.log_price[seconds] - basis)
        funding = np.round(FUNDING + basis / 10, 8).tolist()
        kept, received = self._deliver(rng, venue, seconds * MICROS)
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
        kept, received = self._deliver(rng, venue, seconds * MICROS)
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
        """Return open interest of one side: that of the segment's start less half of what was forced since then.

        Half, because every second buyer of a liquidated long closes a short.
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
            kept, received = self._deliver(rng, venue, bars.end_us)
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
