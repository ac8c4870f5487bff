"""Reads dYdX v4 perpetuals from its indexer: trades with their type, oracle prices, funding, open interest.

Sizes are base coins, as the quote in the name shows (``BTC-USD``), so no instrument table is needed.

Liquidations (``v4_trades``) are trades of ``type`` ``LIQUIDATED``, which names the taker as the account that is
liquidated; ``side`` is the taker's, SELL ends a long. The price is the fill's. Such a trade is a print of the book as
well, and makes a trade and a liquidation. ``DELEVERAGED`` trades close a position against another account and take
no price of the book. ``LIMIT``, ``MARKET`` and ``TWAP_SUBORDER`` are usual trades; another type is refused, since it
may be a new word for a liquidation. The trades that come with ``subscribed`` are backlog.

``v4_markets`` reports changes of all markets. The oracle price is what margins go by, so it is the mark price here. The
``subscribed`` answer holds the whole state of each market and ``trading`` what changed of it: open interest, funding,
and sometimes the oracle price, none of them with a time. Funding goes out with the next oracle price, and open interest
is valued by the last. Such events bear the time of their receipt, or where that is not known the time of that price.

Ids:
    liquidation ``dydx:<id of the market>:<id>``.
    trade ``<id>``.

Sources: docs.dydx.xyz (indexer: websockets, trades, markets, perpetual markets); an indexer allows 32 markets' trades
a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Request
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Greeting, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, optional_float, raw_rows, unknown_value
from monitor.exchanges.toolkit.records import (
    EPOCH,
    Fill,
    MarkUpdate,
    Moment,
    Receipt,
    RowAdapter,
    RowDecoder,
    events_of_channel,
    micros,
)
from monitor.exchanges.toolkit.subscriptions import carried_channels, request, sockets_by_market
from monitor.model.events import Channel, MarkPrice
from monitor.model.symbols import split_symbol
from monitor.model.validation import PRICE, number_fault

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")
MARKETS_ONLY: Final[frozenset[Channel]] = frozenset({"mark_price", "open_interest"})

SYMBOLS_PER_CONNECTION: Final = 32
REQUEST_INTERVAL_S: Final = 0.5
STALE_AFTER_S: Final = 30.0
QUIET_S: Final = 180.0
"""Of a socket without oracle prices: on 32 small markets together nothing may trade for a minute."""
PAGE_ROWS: Final = 100
TRADE_TYPES: Final = frozenset({"LIMIT", "MARKET", "TWAP_SUBORDER", "LIQUIDATED"})


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``v4_trades``."""

    id: str
    size: float
    price: float
    side: str
    createdAt: Moment
    type: str = "LIMIT"


class Trades(msgspec.Struct, gc=False):
    """Contents of ``v4_trades``."""

    trades: msgspec.Raw = msgspec.Raw(b"[]")


class Market(msgspec.Struct, gc=False):
    """The state of a market, or what changed of it."""

    openInterest: float | UnsetType = UNSET
    nextFundingRate: float | str | UnsetType = UNSET
    oraclePrice: float | str | None = None


class Oracle(msgspec.Struct, gc=False):
    """An oracle price and when it took effect."""

    oraclePrice: float
    effectiveAt: Moment


class Markets(msgspec.Struct, gc=False):
    """Contents of ``v4_markets``: ``markets`` on subscribing, the others later."""

    markets: dict[str, msgspec.Raw] = {}
    trading: dict[str, msgspec.Raw] = {}
    oraclePrices: dict[str, msgspec.Raw] = {}


class Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    type: str = ""
    channel: str = ""
    id: str = ""
    contents: msgspec.Raw = msgspec.Raw(b"{}")
    message: str = ""


class ListedInstrument(msgspec.Struct):
    """A market in the exchange's list."""

    ticker: str
    status: str = ""


class Listing(msgspec.Struct):
    """``GET /v4/perpetualMarkets``."""

    markets: dict[str, ListedInstrument]


TRADES: Final = RowDecoder(TradeRow)
MARKETS: Final = RowDecoder(Market)
ORACLES: Final = RowDecoder(Oracle)
_TRADES: Final = msgspec.json.Decoder(Trades)
_MARKETS: Final = msgspec.json.Decoder(Markets)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_LISTING: Final = msgspec.json.Decoder(Listing)


class Dydx(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "dydx"
    ws_url: ClassVar[str] = "wss://indexer.dydx.trade/v4/ws"
    rest_url: ClassVar[str] = "https://indexer.dydx.trade"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every trade has its type", "docs.dydx.xyz, indexer, trades"),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/v4/perpetualMarkets"),)
    rest_weight_per_minute: ClassVar[int] = 300
    """The indexer allows 100 in ten seconds."""
    known_keys: ClassVar[frozenset[str]] = keys(
        "type connection_id message_id channel id version contents message",
        "trades size price side createdAt createdAtHeight",
        "markets trading oraclePrices oraclePrice effectiveAt effectiveAtHeight marketId subticks",
        "clobPairId ticker status priceChange24H volume24H trades24H nextFundingRate initialMarginFraction",
        "maintenanceMarginFraction openInterest atomicResolution quantumConversionExponent tickSize stepSize",
        "stepBaseQuantums subticksPerTick marketType openInterestLowerCap openInterestUpperCap baseOpenInterest",
        "defaultFundingRate1H basePositionNotional",
    )

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: 32 markets' trades each; the first one carries the state of all markets."""
        carried = frozenset(carried_channels(channels, OFFERED))
        plans = []
        for number, group, here in sockets_by_market(symbols, SYMBOLS_PER_CONNECTION, carried, MARKETS_ONLY):
            requests: list[Request] = []
            if here & MARKETS_ONLY:
                requests.append(request({"type": "subscribe", "channel": "v4_markets"}, ["v4_markets"]))
            if here - MARKETS_ONLY:
                requests += [
                    request({"type": "subscribe", "channel": "v4_trades", "id": symbol}, [f"v4_trades:{symbol}"])
                    for symbol in group
                ]
            plans.append(
                Connection(
                    name=f"indexer-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(requests),
                    channels=here,
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S if here & MARKETS_ONLY else QUIET_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        envelope = _ENVELOPE.decode(receipt.frame)
        if envelope.type in ("channel_data", "channel_batch_data"):
            return [message for one in raw_rows(envelope.contents) for message in self._push(envelope, one, receipt)]
        if envelope.type == "subscribed":
            return self._subscribed(envelope, receipt)
        if envelope.type == "connected":
            return [Greeting()]
        if envelope.type == "pong":
            return [Pong()]
        if envelope.type == "error":
            return [Refusal("", envelope.message)]
        return [self._records.malformed(receipt)]

    def _subscribed(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Read a confirmation: past trades are backlog, the markets' state is today's."""
        if envelope.channel != "v4_markets":
            rows = raw_rows(_TRADES.decode(envelope.contents).trades)
            return [Ack(f"{envelope.channel}:{envelope.id}"), Skipped("backlog", len(rows))]
        messages: list[Message] = [Ack(envelope.channel)]
        for symbol, raw in _MARKETS.decode(envelope.contents).markets.items():
            messages += self._records.read_rows(raw, MARKETS, partial(self._market, symbol), receipt)
        return messages

    def _push(self, envelope: Envelope, contents: msgspec.Raw, receipt: Receipt) -> list[Message]:
        """Read trades, or what changed of markets."""
        if envelope.channel == "v4_trades":
            rows = _TRADES.decode(contents).trades
            return self._records.read_rows(rows, TRADES, lambda row, at: self._trade(envelope.id, row, at), receipt)
        if envelope.channel != "v4_markets":
            return [self._records.unknown_channel(envelope.channel, receipt)]
        changed = _MARKETS.decode(contents)
        messages: list[Message] = []
        for symbol, raw in changed.oraclePrices.items():
            messages += self._records.read_rows(raw, ORACLES, partial(self._mark, symbol), receipt)
        for symbol, raw in changed.trading.items():
            messages += self._records.read_rows(raw, MARKETS, partial(self._market, symbol), receipt)
        return messages

    def _trade(self, symbol: str, row: TradeRow, receipt: Receipt) -> list[Message]:
        """Read the trade of a row, and the liquidation if it is one."""
        if row.type == "DELEVERAGED":
            return [Skipped("off_book", 1)]
        if row.type not in TRADE_TYPES:
            return [self._records.refuse(unknown_value("trade type", row.type), receipt)]
        fill = Fill(symbol, row.side, row.price, row.size, micros(row.createdAt), row.id)
        return self._records.trade_and_liquidation(fill, receipt, liquidated=row.type == "LIQUIDATED")

    def _mark(self, symbol: str, row: Oracle, receipt: Receipt) -> list[Message]:
        """Read an oracle price; those of markets that are not watched are left."""
        if self._listings[symbol] is None:
            return [Skipped("other_market", 1)]
        return [self._price(symbol, row.oraclePrice, micros(row.effectiveAt), True, receipt)]

    def _market(self, symbol: str, row: Market, receipt: Receipt) -> list[Message]:
        """Read what a market's state holds of funding, oracle price and open interest.

        It has no time of its own: its events bear the time of receipt. Where that is not known they bear the time of
        the last oracle price, and before the first one the values are remembered alone.
        """
        if self._listings[symbol] is None:
            return [Skipped("other_market", 1)]
        latest = self._records.latest(symbol, receipt)
        messages: list[Message] = []
        if row.nextFundingRate is not UNSET:
            messages += self._records.remember_funding(symbol, row.nextFundingRate, UNSET, 0, receipt)
        price = optional_float(UNSET if row.oraclePrice is None else row.oraclePrice)
        time_us = receipt.received_us or latest.time_us
        if price is not UNSET and time_us:
            messages.append(self._price(symbol, price, time_us, False, receipt))
        elif price is not UNSET and not number_fault("price", price, PRICE):
            latest.update_mark_price(price)
            messages.append(Skipped("remembered", 1))
        if row.openInterest is not UNSET and latest.price is not UNSET and time_us:
            messages.append(self._records.open_interest(symbol, row.openInterest, latest.price, time_us, receipt))
        elif row.openInterest is not UNSET:
            messages.append(Skipped("unpriced", 1))
        return messages or [Skipped("no_value", 1)]

    def _price(self, symbol: str, price: float, time_us: int, dated: bool, receipt: Receipt) -> Message:
        """Make a mark price with the last funding, and remember it; one that is not ``dated`` holds no other back."""
        latest = self._records.latest(symbol, receipt)
        message = self._records.mark(MarkUpdate(symbol, price, time_us, price, latest.rate), receipt)
        if isinstance(message, MarkPrice):
            latest.update_mark_price(price, time_us if dated else 0)
        return message

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/v4/perpetualMarkets``."""
        instruments, left_out = [], {}
        for row in _LISTING.decode(body).markets.values():
            name = split_symbol(row.ticker)
            if not name.is_usd or not name.asset.isalnum():
                left_out[row.ticker] = "not one coin quoted in US dollars"
                continue
            trading = row.status == "ACTIVE"
            instruments.append(Instrument(row.ticker, name.asset, name.units, 1.0, "base", trading))
        return InstrumentPage(instruments, left_out, None)

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """Return the requests for the trades of a gap, newest first; ``about`` holds the channel and where to stop."""
        if channel not in ("liquidations", "trades"):
            return ()
        query = {"limit": str(PAGE_ROWS), "createdBeforeOrAt": iso(to_us)}
        path = "/v4/trades/perpetualMarket/"
        return [RestRequest(path + one, query, about=f"{channel} {from_us}") for one in symbols]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read a page of trades; rows of before the gap are left."""
        channel, _, start = request.about.partition(" ")
        symbol = request.path.rpartition("/")[2]
        raw = _TRADES.decode(body).trades
        rows, _ = TRADES.rows(raw)
        wanted = [row for row in rows if micros(row.createdAt) >= int(start)]
        receipt = Receipt(received_us, body, memory)
        messages = [message for row in wanted for message in self._trade(symbol, row, receipt)]
        further = None
        if len(rows) >= PAGE_ROWS and len(wanted) == len(rows):
            oldest = iso(micros(rows[-1].createdAt))
            if oldest == request.query["createdBeforeOrAt"]:  # a page of one moment: go on before it
                oldest = iso(micros(rows[-1].createdAt) - 1000)
            further = request._replace(query={**request.query, "createdBeforeOrAt": oldest})
        return RestPage(events_of_channel(messages, channel), further)


def iso(time_us: int) -> str:
    """Return a time as the indexer reads it, to the millisecond above."""
    moment = EPOCH + timedelta(milliseconds=-(-time_us // 1000))
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
