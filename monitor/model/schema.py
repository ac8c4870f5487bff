"""Everything that leaves the program, as pydantic models, and the JSON Schemas made from them.

The models are for the edges: consumers, schemas, tests. Inside the program the same records are the msgspec
Structs of :mod:`monitor.model.events`; a property test holds the two together field by field.

A consumer ignores fields that it does not know, so the models do too; a field is only ever added. A field
that is absent from a record reads as ``None``.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.model.events import Channel, Coverage, GapReason, LevelState, Phase, PriceKind, Reason, Side, TakerSide

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Micros = Annotated[int, Field(ge=0, description="Microseconds since the Unix epoch, UTC.")]
Count = Annotated[int, Field(ge=0)]
Usd = Annotated[float, Field(ge=0)]
Price = Annotated[float, Field(gt=0)]
Quantity = Annotated[float, Field(ge=0)]


class Contract(BaseModel):
    """What all records share: unknown fields are ignored, numbers are finite, nothing changes later."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class MarketEvent(Contract):
    """What every market event has."""

    venue: str = Field(min_length=1, description="Exchange and market, `binance-usdm`.")
    symbol: str = Field(description="The venue's own instrument id, unchanged; `*` for a whole channel.")
    asset: str = Field(description="Canonical base asset, multipliers resolved; the partition key; `*` for all.")
    event_time_us: Micros = Field(description="When the venue says it happened, in microseconds, UTC.")
    receive_time_us: Micros = Field(description="When the frame was read; 0 where that is not known (`decode`).")


class Liquidation(MarketEvent):
    """A position (or several) closed by force."""

    type: Literal["liquidation"]
    side: Side = Field(description="Side of the position that was closed by force, never the order's.")
    notional_usd: Usd = Field(description="What was closed, in USD.")
    coverage: Coverage = Field(description="How much of the truth the feed shows; all but `complete` is a floor.")
    id: str = Field(description="The same event seen twice has the same id.")
    quantity: Quantity | None = Field(None, description="Base-asset units; absent where a feed gives only a value.")
    price: Price | None = Field(None, description="USD per unit of asset, of `price_kind`; absent where not given.")
    price_kind: PriceKind | None = Field(None, description="What `price` is; absent with it.")
    orders: int = Field(1, ge=1, description="How many forced orders the record stands for.")


class Trade(MarketEvent):
    """One trade print, or several fills at one price."""

    type: Literal["trade"]
    taker_side: TakerSide
    price: Price
    quantity: Quantity = Field(description="Base-asset units.")
    notional_usd: Usd
    trades: int = Field(ge=1, description="How many fills it stands for.")
    id: str = Field(description="The exchange's own; among trades of a venue and symbol it is the same event's alone.")


class TradeBar(MarketEvent):
    """All trades of a symbol within an interval; the event time is the interval's end."""

    type: Literal["trade_bar"]
    interval_us: int = Field(gt=0, description="Length of the interval in microseconds.")
    open: Price
    high: Price
    low: Price
    close: Price
    buy_quantity: Quantity = Field(description="Base-asset units bought by takers.")
    sell_quantity: Quantity = Field(description="Base-asset units sold by takers.")
    buy_usd: Usd
    sell_usd: Usd
    trades: Count = Field(description="How many fills it stands for.")


class MarkPrice(MarketEvent):
    """The venue's mark price, with index price and funding where known."""

    type: Literal["mark_price"]
    mark_price: Price
    index_price: Price | None = None
    funding_rate: float | None = Field(None, description="Per funding interval, 0.0001 is 1 basis point.")
    next_funding_time_us: Micros | None = None


class OpenInterest(MarketEvent):
    """Open interest, one side of it."""

    type: Literal["open_interest"]
    open_interest: Quantity = Field(description="Base-asset units.")
    open_interest_usd: Usd


class VolatilityIndex(MarketEvent):
    """An implied-volatility index."""

    type: Literal["volatility_index"]
    value: float = Field(ge=0, description="Percent, annualised.")


class Gap(MarketEvent):
    """What could not be seen on a channel: from `from_us` up to, but without, `to_us`."""

    type: Literal["gap"]
    channel: Channel
    from_us: Micros
    to_us: Micros
    reason: GapReason
    backfilled: bool = Field(False, description="Whether the interval was read afterwards by other means.")


class Heartbeat(MarketEvent):
    """The feed is alive though quiet.

    Among signals `venue` is `monitor`, and every second before `event_time_us` was judged: no signal of it will come.
    """

    type: Literal["heartbeat"]
    channel: Channel | Literal["signals"]


class SideTotals(Contract):
    """USD by the side that was liquidated."""

    long: Usd
    short: Usd


class WindowTotals(Contract):
    """USD by side and the number of forced orders within one window."""

    long: Usd
    short: Usd
    count: Count


class Evidence(Contract):
    """One item of a score."""

    feature: str
    value: float
    baseline: float = Field(description="What is normal for this asset.")
    contribution: float = Field(description="Points of the score that it gave.")


class SignalCoverage(Contract):
    """What the decision could see."""

    venues_seen: list[str] = Field(description="Venues whose liquidations were readable.")
    venues_in_gap: list[str] = Field(
        description="Venues that were disconnected or stale at the time, or whose "
        "liquidations of the last five minutes have a gap that was not backfilled."
    )
    complete_share: float = Field(
        ge=0,
        le=1,
        description="Share of the liquidated USD from complete feeds; below 1 the sums are floors.",
    )
    seen_share: float = Field(1.0, ge=0, le=1, description="Share of the forced flow whose feeds are up.")
    saturation: dict[str, float] = Field(
        {}, description="By venue of one report a second, share of the last minute's seconds that had one."
    )


class CorrectedUsd(Contract):
    """USD with what throttled feeds hide, as an interval."""

    low: Usd
    mid: Usd
    high: Usd | None = Field(description="Null where the feeds are at their limit and nothing bounds what they hide.")


class CorrectedTotals(Contract):
    """Corrected USD by the side that was liquidated."""

    long: CorrectedUsd
    short: CorrectedUsd


class InterestChange(Contract):
    """A change of open interest taken apart, as ratios: `usd` is the sum of `constant_price` and `price_effect`."""

    usd: float = Field(description="Change in USD.")
    constant_price: float = Field(description="Change of what is open, valued at the prices of then.")
    price_effect: float = Field(description="What the price alone did.")
    covered: float = Field(ge=0, le=1, description="Share of today's open interest that was there at both ends.")
    coins: float | None = Field(None, description="Change in base units; absent of the market.")


class SignalInterest(Contract):
    """Open interest, one side of it. A window whose far end is not known is absent from `changes`."""

    usd: Usd
    age_s: Count = Field(description="Age of the oldest sample in it, seconds.")
    suspect: bool = Field(description="Whether a venue's change is more than was traded on it.")
    changes: dict[str, InterestChange] = Field(description="By window: `5m`, `1h`, `24h`, `7d`, `30d`.")
    coins: Quantity | None = Field(None, description="Base units; absent of the market.")
    implied_forced_ratio: float | None = Field(
        None,
        description="Closed within 5 minutes as open interest tells, over liquidated as reported; typically 1 to 3.",
    )


class SignalLevel(Contract):
    """A configured price level."""

    price: Price
    state: LevelState = Field(description="`stale`: broken, and the price has long left; no support any more.")
    broken: bool
    distance_ratio: float = Field(description="Of the price from the level, as a ratio of it; negative below.")
    broken_us: Micros | None = Field(None, description="When it broke; absent where that was not seen.")


class SignalHolding(Contract):
    """A configured large holder."""

    holder: str
    quantity: Quantity = Field(description="Base units, as of `as_of`.")
    average_cost_usd: Price
    as_of: str = Field(description="Date of quantity and cost.")
    pnl_usd: float = Field(description="Unrealised profit at the signal's price.")
    distance_ratio: float = Field(description="Of the price from the average cost, as a ratio of it.")
    distance_sigma: float = Field(description="The same in standard deviations of a day's return.")
    equity_ratio: float | None = Field(None, description="Profit over the holder's equity, where that is known.")


class SignalVolatility(Contract):
    """Implied volatility (DVOL)."""

    value: float = Field(ge=0, description="Percent, annualised.")
    surprise: float = Field(ge=0, description="Of the day's rise, decades: 3 is once in a thousand minutes.")
    change_24h: float | None = Field(None, description="Points; absent before a day was seen.")


class SignalPace(Contract):
    """Liquidated USD a day in one window over that in a longer one; below 1 the pace slows.

    A ratio is absent until 95 % of the longer window's hours were seen.
    """

    covered_7d: float = Field(ge=0, le=1, description="Share of the week's hours in which anything was heard.")
    covered_30d: float = Field(ge=0, le=1)
    day_to_week: float | None = Field(None, ge=0, description="24 h against 7 d.")
    day_to_rest_of_week: float | None = Field(None, ge=0, description="24 h against the 6 d before.")
    week_to_month: float | None = Field(None, ge=0, description="7 d against 30 d.")
    week_to_rest_of_month: float | None = Field(None, ge=0, description="7 d against the 23 d before.")


class SignalTradfi(Contract):
    """The most stressed of the configured 24/7 index perpetuals."""

    index: str = Field(description="Its asset.")
    stress: float = Field(ge=0, description="Surprise of its worst move against the market, decades.")
    move_ratio: float = Field(ge=0, description="That move.")
    volatility_ratio: float = Field(ge=0, description="Volatility of five minutes over the normal one.")


class Signal(Contract):
    """What desks consume: one per phase change, and one a second while a phase other than calm lasts."""

    type: Literal["signal"]
    episode_id: str = Field(description="The same from first sign to end; PagerDuty's dedup key.")
    revision: Count = Field(description="Counts up within an episode.")
    asset: str = Field(description="Canonical base asset, or `MARKET` for the market as a whole.")
    phase: Phase
    previous_phase: Phase
    direction: Side = Field(description="`long`: longs die and the price falls; `short`: the reverse.")
    risk_score: float = Field(ge=0, le=100)
    event_time_us: Micros = Field(description="Market time of the decision.")
    emitted_time_us: Micros = Field(description="Wall time of its sending.")
    started_us: Micros = Field(description="Market time of the episode's start.")
    price: Price | None = Field(
        description="Last mark in USD; null where none is known; for `MARKET` that of its leader, BTC."
    )
    drawdown_pct: float = Field(description="Move from the episode's reference price, percent.")
    liquidated_usd: SideTotals = Field(description="Since the episode's start.")
    windows: dict[str, WindowTotals] = Field(description="By window: `10s`, `1m`, `5m`, `1h`, `24h`.")
    evidence: list[Evidence] = Field(description="Largest contribution first; contributions sum to the score.")
    coverage: SignalCoverage
    notes: list[str] = Field(
        default=[],
        description="What limits the decision, in words: still warming up, a feed degraded, hourly data "
        "only. Added after version 1 of the record; absent means none.",
    )
    wave: Count = Field(0, description="Which wave of the episode it is: how often it came to a cascade so far.")
    degraded: bool = Field(
        False, description="Whether less than half of the forced flow can be seen, now or in the last five minutes."
    )
    reason: Reason = Field(
        "flow_and_price", description="`price_only` where no liquidations can be seen and the price decides alone."
    )
    liquidated_usd_corrected: CorrectedTotals | None = Field(
        None, description="Since the start, with an estimate of what throttled feeds hide; beside `liquidated_usd`."
    )
    open_interest: SignalInterest | None = Field(None, description="Absent where unknown, like all that follow.")
    levels: list[SignalLevel] | None = Field(None, description="Configured price levels, as configured.")
    holders: list[SignalHolding] | None = Field(None, description="Configured large holders of the asset.")
    funding_8h: float | None = Field(
        None, description="Funding per 8 h (0.0001 is a basis point), mean over venues by open interest."
    )
    funding_z: float | None = Field(None, description="Robust deviations from its median of 30 days.")
    basis_bp: float | None = Field(None, description="(mark - index) / index, basis points, median over venues.")
    basis_dispersion_bp: float | None = Field(None, description="Highest less lowest of them.")
    dvol: SignalVolatility | None = Field(None, description="Implied volatility; for `MARKET` that of its leader.")
    pace: SignalPace | None = Field(None, description="Of the side that dies.")
    taker_variance_ratio: float | None = Field(
        None, ge=0, description="Variance of the takers' balance, 6 h over 7 d; no point of the score."
    )
    tradfi: SignalTradfi | None = Field(None, description="Stress of traditional markets; `MARKET` alone.")
    fragility: float | None = Field(
        None,
        ge=0,
        le=1,
        description="How loaded the dying side was this hour: mean rank within 30 days of open interest in coins, "
        "funding and the compression of takers' variance; no point of the score.",
    )


class EpisodeSummary(Contract):
    """One episode of a replay. A time is null where the episode did not get so far."""

    episode_id: str
    asset: str
    direction: Side
    started_us: Micros
    cascade_us: Micros | None
    peak_us: Micros | None
    relief_us: Micros | None
    ended_us: Micros | None
    peak_score: float = Field(ge=0, le=100)
    liquidated_usd: SideTotals


class Summary(Contract):
    """The last line of `replay --json`."""

    type: Literal["summary"]
    events: Count
    liquidations: Count = Field(description="Liquidation records among the events.")
    liquidated_usd: SideTotals
    rejected: Count = Field(description="Lines or frames that could not be read.")
    unapplied: Count = Field(
        0, description="Records that could not be applied, or came while their asset was in quarantine for one."
    )
    duplicates: Count = Field(0, description="Records whose id had come before; they are not among the liquidations.")
    first_event_us: Micros | None = Field(description="Null where there was no event.")
    last_event_us: Micros | None = Field(description="Null where there was no event.")
    elapsed_s: float = Field(ge=0, description="Wall time of the replay, seconds.")
    events_per_s: float = Field(ge=0)
    episodes: list[EpisodeSummary]
    notes: list[str] = Field([], description="What the reader of the summary has to know of the input.")


class Recording(Contract):
    """One line of a recording: a text frame in `frame`, or a binary one as base64 in `frame_base64`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["frame"]}, {"required": ["frame_base64"]}]},
    )

    venue: str = Field(min_length=1)
    channel: str = Field(description="The connection that the frame came by.")
    receive_time_us: Micros
    frame: str | None = None
    frame_base64: str | None = None

    @model_validator(mode="after")
    def _one_frame(self) -> Self:
        if (self.frame is None) == (self.frame_base64 is None):
            raise ValueError("exactly one of frame and frame_base64 must be given")
        return self


class DecodeError(Contract):
    """What `decode` writes to standard error for a line that it cannot read."""

    line: int = Field(ge=1, description="Number of the line on standard input, from 1.")
    error: str


CONTRACTS: Final[dict[str, type[Contract]]] = {
    "liquidation": Liquidation,
    "trade": Trade,
    "trade_bar": TradeBar,
    "mark_price": MarkPrice,
    "open_interest": OpenInterest,
    "volatility_index": VolatilityIndex,
    "gap": Gap,
    "heartbeat": Heartbeat,
    "signal": Signal,
    "summary": Summary,
    "recording": Recording,
    "decode_error": DecodeError,
}
"""Models by record type: the ``type`` field's value, or the name of a line that has none."""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one record type; ``KeyError`` where there is none of that name."""
    schema = CONTRACTS[name].model_json_schema(mode="validation")
    return {"$schema": DIALECT, "$id": f"urn:cascade-monitor:{name}.v1", **schema}


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schemas of all record types, by name."""
    return {name: json_schema(name) for name in CONTRACTS}
