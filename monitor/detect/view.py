"""Views of the detector for metrics, terminal and dashboard: small copies that are safe to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from monitor.model.events import Side
from monitor.model.signals import (
    CorrectedTotals,
    Evidence,
    Phase,
    SignalHolding,
    SignalInterest,
    SignalLevel,
    SignalPace,
    SignalTradfi,
    SignalVolatility,
    WindowTotals,
)


class ContextView(NamedTuple):
    """Context of an asset's liquidations, in the fields of a signal; None or empty where unknown."""

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
    fragility: tuple[float | None, float | None] = (None, None)


NO_CONTEXT: Final = ContextView()


class EpisodeView(NamedTuple):
    """One side's running episode. ``severity`` is 1 to 3, see :func:`monitor.detect.decide.signal.severity`."""

    episode_id: str
    direction: Side
    phase: Phase
    severity: int


class AssetView(NamedTuple):
    """One asset (or ``MARKET``) as of its last closed second. Ratios are fractions, money is USD.

    ``phase``, ``direction``, ``risk_score``, ``evidence`` and ``episode_id`` are of the side that is further along; the
    running episodes of both sides are in ``episodes``.

    ``corrected_1m`` and ``saturation`` (by venue) are of feeds that send one report a second; they are None and empty
    where no such feed had a report within the minute. The market has no ``corrected_1m``: it receives whole minutes.
    """

    asset: str
    phase: Phase
    direction: Side
    risk_score: float
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
    corrected_1m: CorrectedTotals | None = None
    saturation: Mapping[str, float] = {}
    episodes: Sequence[EpisodeView] = ()


class MarketView(NamedTuple):
    """Breadth of the market's moves, and the asset that leads them.

    Attributes:
        stressed_ratio: share of the top assets that are stressed, of the side that has more of them.
        effective_assets: see :meth:`monitor.detect.market.Market.effective_assets`; of longs and of shorts.
        leader: the asset whose price is the market's; empty where no leader has a price.
        lead_s: seconds by which it moves before the others; negative where it follows.
        lead_correlation: correlation of its returns with the others' at that lag, -1 to 1.
    """

    stressed_ratio: float
    effective_assets: tuple[float, float] = (0.0, 0.0)
    leader: str = ""
    lead_s: int = 0
    lead_correlation: float = 0.0


class AheadView(NamedTuple):
    """Arrival times that were not believed, by venue, and the number of steps back in time.

    Attributes:
        seconds: how far ahead the last such record was stamped within the last minute of market time; 0 if none was.
        placed: records that were placed at the watermark instead.
        refused: records that were refused.
        steps_back: number of times that the current second stepped back.
    """

    seconds: Mapping[str, float] = {}
    placed: Mapping[str, int] = {}
    refused: Mapping[str, int] = {}
    steps_back: int = 0


class DetectorView(NamedTuple):
    """The detector as a whole; ``market`` is None where the market is judged elsewhere.

    ``quarantined`` are the assets in quarantine, ``faults`` the number of records that could not be applied and of
    seconds that could not be closed, and ``passed_over`` the number of records that were dropped because their asset
    was in quarantine. ``gap_ratios`` is the share of each window that lies in a venue's gaps, by venue and window.
    ``excluded`` counts impossible liquidations by venue and reason (:mod:`monitor.detect.ingest.plausibility`).
    ``outdated`` counts liquidations that arrived too late for every window, and ``outdated_usd`` is their sum.
    """

    assets: Sequence[AssetView]
    signals_by_phase: Mapping[str, int]
    liquidations: int
    liquidated_usd: tuple[float, float]
    duplicates_by_venue: Mapping[str, int]
    late_by_venue: Mapping[str, int]
    venues_in_gap: Sequence[str]
    second: int
    market: MarketView | None = None
    quarantined: Sequence[str] = ()
    faults: int = 0
    passed_over: int = 0
    gap_ratios: Mapping[tuple[str, str], float] = {}
    ahead: AheadView = AheadView()
    excluded: Mapping[tuple[str, str], int] = {}
    outdated: int = 0
    outdated_usd: float = 0.0
