"""Reads Reya perpetuals: executions with their type, mark prices, funding and open interest.

Sizes are base coins, and a symbol is the coin with ``RUSDPERP`` (``BTCRUSDPERP``, ``kBONKRUSDPERP``), settled in a
dollar coin, so no instrument table is needed.

Liquidations are executions of the type ``LIQUIDATION``. ``side`` is that of the taker (B buys, A sells), who is taken
to be the liquidated account: A ends a long. The price is that of the execution. Such a row is a trade as well, and
gives a trade and a liquidation. ``ADL`` closes a position against another account and is skipped. A type that is not
documented is rejected, because it may be a new word for a liquidation. Executions that come with ``subscribed`` are
backlog.

``/v2/perpMarkets/summary`` has the state of all markets, also with ``subscribed``: mark price, oracle price (the
index), open interest of one side in coins, and the funding rate of an hour. The rate accrues continuously; the end of
the running hour is given as the time of its payment, so that it is read as a rate of an hour.

Ids:
    liquidation ``reya:<symbol>:<sequenceNumber>``.
    trade ``<sequenceNumber>``.

Sources: docs.reya.xyz (websocket: envelopes, errors, perpExecutions); github.com/Reya-Labs/reya-python-sdk (OpenAPI
3.0.15 of the order book: perpExecutions, perpMarkets/summary, perpMarketDefinitions). Unverified on the wire: every
frame, whose side a liquidation shows, and that the funding rate is a fraction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Request
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Ack, Greeting, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import (
    keys,
    optional_float,
    optional_time_us,
    plausible_us,
    raw_rows,
    unknown_value,
)
from monitor.exchanges.toolkit.listings import Listing, ListingReader
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.subscriptions import carried_channels, request, sockets_by_market
from monitor.model.events import Channel
from monitor.model.symbols import split_base

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")
SUMMARY_ONLY: Final[frozenset[Channel]] = frozenset({"mark_price", "open_interest"})

SUMMARY: Final = "/v2/perpMarkets/summary"
EXECUTIONS: Final = re.compile(r"/v2/market/(\w+)/perpExecutions", re.ASCII)
PERPETUAL: Final = re.compile(r"(\w+)RUSDPERP", re.ASCII)

SYMBOLS_PER_CONNECTION: Final = 50
"""No limit is documented; this many keeps the loss of one socket small."""
REQUEST_INTERVAL_S: Final = 0.2
STALE_AFTER_S: Final = 30.0
QUIET_S: Final = 300.0
"""Seconds after which a socket with executions alone is stale: small markets may be quiet for minutes."""
HOUR_MS: Final = 3_600_000
"""Unit of time of the funding rate, milliseconds."""
SIDES: Final = {"B": "buy", "A": "sell"}
ON_BOOK: Final = frozenset({"ORDER_MATCH", "LIQUIDATION"})
OFF_BOOK: Final = "ADL"


class ExecutionRow(msgspec.Struct, gc=False):
    """One row of ``perpExecutions``."""

    symbol: str
    qty: float
    side: str
    price: float
    type: str
    timestamp: int
    sequenceNumber: int


class SummaryRow(msgspec.Struct, gc=False):
    """The state of one market."""

    symbol: str
    updatedAt: int
    oiQty: float | UnsetType = UNSET
    fundingRate: float | str | UnsetType = UNSET
    markPrice: float | None = None
    oraclePrice: float | str | None = None


class Contents(msgspec.Struct, gc=False):
    """Rows that come with a confirmation."""

    data: msgspec.Raw = msgspec.Raw(b"[]")


class Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    type: str = ""
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    contents: Contents | None = None
    message: str = ""


class ListedInstrument(msgspec.Struct):
    """A market in the exchange's list."""

    symbol: str


EXECUTION_ROWS: Final = RowDecoder(ExecutionRow)
SUMMARY_ROWS: Final = RowDecoder(SummaryRow)
LISTED: Final = RowDecoder(ListedInstrument)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)


class Reya(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "reya"
    ws_url: ClassVar[str] = "wss://ws.reya.xyz"
    rest_url: ClassVar[str] = "https://api.reya.xyz"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every execution has its type", "docs.reya.xyz, websocket, perpExecutions"),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/v2/perpMarketDefinitions"),)
    rest_weight_per_minute: ClassVar[int] = 30
    known_keys: ClassVar[frozenset[str]] = keys(
        "type timestamp channel data contents message id exchangeId symbol accountId takerAccountId",
        "makerAccountId takerOrderId makerOrderId qty side price fee openingFee takerFee makerFee",
        "takerOpeningFee makerOpeningFee sequenceNumber fillId realizedPnl priceVariationPnl fundingPnl",
        "takerRealizedPnl makerRealizedPnl takerPriceVariationPnl makerPriceVariationPnl takerFundingPnl",
        "makerFundingPnl updatedAt oiQty fundingRate longFundingValue shortFundingValue volume24h pxChange24h",
        "markPrice oraclePrice throttledMidPrice pricesUpdatedAt",
    )

    def listing_reader(self) -> ListingReader:
        """Return the reader of symbols."""
        return listing_of_perpetual

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: 50 markets' executions each; the first one carries the state of all markets."""
        carried = frozenset(carried_channels(channels, OFFERED))
        plans = []
        for number, group, here in sockets_by_market(symbols, SYMBOLS_PER_CONNECTION, carried, SUMMARY_ONLY):
            topics = [SUMMARY] if here & SUMMARY_ONLY else []
            if here - SUMMARY_ONLY:
                topics += [f"/v2/market/{symbol}/perpExecutions" for symbol in group]
            plans.append(
                Connection(
                    name=f"stream-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(subscription(topic) for topic in topics),
                    channels=here,
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S if here & SUMMARY_ONLY else QUIET_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        envelope = _ENVELOPE.decode(receipt.frame)
        if envelope.type == "channel_data":
            return self._rows(envelope.channel, envelope.data, receipt)
        if envelope.type == "subscribed":
            return self._subscribed(envelope, receipt)
        if envelope.type == "error":
            return [Refusal(envelope.channel, envelope.message)]
        if envelope.type == "unsubscribed":
            return [Refusal(envelope.channel, "unsubscribed")]
        if envelope.type == "pong":
            return [Pong()]
        if envelope.type in ("ping", "connected"):  # pings of the protocol are answered below this level
            return [Greeting()]
        return [self._records.malformed(receipt)]

    def _subscribed(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Read a confirmation: past executions are backlog, the markets' state is that of now."""
        messages: list[Message] = [Ack(envelope.channel)]
        if envelope.contents is None:
            return messages
        if envelope.channel == SUMMARY:
            return messages + self._rows(envelope.channel, envelope.contents.data, receipt)
        return [*messages, Skipped("backlog", len(raw_rows(envelope.contents.data)))]

    def _rows(self, channel: str, rows: msgspec.Raw, receipt: Receipt) -> list[Message]:
        """Read the rows of a channel."""
        if channel == SUMMARY:
            return self._records.read_rows(rows, SUMMARY_ROWS, self._state, receipt)
        if EXECUTIONS.fullmatch(channel):
            return self._records.read_rows(rows, EXECUTION_ROWS, self._execution, receipt)
        return [self._records.unknown_channel(channel, receipt)]

    def _execution(self, row: ExecutionRow, receipt: Receipt) -> list[Message]:
        """Read the trade of a row, and the liquidation if it is one."""
        if row.type == OFF_BOOK:
            return [Skipped("off_book", 1)]
        if row.type not in ON_BOOK:
            return [self._records.refuse(unknown_value("execution type", row.type), receipt)]
        side = SIDES.get(row.side, row.side)
        fill = Fill(row.symbol, side, row.price, row.qty, plausible_us(row.timestamp), str(row.sequenceNumber))
        return self._records.trade_and_liquidation(fill, receipt, liquidated=row.type == "LIQUIDATION")

    def _state(self, row: SummaryRow, receipt: Receipt) -> list[Message]:
        """Build the mark price and the open interest of a market that is watched."""
        if self._listings[row.symbol] is None:
            return [Skipped("other_market", 1)]
        if row.markPrice is None:
            return [Skipped("unpriced", 1)]
        next_us = optional_time_us((row.updatedAt // HOUR_MS + 1) * HOUR_MS)
        index = optional_float(UNSET if row.oraclePrice is None else row.oraclePrice, 0.0)
        mark = MarkUpdate(row.symbol, row.markPrice, plausible_us(row.updatedAt), index, row.fundingRate, next_us)
        return self._records.ticker(mark, row.oiQty, receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/v2/perpMarketDefinitions``."""
        rows, faults = LISTED.rows(msgspec.Raw(body))
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError(f"reya lists no market: {body[:64]!r}")
        instruments = []
        for row in rows:
            listing = listing_of_perpetual(self.venue, row.symbol)
            if listing is None:
                left_out[row.symbol] = "no perpetual against the dollar coin"
                continue
            instruments.append(Instrument(row.symbol, listing[0], int(listing[1]), 1.0, "base"))
        return InstrumentPage(instruments, left_out, None)


def listing_of_perpetual(venue: str, symbol: str) -> Listing | None:
    """Derive a listing from a symbol (``kBONKRUSDPERP``); None for spot markets."""
    found = PERPETUAL.fullmatch(symbol)
    if found is None:
        return None
    asset, units = split_base(found[1])
    return asset, float(units), 1.0, False, f"{venue}:{symbol}:"


def subscription(topic: str) -> Request:
    """Return the request for a channel, which is confirmed with the channel's name."""
    return request({"type": "subscribe", "channel": topic}, [topic])
