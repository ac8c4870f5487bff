"""Keeps one scope's liquidations: rolling sums by source and side, and their baseline.

A source is a venue where the scope is an asset, and an asset where the scope is the market. The baseline is learned
minute by minute, follows the seasonality of the day and the week, and is frozen while a cascade lasts.

Sums are what was reported. What throttled feeds hide (:mod:`monitor.detect.flow.hidden_flow`) is kept beside them, and
counts in a ratio only where a feed is saturated: corrected sums are noisier, and in calm there is nothing to correct.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.detect.baseline.seasonality import Shape, ShapeState
from monitor.detect.baseline.surprise import Surprise, SurpriseState
from monitor.detect.flow.windows import WINDOWS, Windows, WindowsState
from monitor.detect.settings import DetectorSettings
from monitor.model.events import MICROS, SIDES, Side
from monitor.model.signals import WindowTotals

SIDE_INDEX: Final[Mapping[Side, int]] = {"long": 0, "short": 1}

DAY_MINUTES: Final = 1_440

PRIOR_SCALE: Final = 1.5
PRIOR_TAIL: Final = 2.2
PRIOR_GROWTH: Final = 0.14
"""Prior of a window's ratio to normal: a Pareto tail of exponent 2.2 at ten seconds that grows with the window's length
to the power 0.14, 2.8 at a minute and 5 at an hour: long sums vary less. Once in 1000 minutes a minute then holds 17
times the normal, an hour 6 times (on 2025-10-10 it was 226 times)."""

PRIOR_LEAST: Final = 0.1
"""Minimum weight of the prior as a share of the observations."""
PRIOR_MINUTES: Final = 60
"""Weight of the assumed rate, in measured minutes."""
PRIOR_RATE: Final = 0.1
"""Assumed normal minute, as a share of the floor, while open interest is unknown."""
PRIOR_TURNOVER: Final = 0.005
"""Assumed share of the open interest that is liquidated on a normal day, both sides together."""
SHAPE_SHRINK: Final = 1_000
"""Minutes of an hour of the day (17 days) whose mean has the same weight as the market's profile: liquidations are
clustered, so a factor from fewer is noise."""
SHAPE_MINUTES: Final = 28 * DAY_MINUTES
"""Longest stretch of empty minutes that the seasonality learns at once: four weeks, which replace all earlier ones."""
LEAST_FLOOR_USD: Final = 100.0
"""Lower bound of the floor, USD, at a scale of one: that of the smallest asset."""
LOWEST_RATE: Final = 1e-3
"""Lower bound of the normal rate, USD a minute, so that ratios stay finite also once every position is closed."""
BREADTH_RATIO: Final = 5.0
"""Minimum multiple of a source's normal minute plus its share of the floor at which the source is stressed."""
BREADTH_FLOOR: Final = 0.2
"""Fraction of the floor added to a source's normal minute in that test."""
HOUR_S: Final = 3_600
"""Seconds that an ``aggregated`` record covers: the recordings that have them are hourly."""

Pair = tuple[int, int]


class FlowState(msgspec.Struct):
    """Everything that :class:`Flow` remembers.

    Attributes:
        windows: the rolling sums.
        fine: true if any record was finer than an hour.
        aggregated: true if any record was an hourly total.
        rates: normal USD a minute by side, without seasonality.
        shape: seasonality of the rates.
        factor: seasonal factor of the current hour.
        hour: number of the hour that the factor is of.
        hidden: by window what saturated feeds hide of each side, micro-USD.
        order_rate: normal orders a minute, both sides.
        last: the last second that had an order.
        interest: the last known open interest, USD.
        floor: the floor, USD.
        minutes: number of minutes learned.
        minute: number of the last minute seen, learned or not.
        sources: first lane of each source.
        source_rates: normal USD a minute by lane.
        surprise: by side and window the distribution of ratios.
    """

    windows: WindowsState
    fine: bool
    aggregated: bool
    rates: list[float]
    shape: ShapeState
    factor: float
    hour: int
    hidden: dict[str, Pair]
    order_rate: float
    last: int
    interest: float
    floor: float
    minutes: int
    minute: int
    sources: dict[str, int]
    source_rates: list[float]
    surprise: list[dict[str, SurpriseState]]


class Flow:
    """Keeps the rolling liquidated USD of one scope. Amounts inside are micro-USD, returned amounts USD.

    Args:
        settings: how the baseline is learned, which windows are judged, and the floor that is added to both sides of
            every ratio.
        scale: factor of that floor.
        steadiness: multiplies the priors' exponents: the sum over many assets varies less than any of them, so the
            same ratio is a larger surprise.
    """

    __slots__ = (
        "_baseline",
        "_floors",
        "_hour",
        "_minute",
        "_minutes",
        "_names",
        "_priors",
        "_scale",
        "_source_rates",
        "_sources",
        "_stressed",
        "_surprise",
        "_surprises",
        "aggregated",
        "factor",
        "fine",
        "floor_usd",
        "hidden",
        "interest_usd",
        "last",
        "order_rate",
        "rates",
        "shape",
        "table",
        "windows",
    )

    def __init__(self, settings: DetectorSettings, scale: float = 1.0, steadiness: float = 1.0) -> None:
        self.windows = Windows(WINDOWS)
        self._floors = settings.floors
        self._scale = scale
        self.interest_usd = 0.0  # the last known open interest, from which the floor follows
        self.floor_usd = float(settings.floors.floor_usd * scale)
        self.fine = False  # true if any record was finer than an hour: otherwise short windows are unknown
        self.aggregated = False  # true if any was not
        self.rates = [PRIOR_RATE * self.floor_usd] * 2  # normal USD a minute by side, without seasonality
        self.shape = Shape(power=1, shrink=SHAPE_SHRINK, per_day=60)
        self.order_rate = 0.0  # normal orders a minute, both sides
        self.last = 0  # the last second that had an order
        self.factor = 1.0  # of the current hour
        self.hidden: dict[str, tuple[int, int]] = {}  # by window what saturated feeds hide of each side, micro-USD
        self.table: dict[str, tuple[Pair, Pair]] = {}
        self._baseline = settings.baseline
        self._hour = 0  # that the factor is of
        self._surprises: list[dict[str, float] | None] = [None, None]  # cache by side, dropped when the sums change
        self._stressed: list[int | None] = [None, None]  # the same for the number of stressed sources
        self._minutes = 0  # learned so far
        self._minute = 0  # number of the last minute seen, learned or not; 0 before there was anything to learn
        self._sources: dict[str, int] = {}  # first lane of each source
        self._names: list[str] = []  # the sources in the order of their lanes
        self._source_rates: NDArray[np.float64] = np.zeros(0)  # normal USD a minute by lane
        self._priors: dict[str, tuple[float, float]] = {
            name: (PRIOR_SCALE, steadiness * PRIOR_TAIL * (WINDOWS[name] / 10) ** PRIOR_GROWTH)
            for name in settings.judged.flow_windows
        }
        self._surprise: list[dict[str, Surprise]] = [
            {name: Surprise(*prior, least=PRIOR_LEAST) for name, prior in self._priors.items()} for _ in SIDES
        ]

    @property
    def sources(self) -> Mapping[str, int]:
        """Return the first lane (longs; the next one holds shorts) of each source, in order of first use."""
        return self._sources

    def add(self, source: str, side: Side, second: int, micros: int, orders: int, *, aggregated: bool = False) -> None:
        """Add liquidated micro-USD to the bucket of ``second``."""
        lane = self._sources.get(source)
        if lane is None:
            lane = self._sources[source] = self.windows.lane((source, "long"))
            self._names.append(source)
            self.windows.lane((source, "short"))
            self._source_rates = np.concatenate((self._source_rates, np.zeros(2)))
        if side == "short":
            lane += 1
        if aggregated:
            self.aggregated = True
            # Such a record is stamped at the end of the stretch that it stands for.
            self.windows.add(lane, second - 1, micros, orders, HOUR_S)
        else:
            self.fine = True
            self.last = max(self.last, second)
            self.windows.add(lane, second, micros, orders)

    def expect(self, open_interest_usd: float) -> None:
        """Take the open interest as the measure of the floor and, as long as none was learned, of a normal minute.

        Zero means that no series is fresh or that the last position was closed. Neither is a measure, so the last one
        stands: what was just liquidated is judged by what was open before.
        """
        if open_interest_usd <= 0:
            return
        self.interest_usd = open_interest_usd
        self._measure()
        if self._minutes == 0:
            self.rates = [max(LOWEST_RATE, PRIOR_TURNOVER * open_interest_usd / (2 * DAY_MINUTES))] * 2
            self._judge_anew()

    @property
    def size_usd(self) -> float:
        """Return the open interest, or one estimated from the normal rate, USD; 0 while neither is known."""
        if self.interest_usd:
            return self.interest_usd
        return DAY_MINUTES * sum(self.rates) / PRIOR_TURNOVER if self._minutes >= DAY_MINUTES else 0.0

    def _measure(self) -> None:
        """Set the floor by the asset's size."""
        most, size = self._floors.floor_usd * self._scale, self.size_usd
        if size:
            least = min(most, LEAST_FLOOR_USD * self._scale)
            most = min(most, max(least, 1e-4 * self._floors.floor_interest_bp * size))
        if most != self.floor_usd:
            self.floor_usd = float(most)
            self._judge_anew()

    def close(self, second: int) -> None:
        """Fold what was added, make ``second`` the current one and read the sums."""
        self.windows.advance(second)
        table = self.windows.by_side()
        if table is not self.table:
            self.table = table
            self._judge_anew()
        if second // HOUR_S != self._hour:
            self._hour = second // HOUR_S
            self._reshape()

    def _reshape(self) -> None:
        self.factor = self.shape.factor(self._hour)
        self._judge_anew()

    def _judge_anew(self) -> None:
        """Drop the cached results because the sums or the baseline changed."""
        self._surprises = [None, None]
        self._stressed = [None, None]

    def hide(self, hidden: dict[str, tuple[int, int]]) -> None:
        """Set what saturated feeds hide at present, by window and side, micro-USD."""
        if hidden != self.hidden:
            self.hidden = hidden
            self._judge_anew()

    def usd(self, window: str, side: Side) -> float:
        """Return one side's reported USD within a window, as of the last :meth:`close`."""
        return self.table[window][0][SIDE_INDEX[side]] / MICROS if self.table else 0.0

    def corrected_usd(self, window: str, side: Side) -> float:
        """Return one side's USD within a window plus what saturated feeds hide."""
        index = SIDE_INDEX[side]
        if not self.table:
            return 0.0
        amount = self.table[window][0][index]
        return (amount + self.hidden[window][index] if window in self.hidden else amount) / MICROS

    def orders(self, window: str) -> int:
        """Return the forced orders of both sides within a window."""
        return sum(self.table[window][1]) if self.table else 0

    def normal(self, window: str, side: Side) -> float:
        """Return one side's normal USD within a window at this time of the day."""
        return self.rates[SIDE_INDEX[side]] * self.factor * WINDOWS[window] / 60

    def ratio(self, window: str, side: Side, limit_usd: float | None = None) -> float:
        """Return a window's USD over the normal, the floor added to both; ``limit_usd`` replaces the sum if lower."""
        usd = self.corrected_usd(window, side)
        if limit_usd is not None:
            usd = min(usd, limit_usd)
        return (usd + self.floor_usd) / (self.normal(window, side) + self.floor_usd)

    def surprise(self, window: str, side: Side, limit_usd: float | None = None) -> float:
        """Return the surprise of the window's sum, decades."""
        return self._surprise[SIDE_INDEX[side]][window].of(self.ratio(window, side, limit_usd))

    def surprises(self, side: Side, limit: Callable[[str, Side], float | None]) -> dict[str, float]:
        """Return every judged window's surprise, decades; ``limit`` gives the most that may count of a sum."""
        index = SIDE_INDEX[side]
        kept = self._surprises[index]
        if kept is None:
            kept = self._surprises[index] = {
                window: self.surprise(window, side, limit(window, side)) for window in self._priors
            }
        return kept

    def silent_for(self, second: int) -> int:
        """Return the seconds since the last order."""
        return second - self.last

    def expected_orders(self, second: int) -> float:
        """Return the number of orders that a normal market would have shown since the last one."""
        return self.order_rate * self.factor * self.silent_for(second) / 60

    def stressed_sources(self, side: Side) -> int:
        """Return the number of sources whose minute is far above their own normal."""
        index = SIDE_INDEX[side]
        kept = self._stressed[index]
        if kept is None:
            lanes = slice(index, 2 * len(self._sources), 2)
            minute = self.windows.sums("1m")[lanes] / MICROS
            floor = BREADTH_FLOOR * self.floor_usd
            kept = int((minute >= BREADTH_RATIO * (self._source_rates[lanes] + floor)).sum())
            self._stressed[index] = kept
        return kept

    def largest_source(self, window: str, side: Side) -> tuple[str, float]:
        """Return the source with the largest sum of a window, and that sum in USD; an empty name if there is none."""
        if not self._sources:
            return "", 0.0
        sums = self.windows.sums(window)[SIDE_INDEX[side] : 2 * len(self._sources) : 2]
        index = int(sums.argmax())
        return self._names[index], float(sums[index]) / MICROS

    def by_source(self, window: str) -> dict[str, WindowTotals]:
        """Return a window's USD and orders by source, without sources that have none."""
        sums, counts = self.windows.sums(window).tolist(), self.windows.counts(window).tolist()
        return {
            source: WindowTotals(sums[lane] / MICROS, sums[lane + 1] / MICROS, counts[lane] + counts[lane + 1])
            for source, lane in self._sources.items()
            if counts[lane] or counts[lane + 1]
        }

    def learn(self, minute: int, *, learn: bool) -> None:
        """Learn the minute that ends with the last closed second as a quiet one; pass over it if not ``learn``.

        Minutes in which no second was closed count as empty ones.
        """
        empty = minute - self._minute - 1 if self._minute else 0
        known = self.fine or self.aggregated
        self._minute = minute if known else 0  # before anything came, an empty minute is an unknown one
        if not learn or not known:
            return
        if not self.fine:
            self._learn_coarse(max(0, empty) + 1)
        else:
            if empty > 0:
                self._learn_empty(minute - empty, empty)
                self._measure()
            self._learn()
        self._measure()

    def _learn(self) -> None:
        keep, winsor, floor = self._keep(1), self._baseline.winsor, self.floor_usd
        orders = min(self.orders("1m"), winsor * (self.order_rate + 1.0))
        self.order_rate = keep * self.order_rate + (1.0 - keep) * orders
        seen, before = 0.0, max(LOWEST_RATE, sum(self.rates))
        for side, index in SIDE_INDEX.items():
            rate = self.rates[index]
            counted = min(self.usd("1m", side), winsor * (rate * self.factor + floor))
            seen += counted
            self.rates[index] = max(LOWEST_RATE, keep * rate + (1.0 - keep) * counted / self.factor)
            for window, surprise in self._surprise[index].items():
                surprise.observe(self.ratio(window, side) if self.usd(window, side) else 0.0)
        self.shape.learn(self._minute // 60, min(winsor, seen / before))
        limit = winsor * (self._source_rates + BREADTH_FLOOR * floor)
        counted_by_source = np.minimum(self.windows.sums("1m") / MICROS, limit)
        self._source_rates = keep * self._source_rates + (1.0 - keep) * counted_by_source
        self._judge_anew()

    def _learn_coarse(self, minutes: int) -> None:
        """Learn from totals of an hour: each minute of it is taken to be a sixtieth."""
        keep = self._keep(minutes)
        for side, index in SIDE_INDEX.items():
            rate = self.rates[index]
            counted = min(self.usd("1h", side) / 60, self._baseline.winsor * (rate * self.factor + self.floor_usd / 60))
            self.rates[index] = max(LOWEST_RATE, keep * rate + (1.0 - keep) * counted / self.factor)
            if "1h" in self._surprise[index]:
                self._surprise[index]["1h"].observe(self.ratio("1h", side), minutes)
        self._judge_anew()

    def _learn_empty(self, first: int, minutes: int) -> None:
        """Learn minutes in which every judged window was empty, all at once."""
        keep = self._keep(minutes)
        self.rates = [max(LOWEST_RATE, keep * rate) for rate in self.rates]
        self._source_rates *= keep
        self.order_rate *= keep
        for surprises in self._surprise:
            for surprise in surprises.values():
                surprise.observe(0.0, minutes)
        at, last = max(first, first + minutes - SHAPE_MINUTES), first + minutes
        while at < last:
            of_hour = min(last, at - at % 60 + 60) - at
            self.shape.learn(at // 60, 0.0, of_hour)
            at += of_hour
        self._reshape()

    def _keep(self, minutes: int) -> float:
        """Return the share of the rates' weight left after more minutes: a plain mean until a half-life passed."""
        fade = 2.0 ** (-1.0 / (60.0 * self._baseline.half_life_hours))
        weight = PRIOR_MINUTES + self._minutes
        plain = min(minutes, max(0, int(1.0 / (1.0 - fade)) - weight))  # minutes that the mean gives more than the fade
        self._minutes += minutes
        return weight / (weight + plain) * math.pow(fade, minutes - plain)

    @property
    def empty(self) -> bool:
        """Return True if every judged window was empty at the last :meth:`close`, so another minute adds nothing."""
        table = self.table
        return not table or not any(amount for window in self._priors for amount in table[window][0])

    @property
    def learned_minutes(self) -> int:
        """Return the number of minutes that the baseline has learned."""
        return self._minutes

    def state(self) -> FlowState:
        """Return what a snapshot stores."""
        return FlowState(
            windows=self.windows.state(),
            fine=self.fine,
            aggregated=self.aggregated,
            rates=self.rates,
            shape=self.shape.state(),
            factor=self.factor,
            hour=self._hour,
            hidden=self.hidden,
            order_rate=self.order_rate,
            last=self.last,
            interest=self.interest_usd,
            floor=self.floor_usd,
            minutes=self._minutes,
            minute=self._minute,
            sources=self._sources,
            source_rates=self._source_rates.tolist(),
            surprise=[{name: kept.state() for name, kept in side.items()} for side in self._surprise],
        )

    def load(self, kept: FlowState) -> None:
        """Restore a decoded :class:`FlowState`; windows that were not judged then start without observations."""
        self.windows = Windows.restore(kept.windows, WINDOWS)
        self.fine, self.aggregated, self.rates = kept.fine, kept.aggregated, kept.rates
        self._minutes, self._minute, self._sources = kept.minutes, kept.minute, kept.sources
        self._names = list(self._sources)
        self.order_rate, self.last = kept.order_rate, kept.last
        self.interest_usd, self.floor_usd = kept.interest, kept.floor
        self.shape.load(kept.shape)
        self.factor, self._hour, self.hidden = kept.factor, kept.hour, kept.hidden
        self._source_rates = np.array(kept.source_rates, np.float64)
        for surprises, side in zip(self._surprise, kept.surprise, strict=True):
            for name, surprise in surprises.items():
                if name in side:
                    surprise.load(side[name])
        self.table = self.windows.by_side()
