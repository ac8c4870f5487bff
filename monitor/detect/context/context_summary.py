"""Summary of an asset's context that the market receives once a minute."""

from __future__ import annotations

from typing import NamedTuple


class VolatilityReading(NamedTuple):
    """Implied volatility: percent, surprise of its rise in decades, and change of 24 h in points where known."""

    value: float
    surprise: float
    change_24h: float | None


class IndexStress(NamedTuple):
    """Stress of an index perpetual: surprise of its move in decades, the move as a ratio, and the volatility ratio."""

    surprise: float
    move: float
    volatility_ratio: float


class ChangeSummary(NamedTuple):
    """A :class:`monitor.detect.context.open_interest.Change` without its coins, which are not added over assets."""

    then: int
    constant: int
    now: int
    present: int


class ContextSummary(NamedTuple):
    """One asset's context as of the end of a minute.

    Attributes:
        open_interest_usd: USD, 0 where it is unknown.
        age_s: age of its oldest sample, seconds.
        suspect: whether a venue's change exceeds its trades, see :class:`monitor.detect.context.turnover.Turnover`.
        changes: changes of open interest by window.
        dvol: implied volatility; None where there is none.
        stress: stress of an asset that is an index of a traditional market; None for others.
    """

    open_interest_usd: float
    age_s: int
    suspect: bool
    changes: dict[str, ChangeSummary]
    dvol: VolatilityReading | None = None
    stress: IndexStress | None = None
