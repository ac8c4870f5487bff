"""The detector's settings: every threshold with its unit and where it comes from.

Section numbers are those of the project's detection notes, summed up in ``docs/detection.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from monitor.detect.context.holders import Holding


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BaselineSettings(_Frozen):
    """What normal is, and how it is learned without learning from a cascade."""

    half_life_hours: PositiveFloat = Field(
        24,
        description="Half-life of the normal liquidation rate, hours; a day holds each hour of the day once.",
    )
    winsor: PositiveFloat = Field(
        5,
        description="No minute counts for more than this many times (normal + floor): a crash must not become normal.",
    )
    frozen_after_minutes: PositiveInt = Field(
        30, description="Learning stays frozen for this long after a phase other than calm, minutes."
    )
    lag_minutes: int = Field(
        60,
        ge=0,
        description="Moves and returns of the price are learned this late, minutes, and not at all when a phase other "
        "than calm begins before: the hour that led to it was no quiet one.",
    )
    thaw_after_hours: PositiveFloat = Field(
        6, description="Learn again after this long a freeze, hours: by then it is a new normal."
    )
    warmup_hours: PositiveFloat = Field(
        24, description="Signals say `warmup` until this much market time was seen, hours."
    )
    daily_volatility: PositiveFloat = Field(
        0.03,
        description="Volatility of a day's return assumed until it is measured (BTC 0.024, DOGE 0.035, WIF 0.055).",
    )


WindowName = Literal["1s", "5s", "10s", "30s", "1m", "5m", "15m", "1h", "4h", "24h", "7d", "30d"]


class FloorSettings(_Frozen):
    """Absolute floors against dust. All sums are of one asset and side, USD."""

    floor_usd: PositiveFloat = Field(
        50_000,
        description="5 minutes must hold this much before liquidations give any points; also added to both "
        "sides of every ratio, so that a thin asset's first order is no surprise.",
    )
    floor_interest_bp: PositiveFloat = Field(
        0.2,
        description="... or this much of an asset's open interest where that is less, basis points: a small asset's "
        "cascade is as much a cascade.",
    )
    cascade_usd: PositiveFloat = Field(
        250_000,
        description="5 minutes must hold this much before a cascade is called, where the open interest is not known.",
    )
    cascade_interest_bp: dict[WindowName, PositiveFloat] = Field(
        {"10s": 40, "1m": 80, "5m": 150},
        min_length=1,
        description="Where it is known, one of these windows must hold this much of it, basis points (a normal day "
        "closes 50 by force): what dies within seconds is known by its pace before its sum tells, ...",
    )
    cascade_price_share: float = Field(
        0.9,
        ge=0,
        le=1,
        description="... with this share of the price's points, because so little may be a mere fright,",
    )
    sustained_interest_bp: dict[WindowName, PositiveFloat] = Field(
        {"15m": 120}, description="or one of these this much of it, with the share that every cascade needs (0.45),"
    )
    dust_usd: PositiveFloat = Field(
        10_000, description="and 5 minutes at least this much, however small the asset, USD,"
    )
    cascade_orders: PositiveInt = Field(10, description="and this many forced orders.")
    rush_sigmas: dict[WindowName, PositiveFloat] = Field(
        {"5s": 12, "10s": 16},
        description="A price that moves by this many standard deviations of such a window rushes. Then forced orders "
        "beside it need not be many, nor the score be as high: ...",
    )
    rush_interest_bp: dict[WindowName, PositiveFloat] = Field(
        {"10s": 3},
        description="... this much of the open interest in one of these windows is enough, basis points, ...",
    )
    rush_orders: PositiveInt = Field(5, description="... in this many orders within 5 minutes, ...")
    rush_spent_bp: dict[WindowName, PositiveFloat] = Field(
        {"1h": 100},
        description="... unless one of these windows holds this much already, basis points: what moves then is an "
        "aftershock, and a cascade by its sum or none.",
    )
    market_scale: PositiveFloat = Field(4, description="The market's floors are this many times an asset's.")


class JudgedSettings(_Frozen):
    """Which windows a decision looks at; the most surprising one of each family counts."""

    flow_windows: tuple[WindowName, ...] = Field(
        ("10s", "1m", "5m", "1h"),
        min_length=1,
        description="Windows of liquidated USD: a flash cascade is over in minutes, a grind shows over an hour.",
    )
    move_windows: tuple[WindowName, ...] = Field(
        ("10s", "1m", "5m", "1h", "24h"),
        min_length=1,
        description="Windows of the price's move from its high or low: speed, and how far it has come.",
    )
    stress_window: WindowName = Field(
        "5m", description="The one of them whose move makes an asset count as stressed in the market's breadth."
    )
    pace_window: WindowName = Field("1m", description="Window whose sum tells whether the pace slows.")
    quiet_window: WindowName = Field("5m", description="Window that must be near normal before calm returns.")

    @model_validator(mode="after")
    def _are_judged(self) -> Self:
        if self.pace_window not in self.flow_windows:
            raise ValueError(f"pace_window {self.pace_window} must be one of flow_windows, or no second wave is seen")
        if self.stress_window not in self.move_windows:
            raise ValueError(f"stress_window {self.stress_window} must be one of move_windows, or no price is stressed")
        return self


class PhaseSettings(_Frozen):
    """When an asset goes from one phase to the next (section 3.6); all times are market time."""

    building_score: float = Field(35, ge=0, le=100, description="calm -> building at this score ...")
    building_price_share: float = Field(
        0.05, ge=0, le=1, description="... with this share of the price's points, where there is a price, ..."
    )
    building_seconds: PositiveInt = Field(10, description="... held for this long, seconds.")
    cascade_score: float = Field(60, ge=0, le=100, description="building -> cascade at this score in 2 of 3 seconds.")
    fast_score: float = Field(75, ge=0, le=100, description="calm -> cascade at this score in 2 of 3 seconds.")
    rush_score: float = Field(
        50,
        ge=0,
        le=100,
        description="Where the price rushes, calm or building -> cascade at this score at once: from 50 on two "
        "families agree.",
    )
    calm_share: float = Field(
        0.18,
        ge=0,
        le=1,
        description="An episode begins only when liquidations give this share of their points, and ends when they "
        "give less (a day's fall of the price outlasts every cascade) ...",
    )
    blind_score: float = Field(
        25, ge=0, le=100, description="... or, where no liquidations can be seen, when the score is below this ..."
    )
    building_calm_seconds: PositiveInt = Field(900, description="... for this long, from building, seconds.")
    extreme_fraction: PositiveFloat = Field(
        0.25,
        description="Price has stopped after no new extreme for this fraction of the time since onset ...",
    )
    extreme_min_seconds: PositiveInt = Field(120, description="... but at least this long ...")
    extreme_max_seconds: PositiveInt = Field(900, description="... and at most this long, seconds,")
    rebound: PositiveFloat = Field(0.15, description="and a rebound of this fraction of the episode's move,")
    standstill: PositiveFloat = Field(
        3, ge=1, description="or, without one, after this many times as long: many a crash does not come back."
    )
    pace: PositiveFloat = Field(
        0.25,
        description="Pace has slowed when the pace window holds at most this fraction of the episode's worst one",
    )
    fast_pace_seconds: PositiveInt = Field(
        60, description="and its average of this half-life, seconds, is below that of the next one."
    )
    slow_pace_seconds: PositiveInt = Field(300, description="Half-life of the slower average, seconds.")
    relief_hold_seconds: PositiveInt = Field(60, description="Both must hold for this long, seconds.")
    wave_sigma: PositiveFloat = Field(
        0.25, description="relief -> cascade on a new extreme by this many hourly standard deviations ..."
    )
    wave_surprise: PositiveFloat = Field(3, description="... with a minute of liquidations this surprising (decades).")
    blind_wave_sigma: PositiveFloat = Field(
        1,
        description="Where no liquidations can be seen it is a new extreme by this many, while the price's move of the "
        "hour is still a cascade's.",
    )
    relief_calm_seconds: PositiveInt = Field(
        1800, description="relief -> calm after this long without a new extreme, seconds."
    )
    min_dwell_seconds: PositiveInt = Field(30, description="No way down before a phase has lasted this long, seconds.")


class ArrivalSettings(_Frozen):
    """Which arrival times are believed; see "A clock that runs ahead" in ``docs/detection.md``."""

    tolerance_seconds: PositiveInt = Field(
        10,
        description="How far ahead of the watermark an arrival time is believed at once, seconds. Servers kept by NTP "
        "differ by milliseconds and laptops by seconds; a larger value lets a wrong clock move the watermark further.",
    )
    confirm_seconds: PositiveInt = Field(
        15,
        description="How long arrival times that lie further ahead must go on, uncontradicted, before they are "
        "believed, seconds. After a silence in which no exchange reports, detection is late by as much.",
    )


class MarketSettings(_Frozen):
    """The market as a whole, seen as one more asset named ``MARKET``."""

    leaders: tuple[str, ...] = Field(
        ("BTC", "ETH"),
        description="The market's price is that of the first of these that has one; a market-wide "
        "cascade needs one of them in a cascade of its own, or the breadth below.",
    )
    breadth: float = Field(
        0.4,
        gt=0,
        le=1,
        description="Share of the assets liquidated within the hour that must be stressed at once.",
    )
    breadth_assets: PositiveInt = Field(5, description="Breadth means nothing below this many assets.")
    largest_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="No asset that is no leader counts for more than this share of the market's sum: "
        "one odd row of one coin is no market.",
    )
    indexes: dict[str, Literal["falls", "rises"]] = Field(
        {"XYZ:SP500": "falls", "XYZ:XYZ100": "falls", "XYZ:VIX": "rises"},
        description="Assets that are perpetuals on traditional markets' indexes, trading around the clock, and what "
        "each does under stress. They are no part of the crypto market's sums and breadth.",
    )


class DetectorSettings(_Frozen):
    """How a cascade is recognised."""

    baseline: BaselineSettings = Field(BaselineSettings(), description="What normal is and how it is learned.")
    floors: FloorSettings = Field(FloorSettings(), description="Absolute floors against dust, USD.")
    judged: JudgedSettings = Field(JudgedSettings(), description="Windows that a decision looks at.")
    phases: PhaseSettings = Field(PhaseSettings(), description="Phase thresholds and holding times.")
    market: MarketSettings = Field(MarketSettings(), description="The market-wide view.")
    arrival: ArrivalSettings = Field(ArrivalSettings(), description="Which arrival times are believed.")
    levels: dict[str, tuple[PositiveFloat, ...]] = Field(
        {},
        description="Price levels to watch by asset, USD: `{BTC: [75000, 70000]}`. Which is above, tested, broken or "
        "stale is said in signals and metrics. None, because a level is a desk's opinion of a day.",
    )
    holders_file: Path | None = Field(
        None,
        description="YAML file with a list `holders` of dated holdings, as configs/holders.yaml. A relative path in a "
        "configuration file starts at that file's folder.",
    )
    holders: tuple[Holding, ...] = Field((), description="The same list right here; those of the file come on top.")
