"""HTX perpetual swaps, linear and coin-margined: forced orders, trades, mark price, funding, open interest.

Sizes are contracts: base coins are ``volume`` times ``contract_size`` for linear swaps, USD are for coin-margined ones
(``BTC-USD``). Without the instrument table sizes have no unit, so every row is quarantined.

Liquidations (``public.*.liquidation_orders``, all swaps in one subscription): ``direction`` is the closing order's,
sell closes a long. ``offset`` is close, or both for an account that holds one position a contract. ``volume`` counts
the order alone, and ``price`` is the bankruptcy price. No sampling is documented.

Trades (``market.<code>.trade.detail``): ``direction`` is the taker's. ``amount`` is contracts and, as its page states,
the sum of the buyer's and the seller's side, so half of it was traded; all captured amounts are even, while volumes of
liquidations are not. A trade without a direction has no taker. Answers to requests have the rows in ``data``, those of
REST in groups that each have ``data`` of their own; a push has them in ``tick``.

The mark price is the close of its current candle (``market.<code>.mark_price.1min``, on the index socket). Funding
comes on the notification socket, without a price: the last of each symbol is remembered and goes out with its next mark
price. Open interest is polled by REST; it counts both sides, so half of it is one side.

Every frame is binary gzip. Market sockets send ``{"ping": n}``, which the client answers by ``{"pong": n}``;
notification sockets send ``{"op": "ping", "ts": …}``, answered by ``{"op": "pong", "ts": …}``.

Ids:
    liquidation ``htx:<contract_code>:<created_at>:<direction>:<volume>:<price>``, and ``#1``, ``#2`` … appended to
    further rows of one frame that are alike.
    trade ``<id>``.

Sources: htx.com (API documentation, USDT-margined and coin-margined contracts: liquidation orders, trade detail, mark
price candles, funding rate, contract information, open interest).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET

from monitor.exchanges.adapter import Connection, CoverageEra
from monitor.exchanges.htx.frames import (
    ANSWER,
    ENVELOPE,
    FUNDINGS,
    INTERESTS,
    KNOWN_KEYS,
    LIQUIDATIONS,
    LISTED,
    TICK,
    TICKS,
    TRADES,
    Answer,
    Envelope,
    FundingRow,
    Interest,
    LiquidationRow,
    ListedInstrument,
    TradeRow,
)
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Notice, Ping, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, Poll, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import optional_time_us, unknown_value
from monitor.exchanges.toolkit.gzip_frames import inflate
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, market_url, request
from monitor.model.events import Channel
from monitor.model.symbols import split_base, split_symbol

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "trades")
"""Channels that the sockets carry."""

PATHS: Final = {
    "linear": ("linear-swap-ws", "linear-swap-notification", "/linear-swap-api/v1/"),
    "coin": ("swap-ws", "swap-notification", "/swap-api/v1/"),
}
"""Market socket, notification socket and REST of each product."""
INDEX_PATH: Final = "ws_index"
SOCKETS: Final = (*(path for paths in PATHS.values() for path in paths[:2]), INDEX_PATH)

SYMBOLS_PER_CONNECTION: Final = 100
REQUEST_INTERVAL_S: Final = 0.05
"""A request is one topic."""

STALE_AFTER_S: Final = 30.0
INTEREST_S: Final = 30.0
"""Interval of the open-interest polls, seconds: one request a product."""

NOTIFIED: Final = ("public.*.funding_rate", "public.*.liquidation_orders")
CLOSING_OFFSETS: Final = frozenset({"close", "both"})
REPEATED: Final = 2014
"""Error code of a subscription that the socket already has: it is confirmed, not refused."""


class Htx(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "htx"
    ws_url: ClassVar[str] = "wss://api.hbdm.com/linear-swap-ws"
    rest_url: ClassVar[str] = "https://api.hbdm.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "no sampling is documented", "htx.com, liquidation orders"),
    )
    counts_contracts: ClassVar[bool] = True
    by_name: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = tuple(
        RestRequest(f"{paths[2]}swap_contract_info", about=product) for product, paths in PATHS.items()
    )
    rest_weight_per_minute: ClassVar[int] = 240
    """The exchange allows 120 in three seconds."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: a product's trades, its liquidations, and all mark prices are on different addresses."""
        carried = carried_channels(channels, OFFERED)
        url = ws_url or self.ws_url
        plans = []
        for product, (market, notification, _) in PATHS.items():
            members = [symbol for symbol in symbols if self._product(symbol) == product]
            if "trades" in carried:
                plans += self._market(f"{product}-trades", market_url(url, market, SOCKETS), members, "trades")
            if "liquidations" in carried and members:
                plans.append(
                    Connection(
                        name=f"{product}-notification",
                        url=market_url(url, notification, SOCKETS),
                        requests=tuple(
                            request({"op": "sub", "cid": topic, "topic": topic}, [topic]) for topic in NOTIFIED
                        ),
                        # The exchange's pings, each few seconds, prove it alive.
                        channels=frozenset({"liquidations"}),
                        symbols=tuple(members),
                    )
                )
        if "mark_price" in carried:
            known = [symbol for symbol in symbols if self._listings[symbol] and symbol not in self._listings.dated]
            plans += self._market("index", market_url(url, INDEX_PATH, SOCKETS), known, "mark_price")
        return plans

    def _market(self, name: str, url: str, symbols: Sequence[str], channel: Channel) -> list[Connection]:
        """Plan sockets that carry one topic of each symbol."""
        suffix = "trade.detail" if channel == "trades" else "mark_price.1min"
        plans = []
        for number, group in enumerate(chunked(symbols, SYMBOLS_PER_CONNECTION)):
            topics = [f"market.{symbol}.{suffix}" for symbol in group]
            plans.append(
                Connection(
                    name=f"{name}-{number}",
                    url=url,
                    requests=tuple(request({"sub": topic, "id": topic}, [topic]) for topic in topics),
                    channels=frozenset({channel}),
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                )
            )
        return plans

    def _product(self, symbol: str) -> str:
        """Return the market of a symbol; empty where it is not known."""
        listing = self._listings[symbol]
        return "" if listing is None else "coin" if listing[3] else "linear"

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        receipt = receipt._replace(frame=inflate(receipt.frame))
        envelope = ENVELOPE.decode(receipt.frame)
        if envelope.ch or envelope.rep:
            return self._push(envelope, receipt)
        if envelope.op == "notify":
            return self._notification(envelope, receipt)
        return [self._reply(envelope, receipt)]

    def _push(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Read trades or a mark price, pushed or as the answer to a request."""
        _, _, rest = (envelope.ch or envelope.rep).partition(".")
        symbol, _, topic = rest.partition(".")
        if topic == "trade.detail":
            return [
                message
                for raw in read_trades(envelope)
                for message in self._records.read_rows(raw, TRADES, partial(self._trade, symbol), receipt)
            ]
        if topic == "mark_price.1min" and envelope.tick is not UNSET:
            close = TICK.decode(envelope.tick).close
            time_us = optional_time_us(envelope.ts)
            if close is UNSET:
                return [self._records.malformed(receipt)]
            latest = self._records.latest(symbol, receipt)
            mark = MarkUpdate(symbol, close, 0 if time_us is UNSET else time_us, UNSET, latest.rate, latest.next_us)
            return [self._records.mark(mark, receipt)]
        return [self._records.unknown_channel(envelope.ch or envelope.rep, receipt)]

    def _trade(self, symbol: str, row: TradeRow, receipt: Receipt) -> list[Message]:
        """Read a trade, whose amount counts both sides: half of it is the trade's."""
        if not row.direction:
            return [Skipped("off_book", 1)]
        fill = Fill(symbol, row.direction, row.price, row.amount / 2, row.ts * 1000, str(row.id))
        return [self._records.trade(fill, receipt)]

    def _notification(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Read liquidations or fundings."""
        kind = envelope.topic.rpartition(".")[2]
        if kind == "liquidation_orders":
            seen: dict[str, int] = {}
            return self._records.read_rows(
                envelope.data, LIQUIDATIONS, lambda row, at: [self._liquidation(row, seen, at)], receipt
            )
        if kind == "funding_rate":
            time_us = self._records.plausible_time_us(envelope.ts, receipt)
            return self._records.read_rows(
                envelope.data, FUNDINGS, lambda row, at: self._fund(row, time_us, at), receipt
            )
        return [self._records.unknown_channel(envelope.topic, receipt)]

    def _liquidation(self, row: LiquidationRow, seen: dict[str, int], receipt: Receipt) -> Message:
        if row.offset not in CLOSING_OFFSETS:
            return self._records.refuse(unknown_value("offset", row.offset), receipt)
        key = f"{row.created_at}:{row.direction}:{row.volume!r}:{row.price!r}"
        fill = Fill(row.contract_code, row.direction, row.price, row.volume, row.created_at * 1000, key)
        return self._records.liquidation(fill, "bankruptcy", receipt, seen)

    def _fund(self, row: FundingRow, time_us: int, receipt: Receipt) -> list[Message]:
        """Remember a funding rate for the next mark price; null means that none is known yet."""
        if row.funding_rate is None:
            return [Skipped("no_value", 1)]
        next_us = optional_time_us(row.settlement_time)
        return self._records.remember_funding(row.contract_code, row.funding_rate, next_us, time_us, receipt)

    def _reply(self, envelope: Envelope, receipt: Receipt) -> Message:
        """Read a ping, an answer to a request, or a notice about the connection."""
        if envelope.ping is not None:
            return Ping(msgspec.json.encode({"pong": envelope.ping}).decode())
        if envelope.op == "ping":
            return Ping(msgspec.json.encode({"op": "pong", "ts": envelope.ts}).decode())
        if envelope.op == "sub" and envelope.error_code == REPEATED:
            return Ack(envelope.topic)
        failed = envelope.status == "error" or envelope.error_code not in (0, "0")
        if failed and (envelope.status or envelope.op == "sub"):
            return Refusal(envelope.topic or envelope.id, f"{envelope.error_code}: {envelope.error}")
        if envelope.status == "ok" and envelope.subbed:
            return Ack(envelope.subbed)
        if envelope.op == "sub":
            return Ack(envelope.topic)
        if envelope.op in ("close", "error"):
            return Notice(f"{envelope.op} {envelope.error_code}: {envelope.error}", reconnect=True)
        return self._records.malformed(receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``swap_contract_info`` of one product."""
        rows, faults = LISTED.rows(read_answer(body).data)
        left_out = {f"{request.about} row {number}": detail for number, (_, detail) in enumerate(faults)}
        instruments = []
        for row in rows:
            if reason := exclusion_reason(row):
                left_out[row.contract_code] = reason
                continue
            asset, units = split_base(row.symbol)
            currency = "base" if request.about == "linear" else "usd"
            trading = row.contract_status == 1
            opened = day_us(row.create_date)
            instruments.append(
                Instrument(row.contract_code, asset, units, row.contract_size, currency, trading, opened, request.about)
            )
        return InstrumentPage(instruments, left_out, None)

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> Sequence[Poll]:
        """Return the polls for the open interest of all swaps of a product at once."""
        if "open_interest" not in frozenset(channels):
            return ()
        products = {self._product(symbol) for symbol in symbols}
        return [
            Poll("open_interest", RestRequest(f"{paths[2]}swap_open_interest", about=product), INTEREST_S)
            for product, paths in PATHS.items()
            if product in products
        ]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read ``swap_open_interest``; swaps that are not watched are left."""
        answer = read_answer(body)
        time_us = answer.ts * 1000
        receipt = Receipt(received_us, body, memory)
        read = self._records.read_rows(
            answer.data, INTERESTS, lambda row, at: [self._interest(row, time_us, at)], receipt
        )
        return RestPage(read)

    def _interest(self, row: Interest, time_us: int, receipt: Receipt) -> Message:
        """Read an open interest, which counts both sides: half of it is one."""
        listing = self._listings[row.contract_code]
        if listing is None:
            return Skipped("other_market", 1)
        _, units, size, inverse, _ = listing
        if not inverse and row.value is None:
            return self._records.refuse(("malformed", "open interest without its value"), receipt)
        usd = row.volume * size if inverse else row.value or 0.0
        return self._records.open_interest_from_amounts(
            row.contract_code, row.amount * units / 2, usd / 2, time_us, receipt
        )


def read_trades(envelope: Envelope) -> list[msgspec.Raw]:
    """Return the arrays of trades in a frame: one of a push or of an answer, one of each group of a REST answer."""
    if envelope.tick is not UNSET:
        return [tick.data for tick in [TICK.decode(envelope.tick)] if tick.data is not UNSET]
    groups, _ = TICKS.rows(envelope.data)
    grouped = [group.data for group in groups if group.data is not UNSET]
    return grouped or [envelope.data]


def read_answer(body: bytes) -> Answer:
    """Return a REST answer. Raises ``ValueError`` where it is an error."""
    answer = ANSWER.decode(body)
    if answer.status != "ok":
        raise ValueError(f"htx answers {answer.error_code}: {answer.error}")
    return answer


def exclusion_reason(row: ListedInstrument) -> str:
    """Return why an instrument is not watched; empty when it is."""
    name = split_symbol(row.contract_code)
    if not name.is_usd:
        return f"quoted in {name.quote}, which is no US dollar"
    if row.delivery_date or name.dated:
        return "dated: its price is not the perpetual's"
    if not 0.0 < row.contract_size < 1e18:
        return f"contract size {row.contract_size}"
    return ""


def day_us(text: str) -> int:
    """Return a day as ``20201021`` in microseconds, 0 where it is none."""
    try:
        return round(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).timestamp() * 1e6)
    except ValueError:
        return 0
