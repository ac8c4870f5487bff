"""Bybit v5 perpetuals, linear (USDT and USDC) and inverse: liquidations, public trades, tickers.

Two categories on a path each, in one venue: a symbol quoted in USD itself is inverse. Linear sizes are base units. An
inverse size is USD: a contract of 1 USD is the exchange's own unit, so both are readable without the instrument table.

Liquidations (``allLiquidation.<symbol>``): every forced order, in batches each 500 ms. ``S`` is the side of the
liquidated position (Buy: a long), unlike everywhere else. ``p`` is the bankruptcy price and no fill, so ``v`` times
``p`` is off by the distance between the two. There is no wildcard: each symbol is subscribed. Recordings have the topic
``liquidation.<symbol>`` as well, whose ``data`` is one object: at most one order a symbol and second, by the position's
side too. The exchange recommended it until 2025-02-20. An event's coverage is that of its topic, not of its date.

Trades (``publicTrade.<symbol>``): ``S`` is the taker's side; a frame holds trades of one symbol. ``BT`` is a block
trade (``isBlockTrade`` of REST), which met no order book and is left out.

Tickers (``tickers.<symbol>``): a snapshot, then deltas that leave out what is unchanged, which is remembered. A frame
with a mark price, an index price or a funding makes a mark price with all three; one with an amount or a value of open
interest makes an open interest of both. ``openInterest`` counts both sides, and ``singleOpenInterest`` one. The amount
is base units and the value USD, for inverse symbols the other way round: the documented snapshot of BTCUSD has
373,504,107 and 22,505.67 at a price of 16,596.

Ids:
    liquidation ``bybit:<s>:<T>:<S>:<v>:<p>``, and ``#1``, ``#2`` … appended to further rows of one frame that are
    alike: such twins are two orders. A frame is the same on every socket, so the ids are too.
    trade: ``i``, which is a UUID of the exchange; ``execId`` of REST.

Sources: github.com/bybit-exchange/docs (All Liquidation, Trade, Ticker, Get Instruments Info).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from msgspec import UNSET

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive, Request, Topic
from monitor.exchanges.bybit.frames import (
    ENVELOPE,
    KNOWN_KEYS,
    LIQUIDATIONS,
    SAMPLED_LIQUIDATIONS,
    TICKER,
    TRADES,
    Envelope,
    LiquidationRow,
    SampledLiquidationRow,
    Ticker,
    TradeRow,
    decode_trades,
)
from monitor.exchanges.bybit.rest import (
    MARK_PRICES,
    RECENT_TRADES,
    read_instruments,
    read_open_interest,
    read_trades,
    request_hourly_prices,
    request_open_interest,
    request_trades,
)
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Latest, Memory
from monitor.exchanges.messages import Ack, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import optional_float, optional_time_us, unknown_value
from monitor.exchanges.toolkit.listings import Listing, ListingReader, listing_by_name
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, market_url, request, shard
from monitor.model.events import Channel, Coverage, Reject, TakerSide, Trade
from monitor.model.symbols import split_symbol
from monitor.model.validation import LEAST_USD, MOST_USD, UNREADABLE

VENUE: Final = "bybit"

CATEGORIES: Final = ("linear", "inverse")

TOPICS: Final[dict[Channel, str]] = {
    "liquidations": "allLiquidation.",
    "mark_price": "tickers.",
    "open_interest": "tickers.",
    "trades": "publicTrade.",
}
"""Topic prefix per channel, in the order of subscribing."""

CHANNEL_OF: Final[dict[str, Channel]] = {
    "allLiquidation": "liquidations",
    "tickers": "mark_price",
    "publicTrade": "trades",
}
"""Main channel per name of a stream."""

REPEATED: Final = "already subscribed"
"""Part of the refusal of a topic that the socket has."""

ARGS_PER_CONNECTION: Final = 21_000
"""Characters that all ``args`` of a connection may have together."""

ARGS_PER_REQUEST: Final = 200
"""There is no limit for futures; this keeps a frame at about 5 kB."""

KEEPALIVE: Final = Keepalive('{"op":"ping"}', interval_s=18.0, timeout_s=10.0)
"""The exchange recommends a ping each 20 s."""

TAKERS: Final = {"Buy": "buy", "Sell": "sell"}
CLOSING: Final = {"Buy": "sell", "Sell": "buy"}
"""The order that closes a position, by the position's side."""

NOTHING: Final = Latest()
"""What is known of a symbol before its first ticker; never changed."""

# The first bytes of a push as the exchange writes them; in any other layout a frame goes the longer way round.
TRADES_HEAD: Final = b'{"topic":"publicTrade.'
TRADES_HEAD_SIZE: Final = len(TRADES_HEAD)  # comparing a slice takes half of what startswith does
TICKERS_HEAD: Final = b'{"topic":"tickers.'
SYMBOL_AT: Final = len("publicTrade.")


class Bybit(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = VENUE
    ws_url: ClassVar[str] = "wss://stream.bybit.com/v5/public/linear"
    rest_url: ClassVar[str] = "https://api.bybit.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(
            0,
            "latest_per_second",
            "the topic `liquidation`: at most one order a symbol and second",
            "github.com/bybit-exchange/docs, changelog",
        ),
        CoverageEra(
            1_740_009_600_000_000,  # 2025-02-20
            "complete",
            "every order, in batches each 500 ms",
            "github.com/bybit-exchange/docs, All Liquidation",
        ),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = tuple(
        RestRequest("/v5/market/instruments-info", {"category": category, "limit": "1000"}, about=category)
        for category in CATEGORIES
    )
    rest_weight_per_minute: ClassVar[int] = 1200
    """A request weighs 1; the exchange allows an address 600 in five seconds."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(instruments)
        self._plain = self._listings.plain.get

    def listing_reader(self) -> ListingReader:
        """Inverse where the quote is USD itself."""
        return listing_of_name

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Every socket carries all channels of its symbols, as many as the 21,000 characters allow; none has both."""
        carried = carried_channels(channels, tuple(TOPICS))
        prefixes = list(dict.fromkeys(TOPICS[channel] for channel in carried))
        # Quotes and a comma around each topic, in case they count.
        cost = {symbol: sum(len(prefix + symbol) + 3 for prefix in prefixes) for symbol in symbols}
        plans = []
        for category in CATEGORIES if carried else ():
            members = [symbol for symbol in symbols if self._category(symbol) == category]
            for number, group in enumerate(shard(members, cost, ARGS_PER_CONNECTION)):
                topics = [prefix + symbol for prefix in prefixes for symbol in group]
                plans.append(
                    Connection(
                        name=f"{category}-{number}",
                        url=market_url(ws_url or self.ws_url, category, CATEGORIES),
                        requests=subscriptions(topics),
                        channels=frozenset(carried),
                        symbols=tuple(group),
                        keepalive=KEEPALIVE,
                    )
                )
        return plans

    def _category(self, symbol: str) -> str:
        """Return the market of a symbol, by its listing; linear where there is none."""
        listing = self._listings[symbol]
        return "inverse" if listing is not None and listing[3] else "linear"

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame; nearly every one is of trades or of a ticker, ten a second and symbol."""
        try:
            if frame[:TRADES_HEAD_SIZE] == TRADES_HEAD:
                push = decode_trades(frame)
            elif frame.startswith(TICKERS_HEAD):
                return self._ticker(Receipt(received_us, frame, memory))
            else:
                return super().parse(frame, received_us, memory)
        except UNREADABLE:
            return super().parse(frame, received_us, memory)
        symbol = push.topic[SYMBOL_AT:]
        plain = self._plain(symbol)
        if plain is None:
            return self._trades(symbol, push.data, Receipt(received_us, frame, memory))
        # Nearly every row: no calls but the record's own, one time for all that share it. A frame with another row is
        # judged number by number, at twice the time.
        asset = plain[0]
        time_ms = time_us = 0
        trades: list[Message] = []
        for row in push.data:
            if time_ms != row.T:
                time_ms = row.T
                time_us = time_ms * 1000
            if time_us > received_us or row.BT:
                return self._trades(symbol, push.data, Receipt(received_us, frame, memory))
            price = row.p
            quantity = row.v
            side: TakerSide = "buy" if row.S == "Buy" else "sell"
            usd = price * quantity
            if not LEAST_USD <= usd <= MOST_USD or not row.i.isprintable():
                return self._trades(symbol, push.data, Receipt(received_us, frame, memory))
            trades.append(Trade(VENUE, symbol, asset, time_us, received_us, side, price, quantity, usd, 1, row.i))
        return trades

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame row by row."""
        envelope = ENVELOPE.decode(receipt.frame)
        each, data = self._records.read_rows, envelope.data
        kind, _, symbol = envelope.topic.partition(".")
        if kind == "allLiquidation":
            seen: dict[str, int] = {}
            return each(data, LIQUIDATIONS, lambda row, at: [self._liquidation(row, seen, at)], receipt)
        if kind == "liquidation":
            return each(data, SAMPLED_LIQUIDATIONS, self._sampled_liquidation, receipt)
        if kind == "publicTrade":
            return each(data, TRADES, lambda row, at: [self._trade(symbol, row, at)], receipt)
        if kind == "tickers":
            return self._ticker(receipt)
        return [self._reply(envelope, receipt)]

    def _trades(self, symbol: str, rows: Iterable[TradeRow], receipt: Receipt) -> list[Message]:
        return [self._trade(symbol, row, receipt) for row in rows]

    def _trade(self, symbol: str, row: TradeRow, receipt: Receipt) -> Message:
        """Read a trade that :meth:`parse` left."""
        if row.BT:
            return Skipped("off_book", 1)
        side = TAKERS.get(row.S)
        if side is None:
            return self._records.refuse(unknown_value("taker side", row.S), receipt)
        return self._records.trade(Fill(symbol, side, row.p, row.v, row.T * 1000, row.i), receipt)

    def _liquidation(
        self, row: LiquidationRow, seen: dict[str, int], receipt: Receipt, coverage: Coverage = "complete"
    ) -> Message:
        """Read a liquidation; the closing order is on the other side than the position."""
        side = CLOSING.get(row.S)
        if side is None:
            return self._records.refuse(unknown_value("position side", row.S), receipt)
        fill = Fill(row.s, side, row.p, row.v, row.T * 1000, f"{row.T}:{row.S}:{row.v!r}:{row.p!r}")
        return self._records.liquidation(fill, "bankruptcy", receipt, seen, coverage)

    def _sampled_liquidation(self, row: SampledLiquidationRow, receipt: Receipt) -> list[Message]:
        """Read a liquidation of the topic that shows at most one a second."""
        same = LiquidationRow(row.updatedTime or row.time, row.symbol, row.side, row.size or row.qty, row.price)
        return [self._liquidation(same, {}, receipt, "latest_per_second")]

    def _ticker(self, receipt: Receipt) -> list[Message]:
        """Read a ticker: a mark price and an open interest, each if anything of it came. Raises as :meth:`read` does.

        The last values complete a delta. One that is older than these, from a second socket that lags behind, is not
        remembered: its values are superseded, and so is its event. Nor is a frame without an event, or of which a
        value was refused: nothing has judged its numbers and its time.
        """
        push = TICKER.decode(receipt.frame)
        row, time_us = push.data, push.ts * 1000
        symbol = row.symbol
        listing = self._listings[symbol]
        if listing is None:
            return [self._records.unknown_symbol(symbol, receipt)]
        priced, interested = row.priced, row.interested
        if not (priced or interested):
            return [Skipped("no_value", 1)]
        kept = receipt.kept.latest
        last = kept.get(symbol, NOTHING)
        now = completed(row, last if push.type == "delta" else NOTHING, time_us)
        messages: list[Message] = []
        if priced and now.price is not UNSET:
            mark = MarkUpdate(symbol, now.price, time_us, now.index_price, now.rate, now.next_us)
            messages.append(self._records.mark(mark, receipt))
        if interested and now.interest is not UNSET and now.interest_value is not UNSET:
            _, units, _, inverse, _ = listing
            coins, usd = now.interest, now.interest_value
            if inverse:
                coins, usd = usd, coins
            messages.append(self._records.open_interest_from_amounts(symbol, coins * units, usd, time_us, receipt))
        for message in messages:
            if type(message) is Reject:
                return messages
        if messages and time_us >= last.time_us:
            kept[symbol] = now
        return messages or [Skipped("no_value", 1)]

    def _reply(self, envelope: Envelope, receipt: Receipt) -> Message:
        """Read the answer to a request or a ping, or a topic that was not subscribed."""
        if envelope.topic:
            return self._records.unknown_channel(envelope.topic, receipt)
        if envelope.op == "pong" or envelope.ret_msg == "pong":
            return Pong()
        if not envelope.success:
            repeated = REPEATED in envelope.ret_msg.casefold()
            return Refusal(envelope.req_id, f"{envelope.op}: {envelope.ret_msg}", repeated)
        if envelope.op == "subscribe":
            return Ack(envelope.req_id)
        return self._records.malformed(receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/v5/market/instruments-info``: perpetuals of one category."""
        return read_instruments(body, request)

    def history(self, symbols: Sequence[str], now_us: int) -> Sequence[RestRequest]:
        """Return the requests for hourly open interest; the prices come first."""
        return [one for symbol in symbols for one in request_hourly_prices(self._category(symbol), symbol, now_us)]

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """The latest trades of each symbol, of which those of the gap are taken; liquidations are not kept."""
        if channel != "trades":
            return ()
        return [request_trades(self._category(symbol), symbol, from_us, to_us) for symbol in symbols]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read trades, prices or open interest."""
        if request.path == MARK_PRICES:
            return RestPage([], request_open_interest(request, body))
        receipt = Receipt(received_us, body, memory)
        if request.path == RECENT_TRADES:
            symbol, trades, faults = read_trades(request, body)
            messages = self._trades(symbol, trades, receipt)
        else:
            symbol, rows, faults = read_open_interest(request, body)
            messages = [
                self._records.open_interest(symbol, row.amount, row.price, row.time_ms * 1000, receipt) for row in rows
            ]
        messages.extend(self._records.refuse(fault, receipt) for fault in faults)
        return RestPage(messages)


def listing_of_name(venue: str, symbol: str) -> Listing | None:
    """The listing read off a symbol: quoted in USD itself it is inverse, in a stablecoin linear."""
    listing = listing_by_name(venue, symbol)
    if listing is None or split_symbol(symbol).quote != "USD":
        return listing
    asset, units, size, _, prefix = listing
    return asset, units, size, True, prefix


def completed(row: Ticker, last: Latest, time_us: int) -> Latest:
    """Return the values of a ticker, and where it leaves one out the last one."""
    interest, value = row.interest, row.interest_value
    return Latest(
        last.price if row.markPrice is UNSET else row.markPrice,
        last.index_price if row.indexPrice is UNSET else optional_float(row.indexPrice, 0.0),
        last.interest if interest is UNSET else interest,
        last.interest_value if value is UNSET else value,
        time_us,
        last.rate if row.fundingRate is UNSET else optional_float(row.fundingRate),
        last.next_us if row.nextFundingTime is UNSET else optional_time_us(row.nextFundingTime),
    )


def subscriptions(topics: Sequence[str]) -> tuple[Request, ...]:
    """The requests that subscribe a socket's topics; each is acknowledged by its number."""
    return tuple(
        request(
            {"op": "subscribe", "req_id": str(identifier), "args": args},
            [str(identifier)],
            [Topic(topic, CHANNEL_OF[topic.partition(".")[0]]) for topic in args],
        )
        for identifier, args in enumerate(chunked(topics, ARGS_PER_REQUEST), 1)
    )
