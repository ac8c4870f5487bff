"""The detector's settings: every threshold with its unit and its reason.

The rules that use them are in ``docs/detection-rules.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from monitor.detect.context.holders import Holding


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BaselineSettings(_Frozen):
    """The baseline of what is normal, learned without learning from a cascade."""

    half_life_hours: PositiveFloat = Field(
        24,
        description="Half-life of the normal liquidation rate, hours. A day, because it holds each hour of the day "
        "once; a larger value adapts later to a busier market.",
    )
    winsor: PositiveFloat = Field(
        5,
        description="Most that one minute can count in the baseline, as a multiple of (normal + floor). It keeps a "
        "crash from becoming normal; a larger value lets bursts raise the baseline faster.",
    )
    frozen_after_minutes: PositiveInt = Field(
        30,
        description="Time for which learning stays frozen after a phase other than calm, minutes. A larger value "
        "keeps more of a crash's aftermath out of the baseline.",
    )
    lag_minutes: int = Field(
        60,
        ge=0,
        description="Delay with which moves and returns of the price are learned, minutes; they are dropped if a "
        "phase other than calm begins within it. An hour, because the hour before a cascade is no quiet "
        "one.",
    )
    thaw_after_hours: PositiveFloat = Field(
        6,
        description="Longest freeze of learning, hours; after it the market's state is taken as the new normal. A "
        "larger value keeps the old baseline longer.",
    )
    warmup_hours: PositiveFloat = Field(
        24,
        description="Market time that must be seen before signals stop carrying the note `warmup`, hours. A day, "
        "because the baseline has then seen each hour of the day.",
    )
    daily_volatility: PositiveFloat = Field(
        0.03,
        description="Standard deviation of a day's return assumed until it is measured, as a fraction. The default "
        "lies between measured ones (BTC 0.024, DOGE 0.035, WIF 0.055); a larger value makes early "
        "price moves count less.",
    )


WindowName = Literal["1s", "5s", "10s", "30s", "1m", "5m", "15m", "1h", "4h", "24h", "7d", "30d"]


class FloorSettings(_Frozen):
    """Absolute floors against dust. All sums are of one asset and side, USD."""

    floor_usd: PositiveFloat = Field(
        50_000,
        description="Minimum liquidated within 5 minutes before liquidations give any points, USD; it is also added "
        "to both sides of every ratio, so that a thin asset's first order is no surprise. A larger "
        "value ignores more small assets.",
    )
    floor_interest_bp: PositiveFloat = Field(
        0.2,
        description="The same minimum as a share of the asset's open interest, basis points; the smaller of the two "
        "holds, so that a small asset's cascade is found as well.",
    )
    cascade_usd: PositiveFloat = Field(
        250_000,
        description="Minimum liquidated within 5 minutes before a cascade is called where the open interest is "
        "unknown, USD. A larger value misses smaller cascades.",
    )
    cascade_interest_bp: dict[WindowName, PositiveFloat] = Field(
        {"10s": 40, "1m": 80, "5m": 150},
        min_length=1,
        description="Minimum liquidated before a cascade is called where the open interest is known, basis points "
        "of it by window; one window suffices. The shorter windows find a fast cascade by its pace "
        "before its sum is large. On a normal day 50 basis points of the open interest are liquidated.",
    )
    cascade_price_share: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Minimum share (0 to 1) of the price's points required when `cascade_interest_bp` is reached, "
        "because such a sum without a price move may be no cascade.",
    )
    sustained_interest_bp: dict[WindowName, PositiveFloat] = Field(
        {"15m": 120},
        description="Minimum liquidated over a longer window that can stand in for `cascade_interest_bp`, basis "
        "points of the open interest by window. It then needs only the share of the price's points that "
        "every cascade needs (0.45).",
    )
    dust_usd: PositiveFloat = Field(
        10_000,
        description="Minimum liquidated within 5 minutes for any cascade, however small the asset, USD. A larger "
        "value ignores more small assets.",
    )
    cascade_orders: PositiveInt = Field(
        10,
        description="Minimum number of forced orders within 5 minutes for any cascade but one of a rushing price. A "
        "larger value needs broader liquidations.",
    )
    rush_sigmas: dict[WindowName, PositiveFloat] = Field(
        {"5s": 12, "10s": 16},
        description="Price move from which a price counts as rushing, in standard deviations of the window's move, "
        "by window. A rushing price needs fewer forced orders (`rush_interest_bp`, `rush_orders`) and a "
        "lower score (`rush_score`) for a cascade.",
    )
    rush_interest_bp: dict[WindowName, PositiveFloat] = Field(
        {"10s": 3},
        description="Minimum liquidated beside a rushing price, basis points of the open interest by window; one "
        "window suffices.",
    )
    rush_orders: PositiveInt = Field(
        5, description="Minimum number of forced orders within 5 minutes beside a rushing price."
    )
    rush_spent_bp: dict[WindowName, PositiveFloat] = Field(
        {"1h": 100},
        description="Liquidated sum from which a rushing price has no lower thresholds any more, basis points of "
        "the open interest by window. A move after such a sum is an aftershock, and a cascade only by "
        "its own sum.",
    )
    market_scale: PositiveFloat = Field(
        4,
        description="Factor from an asset's floors to the market's floors. A larger value needs a larger sum for a "
        "market-wide cascade.",
    )


class JudgedSettings(_Frozen):
    """Windows that a decision looks at; the most surprising one of each family counts."""

    flow_windows: tuple[WindowName, ...] = Field(
        ("10s", "1m", "5m", "1h"),
        min_length=1,
        description="Windows of liquidated USD that are scored; the most surprising one counts. Short and long, "
        "because a flash cascade is over in minutes and a slow one shows over an hour.",
    )
    move_windows: tuple[WindowName, ...] = Field(
        ("10s", "1m", "5m", "1h", "24h"),
        min_length=1,
        description="Windows of the price's move from its high or low that are scored; the most surprising one "
        "counts. Short ones measure the speed, long ones the distance.",
    )
    stress_window: WindowName = Field(
        "5m",
        description="Window among `move_windows` whose move makes an asset count as stressed in the market's breadth.",
    )
    pace_window: WindowName = Field(
        "1m", description="Window among `flow_windows` whose sum decides whether the pace of liquidations slows."
    )
    quiet_window: WindowName = Field(
        "5m", description="Window whose liquidations must be near normal before an episode returns to calm."
    )

    @model_validator(mode="after")
    def _are_judged(self) -> Self:
        if self.pace_window not in self.flow_windows:
            raise ValueError(f"pace_window {self.pace_window} must be one of flow_windows, or no second wave is seen")
        if self.stress_window not in self.move_windows:
            raise ValueError(f"stress_window {self.stress_window} must be one of move_windows, or no price is stressed")
        return self


class PhaseSettings(_Frozen):
    """Thresholds from one phase to the next; all times are market time."""

    building_score: float = Field(
        35,
        ge=0,
        le=100,
        description="Minimum score (0 to 100) from calm to building. A larger value gives fewer and later early "
        "warnings.",
    )
    building_price_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Minimum share (0 to 1) of the price's points from calm to building, where a price is known.",
    )
    building_seconds: PositiveInt = Field(
        10,
        description="Time for which both must hold from calm to building, seconds. A larger value makes the early "
        "warning later and steadier.",
    )
    cascade_score: float = Field(
        60,
        ge=0,
        le=100,
        description="Minimum score (0 to 100) from building to cascade, in 2 of 3 seconds. A larger value gives "
        "fewer and later cascades.",
    )
    fast_score: float = Field(
        75, ge=0, le=100, description="Minimum score (0 to 100) from calm straight to cascade, in 2 of 3 seconds."
    )
    rush_score: float = Field(
        50,
        ge=0,
        le=100,
        description="Minimum score (0 to 100) from calm or building to cascade at once while the price rushes. 50, "
        "because from there on two families of evidence agree.",
    )
    calm_share: float = Field(
        0.18,
        ge=0,
        le=1,
        description="Minimum share (0 to 1) of the liquidations' points with which an episode begins; below it the "
        "episode can end. The score itself does not decide, because a day's fall of the price outlasts "
        "every cascade.",
    )
    blind_score: float = Field(
        25,
        ge=0,
        le=100,
        description="Score (0 to 100) below which an episode can end where no liquidations can be seen.",
    )
    building_calm_seconds: PositiveInt = Field(
        900,
        description="Time for which that must hold from building to calm, seconds. A larger value keeps one episode "
        "open instead of two.",
    )
    extreme_fraction: PositiveFloat = Field(
        0.25,
        description="Time without a new price extreme after which the price counts as stopped, as a fraction of the "
        "time since onset; it is bounded by the next two settings.",
    )
    extreme_min_seconds: PositiveInt = Field(
        120, description="Lower bound of the time without a new price extreme, seconds."
    )
    extreme_max_seconds: PositiveInt = Field(
        900, description="Upper bound of the time without a new price extreme, seconds."
    )
    rebound: PositiveFloat = Field(
        0.15, description="Minimum rebound of a stopped price, as a fraction of the episode's move."
    )
    standstill: PositiveFloat = Field(
        3,
        ge=1,
        description="Multiple of the time without a new price extreme after which no rebound is needed, because "
        "many prices do not come back after a crash.",
    )
    pace: PositiveFloat = Field(
        0.25,
        description="Largest sum of the pace window with which the pace of liquidations counts as slowed, as a "
        "fraction of the episode's largest.",
    )
    fast_pace_seconds: PositiveInt = Field(
        60,
        description="Half-life of the faster average of the pace, seconds; it must lie below the slower average for "
        "the pace to count as slowed.",
    )
    slow_pace_seconds: PositiveInt = Field(300, description="Half-life of the slower average of the pace, seconds.")
    relief_hold_seconds: PositiveInt = Field(
        60,
        description="Time for which the price must be stopped and the pace slowed from cascade to relief, seconds. "
        "A larger value makes relief later and surer.",
    )
    wave_sigma: PositiveFloat = Field(
        0.25, description="New price extreme from relief back to cascade, in standard deviations of an hour's return."
    )
    wave_surprise: PositiveFloat = Field(
        3,
        description="Minimum surprise of a minute's liquidations from relief back to cascade, in decades (powers of "
        "ten of rarity).",
    )
    blind_wave_sigma: PositiveFloat = Field(
        1,
        description="New price extreme from relief back to cascade where no liquidations can be seen, in standard "
        "deviations of an hour's return; the price's move of the hour must still be a cascade's.",
    )
    relief_calm_seconds: PositiveInt = Field(
        1800,
        description="Time without a new price extreme from relief to calm, seconds. A larger value keeps one "
        "episode open instead of two.",
    )
    min_dwell_seconds: PositiveInt = Field(
        30,
        description="Shortest time in a phase before a milder one can follow, seconds. A larger value avoids "
        "flapping and makes relief later.",
    )


class ArrivalSettings(_Frozen):
    """Arrival times that are believed; see "A clock that runs ahead" in ``docs/detection.md``."""

    tolerance_seconds: PositiveInt = Field(
        10,
        description="Largest distance ahead of the watermark at which an arrival time is believed at once, seconds. "
        "Servers kept by NTP differ by milliseconds and laptops by seconds; a larger value lets a wrong "
        "clock move the watermark further.",
    )
    confirm_seconds: PositiveInt = Field(
        15,
        description="Time for which arrival times that lie further ahead must go on, uncontradicted, before they "
        "are believed, seconds. After a silence in which no exchange reports, detection is late by as "
        "much.",
    )


class MarketSettings(_Frozen):
    """The market as a whole, seen as one more asset named ``MARKET``."""

    leaders: tuple[str, ...] = Field(
        ("BTC", "ETH"),
        description="Assets that lead the market, in order: the market's price is that of the first one that has a "
        "price. A market-wide cascade needs one of them in a cascade of its own, or the breadth below.",
    )
    breadth: float = Field(
        0.4,
        gt=0,
        le=1,
        description="Minimum share (0 to 1) of the assets liquidated within the hour that must be stressed at once "
        "for a market-wide cascade without a leader.",
    )
    breadth_assets: PositiveInt = Field(
        5, description="Minimum number of assets below which breadth is not computed, because it would mean nothing."
    )
    largest_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Largest share (0 to 1) of the market's sum that an asset other than a leader can count for, so "
        "that one odd row of one coin does not make a market.",
    )
    indexes: dict[str, Literal["falls", "rises"]] = Field(
        {"XYZ:SP500": "falls", "XYZ:XYZ100": "falls", "XYZ:VIX": "rises"},
        description="Assets that are perpetuals on traditional markets' indexes, trading around the clock, and how "
        "each moves under stress. They are no part of the crypto market's sums and breadth.",
    )


class DetectorSettings(_Frozen):
    """Everything that decides whether a cascade is recognised."""

    baseline: BaselineSettings = Field(
        BaselineSettings(), description="Settings of what is normal and how it is learned."
    )
    floors: FloorSettings = Field(FloorSettings(), description="Absolute floors against dust.")
    judged: JudgedSettings = Field(JudgedSettings(), description="Windows that a decision looks at.")
    phases: PhaseSettings = Field(PhaseSettings(), description="Thresholds and holding times of the phases.")
    market: MarketSettings = Field(MarketSettings(), description="Settings of the market-wide view.")
    arrival: ArrivalSettings = Field(ArrivalSettings(), description="Settings of which arrival times are believed.")
    levels: dict[str, tuple[PositiveFloat, ...]] = Field(
        {},
        description="Price levels to watch by asset, USD, such as `{BTC: [75000, 70000]}`. Signals and metrics "
        "report whether each is above, testing, broken or stale. None, because a level is a desk's "
        "opinion of a day.",
    )
    holders_file: Path | None = Field(
        None,
        description="YAML file with a list `holders` of dated holdings, as configs/holders.yaml. A relative path in "
        "a configuration file starts at that file's folder.",
    )
    holders: tuple[Holding, ...] = Field(
        (), description="List of dated holdings given here; those of `holders_file` are added to it."
    )
