"""Reads recordings of BitMEX, which closed on 2026-09-23: liquidations, trades, instruments.

There is nothing to dial, so no socket is planned and the settings refuse the venue.

Sizes are contracts. Those of ``XBTUSD`` are one USD each; any other symbol needs its contract size, and contracts
that are neither coins nor dollars (quanto: ``ETHUSD``) have none that can be given.

Liquidations (``liquidation``): an order is inserted, amended (``update``) as it fills, and deleted. It is counted once
and whole, by ``leavesQty`` of its ``insert``. ``side`` is the order's: Sell closes a long. ``price`` is its limit. The
rows bear no time, so the event has that of its receipt, which ``decode`` does not know: it is 0 there.

Trades (``trade``): ``side`` is the taker's; settlements have none, since no order took their price. ``instrument``
frames hold what changed, mostly one field and sometimes no time. What a frame leaves out is unchanged and remembered: a
mark price goes out with the last index price and funding, an open interest is valued by the last mark price. A frame
without a time bears that of its receipt, or where that is not known the last one. A ``partial``, the first frame of a
table, is backlog of liquidations and trades.

Ids:
    liquidation ``bitmex:<symbol>:<orderID>``.
    trade ``<trdMatchID>``.

Sources: bitmex.com/app/wsAPI (as it was), github.com/tardis-dev/tardis-node; bitmex.com/blog/bitmex-closure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra
from monitor.exchanges.messages import Ack, Greeting, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, raw_rows
from monitor.exchanges.toolkit.listings import Listing, ListingReader
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Moment, Receipt, RowAdapter, RowDecoder, micros
from monitor.model.events import Channel, Liquidation, MarkPrice
from monitor.model.validation import EARLIEST_US, PRICE, number_fault


class LiquidationRow(msgspec.Struct, gc=False):
    """One row of ``liquidation``, inserted."""

    orderID: str
    symbol: str
    side: str
    price: float
    leavesQty: float


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``trade``."""

    timestamp: Moment
    symbol: str
    size: float
    price: float
    trdMatchID: str
    side: str = ""


class InstrumentRow(msgspec.Struct, gc=False):
    """The fields of an instrument that changed."""

    symbol: str
    timestamp: Moment | UnsetType = UNSET
    markPrice: float | UnsetType | None = UNSET
    indicativeSettlePrice: float | UnsetType | None = UNSET
    fundingRate: float | UnsetType | None = UNSET
    openInterest: float | UnsetType | None = UNSET


class Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    table: str = ""
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    subscribe: str = ""
    success: bool = False
    error: str = ""
    info: str = ""


LIQUIDATIONS: Final = RowDecoder(LiquidationRow)
TRADES: Final = RowDecoder(TradeRow)
INSTRUMENTS: Final = RowDecoder(InstrumentRow)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)


class Bitmex(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "bitmex"
    closed: ClassVar[str] = "2026-09-23"
    ws_url: ClassVar[str] = "wss://ws.bitmex.com/realtime"
    rest_url: ClassVar[str] = "https://www.bitmex.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every order as it is inserted", "bitmex.com/app/wsAPI, liquidation"),
    )
    counts_contracts: ClassVar[bool] = True
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = ()
    known_keys: ClassVar[frozenset[str]] = keys(
        "table action data keys types filter foreignKeys attributes subscribe success request op args info version",
        "timestamp docs limit remaining error status meta",
        "orderID symbol side price leavesQty size tickDirection trdMatchID trdType grossValue homeNotional",
        "foreignNotional markPrice indicativeSettlePrice fundingRate openInterest openValue",
    )

    def listing_reader(self) -> ListingReader:
        """Return how listings are read off names: that of ``XBTUSD`` alone."""
        return listing_of_name

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan no socket: the exchange is closed."""
        return []

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Raise ``ValueError``: no table is requested."""
        raise ValueError(f"bitmex closed on {self.closed}: it has no instruments")

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        if receipt.frame == b"pong":
            return [Pong()]
        envelope = _ENVELOPE.decode(receipt.frame)
        if envelope.table:
            return self._table(envelope, receipt)
        if envelope.error:
            return [Refusal(envelope.subscribe, envelope.error)]
        if envelope.subscribe and envelope.success:
            return [Ack(envelope.subscribe)]
        return [Greeting()] if envelope.info else [self._records.malformed(receipt)]

    def _table(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Read the rows of a table."""
        if envelope.table == "instrument":
            return self._records.read_rows(envelope.data, INSTRUMENTS, self._instrument, receipt)
        if envelope.table not in ("liquidation", "trade"):
            return [self._records.unknown_channel(envelope.table, receipt)]
        if envelope.action == "partial":
            return [Skipped("backlog", len(raw_rows(envelope.data)))]
        if envelope.table == "trade":
            return self._records.read_rows(envelope.data, TRADES, self._trade, receipt)
        if envelope.action == "insert":
            return self._records.read_rows(envelope.data, LIQUIDATIONS, self._liquidation, receipt)
        return [Skipped("counted_before", len(raw_rows(envelope.data)))]

    def _trade(self, row: TradeRow, receipt: Receipt) -> list[Message]:
        """Read a trade; one without a side is a settlement."""
        if not row.side:
            return [Skipped("off_book", 1)]
        fill = Fill(row.symbol, row.side, row.price, row.size, micros(row.timestamp), row.trdMatchID)
        return [self._records.trade(fill, receipt)]

    def _liquidation(self, row: LiquidationRow, receipt: Receipt) -> list[Message]:
        """Read an order as it is inserted, at the time of its receipt."""
        time_us = receipt.received_us or EARLIEST_US  # judged by any sound time
        fill = Fill(row.symbol, row.side, row.price, row.leavesQty, time_us, row.orderID)
        message = self._records.liquidation(fill, "order", receipt)
        if isinstance(message, Liquidation):
            message.event_time_us = receipt.received_us
        return [message]

    def _instrument(self, row: InstrumentRow, receipt: Receipt) -> list[Message]:
        """Read what changed: a mark price and an open interest make events, the rest is remembered for them."""
        if self._listings[row.symbol] is None:
            return [Skipped("other_market", 1)]
        latest = self._records.latest(row.symbol, receipt)
        time_us = (receipt.received_us or latest.time_us) if row.timestamp is UNSET else micros(row.timestamp)
        messages: list[Message] = []
        if isinstance(row.fundingRate, float):
            messages += self._records.remember_funding(row.symbol, row.fundingRate, UNSET, 0, receipt)
        index = row.indicativeSettlePrice
        if isinstance(index, float) and not number_fault("index_price", index, PRICE):
            latest.index_price = index
            messages.append(Skipped("remembered", 1))
        if isinstance(row.markPrice, float):
            update = MarkUpdate(row.symbol, row.markPrice, time_us, latest.index_price, latest.rate)
            mark = self._records.mark(update, receipt)
            if isinstance(mark, MarkPrice):
                latest.update_mark_price(row.markPrice, time_us)
            messages.append(mark)
        if isinstance(row.openInterest, float) and latest.price is not UNSET:
            messages.append(self._records.open_interest(row.symbol, row.openInterest, latest.price, time_us, receipt))
        elif isinstance(row.openInterest, float):
            messages.append(Skipped("unpriced", 1))
        return messages or [Skipped("no_value", 1)]


def listing_of_name(venue: str, symbol: str) -> Listing | None:
    """Return the listing of the one symbol whose contract is known to be a dollar."""
    return ("BTC", 1.0, 1.0, True, f"{venue}:{symbol}:") if symbol == "XBTUSD" else None
