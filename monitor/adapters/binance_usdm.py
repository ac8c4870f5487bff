"""Binance USD-M perpetuals: forced orders, aggregated trades, mark prices.

Since 2026-04-23 these streams live on ``/market`` alone; the old paths still connect, silent about liquidations. Since
2026-06-30 merged streams carry COIN-M rows too, tagged ``st`` 2 (1 is USD-M): their quantities are contracts, so they
are skipped.

Liquidations: at most the latest order per symbol and second, so sums are a floor. ``o.S`` is the closing order's side:
SELL closes a long. Executed is ``z`` (cumulative filled) at ``ap`` (average fill); ``p`` is the order's limit, 0.4 %
away. Only FILLED orders count: an order that is partly filled comes again with its full ``z``.

Trades: ``m`` true means the buyer was the maker, so the taker sold. ``f`` to ``l`` are the fills' ids, some of which
may have been skipped, so their number is at most ``l - f + 1``.
Mark price: ``P`` is the estimated settlement price and no rate; ``r`` is the funding rate, ``T`` the next funding.

Ids:
    liquidation ``binance-usdm:<s>:<S>:<T>:<q>:<p>``: there is no order id; this tuple is the order's own.
    trade ``<a>``: the aggregate id, which counts up by one per symbol. It says enough beside venue and symbol, and the
    prefix would take a twentieth of the time of a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from monitor.adapters.adapter import (
    Ack,
    Adapter,
    Connection,
    CoverageEra,
    Instrument,
    InstrumentPage,
    Message,
    Refusal,
    RestRequest,
    Skipped,
    coverage_at,
)
from monitor.adapters.plan import DENSE, carried_channels, chunked, request
from monitor.adapters.rows import (
    TRADFI,
    UNREADABLE,
    Fault,
    Listings,
    SoundNumber,
    SoundTime,
    decode_rows,
    find_fault,
    optional_float,
    optional_time_us,
    quote_constants,
    raw_array,
    raw_rows,
    reject,
    symbol_fault,
    unknown_value,
    unreadable,
)
from monitor.assets import USD_QUOTES, split_base
from monitor.events import Channel, Liquidation, MarkPrice, PriceKind, Side, TakerSide, Trade

VENUE: Final = "binance-usdm"

STREAMS: Final[dict[Channel, str]] = {
    "liquidations": "@forceOrder",
    "mark_price": "@markPrice@1s",
    "trades": "@aggTrade",
}
"""Stream suffix per channel, in the order of subscribing. Open interest is REST only here."""

STREAMS_PER_CONNECTION: Final = 200
"""The most careful of the published limits; others report 1024."""

STREAMS_PER_REQUEST: Final = 50
"""Keeps a SUBSCRIBE frame below 2 kB."""

MAX_AGE_S: Final = 84_600.0
"""23.5 h: the exchange cuts every connection at 24 h."""

UNEXECUTED: Final = frozenset(
    {"NEW", "PARTIALLY_FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED", "NEW_INSURANCE", "NEW_ADL"}
)
"""Documented order states other than FILLED."""

USD_M: Final = 1
COIN_M: Final = 2
SIDES: Final[dict[str, Side]] = {"SELL": "long", "BUY": "short"}
AVERAGE: Final[PriceKind] = "average_fill"
LIMIT: Final[PriceKind] = "order"
KINDS: Final = frozenset({"aggTrade", "forceOrder", "markPriceUpdate"})


class AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    """``<symbol>@aggTrade``, in the order of the wire: the decoder finds the next field at the first look."""

    a: int
    s: str
    p: float
    q: float
    f: int
    l: int  # noqa: E741 - the exchange's name
    T: int
    m: bool
    st: int = USD_M


class Order(msgspec.Struct, gc=False):
    """``o`` of a forced order; ``l``, the last fill, would undercount orders of several fills."""

    s: str
    S: str
    q: float
    p: float
    ap: float
    X: str
    z: float
    T: int
    st: int = USD_M


class SoundTrade(AggTrade, tag_field="e", tag="aggTrade", gc=False):
    """A trade of this market whose numbers need no further look."""

    p: SoundNumber
    q: SoundNumber
    T: SoundTime
    st: Literal[1] = USD_M


class ForceOrder(msgspec.Struct, tag_field="e", tag="forceOrder", gc=False):
    """``<symbol>@forceOrder`` and ``!forceOrder@arr``."""

    o: Order
    st: int = USD_M


class MarkPriceUpdate(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    """``<symbol>@markPrice@1s`` and the rows of ``!markPrice@arr@1s``; index and rate are empty for dated futures."""

    E: int
    s: str
    p: float
    i: float | str | UnsetType = UNSET
    r: float | str | UnsetType = UNSET
    T: int = 0
    st: int = USD_M


Push = AggTrade | ForceOrder | MarkPriceUpdate


class Combined(msgspec.Struct, gc=False):
    """A frame of the combined endpoint."""

    data: SoundTrade | ForceOrder | MarkPriceUpdate | list[ForceOrder | MarkPriceUpdate]


class Complaint(msgspec.Struct, gc=False):
    """Why a request was refused."""

    code: int
    msg: str = ""


class Reply(msgspec.Struct, gc=False):
    """The answer to a request; a refusal has ``error`` in the newer form, ``code`` and ``msg`` in the older."""

    id: int | str | None = None
    result: msgspec.Raw | UnsetType = UNSET
    error: Complaint | UnsetType = UNSET
    code: int | UnsetType = UNSET
    msg: str = ""


class Loose(msgspec.Struct, gc=False):
    """A frame of which nothing is certain but that it is a JSON object."""

    data: msgspec.Raw | UnsetType = UNSET
    e: str | UnsetType = UNSET


class Listed(msgspec.Struct):
    """What an instrument says of itself in ``exchangeInfo``."""

    symbol: str
    contractType: str
    status: str
    baseAsset: str
    quoteAsset: str
    onboardDate: int = 0


class ExchangeInfo(msgspec.Struct):
    """``GET /fapi/v1/exchangeInfo``."""

    symbols: list[msgspec.Raw]


_decode_combined: Final = msgspec.json.Decoder(Combined, strict=False).decode
_PUSH: Final[msgspec.json.Decoder[Push]] = msgspec.json.Decoder(Push, strict=False)
_LOOSE: Final = msgspec.json.Decoder(Loose)
_REPLY: Final = msgspec.json.Decoder(Reply)
_EXCHANGE_INFO: Final = msgspec.json.Decoder(ExchangeInfo)
_LISTED: Final = msgspec.json.Decoder(Listed)


class BinanceUsdm(Adapter):
    """See :class:`monitor.adapters.adapter.Adapter`."""

    venue: ClassVar[str] = VENUE
    ws_url: ClassVar[str] = "wss://fstream.binance.com/market/stream"
    rest_url: ClassVar[str] = "https://fapi.binance.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(
            0,
            "latest_per_second",
            "at most one order a symbol and second, the latest",
            "developers.binance.com, Liquidation Order Streams",
        ),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/fapi/v1/exchangeInfo"),)

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        self._listings = Listings(self.venue, instruments, by_name=True)
        self._plain = self._listings.plain.get

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Every socket carries all channels of its symbols, at most 200 streams."""
        carried = carried_channels(channels, tuple(STREAMS))
        if not carried:
            return []
        plans = []
        for number, group in enumerate(chunked(symbols, STREAMS_PER_CONNECTION // len(carried))):
            streams = [symbol.lower() + STREAMS[channel] for channel in carried for symbol in group]
            requests = tuple(
                request({"method": "SUBSCRIBE", "params": params, "id": identifier}, [str(identifier)])
                for identifier, params in enumerate(chunked(streams, STREAMS_PER_REQUEST), 1)
            )
            plans.append(
                Connection(
                    name=f"market-{number}",
                    url=ws_url or self.ws_url,
                    requests=requests,
                    channels=frozenset(carried),
                    symbols=len(group),
                    dense=frozenset(carried) & DENSE,
                    max_age_s=MAX_AGE_S,
                )
            )
        return plans

    def parse(self, frame: bytes, received_us: int) -> list[Message]:
        """Read one frame, wrapped by the combined endpoint or bare."""
        try:
            data = _decode_combined(frame).data
        except UNREADABLE as error:
            return self._unusual(frame, received_us, error)
        if type(data) is SoundTrade:
            # Nearly every frame: no calls but the record's own, no look at what is usual. What this leaves is judged
            # number by number in _odd_trade, at twice the time.
            plain = self._plain(symbol := data.s)
            time_us = data.T * 1000
            if plain is not None and time_us <= received_us:
                price = data.p
                quantity = data.q
                side: TakerSide = "sell" if data.m else "buy"
                fills = data.l - data.f + 1
                usd = price * quantity
                id_ = str(data.a)
                return [Trade(VENUE, symbol, plain[0], time_us, received_us, side, price, quantity, usd, fills, id_)]
        if isinstance(data, list):
            return [self._message(row, received_us, frame) for row in data]
        return [self._message(data, received_us, frame)]

    def _message(self, row: Push, received_us: int, frame: bytes) -> Message:
        """What one row says."""
        if row.st != USD_M:
            if row.st == COIN_M:
                return Skipped("other_market", 1)
            return reject(self.venue, unknown_value("market tag", str(row.st)), received_us, frame)
        if type(row) is ForceOrder:
            return self._liquidation(row.o, received_us, frame)
        if type(row) is MarkPriceUpdate:
            return self._mark_price(row, received_us, frame)
        return self._odd_trade(row, received_us, frame)  # type: ignore[arg-type]

    def _odd_trade(self, row: AggTrade, received_us: int, frame: bytes) -> Message:
        """A trade that :meth:`parse` would not have, judged number by number."""
        listing = self._listings[row.s]
        if listing is None:
            return reject(self.venue, symbol_fault(row.s), received_us, frame)
        asset, units, _, _, _ = listing
        time_us = row.T * 1000
        price = row.p / units
        quantity = row.q * units
        usd = row.p * row.q
        fills = row.l - row.f + 1
        if fault := find_fault(time_us, received_us, price=price, quantity=quantity, notional=usd):
            return reject(self.venue, fault, received_us, frame)
        side: TakerSide = "sell" if row.m else "buy"
        return Trade(VENUE, row.s, asset, time_us, received_us, side, price, quantity, usd, fills, str(row.a))

    def _liquidation(self, order: Order, received_us: int, frame: bytes) -> Message:
        if order.st == COIN_M:
            return Skipped("other_market", 1)
        if order.X in UNEXECUTED:
            return Skipped("not_executed", 1)
        side = SIDES.get(order.S)
        listing = self._listings[order.s]
        if listing is None:
            return reject(self.venue, symbol_fault(order.s), received_us, frame)
        if side is None or order.X != "FILLED":
            unknown = unknown_value("order side and status", f"{order.S} {order.X}")
            return reject(self.venue, unknown, received_us, frame)
        # An average of zero means that the exchange does not know it; the limit is then the nearest thing.
        price, kind = (order.p, LIMIT) if order.ap == 0.0 else (order.ap, AVERAGE)
        asset, units, _, _, prefix = listing
        time_us = order.T * 1000
        usd = price * order.z
        quantity = order.z * units
        if fault := find_fault(time_us, received_us, price=price, quantity=quantity, usd=usd):
            return reject(self.venue, fault, received_us, frame)
        return Liquidation(
            self.venue,
            order.s,
            asset,
            time_us,
            received_us,
            side,
            usd,
            coverage_at(self.eras, time_us),
            f"{prefix}{order.S}:{order.T}:{order.q!r}:{order.p!r}",
            quantity,
            price / units,
            kind,
        )

    def _mark_price(self, row: MarkPriceUpdate, received_us: int, frame: bytes) -> Message:
        listing = self._listings[row.s]
        if listing is None:
            return reject(self.venue, symbol_fault(row.s), received_us, frame)
        asset, units, _, _, _ = listing
        time_us = row.E * 1000
        price = row.p / units
        if fault := find_fault(time_us, received_us, mark_price=row.p, unit_price=price):
            return reject(self.venue, fault, received_us, frame)
        index = optional_float(row.i, 0.0)
        return MarkPrice(
            self.venue,
            row.s,
            asset,
            time_us,
            received_us,
            price,
            index if index is UNSET else index / units,
            optional_float(row.r),
            optional_time_us(row.T),
        )

    def _unusual(self, frame: bytes, received_us: int, error: Exception) -> list[Message]:
        """Read what is no push of well-formed rows: answers, bare rows, rows of which one is bad, garbage."""
        try:
            loose = _LOOSE.decode(frame)
        except UNREADABLE:
            rows = raw_array(frame)
        else:
            if loose.data is UNSET and loose.e is UNSET:
                return [self._reply(frame, received_us)]
            rows = [msgspec.Raw(frame)] if loose.data is UNSET else raw_rows(loose.data)
        if rows is None:
            quoted = quote_constants(frame)
            if quoted is not None:
                return self.parse(quoted, received_us)
            return [reject(self.venue, unreadable(error), received_us, frame)]
        pushes, faults = decode_rows(rows, _PUSH)
        messages = [self._message(push, received_us, frame) for push in pushes]
        messages.extend(
            reject(self.venue, untagged(fault, rows[number]), received_us, frame) for number, fault in faults
        )
        return messages

    def _reply(self, frame: bytes, received_us: int) -> Message:
        """The answer to a request."""
        try:
            reply = _REPLY.decode(frame)
        except UNREADABLE as error:
            return reject(self.venue, unreadable(error), received_us, frame)
        key = "" if reply.id is None else str(reply.id)
        if reply.error is not UNSET:
            return Refusal(key, f"{reply.error.code}: {reply.error.msg}")
        if reply.code is not UNSET:
            return Refusal(key, f"{reply.code}: {reply.msg}")
        if key and reply.result is not UNSET:
            return Ack(key)
        return reject(self.venue, ("malformed", "neither data nor an answer"), received_us, frame)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/fapi/v1/exchangeInfo``: perpetuals in US dollars."""
        raws = _EXCHANGE_INFO.decode(body).symbols
        rows, faults = decode_rows(raws, _LISTED)
        left_out = {f"row {number}": detail for number, (_, detail) in faults}
        instruments = []
        for row in rows:
            if reason := unsuitable(row):
                left_out[row.symbol] = reason
                continue
            asset, units = split_base(row.baseAsset)
            trading = row.status == "TRADING"
            instruments.append(
                Instrument(row.symbol, asset, units, 1.0, "base", trading, max(row.onboardDate, 0) * 1000)
            )
        return InstrumentPage(instruments, left_out, None)


def unsuitable(row: Listed) -> str:
    """Why an instrument is not watched; empty when it is."""
    if row.quoteAsset not in USD_QUOTES:
        return f"quoted in {row.quoteAsset}, which is no US dollar"
    if row.contractType == "TRADIFI_PERPETUAL":
        return TRADFI
    if row.contractType != "PERPETUAL":
        return f"dated ({row.contractType}): its price is not the perpetual's"
    return ""


def untagged(fault: Fault, row: msgspec.Raw) -> Fault:
    """The fault of a row that no type of push could hold: its event type where that is the reason."""
    try:
        kind = _LOOSE.decode(row).e
    except UNREADABLE:
        return fault
    if kind is UNSET or kind in KINDS:
        return fault
    return "unknown_channel", f"event type {kind[:64]!r}"
