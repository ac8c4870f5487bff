"""Open interest taken apart: how much of a change is positions closed, and how much is the price.

Open interest in USD falls with the price though no position is closed. For sums over series ``i`` (a venue's symbol)
with ``q`` coins at a price ``p``, then (0) and now (1)::

    usd            = sum(q1 p1) / sum(q0 p0) - 1
    constant_price = sum(q1 p0) / sum(q0 p0) - 1          coins, valued at the prices of then
    price_effect   = sum(q1 p1 - q1 p0) / sum(q0 p0)      what the price alone did to what is open now

so that ``usd = constant_price + price_effect`` exactly. In logarithms ``ln(1 + usd) = ln(1 + constant_price) +
ln(1 + price)`` with ``price = sum(q1 p1) / sum(q1 p0) - 1``, the change of the mean price. An asset's price is one
(what its series are worth over their coins), so ``constant_price`` is also its change in coins; the market adds its
assets up in USD.

Only series present at both ends count: a venue that appears, disappears or goes silent changes no position. Their share
of today's open interest is reported with the change (``covered``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from monitor.detect.context.cached_reading import FOREVER, CachedReading
from monitor.detect.context.sampled_history import HistoryState, Sample, SampledHistory
from monitor.model.events import MICROS, MOST_MICROS, micro_usd, saturated

INTEREST_WINDOWS: Final[Mapping[str, int]] = {
    "5m": 300,
    "1h": 3_600,
    "24h": 86_400,
    "7d": 604_800,
    "30d": 2_592_000,
}
"""Windows of a change: names, and lengths in seconds."""
TIERS: Final = ((60, 3_600), (900, 86_400), (3_600, 604_800), (14_400, 2_592_000))
"""Lengths of slots and the longest window that each serves, seconds: the far end of a window is exact to about a
hundredth of it (half a slot either way), at 600 samples a series, 12 kB."""
FRESH_S: Final = 600
"""Shortest age in seconds at which a series becomes stale: Binance is polled every five minutes."""
PATIENCE: Final = 2
"""Distances between a series' last two samples after which it becomes stale, within the limits before and after."""
LONGEST_S: Final = 7_200
"""Longest age in seconds at which a series becomes stale: recordings are hourly, anything slower is no reading."""
LEAST_COVERED: Final = 0.5
"""Minimum coverage: a change known for a smaller share of today's open interest is not reported."""


class Change(NamedTuple):
    """Change within a window over the series present at both ends, in exact micro-USD.

    Attributes:
        then: value then.
        constant: value of what is open now at the prices of then.
        now: value now.
        present: value now of all series, also of those that were absent then.
        coins: change in base units; 0 where assets were added up.
    """

    then: int
    constant: int
    now: int
    present: int
    coins: float = 0.0

    @property
    def usd(self) -> float:
        """Return the change in USD, a ratio."""
        return (self.now - self.then) / self.then

    @property
    def constant_price(self) -> float:
        """Return the change at constant prices, a ratio."""
        return (self.constant - self.then) / self.then

    @property
    def price_effect(self) -> float:
        """Return the rest, a ratio; ``usd`` is the sum of the two."""
        return (self.now - self.constant) / self.then

    @property
    def price(self) -> float:
        """Return the change of the mean price, a ratio."""
        return (self.now - self.constant) / self.constant if self.constant else 0.0

    @property
    def price_share(self) -> float:
        """Return the price's share of the logarithmic change; 0 where nothing changed."""
        if not self.now or not self.constant:
            return 0.0
        whole = math.log(self.now / self.then)  # also 0 where a change is too small for the ratio to show it
        return math.log(self.now / self.constant) / whole if whole else 0.0

    @property
    def covered(self) -> float:
        """Return the share (0 to 1) of today's open interest that the change is known for."""
        return self.now / self.present if self.present else 0.0


def joined(changes: Iterable[Change]) -> Change | None:
    """Return the change of several assets together, at constant prices of each; None where too little is known.

    Example:
        >>> bitcoin, ether = Change(100, 90, 72, 72), Change(100, 120, 60, 60)
        >>> market = joined([bitcoin, ether])
        >>> round(market.usd, 3), round(market.constant_price, 3), round(market.price_effect, 3)
        (-0.34, 0.05, -0.39)
    """
    found = list(changes)
    then, constant = sum(each.then for each in found), sum(each.constant for each in found)
    now, present = sum(each.now for each in found), sum(each.present for each in found)
    total = Change(*(saturated(each) for each in (then, constant, now, present)))
    return total if then and total.covered >= LEAST_COVERED else None


class SeriesState(msgspec.Struct, array_like=True):
    """One symbol's samples.

    Attributes:
        venue: of the symbol.
        symbol: as the venue names it.
        last: the newest sample.
        spacing_s: its distance from the sample before, seconds.
        histories: samples by tier, in the order of :data:`TIERS`.
    """

    venue: str
    symbol: str
    last: Sample
    spacing_s: int
    histories: list[HistoryState]


class Series:
    """Open interest of one symbol on one venue: the newest sample and the samples before it.

    Attributes:
        last: the newest sample.
        spacing_s: its distance from the sample before, seconds.
        patience_s: age in seconds from which it is stale.
    """

    __slots__ = ("_before", "_histories", "last", "patience_s", "spacing_s")

    def __init__(self) -> None:
        self.last = Sample(0, 0.0, 0)
        self.spacing_s = 0
        self.patience_s = FRESH_S
        self._before: dict[int, Sample | None] = {}  # by window; valid until the next sample
        # Longer than the windows by the largest distance of a sample beyond their end.
        self._histories = [
            SampledHistory(slot_s, length_s + min(length_s, LONGEST_S) + slot_s) for slot_s, length_s in TIERS
        ]

    def add(self, sample: Sample) -> None:
        """Add a sample of any age."""
        for history in self._histories:
            if sample.second > self.last.second - history.length_s:
                history.add(*sample)
        if sample.second >= self.last.second:
            if self.last.second and sample.second > self.last.second:
                self.spacing_s = sample.second - self.last.second
                self.patience_s = _patience_s(self.spacing_s)
            self.last = sample
        self._before.clear()

    @property
    def fresh_until(self) -> int:
        """Return the last second in which it is not stale."""
        return self.last.second + self.patience_s

    def before(self, window_s: int) -> Sample | None:
        """Return the sample a window's length before the newest, exact to half a slot; None where there is none."""
        if window_s not in self._before:
            self._before[window_s] = self._look_up(window_s)
        return self._before[window_s]

    def _look_up(self, window_s: int) -> Sample | None:
        history = next(
            history for history, (_, longest) in zip(self._histories, TIERS, strict=True) if window_s <= longest
        )
        edge = self.last.second - window_s + history.slot_s // 2
        found = history.at(edge)
        reach = max(2 * history.slot_s, min(self.patience_s, window_s + history.slot_s))
        return found if found is not None and edge - found.second <= reach else None

    def state(self, venue: str, symbol: str) -> SeriesState:
        """Return what a snapshot stores."""
        return SeriesState(venue, symbol, self.last, self.spacing_s, [history.state() for history in self._histories])

    @classmethod
    def restore(cls, state: SeriesState) -> Series:
        """Return the series that :meth:`state` described."""
        self = cls()
        self.last, self.spacing_s = state.last, state.spacing_s
        self.patience_s = _patience_s(self.spacing_s)
        for history, kept in zip(self._histories, state.histories, strict=True):
            history.load(kept)
        return self


def _patience_s(spacing_s: int) -> int:
    return min(LONGEST_S, max(FRESH_S, PATIENCE * spacing_s))


class Alive(NamedTuple):
    """Series that are not stale: each with its venue, their USD, base units, USD by venue, and oldest second."""

    series: list[tuple[str, Series]]
    usd: float
    coins: float
    by_venue: dict[str, float]
    oldest: int


class OpenInterest:
    """Open interest of one asset over venues; see docs/semantics.md, "Open interest".

    Units: coins and USD, one side. Typical changes of BTC at constant prices: 99 % of five-minute ones above -0.38 %,
    of hourly ones above -1.7 %, of daily ones above -8.7 %; at five minutes 63 % of the variance in USD is price.

    Example:
        >>> interest = OpenInterest()
        >>> day = 86_400
        >>> for second, coins, price in ((day, 100.0, 80_000.0), (31 * day, 95.0, 60_000.0)):
        ...     interest.add("okx", "BTC-USDT-SWAP", second, coins, coins * price)
        >>> change = interest.change("30d", 31 * day)
        >>> round(change.usd, 4), round(change.constant_price, 4), round(change.price_effect, 4)
        (-0.2875, -0.05, -0.2375)
        >>> change.coins, round(change.price_share, 2)
        (-5.0, 0.85)
    """

    __slots__ = ("_alive", "_series")

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}
        self._alive = CachedReading[Alive | None]()

    def add(self, venue: str, symbol: str, second: int, coins: float, usd: float) -> None:
        """Add a sample as of ``second``: base units and USD of one side."""
        series = self._series.get((venue, symbol))
        if series is None:
            series = self._series[venue, symbol] = Series()
        series.add(Sample(second, coins, micro_usd(usd)))
        self._alive.invalidate()

    def alive(self, second: int) -> Alive | None:
        """Return the series that are not stale; None where all are."""
        return self._alive.at(second, self._find_alive)

    def _find_alive(self, second: int) -> tuple[Alive | None, int]:
        found = [(venue, each) for (venue, _), each in self._series.items() if second <= each.fresh_until]
        if not found:
            return None, FOREVER
        by_venue: dict[str, float] = {}
        for venue, each in found:
            by_venue[venue] = by_venue.get(venue, 0.0) + each.last.micros / MICROS
        alive = Alive(
            found,
            sum(each.last.micros for _, each in found) / MICROS,
            math.fsum(each.last.value for _, each in found),
            by_venue,
            min(each.last.second for _, each in found),
        )
        return alive, min(each.fresh_until for _, each in found)

    def usd(self, second: int) -> float | None:
        """Return the open interest of the series that are not stale, USD; None where there is none."""
        alive = self.alive(second)
        return None if alive is None else alive.usd

    def coins(self, second: int) -> float | None:
        """Return the same in base units."""
        alive = self.alive(second)
        return None if alive is None else alive.coins

    def age_s(self, second: int) -> int | None:
        """Return the age of the oldest sample that counts, seconds; None where none does."""
        alive = self.alive(second)
        return None if alive is None else second - alive.oldest

    def by_venue(self, second: int) -> Mapping[str, float]:
        """Return USD by venue, without stale series."""
        alive = self.alive(second)
        return {} if alive is None else alive.by_venue

    def weight(self, venue: str, symbol: str) -> float:
        """Return the last USD of one series, also of a stale one; 0 where it never had a sample."""
        series = self._series.get((venue, symbol))
        return series.last.micros / MICROS if series is not None else 0.0

    def series(self, venue: str, symbol: str) -> Series | None:
        """Return the series of one symbol; None where it never had a sample."""
        return self._series.get((venue, symbol))

    def change(self, window: str, second: int, venue: str | None = None) -> Change | None:
        """Return a window's change up to ``second`` of one venue or all; None where its far end is too little known."""
        length_s = INTEREST_WINDOWS[window]
        present, then, now = 0, [], []
        alive = self.alive(second)
        for where, series in alive.series if alive is not None else ():
            if venue not in (None, where):
                continue
            present += series.last.micros
            before = series.before(length_s)
            if before is not None and before.second < series.last.second:
                then.append(before)
                now.append(series.last)
        return _change(then, now, present)

    def state(self) -> list[SeriesState]:
        """Return what a snapshot stores."""
        return [each.state(venue, symbol) for (venue, symbol), each in self._series.items()]

    def load(self, state: list[SeriesState]) -> None:
        """Restore what :meth:`state` returned."""
        self._alive.invalidate()
        self._series = {(kept.venue, kept.symbol): Series.restore(kept) for kept in state}


def _change(then: list[Sample], now: list[Sample], present: int) -> Change | None:
    """Return the change of an asset: the coins of now are valued at the mean price of then."""
    usd_then, usd_now = sum(each.micros for each in then), sum(each.micros for each in now)
    coins_then = math.fsum(each.value for each in then)
    coins_now = math.fsum(each.value for each in now)
    if usd_then <= 0 or coins_then <= 0 or usd_now < LEAST_COVERED * present:
        return None
    constant = round(min(MOST_MICROS, usd_then * (coins_now / coins_then)))
    return Change(saturated(usd_then), constant, saturated(usd_now), saturated(present), coins_now - coins_then)
