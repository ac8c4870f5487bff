"""Defines the signal that desks consume, the parts that it is made of, and the record between detectors.

These are the record contract's only definitions: codec, schemas and documents are made from them. A field that is
``UNSET`` is absent from the JSON. Money is USD, times are integer microseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from monitor.model.contract import Count, Micros, Price, Quantity, Score, Share, Spec, Usd
from monitor.model.events import Side

Phase = Literal["calm", "building", "cascade", "relief"]
Reason = Literal["flow_and_price", "price_only"]
LevelState = Literal["above", "testing", "broken", "stale"]


class SideTotals(msgspec.Struct):
    """USD by the side that was liquidated."""

    long: Usd
    short: Usd


class WindowTotals(msgspec.Struct):
    """USD by the side that was liquidated and the number of forced orders, within one window."""

    long: Usd
    short: Usd
    count: Count


class Evidence(msgspec.Struct):
    """One item of a score."""

    feature: str
    value: float
    baseline: Annotated[float, Spec("Normal value for this asset.")]
    contribution: Annotated[float, Spec("Points of the score that it gave.")]


class SignalCoverage(msgspec.Struct):
    """Visibility of the forced flow at the time of the decision."""

    venues_seen: Annotated[list[str], Spec("Venues whose liquidations were readable.")]
    venues_in_gap: Annotated[
        list[str],
        Spec(
            "Venues that were disconnected or stale at the time, or whose liquidations of the last five minutes have a "
            "gap that was not backfilled."
        ),
    ]
    complete_share: Annotated[
        Share,
        Spec("Share of the episode's liquidated USD from complete feeds; below 1 the sums are floors."),
    ]
    seen_share: Annotated[Share, Spec("Share of the forced flow whose feeds are up.")] = 1.0
    saturation: Annotated[
        dict[str, float],
        Spec("By venue of one report a second, share of the last minute's seconds that had one."),
    ] = {}
    blind_since_us: Annotated[
        Micros | UnsetType,
        Spec("Market time since which neither liquidations nor prices can be seen; absent while anything can."),
    ] = UNSET
    unseen_s: Annotated[
        Count | UnsetType,
        Spec("Seconds of the episode in which nothing could be seen and its phase was held; absent means none."),
    ] = UNSET


class CorrectedUsd(msgspec.Struct, frozen=True):
    """USD with an estimate of what throttled feeds hide, as an interval."""

    low: Usd
    mid: Usd
    high: Annotated[Usd | None, Spec("Null where the feeds are at their limit and nothing bounds what they hide.")]


class CorrectedTotals(msgspec.Struct, frozen=True):
    """Corrected USD by the side that was liquidated."""

    long: CorrectedUsd
    short: CorrectedUsd


NOT_CORRECTED: Final = CorrectedTotals(CorrectedUsd(0.0, 0.0, 0.0), CorrectedUsd(0.0, 0.0, 0.0))


class InterestChange(msgspec.Struct):
    """A change of open interest taken apart, as ratios: `usd` is the sum of `constant_price` and `price_effect`."""

    usd: Annotated[float, Spec("Change in USD.")]
    constant_price: Annotated[float, Spec("Change of what is open, valued at the prices of the window's start.")]
    price_effect: Annotated[float, Spec("Change by the price alone.")]
    covered: Annotated[Share, Spec("Share of today's open interest that is known at both ends.")]
    coins: Annotated[float | UnsetType, Spec("Change in base units; absent for the market.")] = UNSET


class SignalInterest(msgspec.Struct):
    """Open interest, one side of it. A window whose far end is unknown is absent from `changes`."""

    usd: Usd
    age_s: Annotated[Count, Spec("Age of the oldest sample in it, seconds.")]
    suspect: Annotated[bool, Spec("Whether the change of a venue exceeds what was traded there.")]
    changes: Annotated[dict[str, InterestChange], Spec("By window: `5m`, `1h`, `24h`, `7d`, `30d`.")]
    coins: Annotated[Quantity | UnsetType, Spec("Base units; absent for the market.")] = UNSET
    implied_forced_ratio: Annotated[
        float | UnsetType,
        Spec("Closed within 5 minutes by open interest, over liquidated as reported; typically 1 to 3."),
    ] = UNSET


class SignalLevel(msgspec.Struct):
    """A configured price level."""

    price: Annotated[Price, Spec("The level, USD.")]
    state: Annotated[LevelState, Spec("`stale`: broken long ago or far below; the level is no support any more.")]
    broken: bool
    distance_ratio: Annotated[float, Spec("Of the price from the level, as a ratio of it; negative below.")]
    broken_us: Annotated[Micros | UnsetType, Spec("When it broke; absent where the break was not observed.")] = UNSET


class SignalHolding(msgspec.Struct):
    """A configured large holder."""

    holder: str
    quantity: Annotated[Quantity, Spec("Base units, as of `as_of`.")]
    average_cost_usd: Annotated[Price, Spec("Average cost of one unit, USD.")]
    as_of: Annotated[str, Spec("Date of quantity and cost.")]
    pnl_usd: Annotated[float, Spec("Unrealised profit at the signal's price.")]
    distance_ratio: Annotated[float, Spec("Of the price from the average cost, as a ratio of it.")]
    distance_sigma: Annotated[float, Spec("The same in standard deviations of a day's return.")]
    equity_ratio: Annotated[float | UnsetType, Spec("Profit over the holder's equity, where that is known.")] = UNSET


class SignalVolatility(msgspec.Struct):
    """Implied volatility (DVOL)."""

    value: Annotated[float, Spec("Percent, annualised.", ge=0)]
    surprise: Annotated[float, Spec("Of the day's rise, decades: 3 is once in a thousand minutes.", ge=0)]
    change_24h: Annotated[float | UnsetType, Spec("Percentage points; absent before a day was seen.")] = UNSET


class SignalPace(msgspec.Struct):
    """Liquidated USD a day in one window over that in a longer one; below 1 the pace slows.

    A ratio is absent until an event came in 95 % of the longer window's hours.
    """

    covered_7d: Annotated[Share, Spec("Share of the week's hours in which any event came.")]
    covered_30d: Annotated[Share, Spec("Share of the month's hours in which any event came.")]
    day_to_week: Annotated[float | UnsetType, Spec("24 h against 7 d.", ge=0)] = UNSET
    day_to_rest_of_week: Annotated[float | UnsetType, Spec("24 h against the 6 d before.", ge=0)] = UNSET
    week_to_month: Annotated[float | UnsetType, Spec("7 d against 30 d.", ge=0)] = UNSET
    week_to_rest_of_month: Annotated[float | UnsetType, Spec("7 d against the 23 d before.", ge=0)] = UNSET


class SignalTradfi(msgspec.Struct):
    """The most stressed of the configured 24/7 index perpetuals."""

    index: Annotated[str, Spec("Its asset.")]
    stress: Annotated[float, Spec("Surprise of its worst move against the market, decades.", ge=0)]
    move_ratio: Annotated[float, Spec("That move.", ge=0)]
    volatility_ratio: Annotated[float, Spec("Volatility of five minutes over the normal one.", ge=0)]


class Signal(msgspec.Struct, tag_field="type", tag="signal"):
    """The record that desks consume: one per phase change, and one a second while a phase other than calm lasts."""

    episode_id: Annotated[str, Spec("The same from the first sign to the end; PagerDuty's dedup key.")]
    revision: Annotated[Count, Spec("Counts up within an episode.")]
    asset: Annotated[str, Spec("Canonical base asset, or `MARKET` for the market as a whole.")]
    phase: Phase
    previous_phase: Phase
    direction: Annotated[
        Side, Spec("`long`: longs are liquidated and the price falls; `short`: shorts are, and it rises.")
    ]
    risk_score: Score
    event_time_us: Annotated[Micros, Spec("Market time of the decision.")]
    emitted_time_us: Annotated[Micros, Spec("Wall time of its sending.")]
    started_us: Annotated[Micros, Spec("Market time of the episode's start.")]
    price: Annotated[
        Price | None, Spec("Last mark in USD; null where none is known; for `MARKET` that of its leader, BTC.")
    ]
    drawdown_pct: Annotated[float, Spec("Move from the episode's reference price, percent.")]
    liquidated_usd: Annotated[SideTotals, Spec("Since the episode's start.")]
    windows: Annotated[dict[str, WindowTotals], Spec("By window: `10s`, `1m`, `5m`, `1h`, `24h`.")]
    evidence: Annotated[list[Evidence], Spec("Largest contribution first; contributions sum to the score.")]
    coverage: SignalCoverage
    notes: Annotated[
        list[str],
        Spec(
            "What limits the decision, in words: still warming up, a feed degraded, hourly data only. Added after "
            "version 1 of the record; absent means none."
        ),
    ] = []
    wave: Annotated[Count, Spec("Number of cascades of the episode so far.")] = 0
    degraded: Annotated[
        bool, Spec("Whether less than half of the forced flow can be seen, now or in the last five minutes.")
    ] = False
    reason: Annotated[Reason, Spec("`price_only` where no liquidations can be seen and the price decides alone.")] = (
        "flow_and_price"
    )
    liquidated_usd_corrected: Annotated[
        CorrectedTotals,
        Spec("Since the start, with an estimate of what throttled feeds hide; beside `liquidated_usd`."),
    ] = NOT_CORRECTED
    open_interest: Annotated[
        SignalInterest | UnsetType, Spec("Absent where unknown, as are all fields that follow.")
    ] = UNSET
    levels: Annotated[list[SignalLevel] | UnsetType, Spec("Configured price levels, in the settings' order.")] = UNSET
    holders: Annotated[list[SignalHolding] | UnsetType, Spec("Configured large holders of the asset.")] = UNSET
    funding_8h: Annotated[
        float | UnsetType, Spec("Funding per 8 h (0.0001 is a basis point), mean over venues by open interest.")
    ] = UNSET
    funding_z: Annotated[float | UnsetType, Spec("Robust deviations from its median of 30 days.")] = UNSET
    basis_bp: Annotated[float | UnsetType, Spec("(mark - index) / index, basis points, median over venues.")] = UNSET
    basis_dispersion_bp: Annotated[float | UnsetType, Spec("Highest less lowest of them.")] = UNSET
    dvol: Annotated[SignalVolatility | UnsetType, Spec("Implied volatility; for `MARKET` that of its leader.")] = UNSET
    pace: Annotated[SignalPace | UnsetType, Spec("Of the side that is liquidated.")] = UNSET
    taker_variance_ratio: Annotated[
        float | UnsetType, Spec("Variance of the takers' balance, 6 h over 7 d; no point of the score.", ge=0)
    ] = UNSET
    tradfi: Annotated[SignalTradfi | UnsetType, Spec("Stress of traditional markets; `MARKET` alone.")] = UNSET
    fragility: Annotated[
        Share | UnsetType,
        Spec(
            "How loaded the side of the signal was this hour: mean rank within 30 days of open interest in coins, "
            "funding and the compression of takers' variance; no point of the score."
        ),
    ] = UNSET


class Closed(msgspec.Struct, tag_field="type", tag="closed"):
    """The seconds that the detector of a partition closed, for the detector that judges the market.

    Attributes:
        partition: of the input.
        second: the last one closed, seconds since the epoch.
        beats: by venue the second of its last heartbeat.
        summaries: JSON of the assets' summaries since the record before.
        format: version of the summaries; the market skips those of another.
        gaps: by venue the second in which its last gap ended that was not backfilled.
    """

    partition: int
    second: int
    beats: dict[str, int]
    summaries: msgspec.Raw
    format: int = 0
    gaps: dict[str, int] = {}
