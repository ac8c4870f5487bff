"""Lighter perpetuals: trades, liquidations among them, and the state of all markets in one channel.

Frames call markets by number, which the instrument table gives (``key``); without it nothing is known. Sizes are base
coins.

Liquidations come in ``liquidation_trades`` of the ``trade`` channel, with ``type`` ``liquidation``. The taker is the
one who is liquidated: ``is_maker_ask`` false means that it sold, which ends a long. The price is the fill's. Such a
trade is a print of the book as well, and makes a trade and a liquidation; one that stands in ``trades`` too is read
once. ``deleverage`` and ``market-settlement`` take no price of the book. What comes with ``subscribed`` is backlog.

``market_stats``: mark and index price, and open interest, which is USD of one side: a frame of 2025 has 186,660,482
for ether at 4,670. ``current_funding_rate`` is that of the hour which is running, in percent an hour (0.0012 is 10 % a
year); it is paid an hour after ``funding_timestamp``, which is when the last one was. Frames of 2025 have no time of
their own and bear that of their receipt.

Ids:
    liquidation ``lighter:<symbol>:<trade_id>``.
    trade ``<trade_id>``.

Sources: apidocs.lighter.xyz (WebSocket reference: trade, market stats, limits; orderBookDetails).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive, Request
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Ack, Greeting, Message, Ping, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, optional_float, optional_time_us, raw_rows, unknown_value
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.subscriptions import carried_channels, request, sockets_by_market
from monitor.model.events import Channel, Reject
from monitor.model.symbols import split_base

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")
STATS_ONLY: Final[frozenset[Channel]] = frozenset({"mark_price", "open_interest"})

SYMBOLS_PER_CONNECTION: Final = 99
"""A hundred subscriptions, of which one is for the state of all markets."""
REQUEST_INTERVAL_S: Final = 0.4
"""200 messages a minute."""
QUIET_S: Final = 180.0
"""Of a socket with trades alone."""
KEEPALIVE: Final = Keepalive('{"type":"ping"}', interval_s=30.0, timeout_s=10.0)
"""A client that says nothing for two minutes is cut."""
STATS: Final = "market_stats:all"
FUNDING_US: Final = 3_600_000_000
"""Funding is paid every hour; in microseconds."""
OFF_BOOK: Final = frozenset({"deleverage", "market-settlement"})
MILLISECONDS_FROM: Final = 100_000_000_000
"""Older frames have seconds."""


NONE: Final = msgspec.Raw(b"null")


class TradeRow(msgspec.Struct, gc=False):
    """One trade; ``trade_id_str`` is the same number as text."""

    trade_id: int
    size: float
    price: float
    is_maker_ask: bool
    timestamp: int
    type: str = "trade"


class Stat(msgspec.Struct, gc=False):
    """One market's state."""

    market_id: int
    mark_price: float
    index_price: float | str | UnsetType = UNSET
    open_interest: float | UnsetType = UNSET
    current_funding_rate: float | str | UnsetType = UNSET
    funding_timestamp: int = 0


class Error(msgspec.Struct, gc=False):
    """Of a refused request."""

    code: int = 0
    message: str = ""


class Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    type: str = ""
    channel: str = ""
    trades: msgspec.Raw = NONE
    liquidation_trades: msgspec.Raw = NONE
    market_stats: msgspec.Raw = msgspec.Raw(b"{}")
    timestamp: int = 0
    error: Error | None = None
    code: int = 0
    message: str = ""


class ListedInstrument(msgspec.Struct):
    """One market of the exchange's table."""

    symbol: str
    market_id: int
    status: str = "active"


class Details(msgspec.Struct):
    """``GET /api/v1/orderBookDetails``."""

    code: int
    order_book_details: msgspec.Raw = msgspec.Raw(b"[]")
    message: str = ""


TRADES: Final = RowDecoder(TradeRow)
STATS_ROWS: Final = RowDecoder(Stat)
LISTED: Final = RowDecoder(ListedInstrument)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_BY_MARKET: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DETAILS: Final = msgspec.json.Decoder(Details)


class Lighter(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "lighter"
    ws_url: ClassVar[str] = "wss://mainnet.zklighter.elliot.ai/stream"
    rest_url: ClassVar[str] = "https://mainnet.zklighter.elliot.ai"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every fill of a liquidation", "apidocs.lighter.xyz, WebSocket reference"),
    )
    counts_contracts: ClassVar[bool] = False
    by_name: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/api/v1/orderBookDetails"),)
    rest_weight_per_minute: ClassVar[int] = 30
    known_keys: ClassVar[frozenset[str]] = keys(
        "type channel trades liquidation_trades market_stats timestamp nonce error code message session_id",
        "trade_id trade_id_str tx_hash market_id size price usd_amount ask_id bid_id ask_id_str bid_id_str",
        "ask_client_id bid_client_id ask_client_id_str bid_client_id_str ask_account_id bid_account_id is_maker_ask",
        "block_height taker_fee maker_fee taker_position_size_before taker_entry_quote_before",
        "taker_initial_margin_fraction_before taker_position_sign_changed maker_position_size_before",
        "maker_entry_quote_before maker_initial_margin_fraction_before maker_position_sign_changed transaction_time",
        "symbol index_price mark_price open_interest open_interest_limit last_trade_price current_funding_rate",
        "base_interest_rate funding_rate funding_timestamp funding_clamp_small funding_clamp_big mid_price",
        "daily_base_token_volume daily_quote_token_volume daily_price_low daily_price_high daily_price_change",
    )

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(instruments)
        known = instruments or {}
        self._symbols = {one.key: symbol for symbol, one in known.items() if one.key}
        self._keys = {symbol: one.key for symbol, one in known.items() if one.key}

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """A subscription a market; the first socket carries the state of all."""
        carried = frozenset(carried_channels(channels, OFFERED))
        known = [symbol for symbol in symbols if symbol in self._keys]
        plans = []
        for number, group, here in sockets_by_market(known, SYMBOLS_PER_CONNECTION, carried, STATS_ONLY):
            requests: list[Request] = []
            if here & STATS_ONLY:
                requests.append(request({"type": "subscribe", "channel": "market_stats/all"}, [STATS]))
            if here - STATS_ONLY:
                numbers = [self._keys[symbol] for symbol in group]
                requests += [request({"type": "subscribe", "channel": f"trade/{n}"}, [f"trade:{n}"]) for n in numbers]
            plans.append(
                Connection(
                    name=f"stream-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(requests),
                    channels=here,
                    symbols=tuple(group),
                    stale_after_s=30.0 if here & STATS_ONLY else QUIET_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                    keepalive=KEEPALIVE,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        envelope = _ENVELOPE.decode(receipt.frame)
        kind, _, topic = envelope.type.partition("/")
        if envelope.error is not None:
            return [Refusal("", f"{envelope.error.code}: {envelope.error.message}")]
        if kind == "error":
            return [Refusal(envelope.channel, f"{envelope.code}: {envelope.message}")]
        if kind == "subscribed":
            if topic == "market_stats":
                return [Ack(envelope.channel), *self._stats(envelope, receipt)]
            rows = sum(len(raw_rows(raw)) for raw in (envelope.trades, envelope.liquidation_trades) if raw != NONE)
            return [Ack(envelope.channel), Skipped("backlog", rows)]
        if kind == "update" and topic == "trade":
            return self._trades(envelope, receipt)
        if kind == "update" and topic == "market_stats":
            return self._stats(envelope, receipt)
        if kind == "update":
            return [self._records.unknown_channel(envelope.channel, receipt)]
        if kind == "unsubscribed":
            return [Refusal(envelope.channel, "unsubscribed")]
        if kind == "ping":
            return [Ping('{"type":"pong"}')]
        if kind == "pong":
            return [Pong()]
        return [Greeting()] if kind == "connected" else [self._records.malformed(receipt)]

    def _trades(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Liquidations first, so that the same trade among the others is known."""
        key = envelope.channel.partition(":")[2]
        symbol = self._symbols.get(key, key)
        seen: set[int] = set()
        messages: list[Message] = []
        for raw in (envelope.liquidation_trades, envelope.trades):
            if raw != NONE:
                messages += self._records.read_rows(
                    raw, TRADES, lambda row, at: self._trade(symbol, row, seen, at), receipt
                )
        return messages

    def _trade(self, symbol: str, row: TradeRow, seen: set[int], receipt: Receipt) -> list[Message]:
        """The trade of a row, and the liquidation if it is one."""
        if row.trade_id in seen:
            return [Skipped("repeated", 1)]
        seen.add(row.trade_id)
        if row.type in OFF_BOOK:
            return [Skipped("off_book", 1)]
        side = "buy" if row.is_maker_ask else "sell"
        time_ms = row.timestamp if row.timestamp >= MILLISECONDS_FROM else row.timestamp * 1000
        fill = Fill(symbol, side, row.price, row.size, time_ms * 1000, str(row.trade_id))
        trade = self._records.trade(fill, receipt)
        if isinstance(trade, Reject) or row.type in ("trade", "buy", "sell"):
            return [trade]
        if row.type != "liquidation":
            return [self._records.refuse(unknown_value("type", row.type), receipt)]
        return [trade, self._records.liquidation(fill, "fill", receipt)]

    def _stats(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """The state of one market, or of all by number; markets that are not watched are left."""
        time_us = envelope.timestamp * 1000 or receipt.received_us
        raws = [envelope.market_stats]
        if envelope.channel == STATS:
            raws = list(_BY_MARKET.decode(envelope.market_stats).values())
        return [
            message
            for raw in raws
            for message in self._records.read_rows(
                raw, STATS_ROWS, lambda row, at: self._stat(row, time_us, at), receipt
            )
        ]

    def _stat(self, row: Stat, time_us: int, receipt: Receipt) -> list[Message]:
        """The mark price and the open interest of a market."""
        symbol = self._symbols.get(str(row.market_id))
        if symbol is None:
            return [Skipped("other_market", 1)]
        percent = optional_float(row.current_funding_rate)
        rate = UNSET if percent is UNSET else percent / 100
        paid_us = optional_time_us(row.funding_timestamp)
        next_us = UNSET if paid_us is UNSET else paid_us + FUNDING_US
        mark = self._records.mark(MarkUpdate(symbol, row.mark_price, time_us, row.index_price, rate, next_us), receipt)
        if row.open_interest is UNSET or isinstance(mark, Reject):
            return [mark]
        coins = row.open_interest / row.mark_price
        return [mark, self._records.open_interest(symbol, coins, row.mark_price, time_us, receipt)]

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/api/v1/orderBookDetails``: the perpetuals."""
        answer = _DETAILS.decode(body)
        if answer.code != 200:
            raise ValueError(f"lighter answers {answer.code}: {answer.message}")
        rows, faults = LISTED.rows(answer.order_book_details)
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        instruments = []
        for row in rows:
            asset, units = split_base(row.symbol)
            key = str(row.market_id)
            instruments.append(Instrument(row.symbol, asset, units, 1.0, "base", row.status == "active", key=key))
        return InstrumentPage(instruments, left_out, None)
