"""Bitfinex derivatives: liquidations of all pairs in one channel, trades, derivative status.

Frames are arrays that begin with a channel number, which the answer to the subscription gives; the numbers are
remembered by socket. Amounts are base coins; ``UST`` is USDT.

Liquidations (``status``, key ``liq:global``): rows ``["pos", id, time, _, symbol, amount, base price, _, is_match,
is_market_sold, _, price]``. ``amount`` is the position's: above zero it is a long. The base price is what the position
was entered at and is not used. By its page ``is_match`` 0 is the initial trigger of a liquidation and 1 a market
execution, so:

* rows with ``is_match`` 1 are the liquidations, each with its own amount. Their last field is the price; one that
  leaves it empty is valued by the last trade or mark price of its symbol.
* rows with 0 or null announce the whole position, mostly without a price, and may come before or after its executions.
  They are not executed yet and make no event: counted as well, they would double it.

The channel begins with rows of hours ago: what happened a minute or more before the subscription was confirmed is
backlog. Times may have a fraction of a millisecond. Margin positions on spot pairs come in the same channel and are
another market's.

Trades (``te``; ``tu`` repeats each): a positive amount is a taker who bought. The first frame is backlog.

Status (key ``deriv:<symbol>``): mark price, spot price as the index, current funding (of eight hours) and the open
interest of one side in coins.

Ids:
    liquidation ``bitfinex:<symbol>:<id>:<time in microseconds>:<amount>``: a position can be liquidated in steps; and
    ``#1``, ``#2`` … appended to further rows of one frame that are alike.
    trade ``<id>``.

Sources: docs.bitfinex.com (WebSocket public: status, trades, info and error codes, conf; REST: conf);
github.com/tardis-dev/tardis-node (captured rows of both kinds).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Ack, Greeting, Message, Notice, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, optional_time_us, plausible_us, raw_array, raw_rows
from monitor.exchanges.toolkit.listings import Listing, ListingReader, listing_by_name
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel, MarkPrice, PriceKind, Reject, Trade
from monitor.model.symbols import split_symbol
from monitor.model.validation import EARLIEST_US

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")

CHANNELS_PER_CONNECTION: Final = 25
KEEPALIVE: Final = Keepalive('{"event":"ping","cid":1}', interval_s=20.0, timeout_s=10.0)
LIQUIDATIONS: Final = "liq:global"
BACKLOG_US: Final = 60_000_000
"""A row that is this much older than the confirmation of its channel belongs to the time before the subscription."""
RECONNECT_CODES: Final = frozenset({20051, 20061})
"""The service restarts, and its maintenance is over: after either a new socket is needed."""
FILL: Final[PriceKind] = "fill"
MARK: Final[PriceKind] = "mark"
NAMES: Final = {"ALG": "ALGO", "ATO": "ATOM", "DSH": "DASH", "IOT": "IOTA", "QTM": "QTUM"}
"""The exchange's codes of three letters."""


class TradeRow(msgspec.Struct, array_like=True, gc=False):
    """One trade."""

    id: int
    time: float
    amount: float
    price: float


class LiquidationRow(msgspec.Struct, array_like=True, gc=False):
    """One row of ``liq:global``; the underscored fields are placeholders."""

    kind: str
    id: int
    time: float
    _3: Any
    symbol: str
    amount: float
    base_price: Any
    _7: Any
    is_match: int | None
    is_market_sold: Any
    _10: Any
    price: float | None


class StatusRow(msgspec.Struct, array_like=True, gc=False):
    """A derivative's status; the underscored fields are placeholders."""

    time: float
    _1: Any
    last_price: Any
    spot_price: float | None
    _4: Any
    insurance_fund: Any
    _6: Any
    next_funding_time: int | None
    next_accrued: Any
    next_step: Any
    _10: Any
    funding: float | None
    _12: Any
    _13: Any
    mark_price: float
    _15: Any
    _16: Any
    open_interest: float | None = None


class Envelope(msgspec.Struct, gc=False):
    """A frame that is no array."""

    event: str = ""
    channel: str = ""
    chanId: int = 0
    symbol: str = ""
    key: str = ""
    code: int = 0
    msg: str = ""


_TRADE: Final = RowDecoder(TradeRow)
_LIQUIDATION: Final = RowDecoder(LiquidationRow)
_STATUS: Final = RowDecoder(StatusRow)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_NUMBER: Final = msgspec.json.Decoder(int)
_PAIRS: Final = msgspec.json.Decoder(list[list[str]])


class Bitfinex(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "bitfinex"
    ws_url: ClassVar[str] = "wss://api-pub.bitfinex.com/ws/2"
    rest_url: ClassVar[str] = "https://api-pub.bitfinex.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every market execution of a liquidation", "docs.bitfinex.com, status"),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/v2/conf/pub:list:pair:futures"),)
    known_keys: ClassVar[frozenset[str]] = keys(
        "event channel chanId symbol pair key code msg version serverId platform status cid ts flags"
    )

    def listing_reader(self) -> ListingReader:
        """Return how listings are read off names: those of derivatives alone."""
        return listing_of_name

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: 25 channels each; the first one has the liquidations."""
        carried = frozenset(carried_channels(channels, OFFERED))
        here = carried - {"liquidations"}
        each = bool(here & {"mark_price", "open_interest"}) + ("trades" in here)
        plans = []
        for number, group in enumerate(chunked(symbols, (CHANNELS_PER_CONNECTION - 1) // each) if carried else ()):
            names = [name for symbol in group for name in topics(symbol, here)]
            if not number and "liquidations" in carried:
                names.insert(0, LIQUIDATIONS)
            plans.append(
                Connection(
                    name=f"public-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(request(subscription(name), [name]) for name in names),
                    channels=here if number else carried,
                    symbols=tuple(group),
                    stale_after_s=30.0,
                    keepalive=KEEPALIVE,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        parts = raw_array(receipt.frame)
        if parts is None:
            return self._reply(_ENVELOPE.decode(receipt.frame), receipt)
        if len(parts) < 2:
            return [self._records.malformed(receipt)]
        name = receipt.kept.channels.get(_NUMBER.decode(parts[0]))
        if name is None:
            return [self._records.unknown_channel(bytes(parts[0]).decode(errors="replace"), receipt)]
        head = bytes(parts[1])
        if head == b'"hb"':
            return [Pong()]
        if name == LIQUIDATIONS:
            seen: dict[str, int] = {}
            return self._records.read_rows(
                parts[1], _LIQUIDATION, lambda row, at: [self._liquidation(row, seen, at)], receipt
            )
        if name.startswith("deriv:"):
            symbol = name.removeprefix("deriv:")
            return self._one(parts[1], _STATUS, lambda row, at: self._status(symbol, row, at), receipt)
        if head == b'"te"' and len(parts) > 2:
            return self._one(parts[2], _TRADE, lambda row, at: [self._trade(name, row, at)], receipt)
        if head.startswith(b"["):
            return [Skipped("backlog", len(raw_rows(parts[1])))]
        return [Skipped("repeated", 1)]

    def _one(self, raw: msgspec.Raw, shape: RowDecoder[Any], read: Any, receipt: Receipt) -> list[Message]:
        """Read one row that is an array itself."""
        return self._records.read_rows(msgspec.Raw(b"[" + bytes(raw) + b"]"), shape, read, receipt)

    def _trade(self, symbol: str, row: TradeRow, receipt: Receipt) -> Message:
        """Read a trade, and remember its price for liquidations that have none."""
        side = "buy" if row.amount > 0 else "sell"
        fill = Fill(symbol, side, row.price, abs(row.amount), plausible_us(row.time), str(row.id))
        message = self._records.trade(fill, receipt)
        if isinstance(message, Trade):
            self._records.latest(symbol, receipt).update_mark_price(row.price, fill.time_us)
        return message

    def _liquidation(self, row: LiquidationRow, seen: dict[str, int], receipt: Receipt) -> Message:
        """Read an execution of a liquidation; the side is that of the order that closes the position."""
        if "F0:" not in row.symbol or not split_symbol(row.symbol).quote:
            return Skipped("other_market", 1)
        if not row.is_match:
            return Skipped("not_executed", 1)
        time_us = plausible_us(row.time)
        if EARLIEST_US <= time_us < receipt.kept.subscribed_us.get(LIQUIDATIONS, 0) - BACKLOG_US:
            return Skipped("backlog", 1)
        price, kind = row.price, FILL
        if price is None:
            last = self._records.latest(row.symbol, receipt).price
            price, kind = (0.0 if last is UNSET else last), MARK
        side = "sell" if row.amount > 0 else "buy"
        fill = Fill(row.symbol, side, price, abs(row.amount), time_us, f"{row.id}:{time_us}:{row.amount!r}")
        return self._records.liquidation(fill, kind, receipt, seen)

    def _status(self, symbol: str, row: StatusRow, receipt: Receipt) -> list[Message]:
        """Read the mark price and the open interest."""
        time_us = plausible_us(row.time)
        index = UNSET if row.spot_price is None else row.spot_price
        rate = UNSET if row.funding is None else row.funding
        next_us = optional_time_us(row.next_funding_time or 0)
        mark = self._records.mark(MarkUpdate(symbol, row.mark_price, time_us, index, rate, next_us), receipt)
        if isinstance(mark, MarkPrice):
            self._records.latest(symbol, receipt).update_mark_price(row.mark_price, time_us)
        if row.open_interest is None or isinstance(mark, Reject):
            return [mark]
        return [mark, self._records.open_interest(symbol, row.open_interest, row.mark_price, time_us, receipt)]

    def _reply(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Read the number of a channel, a refusal, or a notice about the connection."""
        name = envelope.symbol or envelope.key
        if envelope.event == "subscribed" and name:
            receipt.kept.channels[envelope.chanId] = name
            receipt.kept.subscribed_us[name] = receipt.received_us
            return [Ack(name)]
        if envelope.event == "error":
            return [Refusal(name, f"{envelope.code}: {envelope.msg}")]
        if envelope.event == "pong":
            return [Pong()]
        if envelope.event == "conf":
            return [Greeting()]
        if envelope.event == "info":
            return (
                [Notice(f"{envelope.code}: {envelope.msg}", envelope.code in RECONNECT_CODES)]
                if envelope.code
                else [Greeting()]
            )
        return [self._records.malformed(receipt)]

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read the list of derivative pairs."""
        instruments, left_out = [], {}
        for pair in (pair for pairs in _PAIRS.decode(body) for pair in pairs):
            symbol = f"t{pair}"
            listing = listing_of_name(self.venue, symbol)
            if listing is None:
                left_out[symbol] = "no derivative of one coin in US dollars"
                continue
            instruments.append(Instrument(symbol, listing[0], int(listing[1]), 1.0, "base"))
        return InstrumentPage(instruments, left_out, None)


def topics(symbol: str, channels: frozenset[Channel]) -> list[str]:
    """Return what is subscribed of a symbol: status keys and the symbol of trades."""
    status = [f"deriv:{symbol}"] if channels & {"mark_price", "open_interest"} else []
    return status + ([symbol] if "trades" in channels else [])


def subscription(name: str) -> dict[str, str]:
    """Return the request for a status key or a symbol's trades."""
    if ":" in name and name.startswith(("liq:", "deriv:")):
        return {"event": "subscribe", "channel": "status", "key": name}
    return {"event": "subscribe", "channel": "trades", "symbol": name}


def listing_of_name(venue: str, symbol: str) -> Listing | None:
    """Return the listing read off a derivative's name; None for a spot pair."""
    if not symbol.startswith("t") or "F0:" not in symbol:
        return None
    listing = listing_by_name(venue, symbol)
    return listing and (NAMES.get(listing[0], listing[0]), *listing[1:])
