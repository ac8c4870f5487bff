"""Internal records: what adapters make of frames and what every later stage reads.

Field names, units and meanings are the record contract's (see :mod:`monitor.model.schema`, the same records as pydantic
models for the outside). They are msgspec Structs because the hot path builds several hundred thousand a second: a
Struct costs a twentieth of a pydantic model to build and a quarter to decode. They are never changed after creation.

Prices and quantities are float64 per one unit of ``asset``; times are integer microseconds since the Unix epoch, UTC.
A field that a feed does not give is ``UNSET`` and absent from the JSON.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

Side = Literal["long", "short"]
SIDES: Final[tuple[Side, Side]] = ("long", "short")
TakerSide = Literal["buy", "sell"]
PriceKind = Literal["average_fill", "fill", "bankruptcy", "order", "mark"]
Coverage = Literal["complete", "latest_per_second", "largest_per_second", "sampled", "partial", "aggregated"]
GapReason = Literal["disconnect", "stale", "backlog_dropped", "queue_overflow", "restart", "offsets_lost"]
"""Why something was not seen: ``restart`` is the time in which no collector ran, ``offsets_lost`` means that records
were removed from the bus before the detector read them."""
Channel = Literal["liquidations", "trades", "mark_price", "open_interest", "volatility_index"]

MONITOR: Final = "monitor"
"""``venue`` of the heartbeats that stand among the signals."""
ALL: Final = "*"
"""``symbol`` and ``asset`` of an event that concerns a venue's whole channel (gaps, heartbeats)."""

MARKET: Final = "MARKET"
"""The name under which the market as a whole is judged, beside the assets'; no asset may bear it."""

MICROS: Final = 1_000_000
"""Microseconds in a second, and micro-USD in a US dollar."""


class Event(msgspec.Struct, tag_field="type", gc=False, forbid_unknown_fields=False):
    """What every event has.

    Attributes:
        venue: exchange and market, ``binance-usdm``.
        symbol: the venue's own instrument id, unchanged.
        asset: canonical base asset, upper case, multipliers resolved; the partition key.
        event_time_us: when the venue says it happened.
        receive_time_us: when this machine read the frame.
    """

    venue: str
    symbol: str
    asset: str
    event_time_us: int
    receive_time_us: int


class Liquidation(Event, tag="liquidation", gc=False):
    """A position (or several) closed by force.

    ``side`` is the side of the position that died, never the order's. ``notional_usd`` is what was closed.
    ``coverage`` says how much of the truth the feed shows; anything but ``complete`` makes a sum a floor.
    """

    side: Side
    notional_usd: float
    coverage: Coverage
    id: str
    quantity: float | UnsetType = UNSET
    price: float | UnsetType = UNSET
    price_kind: PriceKind | UnsetType = UNSET
    orders: int = 1


class Trade(Event, tag="trade", gc=False):
    """One trade print (or ``trades`` fills at one price) by its taker's side."""

    taker_side: TakerSide
    price: float
    quantity: float
    notional_usd: float
    trades: int
    id: str


class TradeBar(Event, tag="trade_bar", gc=False):
    """All trades of a symbol within ``interval_us``; the event time is the interval's end."""

    interval_us: int
    open: float
    high: float
    low: float
    close: float
    buy_quantity: float
    sell_quantity: float
    buy_usd: float
    sell_usd: float
    trades: int


class MarkPrice(Event, tag="mark_price", gc=False):
    """The venue's mark price, with index price and funding (rate per funding interval) where known."""

    mark_price: float
    index_price: float | UnsetType = UNSET
    funding_rate: float | UnsetType = UNSET
    next_funding_time_us: int | UnsetType = UNSET


class OpenInterest(Event, tag="open_interest", gc=False):
    """Open interest of one side, in base units and USD."""

    open_interest: float
    open_interest_usd: float


class VolatilityIndex(Event, tag="volatility_index", gc=False):
    """An implied-volatility index, percent, annualised."""

    value: float


class Gap(Event, tag="gap", gc=False):
    """What could not be seen on a channel: the half-open interval [``from_us``, ``to_us``)."""

    channel: Channel
    from_us: int
    to_us: int
    reason: GapReason
    backfilled: bool = False


class Heartbeat(Event, tag="heartbeat", gc=False):
    """The channel is alive though quiet: everything received before ``receive_time_us`` was published.

    Among signals (``venue`` is then :data:`MONITOR`) it says that every second before ``event_time_us`` was judged.
    """

    channel: Channel | Literal["signals"]


AnyEvent = Liquidation | Trade | TradeBar | MarkPrice | OpenInterest | VolatilityIndex | Gap | Heartbeat


RejectReason = Literal[
    "malformed",  # not the JSON that the exchange documents
    "oversized",  # larger than the session's limit
    "not_finite",  # NaN or infinite number
    "not_positive",  # negative or zero price or quantity
    "implausible",  # a number outside the range that is possible, see monitor.model.validation
    "bad_name",  # a symbol, asset or id with forbidden characters, too long, or reserved
    "bad_time",  # missing, zero or absurd time
    "future_time",  # further ahead of this machine's clock than clocks differ
    "unknown_symbol",  # no instrument data: contract size and asset are not known
    "unsupported_quote",  # quoted in something that is no US dollar
    "unknown_channel",  # a channel that was not subscribed
    "not_applicable",  # a record whose asset's state could not take it: a fault of this program, which quarantines it
    "unknown_value",  # a side, status or type that is not in the exchange's documents
]


class Reject(msgspec.Struct, gc=False):
    """A frame, or one row of a frame, that could not be turned into an event.

    ``sample`` holds the offending bytes (cut to :data:`SAMPLE_BYTES`); it is counted, rate-limited and published to
    the rejects topic, never dropped in silence.
    """

    venue: str
    reason: RejectReason
    detail: str
    receive_time_us: int
    sample: bytes = b""


SAMPLE_BYTES: Final = 2048


MOST_USD: Final = 1e12
"""A trillion USD, ten times the open interest of all perpetuals: a larger amount of one record counts as this."""
MOST_MICROS: Final = 2**62
"""Sums of micro-USD saturate here, 4.6 trillion USD: half of what 64 bits hold, in numpy as in MessagePack."""


def micro_usd(usd: float) -> int:
    """Return USD as integer micro-USD, half to even: sums of these never drift. Saturates at :data:`MOST_USD`.

    Example:
        >>> micro_usd(0.0000015), micro_usd(1e300)
        (2, 1000000000000000000)
    """
    return round(MOST_USD) * MICROS if usd >= MOST_USD else round(usd * MICROS)


def saturated(micros: int) -> int:
    """Return a sum of micro-USD within plus and minus :data:`MOST_MICROS`.

    Example:
        >>> saturated(7), saturated(10**30) == MOST_MICROS, saturated(-(10**30)) == -MOST_MICROS
        (7, True, True)
    """
    return max(-MOST_MICROS, min(MOST_MICROS, micros))


class Evidence(msgspec.Struct):
    """One item of a score: its value, what is normal for it, and the points that it gave."""

    feature: str
    value: float
    baseline: float
    contribution: float


class SideTotals(msgspec.Struct):
    """USD by the side that was liquidated."""

    long: float
    short: float


class WindowTotals(msgspec.Struct):
    """USD by side and the number of forced orders within one window."""

    long: float
    short: float
    count: int


class SignalCoverage(msgspec.Struct):
    """What the decision could see.

    Attributes:
        venues_seen: venues whose liquidations were readable.
        venues_in_gap: venues that were disconnected or stale at the time, or whose liquidations of the last five
            minutes have a gap that was not backfilled.
        complete_share: share of the episode's liquidated USD that came from complete feeds; a sum with less than 1
            is a floor.
        seen_share: share of the forced flow that could be seen, by the venues whose feeds are up.
        saturation: by venue of one report a second, share of the last minute's seconds that had one.
    """

    venues_seen: list[str]
    venues_in_gap: list[str]
    complete_share: float
    seen_share: float = 1.0
    saturation: dict[str, float] = {}


class CorrectedUsd(msgspec.Struct, frozen=True):
    """USD with what throttled feeds hide: low, middle and high estimate; ``high`` is None where it has no bound."""

    low: float
    mid: float
    high: float | None


class CorrectedTotals(msgspec.Struct, frozen=True):
    """Corrected USD by the side that was liquidated."""

    long: CorrectedUsd
    short: CorrectedUsd


NOT_CORRECTED: Final = CorrectedTotals(CorrectedUsd(0.0, 0.0, 0.0), CorrectedUsd(0.0, 0.0, 0.0))


class InterestChange(msgspec.Struct):
    """A change of open interest taken apart (:mod:`monitor.detect.context.open_interest`), ratios.

    ``usd`` is the sum of ``constant_price`` and ``price_effect``; ``covered`` is the share of today's open interest
    that was there at both ends; ``coins`` is the change in base units, absent of the market.
    """

    usd: float
    constant_price: float
    price_effect: float
    covered: float
    coins: float | UnsetType = UNSET


class SignalInterest(msgspec.Struct):
    """Open interest of one side in USD (and base units), and its changes by window.

    ``age_s`` is that of the oldest sample in it; ``suspect`` says that a venue's change is more than it traded;
    ``implied_forced_ratio`` is what closed within 5 minutes over what was reported as liquidated.
    """

    usd: float
    age_s: int
    suspect: bool
    changes: dict[str, InterestChange]
    coins: float | UnsetType = UNSET
    implied_forced_ratio: float | UnsetType = UNSET


LevelState = Literal["above", "testing", "broken", "stale"]


class SignalLevel(msgspec.Struct):
    """A configured price level; ``distance_ratio`` is the price's from it, ``broken_us`` is absent if not seen."""

    price: float
    state: LevelState
    broken: bool
    distance_ratio: float
    broken_us: int | UnsetType = UNSET


class SignalHolding(msgspec.Struct):
    """A configured holder's unrealised profit, and the price's distance from its cost: a ratio, and in daily sigmas."""

    holder: str
    quantity: float
    average_cost_usd: float
    as_of: str
    pnl_usd: float
    distance_ratio: float
    distance_sigma: float
    equity_ratio: float | UnsetType = UNSET


class SignalVolatility(msgspec.Struct):
    """Implied volatility, percent; its change in points; the surprise of its rise, decades."""

    value: float
    surprise: float
    change_24h: float | UnsetType = UNSET


class SignalPace(msgspec.Struct):
    """Liquidated a day in one window over that in a longer one; below 1 the pace slows. Absent until it was seen."""

    covered_7d: float
    covered_30d: float
    day_to_week: float | UnsetType = UNSET
    day_to_rest_of_week: float | UnsetType = UNSET
    week_to_month: float | UnsetType = UNSET
    week_to_rest_of_month: float | UnsetType = UNSET


class SignalTradfi(msgspec.Struct):
    """The most stressed of the configured 24/7 index perpetuals: surprise of its move, decades, and what it is of."""

    index: str
    stress: float
    move_ratio: float
    volatility_ratio: float


Phase = Literal["calm", "building", "cascade", "relief"]
Reason = Literal["flow_and_price", "price_only"]


class Signal(msgspec.Struct, tag_field="type", tag="signal"):
    """What the detector says of one asset (or ``MARKET``); see :class:`monitor.model.schema.Signal`."""

    episode_id: str
    revision: int
    asset: str
    phase: Phase
    previous_phase: Phase
    direction: Side
    risk_score: float
    event_time_us: int
    emitted_time_us: int
    started_us: int
    price: float | None
    drawdown_pct: float
    liquidated_usd: SideTotals
    windows: dict[str, WindowTotals]
    evidence: list[Evidence]
    coverage: SignalCoverage
    notes: list[str] = []
    wave: int = 0
    degraded: bool = False
    reason: Reason = "flow_and_price"
    liquidated_usd_corrected: CorrectedTotals = NOT_CORRECTED
    open_interest: SignalInterest | UnsetType = UNSET
    levels: list[SignalLevel] | UnsetType = UNSET
    holders: list[SignalHolding] | UnsetType = UNSET
    funding_8h: float | UnsetType = UNSET
    funding_z: float | UnsetType = UNSET
    basis_bp: float | UnsetType = UNSET
    basis_dispersion_bp: float | UnsetType = UNSET
    dvol: SignalVolatility | UnsetType = UNSET
    pace: SignalPace | UnsetType = UNSET
    taker_variance_ratio: float | UnsetType = UNSET
    tradfi: SignalTradfi | UnsetType = UNSET
    fragility: float | UnsetType = UNSET


class Closed(msgspec.Struct, tag_field="type", tag="closed"):
    """What a partition's detector tells the one that judges the market: it closed every second up to ``second``.

    Attributes:
        partition: whose.
        second: the last one closed, seconds since the epoch.
        beats: by venue the second of its last heartbeat.
        gaps: by venue the second in which its last gap ended that was not backfilled.
        summaries: JSON of the assets' summaries since the record before.
        format: version of the summaries; the market passes over those of another.
    """

    partition: int
    second: int
    beats: dict[str, int]
    summaries: msgspec.Raw
    format: int = 0
    gaps: dict[str, int] = {}
