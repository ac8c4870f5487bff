"""Bitget v3 futures, settled in USDT, USDC or coins: liquidations, public trades, tickers.

Three products on one address, told apart by ``instType``. All sizes of trades and open interest are base units, also of
coin-settled symbols (a trade of BTCUSD was 0.0107 at 109,843.5).

Liquidations (``liquidation``, a product's in one subscription): ``side`` is the side of the position that died (buy: a
long). ``amount`` is money, in the quote coin, and ``price`` the liquidation price, which is no tick: recorded rows give
round sizes as amount over price (13.70319 at 0.1649 are 83.1). That coin-settled amounts are in dollars is documented
too, but no recording was seen. Since 2026-06-23 at most the largest of each side, pair and second.

Trades (``publicTrade``): ``S`` is the taker's side, ``v`` base units. The first frame, a ``snapshot``, is backlog.

Ticker: mark, index, funding, and the open interest in base units, whose USD are at the mark price of the same row. Of
dated futures it is not subscribed: their mark price is not the asset's.

REST keeps liquidations for three days (``/api/v3/market/liquidations``, 100 a page). Its unit is not documented apart
from the socket's and is taken to be the same. Pages are read until one is wholly older than the gap.

Ids:
    liquidation ``bitget:<symbol>:<ts>:<side>:<amount>:<price>``: there is no order id. Before 2026-06-23, when every
    row was shown, ``#1``, ``#2`` … for further rows of one frame that are alike; since then such a row is a repetition.
    trade: ``i``.

Sources: bitget.com/api-doc/uta (websocket public: Liquidation, Public Trade, Ticker; market: Get Instruments, Get
Liquidations); typings of the npm package bitget-api 3.2.3; tests of roq-trading/roq-bitget (recorded frames).
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
"""``instType`` by the quote of a symbol; REST writes them in capitals, as ``category``."""

CHANNELS: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")

TOPICS_PER_CONNECTION: Final = 200
"""The exchange allows 1,000 and advises far fewer."""

ARGS_PER_REQUEST: Final = 5
"""Small batches: 40 requests of a full socket are below 240 an hour, and 5 a second below 10."""

KEEPALIVE: Final = Keepalive("ping", interval_s=30.0, timeout_s=10.0)
"""The exchange closes a connection after two minutes without one."""

LARGEST_SINCE_US: Final = 1_782_172_800_000_000  # 2026-06-23

POSITION_SIDES: Final[dict[str, Side]] = {"buy": "long", "sell": "short"}

TRADES_HEAD: Final = b'"topic":"publicTrade"'
HEAD_SIZE: Final = 96  # the topic stands within the first bytes of a frame as the exchange writes it


class Bitget(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = VENUE
    ws_url: ClassVar[str] = "wss://ws.bitget.com/v3/ws/public"
    rest_url: ClassVar[str] = "https://api.bitget.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every row, up to 20 s late", "recorded frames of 2026-04-28"),
        CoverageEra(
            LARGEST_SINCE_US,
            "largest_per_second",
            "at most the largest of a side, pair and second",
            "bitget.com/api-doc/uta, Liquidation channel",
        ),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = tuple(
        RestRequest("/api/v3/market/instruments", {"category": product.upper()}, about=product)
        for product in PRODUCTS.values()
    )
    rest_weight_per_minute: ClassVar[int] = 240
    """The narrowest endpoint, liquidations, allows 5 a second."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(instruments)
        self._plain = self._listings.plain.get
        self._products = {symbol: one.product for symbol, one in (instruments or {}).items()}

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Each product has its sockets; its first one carries all its liquidations."""
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
                arguments = [Arg(product, topic, symbol) for topic in topics for symbol in self._with(topic, group)]
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
                            request({"op": "subscribe", "args": list(map(written, args))}, [arg.key for arg in args])
                            for args in chunked(arguments, ARGS_PER_REQUEST)
                        ),
                        channels=here,
                        symbols=tuple(group),
                        keepalive=KEEPALIVE,
                    )
                )
        return plans

    def _product(self, symbol: str) -> str:
        """The product of a symbol, by the table or else by its quote."""
        return self._products.get(symbol) or PRODUCTS.get(split_symbol(symbol).quote, "")

    def _with(self, topic: str, symbols: Sequence[str]) -> Sequence[str]:
        """The symbols whose topic is wanted: a dated future's ticker is not."""
        if topic != "ticker":
            return symbols
        return [symbol for symbol in symbols if self._listings[symbol] and symbol not in self._listings.dated]

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame; nearly every one is of trades, which need no look at each number."""
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
        """What a frame holds, row by row."""
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
        # Money of whatever product: like an inverse contract of one dollar.
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
        """The mark price and the open interest of a ticker."""
        next_us = optional_time_us(row.nextFundingTime)
        mark = MarkUpdate(symbol, row.markPrice, time_us, row.indexPrice, row.fundingRate, next_us)
        return self._records.ticker(mark, row.openInterest, receipt)

    def _reply(self, envelope: Envelope, receipt: Receipt) -> Message:
        """What the exchange says of a request."""
        key = "" if envelope.arg is UNSET else envelope.arg.key
        if envelope.event == "subscribe" and key:
            return Ack(key)
        if envelope.event == "error":
            return Refusal(key, f"{envelope.code}: {envelope.msg}")
        return self._records.malformed(receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/api/v3/market/instruments``: all futures of one product, dated ones too."""
        return read_instruments(body)

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """The liquidations of the last three days, by product, newest first; ``about`` says where to stop."""
        if channel != "liquidations":
            return ()
        wanted = {self._product(symbol) for symbol in symbols}
        return [request_liquidations(product, from_us, to_us) for product in PRODUCTS.values() if product in wanted]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read a page of liquidations; rows outside the gap are left."""
        rows, faults, further = read_liquidations(request, body)
        receipt, seen = Receipt(received_us, body, memory), dict[str, int]()
        messages = [self._liquidation(row, seen, receipt) for row in rows]
        messages.extend(self._records.refuse(fault, receipt) for fault in faults)
        return RestPage(messages, further)


def written(arg: Arg) -> dict[str, str]:
    """A subscription's argument as the exchange reads it; a product's liquidations have no symbol."""
    content = {"instType": arg.instType, "topic": arg.topic}
    return content | {"symbol": arg.symbol} if arg.symbol else content
