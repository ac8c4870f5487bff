"""What a metrics endpoint or a screen may read of the detector: small copies, safe to keep."""

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

    ``corrected_1m`` and ``saturation`` (by venue) are of feeds that send one report a second, None and empty where none
    of them showed anything within the minute. The market has no ``corrected_1m``: it hears of whole minutes.
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
    """How far the market moves as one.

    Attributes:
        stressed_ratio: share of the top assets that are stressed, of the side that has more of them.
        effective_assets: see :meth:`monitor.detect.market.Market.effective_assets`; of longs and of shorts.
        leader: whose price the market has, empty where none has one.
        lead_s: by how many seconds it moves before the others, negative where it follows.
        lead_correlation: of its returns with the others' at that lag, -1 to 1.
    """

    stressed_ratio: float
    effective_assets: tuple[float, float] = (0.0, 0.0)
    leader: str = ""
    lead_s: int = 0
    lead_correlation: float = 0.0


class AheadView(NamedTuple):
    """Arrival times that were not believed, by venue, and how often time stepped back.

    Attributes:
        seconds: how far ahead the last such record was stamped, if within the last minute of market time, else 0.
        placed: records that were placed at the watermark instead.
        refused: records that were refused.
        steps_back: how often the current second stepped back.
    """

    seconds: Mapping[str, float] = {}
    placed: Mapping[str, int] = {}
    refused: Mapping[str, int] = {}
    steps_back: int = 0


class DetectorView(NamedTuple):
    """The detector as a whole; ``market`` is None where that is judged elsewhere.

    ``quarantined`` are the assets in quarantine, ``faults`` how often a record could not be applied or a second not be
    closed, and ``passed_over`` the records that were dropped because their asset was in quarantine. ``gap_ratios`` is
    the share of each window without liquidations of a venue because of a gap, by venue and window.
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
