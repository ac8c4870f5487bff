"""Adapter of Bitget futures (API v3), which are settled in USDT, USDC or coins.

The three products are on one address; ``instType`` distinguishes them. Sizes of trades and open interest are base units
in all three, also for coin-settled symbols (a recorded trade of BTCUSD was 0.0107 at 109,843.5).

Liquidations (``liquidation``, one subscription a product): ``side`` is the side of the liquidated position (``buy``: a
long). ``amount`` is the notional in the quote currency. ``price`` is the liquidation price, which is not rounded to the
tick size; in recorded rows ``amount / price`` is a round size (13.70319 / 0.1649 = 83.1). For coin-settled symbols the
documentation states that amounts are in dollars; no recording of one was available. Since 2026-06-23 the exchange sends
at most the largest liquidation of each side, pair and second.

Trades (``publicTrade``): ``S`` is the taker side, ``v`` the size in base units. The first frame, of action
``snapshot``, holds trades from before the subscription and is skipped.

Tickers (``ticker``) have mark price, index price, funding and open interest in base units, which is valued at the mark
price of the same row. The tickers of dated futures are not subscribed to, because their mark price differs from the
perpetual's.

REST serves the liquidations of the last three days (``/api/v3/market/liquidations``, 100 a page). The unit of their
amounts is not documented separately and is assumed to be that of the socket. Pages are read until one is older than the
gap.

Ids:
    liquidation ``bitget:<symbol>:<ts>:<side>:<amount>:<price>``, because the exchange sends no order id. Before
    2026-06-23, when it sent every liquidation, identical rows of one frame were different orders and get ``#1``, ``#2``
    … appended; since then an identical row is a duplicate.
    trade ``<i>``.

Sources: bitget.com/api-doc/uta (websocket/public, pages Liquidation, Public Trade, Ticker; market, pages Get
Instruments, Get Liquidations); types in the npm package bitget-api 3.2.3; recorded frames in the tests of
github.com/roq-trading/roq-bitget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from msgspec import UNSET

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive, coverage_at
from monitor.exchanges.bitget.frames import (
    ENVELOPE,
    KNOWN_KEYS,
    LIQUIDATIONS,
    TICKERS,
    TRADES,
    Arg,
    Envelope,
    LiquidationRow,
    Ticker,
    TradeRow,
    decode_trades,
)
from monitor.exchanges.bitget.rest import read_instruments, read_liquidations, request_liquidations
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import (
    convert_amounts,
    find_fault,
    number_duplicate,
    optional_time_us,
    raw_rows,
    unknown_value,
)
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel, Liquidation, Side, TakerSide, Trade
from monitor.model.symbols import split_symbol
from monitor.model.validation import LEAST_USD, MOST_USD, UNREADABLE

VENUE: Final = "bitget"

PRODUCTS: Final[dict[str, str]] = {"USDT": "usdt-futures", "USDC": "usdc-futures", "USD": "coin-futures"}
"""``instType`` by the quote currency of a symbol; REST requests have it in capitals, as ``category``."""

CHANNELS: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")

TOPICS_PER_CONNECTION: Final = 200
"""Subscriptions of one socket; the exchange allows 1,000 and recommends far fewer."""

ARGS_PER_REQUEST: Final = 5
"""Subscriptions of one request. A full socket sends 40 requests at 5 a second (limits: 240 an hour, 10 a second)."""

KEEPALIVE: Final = Keepalive("ping", interval_s=30.0, timeout_s=10.0)
"""The exchange closes a connection after two minutes without a ping."""

LARGEST_SINCE_US: Final = 1_782_172_800_000_000
"""2026-06-23: since then only the largest liquidation of a side, pair and second is sent."""

POSITION_SIDES: Final[dict[str, Side]] = {"buy": "long", "sell": "short"}

TRADES_HEAD: Final = b'"topic":"publicTrade"'
HEAD_SIZE: Final = 96
"""Number of first bytes of a frame that contain its topic, in the order in which the exchange writes the fields."""


class Bitget(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = VENUE
    ws_url: ClassVar[str] = "wss://ws.bitget.com/v3/ws/public"
    rest_url: ClassVar[str] = "https://api.bitget.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every liquidation, up to 20 s late", "recorded frames of 2026-04-28"),
        CoverageEra(
            LARGEST_SINCE_US,
            "largest_per_second",
            "at most the largest of each side, pair and second",
            "bitget.com/api-doc/uta, Liquidation channel",
        ),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = tuple(
        RestRequest("/api/v3/market/instruments", {"category": product.upper()}, about=product)
        for product in PRODUCTS.values()
    )
    rest_weight_per_minute: ClassVar[int] = 240
    """Below the lowest limit, that of the endpoint of liquidations: 5 requests a second, or 300 a minute."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(instruments)
        self._plain = self._listings.plain.get
        self._products = {symbol: one.product for symbol, one in (instruments or {}).items()}

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets. Each product has its own; the first of them carries all liquidations of the product."""
        carried = carried_channels(channels, CHANNELS)
        if not carried:
            return []
        topics = (["ticker"] if {"mark_price", "open_interest"} & set(carried) else []) + (
            ["publicTrade"] if "trades" in carried else []
        )
        plans = []
        for product in PRODUCTS.values():
            members = [symbol for symbol in symbols if self._product(symbol) == product]
            for number, group in enumerate(chunked(members, TOPICS_PER_CONNECTION // len(topics))):
                arguments = [
                    Arg(product, topic, symbol) for topic in topics for symbol in self._symbols_of(topic, group)
                ]
                here = frozenset(carried)
                if number:
                    here -= {"liquidations"}
                elif "liquidations" in here:
                    arguments.insert(0, Arg(product, "liquidation"))
                plans.append(
                    Connection(
                        name=f"{product}-{number}",
                        url=ws_url or self.ws_url,
                        requests=tuple(
                            request({"op": "subscribe", "args": list(map(argument, args))}, [arg.key for arg in args])
                            for args in chunked(arguments, ARGS_PER_REQUEST)
                        ),
                        channels=here,
                        symbols=tuple(group),
                        keepalive=KEEPALIVE,
                    )
                )
        return plans

    def _product(self, symbol: str) -> str:
        """Return the product of a symbol, from the instrument table or else from its quote currency."""
        return self._products.get(symbol) or PRODUCTS.get(split_symbol(symbol).quote, "")

    def _symbols_of(self, topic: str, symbols: Sequence[str]) -> Sequence[str]:
        """Return the symbols to subscribe a topic for: all, but for tickers only the perpetuals."""
        if topic != "ticker":
            return symbols
        return [symbol for symbol in symbols if self._listings[symbol] and symbol not in self._listings.dated]

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame; nearly every one is of trades, which have a fast path."""
        if TRADES_HEAD not in frame[:HEAD_SIZE]:
            return super().parse(frame, received_us, memory)
        try:
            push = decode_trades(frame)
        except UNREADABLE:
            return super().parse(frame, received_us, memory)
        symbol = push.arg.symbol
        plain = self._plain(symbol)
        trades: list[Message] = []
        for row in push.data:
            time_us = row.T * 1000
            if plain is None or time_us > received_us:
                return super().parse(frame, received_us, memory)
            price, quantity = row.p, row.v
            side: TakerSide = "buy" if row.S == "buy" else "sell"
            usd = price * quantity
            if not LEAST_USD <= usd <= MOST_USD or not row.i.isprintable():
                return super().parse(frame, received_us, memory)
            trades.append(Trade(VENUE, symbol, plain[0], time_us, received_us, side, price, quantity, usd, 1, row.i))
        return trades

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame row by row."""
        if receipt.frame == b"pong":
            return [Pong()]
        envelope = ENVELOPE.decode(receipt.frame)
        if envelope.arg is UNSET or envelope.data is UNSET:
            return [self._reply(envelope, receipt)]
        each, data, symbol = self._records.read_rows, envelope.data, envelope.arg.symbol
        if envelope.arg.topic == "liquidation":
            seen: dict[str, int] = {}
            return each(data, LIQUIDATIONS, lambda row, _: [self._liquidation(row, seen, receipt)], receipt)
        if envelope.arg.topic == "ticker":
            time_us = envelope.ts * 1000
            return each(data, TICKERS, lambda row, _: self._ticker(symbol, row, time_us, receipt), receipt)
        if envelope.arg.topic != "publicTrade":
            return [self._records.unknown_channel(envelope.arg.topic, receipt)]
        if envelope.action == "snapshot":
            return [Skipped("backlog", len(raw_rows(envelope.data)))]
        return each(data, TRADES, lambda row, _: [self._trade(symbol, row, receipt)], receipt)

    def _trade(self, symbol: str, row: TradeRow, receipt: Receipt) -> Message:
        return self._records.trade(Fill(symbol, row.S, row.p, row.v, row.T * 1000, row.i), receipt)

    def _liquidation(self, row: LiquidationRow, seen: dict[str, int], receipt: Receipt) -> Message:
        records = self._records
        listing = self._listings[row.symbol]
        if listing is None:
            return records.unknown_symbol(row.symbol, receipt)
        side = POSITION_SIDES.get(row.side)
        if side is None:
            return records.refuse(unknown_value("position side", row.side), receipt)
        asset, units, _, _, prefix = listing
        time_us = row.ts * 1000
        # The amount is in USD for every product, which is the same as a number of inverse contracts worth 1 USD each.
        price, quantity, usd = convert_amounts((asset, units, 1.0, True, prefix), row.price, row.amount)
        if fault := find_fault(
            Liquidation, time_us, receipt.received_us, price=price, notional_usd=usd, quantity=quantity
        ):
            return records.refuse(fault, receipt)
        coverage = coverage_at(self.eras, time_us)
        id_ = f"{prefix}{row.ts}:{row.side}:{row.amount!r}:{row.price!r}"
        if coverage == "complete":
            id_ = number_duplicate(seen, id_)
        received_us = receipt.received_us
        return Liquidation(
            VENUE, row.symbol, asset, time_us, received_us, side, usd, coverage, id_, quantity, price, "bankruptcy"
        )

    def _ticker(self, symbol: str, row: Ticker, time_us: int, receipt: Receipt) -> list[Message]:
        """Build the mark price and the open interest of a ticker."""
        next_us = optional_time_us(row.nextFundingTime)
        mark = MarkUpdate(symbol, row.markPrice, time_us, row.indexPrice, row.fundingRate, next_us)
        return self._records.ticker(mark, row.openInterest, receipt)

    def _reply(self, envelope: Envelope, receipt: Receipt) -> Message:
        """Read the answer to a subscription request."""
        key = "" if envelope.arg is UNSET else envelope.arg.key
        if envelope.event == "subscribe" and key:
            return Ack(key)
        if envelope.event == "error":
            return Refusal(key, f"{envelope.code}: {envelope.msg}")
        return self._records.malformed(receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/api/v3/market/instruments``: the perpetuals and dated futures of one product."""
        return read_instruments(body)

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """Return one request a product for the liquidations of a gap within the last three days, newest first."""
        if channel != "liquidations":
            return ()
        wanted = {self._product(symbol) for symbol in symbols}
        return [request_liquidations(product, from_us, to_us) for product in PRODUCTS.values() if product in wanted]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read a page of liquidations; rows outside the gap are ignored."""
        rows, faults, further = read_liquidations(request, body)
        receipt, seen = Receipt(received_us, body, memory), dict[str, int]()
        messages = [self._liquidation(row, seen, receipt) for row in rows]
        messages.extend(self._records.refuse(fault, receipt) for fault in faults)
        return RestPage(messages, further)


def argument(arg: Arg) -> dict[str, str]:
    """Return the JSON object of a subscription; that for a product's liquidations has no symbol."""
    content = {"instType": arg.instType, "topic": arg.topic}
    return content | {"symbol": arg.symbol} if arg.symbol else content
