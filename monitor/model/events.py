"""Defines the market events: the records that adapters make of frames and that every later stage reads.

These are the record contract's only definitions: names and types give the JSON on the bus and in files, and JSON
Schemas, AsyncAPI document and models (:mod:`monitor.model.schema`) are made from them. They are msgspec Structs because
several hundred thousand a second are built: a Struct costs a twentieth of a pydantic model to build and a quarter to
decode. They are never changed after creation.

Prices and quantities are float64 per one unit of ``asset``; times are integer microseconds since the Unix epoch, UTC.
A field that a feed does not give is ``UNSET`` and absent from the JSON.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from monitor.model.contract import Count, Micros, Price, Quantity, Spec, Usd

Side = Literal["long", "short"]
SIDES: Final[tuple[Side, Side]] = ("long", "short")
TakerSide = Literal["buy", "sell"]
PriceKind = Literal["average_fill", "fill", "bankruptcy", "order", "mark"]
Coverage = Literal["complete", "latest_per_second", "largest_per_second", "sampled", "partial", "aggregated"]
GapReason = Literal["disconnect", "stale", "backlog_dropped", "queue_overflow", "restart", "offsets_lost"]
"""Reason of a gap: ``restart`` is the time in which no collector ran; ``offsets_lost`` means that records were removed
from the bus before the detector read them."""
Channel = Literal["liquidations", "trades", "mark_price", "open_interest", "volatility_index"]

MONITOR: Final = "monitor"
"""``venue`` of the heartbeats among the signals."""
ALL: Final = "*"
"""``symbol`` and ``asset`` of an event that concerns a venue's whole channel (gaps, heartbeats)."""

MARKET: Final = "MARKET"
"""The name under which the market as a whole is judged, beside the assets'; no asset may bear it."""

MICROS: Final = 1_000_000
"""Microseconds in a second, and micro-USD in a US dollar."""


class Event(msgspec.Struct, tag_field="type", gc=False, forbid_unknown_fields=False):
    """The fields that every market event has."""

    venue: Annotated[str, Spec("Exchange and market, `binance-usdm`.", min_length=1)]
    symbol: Annotated[str, Spec("The venue's own instrument id, unchanged; `*` for a whole channel.")]
    asset: Annotated[
        str, Spec("Canonical base asset, upper case, multipliers resolved; the partition key; `*` for all.")
    ]
    event_time_us: Annotated[Micros, Spec("Time of the event by the venue's clock, in microseconds, UTC.")]
    receive_time_us: Annotated[
        Micros, Spec("Time at which this machine read the frame; 0 where that is unknown (`decode`).")
    ]


class Liquidation(Event, tag="liquidation", gc=False):
    """A position (or several) closed by force."""

    side: Annotated[Side, Spec("Side of the position that was closed by force, never the order's.")]
    notional_usd: Annotated[Usd, Spec("Value of what was closed, USD.")]
    coverage: Annotated[
        Coverage, Spec("How much of the truth the feed shows; with any but `complete`, sums are lower bounds.")
    ]
    id: Annotated[str, Spec("The same event seen twice has the same id.")]
    quantity: Annotated[Quantity | UnsetType, Spec("Base-asset units; absent where a feed gives only a value.")] = UNSET
    price: Annotated[Price | UnsetType, Spec("USD per unit of asset, of `price_kind`; absent where not given.")] = UNSET
    price_kind: Annotated[PriceKind | UnsetType, Spec("Kind of `price`; absent with it.")] = UNSET
    orders: Annotated[int, Spec("Number of forced orders that the record stands for.", ge=1)] = 1


class Trade(Event, tag="trade", gc=False):
    """One trade print, or several fills at one price."""

    taker_side: TakerSide
    price: Annotated[Price, Spec("USD per unit of asset.")]
    quantity: Annotated[Quantity, Spec("Base-asset units.")]
    notional_usd: Usd
    trades: Annotated[int, Spec("Number of fills that it stands for.", ge=1)]
    id: Annotated[str, Spec("The exchange's own id; unique among the trades of a venue and symbol.")]


class TradeBar(Event, tag="trade_bar", gc=False):
    """All trades of a symbol within an interval; the event time is the interval's end."""

    interval_us: Annotated[int, Spec("Length of the interval in microseconds.", gt=0)]
    open: Price
    high: Price
    low: Price
    close: Price
    buy_quantity: Annotated[Quantity, Spec("Base-asset units bought by takers.")]
    sell_quantity: Annotated[Quantity, Spec("Base-asset units sold by takers.")]
    buy_usd: Usd
    sell_usd: Usd
    trades: Annotated[Count, Spec("Number of fills that it stands for.")]


class MarkPrice(Event, tag="mark_price", gc=False):
    """The venue's mark price, with index price and funding where known."""

    mark_price: Annotated[Price, Spec("USD per unit of asset.")]
    index_price: Price | UnsetType = UNSET
    funding_rate: Annotated[float | UnsetType, Spec("Per funding interval, 0.0001 is 1 basis point.")] = UNSET
    next_funding_time_us: Micros | UnsetType = UNSET


class OpenInterest(Event, tag="open_interest", gc=False):
    """Open interest, one side of it."""

    open_interest: Annotated[Quantity, Spec("Base-asset units.")]
    open_interest_usd: Usd


class VolatilityIndex(Event, tag="volatility_index", gc=False):
    """An implied-volatility index."""

    value: Annotated[float, Spec("Percent, annualised.", ge=0)]


class Gap(Event, tag="gap", gc=False):
    """A time in which a channel was not seen: from `from_us` up to, but without, `to_us`."""

    channel: Channel
    from_us: Micros
    to_us: Micros
    reason: GapReason
    backfilled: Annotated[bool, Spec("Whether the interval was read afterwards by other means.")] = False


class Heartbeat(Event, tag="heartbeat", gc=False):
    """A sign that the channel is alive though quiet: everything received before `receive_time_us` was published.

    Among signals `venue` is `monitor`, and every second before `event_time_us` was judged: no signal of it will come.
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
    "bad_time",  # a time that is missing, zero or outside the possible range
    "future_time",  # further ahead of this machine's clock than clocks differ
    "unknown_symbol",  # no instrument data: contract size and asset are not known
    "unsupported_quote",  # a quote currency that is no US dollar
    "unknown_channel",  # a channel that was not subscribed
    "not_applicable",  # a record whose asset's state could not take it: a fault of this program, which quarantines it
    "unknown_value",  # a side, status or type that is not in the exchange's documents
]


class Reject(msgspec.Struct, gc=False):
    """A frame, or one row of a frame, that could not be turned into an event.

    It is counted, rate-limited and published to the rejects topic, never dropped without a trace.
    """

    venue: Annotated[str, Spec("The venue.")]
    reason: Annotated[RejectReason, Spec("The reason, one of a fixed set.")]
    detail: Annotated[str, Spec("Explanation of the reason.")]
    receive_time_us: Annotated[int, Spec("Time of receipt, microseconds since the epoch as decimal digits.")]
    sample: Annotated[bytes, Spec("The frame's bytes, truncated to 2048.")] = b""


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
