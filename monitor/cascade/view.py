"""What a metrics endpoint or a screen may read of the detector: small copies, safe to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from monitor.events import (
    Evidence,
    Phase,
    Side,
    SignalHolding,
    SignalInterest,
    SignalLevel,
    SignalPace,
    SignalTradfi,
    SignalVolatility,
    WindowTotals,
)


class ContextView(NamedTuple):
    """What surrounds an asset's liquidations; None or empty where unknown. Fields are those of a signal."""

    open_interest: SignalInterest | None = None
    levels: Sequence[SignalLevel] = ()
    holders: Sequence[SignalHolding] = ()
    funding_8h: float | None = None
    funding_z: float | None = None
    basis_bp: float | None = None
    basis_dispersion_bp: float | None = None
    dvol: SignalVolatility | None = None
    pace: tuple[SignalPace, SignalPace] | None = None
    taker_variance_ratio: float | None = None
    tradfi: SignalTradfi | None = None


NO_CONTEXT: Final = ContextView()


class AssetView(NamedTuple):
    """One asset (or ``MARKET``) as of its last closed second. Ratios are fractions, money is USD."""

    asset: str
    phase: Phase
    direction: Side
    risk_score: float
    severity: int
    price: float | None
    drawdown_by_window: Mapping[str, float]
    windows: Mapping[str, WindowTotals]
    open_interest_usd: float | None
    funding_rate: float | None
    coverage_ratio: float | None
    evidence: Sequence[Evidence]
    episode_id: str | None
    venues: Mapping[str, WindowTotals]
    context: ContextView = NO_CONTEXT


class Histogram(NamedTuple):
    """Plain bucket counts: ``counts[i]`` is up to ``bounds[i]`` (seconds), the last one is above them all."""

    bounds: Sequence[float]
    counts: Sequence[int]
    sum: float


class DetectorView(NamedTuple):
    """The detector as a whole; ``stressed_ratio`` is the market's breadth, None where that is judged elsewhere."""

    assets: Sequence[AssetView]
    signals_by_phase: Mapping[str, int]
    liquidations: int
    liquidated_usd: tuple[float, float]
    duplicates_by_venue: Mapping[str, int]
    late_by_venue: Mapping[str, int]
    venues_in_gap: Sequence[str]
    second: int
    stressed_ratio: float | None = None
