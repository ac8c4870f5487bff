"""Funding and basis of one asset over venues: the cost of leverage, and the distance of perpetuals from the index."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Final, NamedTuple

import msgspec

from monitor.detect.context.cached_reading import FOREVER
from monitor.detect.context.sampled_history import HistoryState, SampledHistory
from monitor.model.events import MICROS, MarkPrice

FRESH_S: Final = 600
"""Age in seconds up to which a series' last mark counts."""
EIGHT_HOURS_S: Final = 28_800
LONGEST_INTERVAL_S: Final = 86_400
"""Longest funding interval, seconds: no exchange funds less often than daily, so a longer distance is a gap."""
DAY_30_S: Final = 2_592_000
SLOT_S: Final = 14_400
LEAST_SAMPLES: Final = 42
"""Minimum number of samples for a deviation, of 180 in thirty days: a week."""
MAD_TO_SIGMA: Final = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""
LEAST_MAD: Final = 1e-5
"""Minimum median absolute deviation, a ratio (a tenth of a basis point): funding pinned to its default must not make
noise look like stress."""


class Quote(NamedTuple):
    """The last values of a series.

    Attributes:
        second: of its last mark.
        rate: funding rate per interval; None where unknown.
        due_us: next funding time, 0 where unknown.
        interval_s: funding interval, 0 where unknown.
        basis: a ratio; None where unknown.
        basis_at: the second of the basis.
    """

    second: int
    rate: float | None
    due_us: int
    interval_s: int
    basis: float | None
    basis_at: int


class QuoteState(msgspec.Struct, array_like=True):
    """The last values of one series, of a venue's symbol."""

    venue: str
    symbol: str
    quote: Quote


class FundingBasisState(msgspec.Struct, array_like=True):
    """Everything that :class:`FundingBasis` remembers.

    Attributes:
        quotes: the last values of every series.
        history: funding of thirty days.
        normal: its median and median absolute deviation; None before a week was seen.
    """

    quotes: list[QuoteState]
    history: HistoryState
    normal: tuple[float, float] | None


class FundingBasis:
    """Funding normalised to eight hours, weighted by open interest, and basis; see docs/semantics.md.

    Funding is a ratio per 8 h (0.0001 is a basis point; typically 0.01 %, -0.02 % on 2026-02-05), basis ``(mark -
    index) / index`` in basis points, the median over series and their spread (highest less lowest; typically a few,
    and itself a sign of stress). The funding interval is the distance of two successive funding times of a
    series, and eight hours until that was seen.

    Example:
        >>> carry = FundingBasis()
        >>> for hour in range(2):
        ...     at, due = 3600 * hour * MICROS, 3600 * (hour + 1) * MICROS
        ...     carry.mark(MarkPrice("dydx", "BTC-USD", "BTC", at, at, 101.0, 100.0, 0.0001, due))
        >>> carry.mark(MarkPrice("okx", "BTC-USDT-SWAP", "BTC", at, at, 99.5, 100.0, 0.0002))
        >>> round(carry.funding_8h(3600, lambda venue, symbol: 1.0), 6)
        0.0005
        >>> carry.basis_bp(3600)
        (25.0, 150.0)
    """

    __slots__ = ("_history", "_normal", "_quotes")

    def __init__(self) -> None:
        self._quotes: dict[tuple[str, str], Quote] = {}
        self._history = SampledHistory(SLOT_S, DAY_30_S)
        self._normal: tuple[float, float] | None = None  # median and MAD of the history

    def mark(self, event: MarkPrice) -> None:
        """Take a mark price; one that is older than its series' last is ignored."""
        key = (event.venue, event.symbol)
        second = event.event_time_us // MICROS
        kept = self._quotes.get(key)
        if kept is not None and second < kept.second:
            return
        rate, due_us, interval_s, basis, basis_at = (None, 0, 0, None, 0) if kept is None else kept[1:]
        if isinstance(event.funding_rate, float):
            rate = event.funding_rate
        if isinstance(event.next_funding_time_us, int) and event.next_funding_time_us != due_us:
            apart_s = (event.next_funding_time_us - due_us) // MICROS if due_us else 0
            due_us = event.next_funding_time_us
            if 0 < apart_s <= LONGEST_INTERVAL_S:
                interval_s = apart_s
        if isinstance(event.index_price, float) and event.index_price > 0:
            basis, basis_at = (event.mark_price - event.index_price) / event.index_price, second
        self._quotes[key] = Quote(second, rate, due_us, interval_s, basis, basis_at)

    def funding_8h(self, second: int, weight: Callable[[str, str], float]) -> float | None:
        """Return the mean funding of fresh series by ``weight`` of venue and symbol; the median where all weigh 0."""
        found = [
            (quote.rate * (EIGHT_HOURS_S / (quote.interval_s or EIGHT_HOURS_S)), weight(*key))
            for key, quote in self._quotes.items()
            if quote.rate is not None and second - quote.second < FRESH_S
        ]
        total = sum(weighted for _, weighted in found)
        if total > 0:
            return sum(rate * weighted for rate, weighted in found) / total
        return median(rate for rate, _ in found) if found else None

    def remember(self, second: int, funding_8h: float) -> None:
        """Store a funding as one of the last thirty days; called about once a minute."""
        slots = len(self._history)
        self._history.add(second, funding_8h, 0)
        if len(self._history) != slots:
            self._learn()

    def _learn(self) -> None:
        values = self._history.values
        if len(values) >= LEAST_SAMPLES:
            middle = median(values)
            self._normal = (middle, max(LEAST_MAD, median(abs(value - middle) for value in values)))

    def funding_z(self, funding_8h: float) -> float | None:
        """Return the distance from the median of thirty days in robust deviations; None before a week was seen."""
        if self._normal is None:
            return None
        middle, deviation = self._normal
        return (funding_8h - middle) / (MAD_TO_SIGMA * deviation)

    def basis_bp(self, second: int) -> tuple[float, float] | None:
        """Return the median basis over fresh series and the distance of the highest from the lowest, basis points."""
        found = [
            1e4 * quote.basis
            for quote in self._quotes.values()
            if quote.basis is not None and second - quote.basis_at < FRESH_S
        ]
        return (median(found), max(found) - min(found)) if found else None

    def basis_by_venue(self, second: int, fresh_s: int) -> dict[str, float]:
        """Return the basis of each venue as of the last ``fresh_s`` seconds, basis points; the median of its series."""
        found: dict[str, list[float]] = {}
        for (venue, _), quote in self._quotes.items():
            if quote.basis is not None and second - quote.basis_at < fresh_s:
                found.setdefault(venue, []).append(1e4 * quote.basis)
        return {venue: each[0] if len(each) == 1 else median(each) for venue, each in found.items()}

    def valid_until(self, second: int, fresh_s: int = FRESH_S) -> int:
        """Return the last second for which the values as of ``second`` hold, if no mark comes."""
        times = (at for quote in self._quotes.values() for at in (quote.second, quote.basis_at))
        return min((at + fresh_s - 1 for at in times if second - at < fresh_s), default=FOREVER)

    def state(self) -> FundingBasisState:
        """Return what a snapshot stores."""
        return FundingBasisState(
            quotes=[QuoteState(venue, symbol, quote) for (venue, symbol), quote in self._quotes.items()],
            history=self._history.state(),
            normal=self._normal,
        )

    def load(self, state: FundingBasisState) -> None:
        """Restore what :meth:`state` returned."""
        self._quotes = {(each.venue, each.symbol): each.quote for each in state.quotes}
        self._history.load(state.history)
        self._normal = state.normal
