"""Adapter of Deribit perpetuals and dated futures, inverse and linear, and of its volatility index (DVOL).

Units: ``amount`` and ``open_interest`` are USD for inverse instruments (``BTC-PERPETUAL``, ``BTC-25DEC26``) and base
coins for linear ones (``SOL_USDC-PERPETUAL``). The name shows which, so no instrument table is needed. Trades of
options are skipped.

Liquidations are trades with the field ``liquidation``: ``T`` means that the taker was liquidated, ``M`` the maker, and
``MT`` both, which makes two liquidations, one of a long and one of a short. ``direction`` is the taker side: with
``sell``, a liquidated taker was long, and a liquidated maker was short. The price is that of the fill. Such a trade was
executed in the order book, so it makes a trade as well as the liquidations. Block trades were not executed in the order
book and are skipped.

Tickers have the mark price, the index price, ``current_funding`` (the rate of eight hours) and the open interest, which
counts one side of each contract. The tickers of dated futures are not subscribed to.

The ``.raw`` channels need an account; those with an interval of 100 ms do not. The adapter requests heartbeats; the
exchange then sends ``test_request`` and closes the connection unless ``public/test`` follows.

Ids:
    liquidation ``deribit:<instrument_name>:<trade_id>:<T|M>``.
    trade ``<trade_id>``. ``trade_seq`` counts up by one per instrument.

Sources: docs.deribit.com (trades.{instrument_name}.{interval}, ticker.{instrument_name}.{interval},
deribit_volatility_index.{index_name}, public/set_heartbeat, public/get_instruments,
public/get_last_trades_by_instrument).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive, Request, Topic
from monitor.exchanges.deribit.frames import (
    ANSWER,
    ENVELOPE,
    KNOWN_KEYS,
    LISTED,
    TICKERS,
    TRADE_PAGE,
    TRADES,
    VOLATILITIES,
    Envelope,
    ListedInstrument,
    Ticker,
    TradeRow,
    Volatility,
)
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Ping, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import find_fault, onboard_us, unknown_value
from monitor.exchanges.toolkit.listings import Listing, ListingReader
from monitor.exchanges.toolkit.records import OPPOSITE, Fill, MarkUpdate, Receipt, RowAdapter, events_of_channel
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel, Reject, VolatilityIndex
from monitor.model.symbols import USD_QUOTES, split_base, split_symbol
from monitor.model.validation import UNREADABLE, asset_fault, symbol_name_fault

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades", "volatility_index")

INDEXED: Final = ("BTC", "ETH")
"""Assets that have a volatility index."""

SYMBOLS_PER_CONNECTION: Final = 200
"""Symbols of one socket, with two channels each; the exchange recommends to stay below 500 channels."""

CHANNELS_PER_REQUEST: Final = 50

CHANNEL_OF: Final[dict[str, Channel]] = {
    "trades": "trades",
    "ticker": "mark_price",
    "deribit_volatility_index": "volatility_index",
}
"""Main channel of ours per name of a stream."""

REQUEST_INTERVAL_S: Final = 0.35
"""Seconds between requests; the exchange's rate limit allows about three subscriptions a second."""

TEST_ID: Final = 1_000_000
TEST: Final = '{"jsonrpc":"2.0","id":1000000,"method":"public/test","params":{}}'
KEEPALIVE: Final = Keepalive(TEST, interval_s=15.0, timeout_s=10.0)
"""Coinbase closes sockets on which the client sends nothing for about 30 s; Deribit may do so too."""
HEARTBEAT_S: Final = 30
"""Interval of the exchange's heartbeats, seconds."""

FLAGS: Final[dict[str, str]] = {"": "", "none": "", "M": "M", "T": "T", "MT": "MT"}
FUTURE: Final = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)?-(PERPETUAL|\d{1,2}[A-Z]{3}\d{2})")
PAGE_ROWS: Final = 1000


class Deribit(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "deribit"
    ws_url: ClassVar[str] = "wss://streams.deribit.com/ws/api/v2"
    rest_url: ClassVar[str] = "https://www.deribit.com/api/v2"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every fill of a liquidation is flagged", "docs.deribit.com, trades"),
    )
    offered: ClassVar[tuple[Channel, ...]] = OFFERED
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (
        RestRequest("/public/get_instruments", {"currency": "any", "kind": "future", "expired": "false"}),
    )
    rest_weight_per_minute: ClassVar[int] = 300
    """A quarter of the exchange's rate limit of 20 requests a second."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def listing_reader(self) -> ListingReader:
        """Return the reader of names, which contain the quote currency if the future is linear."""
        return listing_of_name

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets. Each carries all channels of its symbols; the first also has the volatility indices."""
        carried = carried_channels(channels, self.offered)
        plans = []
        for number, group in enumerate(chunked(symbols, SYMBOLS_PER_CONNECTION) if carried else ()):
            names = [name for symbol in group for name in self._channels(symbol, carried)]
            here = frozenset(carried)
            if number:
                here -= {"volatility_index"}
            elif "volatility_index" in here:
                names += [f"deribit_volatility_index.{asset.lower()}_usd" for asset in INDEXED]
            heartbeat = request(call(1, "set_heartbeat", {"interval": HEARTBEAT_S}), ["1"])
            subscriptions = [
                subscription(identifier, some)
                for identifier, some in enumerate(chunked(names, CHANNELS_PER_REQUEST), 2)
            ]
            plans.append(
                Connection(
                    name=f"futures-{number}",
                    url=ws_url or self.ws_url,
                    requests=(heartbeat, *subscriptions),
                    channels=here,
                    symbols=tuple(group),
                    stale_after_s=15.0,
                    request_interval_s=REQUEST_INTERVAL_S,
                    keepalive=KEEPALIVE,
                )
            )
        return plans

    def _channels(self, symbol: str, carried: Sequence[Channel]) -> list[str]:
        """Return the names of a symbol's channels to subscribe to."""
        names = []
        if {"liquidations", "trades"} & set(carried):
            names.append(f"trades.{symbol}.100ms")
        listing = self._listings[symbol]
        if {"mark_price", "open_interest"} & set(carried) and listing and symbol not in self._listings.dated:
            names.append(f"ticker.{symbol}.100ms")
        return names

    def read(self, receipt: Receipt) -> list[Message]:
        """Read one frame."""
        envelope = ENVELOPE.decode(receipt.frame)
        if envelope.method == "subscription":
            kind = envelope.params.channel.partition(".")[0]
            data = envelope.params.data
            if kind == "trades":
                return self._records.read_rows(data, TRADES, self._trade, receipt)
            if kind == "ticker":
                return self._records.read_rows(data, TICKERS, self._ticker, receipt)
            if kind == "deribit_volatility_index":
                return self._records.read_rows(data, VOLATILITIES, self._volatility, receipt)
            return [self._records.unknown_channel(envelope.params.channel, receipt)]
        return [self._reply(envelope, receipt)]

    def _trade(self, row: TradeRow, receipt: Receipt) -> list[Message]:
        """Build the trade of a row, and a liquidation for each side of it that was liquidated."""
        name = row.instrument_name
        if row.block_trade_id:
            return [Skipped("off_book", 1)]
        if self._listings[name] is None and name.rpartition("-")[2] in ("C", "P"):
            return [Skipped("other_market", 1)]
        fill = Fill(name, row.direction, row.price, row.amount, row.timestamp * 1000, row.trade_id)
        messages: list[Message] = [self._records.trade(fill, receipt)]
        flag = FLAGS.get(row.liquidation)
        if flag is None:
            messages.append(self._records.refuse(unknown_value("liquidation", row.liquidation), receipt))
        elif flag and self.eras and not isinstance(messages[0], Reject):
            sides = {"T": row.direction, "M": OPPOSITE[row.direction.lower()]}
            messages += [
                self._records.liquidation(fill._replace(side=sides[who], id=f"{fill.id}:{who}"), "fill", receipt)
                for who in sorted(flag, reverse=True)
            ]
        return messages

    def _ticker(self, row: Ticker, receipt: Receipt) -> list[Message]:
        """Build the mark price and the open interest of a ticker."""
        time_us = row.timestamp * 1000
        mark = MarkUpdate(row.instrument_name, row.mark_price, time_us, row.index_price, row.current_funding)
        return self._records.ticker(mark, row.open_interest, receipt)

    def _volatility(self, row: Volatility, receipt: Receipt) -> list[Message]:
        """Build a reading of the index of implied volatility over 30 days, percent a year."""
        time_us = row.timestamp * 1000
        if fault := find_fault(VolatilityIndex, time_us, receipt.received_us, value=row.volatility):
            return [self._records.refuse(fault, receipt)]
        asset = split_base(row.index_name.partition("_")[0])[0]
        if fault := symbol_name_fault(row.index_name) or asset_fault(asset):
            return [self._records.refuse(fault, receipt)]
        return [VolatilityIndex(self.venue, row.index_name, asset, time_us, receipt.received_us, row.volatility)]

    def _reply(self, envelope: Envelope, receipt: Receipt) -> Message:
        """Read a heartbeat or the answer to a request."""
        if envelope.method == "heartbeat":
            return Ping(TEST) if envelope.params.type == "test_request" else Pong()
        key = "" if envelope.id is None else str(envelope.id)
        if envelope.error is not UNSET:
            return Refusal(key, f"{envelope.error.code}: {envelope.error.message}")
        if envelope.id == TEST_ID:
            return Pong()
        if envelope.result is UNSET or not key:
            return self._records.malformed(receipt)
        return Ack(key, accepted_channels(envelope.result))

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``public/get_instruments`` and keep the perpetuals and dated futures quoted in US dollars."""
        rows, faults = LISTED.rows(self._result(body))
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError(f"{self.venue}'s table of instruments is empty or not an array")
        instruments = []
        for row in rows:
            if reason := exclusion_reason(row):
                left_out[row.instrument_name] = reason
                continue
            asset, units = split_base(row.base_currency)
            inverse = row.instrument_type == "reversed"
            instruments.append(
                Instrument(
                    row.instrument_name,
                    asset,
                    units,
                    1.0,  # sizes are coins or dollars, not contracts
                    "usd" if inverse else "base",
                    row.is_active,
                    onboard_us(row.creation_timestamp),
                    product="inverse" if inverse else "linear",
                    dated=row.settlement_period != "perpetual",
                )
            )
        return InstrumentPage(instruments, left_out, None)

    def _result(self, body: bytes) -> msgspec.Raw:
        """Return the result of a REST answer. Raises ``ValueError`` if the answer is an error."""
        answer = ANSWER.decode(body)
        if answer.error is not None:
            raise ValueError(f"{self.venue} answered with error {answer.error.code}: {answer.error.message}")
        return answer.result

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """Return one request a symbol for the trades of a gap, oldest first; the exchange serves all past trades."""
        if channel not in ("liquidations", "trades") or channel not in self.offered:
            return ()
        span = {"start_timestamp": str(from_us // 1000), "end_timestamp": str((to_us - 1) // 1000)}
        common = {"count": str(PAGE_ROWS), "sorting": "asc"}
        path = "/public/get_last_trades_by_instrument"
        return [RestRequest(path, {"instrument_name": symbol, **span, **common}, about=channel) for symbol in symbols]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read a page of trades and return the events of the channel that ``about`` names."""
        page = TRADE_PAGE.decode(self._result(body))
        rows, _ = TRADES.rows(page.trades)
        messages = self._records.read_rows(page.trades, TRADES, self._trade, Receipt(received_us, body, memory))
        further = None
        if page.has_more and rows:
            further = request._replace(query={**request.query, "start_seq": str(rows[-1].trade_seq + 1)})
        return RestPage(events_of_channel(messages, request.about), further)


def accepted_channels(result: msgspec.Raw) -> tuple[str, ...] | None:
    """Return the names in an answer to ``public/subscribe``; None if the result is no list of names."""
    try:
        return msgspec.json.decode(result, type=tuple[str, ...])
    except UNREADABLE:
        return None


def call(identifier: int, method: str, params: dict[str, object]) -> dict[str, object]:
    """Return the content of a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": identifier, "method": f"public/{method}", "params": params}


def subscription(identifier: int, names: Sequence[str]) -> Request:
    """Return the subscription of some of the exchange's channels; its answer lists those that it accepted."""
    content = call(identifier, "subscribe", {"channels": names})
    return request(content, [str(identifier)], [Topic(name, CHANNEL_OF[name.partition(".")[0]]) for name in names])


def listing_of_name(venue: str, symbol: str) -> Listing | None:
    """Derive a listing from the name of a perpetual or dated future; None for any other name."""
    found = FUTURE.fullmatch(symbol)
    if found is None:
        return None
    name = split_symbol(symbol)
    if not name.is_usd or not name.asset.isalnum():
        return None
    return name.asset, float(name.units), 1.0, found[1] is None, f"{venue}:{symbol}:"


def exclusion_reason(row: ListedInstrument) -> str:
    """Return why an instrument is not watched; empty if it is."""
    if row.quote_currency not in USD_QUOTES:
        return f"quoted in {row.quote_currency}, which is not a US dollar"
    if row.instrument_type not in ("reversed", "linear"):
        return f"unknown instrument type {row.instrument_type!r}"
    return ""
