"""Adapter of Kraken Futures: perpetuals and dated futures, inverse and linear.

Units follow from the symbol's prefix: ``PI_`` (perpetual) and ``FI_`` (dated) are inverse, with sizes in USD; ``PF_``
and ``FF_`` are linear, with sizes in base coins. The contract sizes of the instrument table agree with this.

Liquidations are fills of ``type`` ``liquidation``. The liquidated side is the taker, so ``side``, which is the taker
side, is that of the closing order: ``sell`` closes a long. The price is that of the fill. Such a fill was executed in
the order book, so it makes a trade as well as a liquidation. Fills of the types ``termination`` and ``assignment`` (a
position transferred, or closed against its counterparty) and ``block`` were not executed in the order book and are
skipped. ``trade_snapshot``, the first frame of a feed, holds past trades and is skipped.

Tickers have the mark price, the index price, ``relative_funding_rate`` (for one hour, as a fraction; ``funding_rate``
is an amount of coins or dollars) and the open interest, which counts one side of each contract. The tickers of dated
futures are not subscribed to.

A gap is filled from the history of executions, which goes back to 2022 and has the type of the taker's order. A type
that contains "liquidat" marks a liquidation. Its ``uid`` is assumed to equal that on the socket; this was not verified
on live data.

Kraken ends this interface on 2027-03-01. It is not known whether the trades of its successor will mark liquidations.

Ids:
    liquidation ``kraken:<product_id>:<uid>``.
    trade ``<uid>``, or ``<seq>`` in recordings of before 2019-06, which have no ``uid``. ``seq`` counts up by one per
    feed and product.

Sources: docs.kraken.com/api/docs/futures-api (websocket: trade, ticker; trading: instruments; history: market
executions).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, Final

from monitor.exchanges.adapter import Connection, CoverageEra, Request
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.kraken.frames import (
    ELEMENTS,
    ENVELOPE,
    EXECUTIONS,
    INSTRUMENTS,
    KNOWN_KEYS,
    LISTED,
    TICKER,
    TRADE,
    Element,
    Envelope,
    ListedInstrument,
)
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Greeting, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import optional_time_us, unknown_value
from monitor.exchanges.toolkit.listings import TRADFI, Listing, ListingReader
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, events_of_channel
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel
from monitor.model.symbols import USD_QUOTES, split_base, split_symbol

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")

SYMBOLS_PER_CONNECTION: Final = 150
SYMBOLS_PER_REQUEST: Final = 50

OFF_BOOK: Final = frozenset({"termination", "assignment", "block"})
OFF_BOOK_ORDERS: Final = ("block", "assign", "unwind", "terminat")
"""Words in the order types of the corresponding fills in the history, in lower case."""

INVERSE_HEADS: Final = ("PI", "FI")
INVERSE: Final = "futures_inverse"
LINEAR: Final = "flexible_futures"
PAGE_ROWS: Final = "1000"


class Kraken(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "kraken"
    ws_url: ClassVar[str] = "wss://futures.kraken.com/ws/v1"
    rest_url: ClassVar[str] = "https://futures.kraken.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every fill has its type", "docs.kraken.com, Futures websocket, trade"),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/derivatives/api/v3/instruments"),)
    rest_weight_per_minute: ClassVar[int] = 60
    """A cautious value, because the rate limit of the history of executions is not documented."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def listing_reader(self) -> ListingReader:
        """Return the reader of symbols' prefixes."""
        return listing_of_name

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets; each carries all channels of its symbols."""
        carried = carried_channels(channels, OFFERED)
        plans = []
        for number, group in enumerate(chunked(symbols, SYMBOLS_PER_CONNECTION) if carried else ()):
            requests: list[Request] = []
            if {"mark_price", "open_interest"} & set(carried):
                watched = [one for one in group if self._listings[one] and one not in self._listings.dated]
                requests += subscriptions("ticker", watched)
            if {"liquidations", "trades"} & set(carried):
                requests += subscriptions("trade", group)
            plans.append(
                Connection(
                    name=f"futures-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(requests),
                    channels=frozenset(carried),
                    symbols=tuple(group),
                    stale_after_s=15.0,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read one frame."""
        envelope = ENVELOPE.decode(receipt.frame)
        if envelope.event:
            return self._reply(envelope, receipt)
        if envelope.feed == "trade":
            row = TRADE.decode(receipt.frame)
            fill = Fill(row.product_id, row.side, row.price, row.qty, row.time * 1000, row.uid or str(row.seq or ""))
            return self._fill(fill, row.type, receipt)
        if envelope.feed == "ticker":
            return self._ticker(receipt)
        if envelope.feed == "trade_snapshot":
            return [Skipped("backlog", len(envelope.trades))]
        if envelope.feed == "heartbeat":
            return [Pong()]
        return [
            self._records.unknown_channel(envelope.feed, receipt) if envelope.feed else self._records.malformed(receipt)
        ]

    def _fill(self, fill: Fill, kind: str, receipt: Receipt) -> list[Message]:
        """Build the trade of a fill, and the liquidation if it is one."""
        if kind in OFF_BOOK:
            return [Skipped("off_book", 1)]
        if kind not in ("fill", "liquidation"):
            return [self._records.refuse(unknown_value("type", kind), receipt)]
        return self._records.trade_and_liquidation(fill, receipt, liquidated=kind != "fill")

    def _ticker(self, receipt: Receipt) -> list[Message]:
        """Build the mark price and the open interest of a ticker."""
        row = TICKER.decode(receipt.frame)
        next_us = optional_time_us(row.next_funding_rate_time)
        mark = MarkUpdate(row.product_id, row.markPrice, row.time * 1000, row.index, row.relative_funding_rate, next_us)
        return self._records.ticker(mark, row.openInterest, receipt)

    def _reply(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Read a message about the connection or the answer to a request."""
        if envelope.event == "subscribed":
            return [Ack(f"{envelope.feed}:{symbol}") for symbol in envelope.product_ids]
        if envelope.event in ("error", "alert", "subscribed_failed"):
            return [Refusal("", f"{envelope.event}: {envelope.message}")]
        if envelope.event == "info":
            return [Greeting()]
        return [self._records.malformed(receipt)]

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/derivatives/api/v3/instruments``: inverse and linear, perpetual and dated futures."""
        answer = INSTRUMENTS.decode(body)
        if answer.result != "success":
            raise ValueError(f"kraken answered {answer.result!r}: {answer.error}")
        rows, faults = LISTED.rows(answer.instruments)
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        instruments = []
        for row in rows:
            if reason := exclusion_reason(row):
                left_out[row.symbol] = reason
                continue
            asset, units = split_base(row.base)
            inverse = row.type == INVERSE
            instruments.append(
                Instrument(
                    row.symbol,
                    asset,
                    units,
                    row.contractSize,
                    "usd" if inverse else "base",
                    row.tradeable,
                    iso_us(row.openingDate),
                    product="inverse" if inverse else "linear",
                    dated=bool(row.lastTradingTime),
                )
            )
        return InstrumentPage(instruments, left_out, None)

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """Return one request a symbol for the executions of a gap, oldest first."""
        if channel not in ("liquidations", "trades"):
            return ()
        span = {"since": str(from_us // 1000), "before": str(-(-to_us // 1000)), "sort": "asc", "count": PAGE_ROWS}
        return [RestRequest(f"/api/history/v3/market/{one}/executions", span, about=channel) for one in symbols]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read a page of executions and return the events of the channel that ``about`` names."""
        page = EXECUTIONS.decode(body)
        messages = self._records.read_rows(page.elements, ELEMENTS, self._execution, Receipt(received_us, body, memory))
        further = None
        if page.continuationToken:
            further = request._replace(query={**request.query, "continuation_token": page.continuationToken})
        return RestPage(events_of_channel(messages, request.about), further)

    def _execution(self, row: Element, receipt: Receipt) -> list[Message]:
        """Build the events of an execution as :meth:`_fill` does, from the type of the taker's order."""
        one = row.event.Execution.execution
        order = one.takerOrder
        fill = Fill(order.tradeable, order.direction, one.price, one.quantity, one.timestamp * 1000, one.uid)
        words = order.orderType.lower()
        if any(word in words for word in OFF_BOOK_ORDERS):
            return [Skipped("off_book", 1)]
        return self._fill(fill, "liquidation" if "liquidat" in words else "fill", receipt)


def subscriptions(feed: str, symbols: Sequence[str]) -> list[Request]:
    """Return the requests that subscribe to a feed; the exchange acknowledges each product separately."""
    return [
        request(
            {"event": "subscribe", "feed": feed, "product_ids": list(some)}, [f"{feed}:{symbol}" for symbol in some]
        )
        for some in chunked(symbols, SYMBOLS_PER_REQUEST)
    ]


def listing_of_name(venue: str, symbol: str) -> Listing | None:
    """Derive a listing from a symbol; None if it has none of the four prefixes."""
    head, _, rest = symbol.partition("_")
    name = split_symbol(symbol)
    if head not in (*INVERSE_HEADS, "PF", "FF") or not rest or not name.is_usd or not name.asset.isalnum():
        return None
    return name.asset, float(name.units), 1.0, head in INVERSE_HEADS, f"{venue}:{symbol}:"


def exclusion_reason(row: ListedInstrument) -> str:
    """Return why an instrument is not watched; empty if it is."""
    if row.type not in (INVERSE, LINEAR):
        return f"unknown type {row.type!r}"
    if row.quote not in USD_QUOTES or not row.base:
        return f"{row.base!r} quoted in {row.quote!r}"
    if row.tradfi:
        return TRADFI
    if not 0.0 < row.contractSize < 1e18:
        return f"implausible contract size {row.contractSize}"
    return ""


def iso_us(text: str) -> int:
    """Convert an ISO 8601 time to microseconds since the Unix epoch; 0 if it is not one."""
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1e6)
    except ValueError:
        return 0
