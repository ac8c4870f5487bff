"""Reads Orderly perpetuals: liquidations, trades, mark and index prices, funding and open interest by REST.

Sizes are base coins, and a symbol is ``PERP_<coin>_USDC``, so no instrument table is needed.

The topic ``liquidation`` lists the accounts that are liquidated, each with its positions. ``positionQty`` is that of
the position: above 0 a long was liquidated. A row has no price; it is valued by the last mark price of its symbol,
and is rejected before the first one. The list is pushed when it changes, so that a liquidation can come again with
another quantity: its number is its id, and only the first report counts. The sums are therefore a lower bound
(``partial``). Liquidators take the positions over outside the order book, so a liquidation is no trade. ``claim`` is
the transfer of a position that was liquidated before, and is skipped. Another type is rejected.

Trades have no number. ``markprices`` and ``indexprices`` have all symbols each second; index prices are added to the
next mark price. Funding rate, its next payment and the open interest (coins of one side) are polled for all symbols.

Ids:
    liquidation ``orderly:<symbol>:<liquidationId>``.
    trade ``<time>:<side>:<size>:<price>``: equal trades of one millisecond are one.

Sources: orderly.network/docs (websocket: trade, mark prices, index prices, liquidation push; REST: futures info,
claim liquidated positions, which has the sign of a position); ccxt 4.5.90. Unverified on the wire: every frame, and
how often a liquidation is pushed again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Ping, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, Poll, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, onboard_us, optional_time_us, plausible_us, unknown_value
from monitor.exchanges.toolkit.listings import Listing, ListingReader
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.subscriptions import carried_channels, request, sockets_by_market
from monitor.model.events import Channel, MarkPrice
from monitor.model.symbols import split_base
from monitor.model.validation import PRICE, number_fault

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "trades")
PERPETUAL: Final = re.compile(r"PERP_(\w+)_USDC", re.ASCII)

MARKS: Final = "markprices"
INDEXES: Final = "indexprices"
LIQUIDATIONS: Final = "liquidation"
SYMBOLS_PER_CONNECTION: Final = 50
"""No limit is documented; this many keeps the loss of one socket small."""
REQUEST_INTERVAL_S: Final = 0.2
STALE_AFTER_S: Final = 20.0
QUIET_S: Final = 600.0
"""Seconds after which a socket with trades alone is stale: small markets may be quiet for minutes."""
KEEPALIVE: Final = Keepalive('{"event":"ping"}', interval_s=10.0, timeout_s=10.0)
FUTURES_S: Final = 60.0
"""Seconds between two polls of funding and open interest."""


class TradeRow(msgspec.Struct, gc=False):
    """Data of ``<symbol>@trade``."""

    symbol: str
    price: float
    size: float
    side: str


class PriceRow(msgspec.Struct, gc=False):
    """One row of ``markprices`` or ``indexprices``."""

    symbol: str
    price: float


class Position(msgspec.Struct, gc=False):
    """A position of a liquidated account."""

    symbol: str
    positionQty: float


class LiquidationRow(msgspec.Struct, gc=False):
    """One row of ``liquidation``."""

    liquidationId: int
    timestamp: int
    type: str
    positionsByPerp: msgspec.Raw


class Envelope(msgspec.Struct, gc=False):
    """Any frame: data of a topic, the answer to a request, or a ping."""

    topic: str = ""
    ts: int = 0
    data: msgspec.Raw = msgspec.Raw(b"[]")
    event: str = ""
    id: str = ""
    success: bool = True
    errorMsg: str = ""


class ListedInstrument(msgspec.Struct):
    """A market in the exchange's list."""

    symbol: str
    created_time: int = 0


class FuturesRow(msgspec.Struct):
    """The state of a market."""

    symbol: str
    mark_price: float
    est_funding_rate: float | UnsetType = UNSET
    next_funding_time: int = 0
    open_interest: float | str | None = None


class Rows(msgspec.Struct):
    """The rows of a REST answer."""

    rows: msgspec.Raw = msgspec.Raw(b"[]")


class Answer(msgspec.Struct):
    """A REST answer."""

    success: bool
    data: Rows = msgspec.field(default_factory=Rows)
    code: int = 0
    message: str = ""


TRADES: Final = RowDecoder(TradeRow)
PRICES: Final = RowDecoder(PriceRow)
LIQUIDATION_ROWS: Final = RowDecoder(LiquidationRow)
POSITIONS: Final = RowDecoder(Position)
LISTED: Final = RowDecoder(ListedInstrument)
FUTURES: Final = RowDecoder(FuturesRow)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_ANSWER: Final = msgspec.json.Decoder(Answer)


class Orderly(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "orderly"
    ws_url: ClassVar[str] = "wss://ws.orderly.org/ws/stream"
    rest_url: ClassVar[str] = "https://api.orderly.org"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(
            0,
            "partial",
            "every liquidated account with its positions; of several reports the first counts",
            "orderly.network/docs, websocket, liquidation push",
        ),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/v1/public/info"),)
    rest_weight_per_minute: ClassVar[int] = 60
    known_keys: ClassVar[frozenset[str]] = keys(
        "topic ts data event id success errorMsg symbol price size side liquidationId timestamp type",
        "positionsByPerp positionQty liquidatorFee",
    )

    def listing_reader(self) -> ListingReader:
        """Return the reader of symbols."""
        return listing_of_perpetual

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: 50 markets' trades each; the first one carries the topics of all markets.

        Liquidations need the mark prices, so they are subscribed with them on one socket.
        """
        carried = frozenset(carried_channels(channels, OFFERED))
        if "liquidations" in carried:
            carried |= {"mark_price"}
        plans = []
        for number, group, here in sockets_by_market(symbols, SYMBOLS_PER_CONNECTION, carried, carried - {"trades"}):
            topics = [INDEXES, MARKS] if "mark_price" in here else []
            topics += [LIQUIDATIONS] if "liquidations" in here else []
            topics += [f"{symbol}@trade" for symbol in group] if "trades" in here else []
            plans.append(
                Connection(
                    name=f"stream-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(
                        request({"id": topic, "event": "subscribe", "topic": topic}, [topic]) for topic in topics
                    ),
                    channels=here,
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S if "mark_price" in here else QUIET_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                    keepalive=KEEPALIVE,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        envelope = _ENVELOPE.decode(receipt.frame)
        if envelope.event == "ping":
            return [Ping('{"event":"pong"}')]
        if envelope.event == "pong":
            return [Pong()]
        if envelope.event:
            if envelope.event == "subscribe" and envelope.success:
                return [Ack(envelope.id)]
            return [Refusal(envelope.id, envelope.errorMsg or envelope.event)]
        if envelope.topic == LIQUIDATIONS:
            return self._records.read_rows(envelope.data, LIQUIDATION_ROWS, self._liquidations, receipt)
        if envelope.topic in (MARKS, INDEXES):
            read = partial(self._mark if envelope.topic == MARKS else self._index, plausible_us(envelope.ts))
            return self._records.read_rows(envelope.data, PRICES, read, receipt)
        if envelope.topic.endswith("@trade"):
            return self._records.read_rows(envelope.data, TRADES, partial(self._trade, envelope.ts), receipt)
        if envelope.topic:
            return [self._records.unknown_channel(envelope.topic, receipt)]
        return [self._records.malformed(receipt)]

    def _trade(self, sent_ms: int, row: TradeRow, receipt: Receipt) -> list[Message]:
        """Read a trade, whose time is that of its frame."""
        key = f"{sent_ms}:{row.side}:{row.size!r}:{row.price!r}"
        return [
            self._records.trade(Fill(row.symbol, row.side, row.price, row.size, plausible_us(sent_ms), key), receipt)
        ]

    def _liquidations(self, row: LiquidationRow, receipt: Receipt) -> list[Message]:
        """Read the positions of a liquidated account, each valued by the last mark price of its symbol."""
        if row.type == "claim":
            return [Skipped("counted_before", 1)]
        if row.type != "liquidated":
            return [self._records.refuse(unknown_value("liquidation type", row.type), receipt)]
        return self._records.read_rows(row.positionsByPerp, POSITIONS, partial(self._position, row), receipt)

    def _position(self, row: LiquidationRow, position: Position, receipt: Receipt) -> list[Message]:
        """Read one position of a liquidated account."""
        if self._listings[position.symbol] is None:
            return [Skipped("other_market", 1)]
        last = self._records.latest(position.symbol, receipt).price
        fill = Fill(
            position.symbol,
            "sell" if position.positionQty > 0 else "buy",
            0.0 if last is UNSET else last,
            abs(position.positionQty),
            plausible_us(row.timestamp),
            str(row.liquidationId),
        )
        return [self._records.liquidation(fill, "mark", receipt)]

    def _mark(self, time_us: int, row: PriceRow, receipt: Receipt) -> list[Message]:
        """Build a mark price with the last index price and funding, and remember it for liquidations."""
        if self._listings[row.symbol] is None:
            return [Skipped("other_market", 1)]
        latest = self._records.latest(row.symbol, receipt)
        update = MarkUpdate(row.symbol, row.price, time_us, latest.index_price, latest.rate, latest.next_us)
        message = self._records.mark(update, receipt)
        if isinstance(message, MarkPrice):
            latest.update_mark_price(row.price, time_us)
        return [message]

    def _index(self, _time_us: int, row: PriceRow, receipt: Receipt) -> list[Message]:
        """Store an index price for the next mark price."""
        listing = self._listings[row.symbol]
        if listing is None:
            return [Skipped("other_market", 1)]
        if fault := number_fault("index_price", row.price / listing[1], PRICE):
            return [self._records.refuse(fault, receipt)]
        self._records.latest(row.symbol, receipt).index_price = row.price
        return [Skipped("remembered", 1)]

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/v1/public/info``: the perpetuals."""
        rows, faults = LISTED.rows(rows_of(body))
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError("orderly lists no market")
        instruments = []
        for row in rows:
            listing = listing_of_perpetual(self.venue, row.symbol)
            if listing is None:
                left_out[row.symbol] = "no perpetual against the dollar coin"
                continue
            since_us = onboard_us(row.created_time)
            instruments.append(Instrument(row.symbol, listing[0], int(listing[1]), 1.0, "base", onboard_us=since_us))
        return InstrumentPage(instruments, left_out, None)

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> Sequence[Poll]:
        """Return the poll for the open interest and the funding of all markets at once."""
        wanted = "open_interest" in frozenset(channels) and symbols
        return [Poll("open_interest", RestRequest("/v1/public/futures"), FUTURES_S)] if wanted else ()

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read the open interest of the watched markets, with the time of receipt, and store their funding."""
        receipt = Receipt(received_us, body, memory)
        return RestPage(self._records.read_rows(rows_of(body), FUTURES, self._state, receipt))

    def _state(self, row: FuturesRow, receipt: Receipt) -> list[Message]:
        """Read the open interest of one market, and store its funding for the next mark price."""
        if self._listings[row.symbol] is None:
            return [Skipped("other_market", 1)]
        next_us = optional_time_us(row.next_funding_time)
        messages = self._records.remember_funding(row.symbol, row.est_funding_rate, next_us, 0, receipt)
        if isinstance(row.open_interest, float):
            at_us = receipt.received_us
            messages.append(self._records.open_interest(row.symbol, row.open_interest, row.mark_price, at_us, receipt))
        return messages


def rows_of(body: bytes) -> msgspec.Raw:
    """Return the undecoded rows of a REST answer. Raises ``ValueError`` if it is an error."""
    answer = _ANSWER.decode(body)
    if not answer.success:
        raise ValueError(f"orderly answers {answer.code}: {answer.message}")
    return answer.data.rows


def listing_of_perpetual(venue: str, symbol: str) -> Listing | None:
    """Derive a listing from a symbol (``PERP_BTC_USDC``); None for spot markets."""
    found = PERPETUAL.fullmatch(symbol)
    if found is None:
        return None
    asset, units = split_base(found[1])
    return asset, float(units), 1.0, False, f"{venue}:{symbol}:"
