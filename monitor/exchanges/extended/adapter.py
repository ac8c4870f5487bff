"""Reads Extended perpetuals: trades with their type, mark and index prices, funding, and open interest by REST.

Sizes are base coins, as the quote in the name shows (``BTC-USD``), so no instrument table is needed. The socket is the
JSON-RPC one of the official SDK (``v2/rpc``). A subscription without a market covers all markets, so one socket carries
the whole exchange; rows of markets that are not watched are skipped.

Liquidations are trades whose type ``tT`` is ``LIQUIDATION``. ``S`` is the side of the taker, who is liquidated: SELL
ends a long. The price is the fill's. Such a row is a trade of the order book as well, and gives a trade and a
liquidation. ``DELEVERAGE`` (ADL) transfers a position outside the order book and is skipped. A type that is not
documented is rejected, because it may be a new word for a liquidation. The first trades after the subscription are past
ones: those that are older than a minute are backlog.

A mark price with ``ts`` 0 has the time of its envelope. The index price and the funding rate come on topics of their
own and are added to the next mark price. The rate is that of the running hour, which is paid when the hour ends. Open
interest (``openInterestBase``, coins) is polled for all markets at once and is taken for that of one side.

Ids:
    liquidation ``extended:<market>:<i>``.
    trade ``<i>``.

Sources: api.docs.extended.exchange (trades, prices, funding, markets); PyPI x10-python-trading-starknet 2.6.0
(``v2/rpc``, trade types, trading hours); frames that others captured on 2026-09-26. Unverified on the wire: a
liquidation, and the frames of a subscription to all markets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Request
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, Poll, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, onboard_us, optional_time_us, plausible_us, unknown_value
from monitor.exchanges.toolkit.listings import TRADFI
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.subscriptions import carried_channels, request
from monitor.model.events import Channel
from monitor.model.symbols import split_symbol
from monitor.model.validation import PRICE, number_fault

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "trades")

STALE_AFTER_S: Final = 30.0
REQUEST_INTERVAL_S: Final = 0.2
INTEREST_S: Final = 60.0
"""Seconds between two polls of the open interest of all markets."""
HOUR_MS: Final = 3_600_000
"""Funding interval, milliseconds."""
OFF_BOOK: Final = "DELEVERAGE"
TRADE_TYPES: Final = frozenset({"TRADE", "LIQUIDATION"})
CONTINUOUS: Final = "CONTINUOUS"
"""Trading hours of a market that never closes; the others are on traditional assets."""


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``TRADES``: id, market, taker's side, time in milliseconds, price, quantity in coins, type."""

    i: int
    m: str
    S: str
    T: int
    p: float
    q: float
    tT: str = "TRADE"


class PriceRow(msgspec.Struct, gc=False):
    """Data of ``PRICES.MP`` and ``PRICES.IP``."""

    m: str
    p: float
    ts: int = 0


class FundingRow(msgspec.Struct, gc=False):
    """Data of ``FUNDING_RATES``."""

    m: str
    f: float
    T: int = 0


class Envelope(msgspec.Struct, gc=False):
    """Any frame: data of a topic, or the answer to a request."""

    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    ts: int = 0
    subscription: str = ""
    id: int | str | None = None
    result: Any = None
    error: Any = None


class MarketStats(msgspec.Struct):
    """Statistics of a market in the exchange's list."""

    markPrice: float | UnsetType = UNSET
    openInterestBase: float | UnsetType = UNSET


class ListedInstrument(msgspec.Struct):
    """A market in the exchange's list."""

    name: str
    type: str = "PERPETUAL"
    status: str = "ACTIVE"
    tradingHours: str = CONTINUOUS
    createdAt: int = 0
    marketStats: MarketStats = msgspec.field(default_factory=MarketStats)


class Failure(msgspec.Struct):
    """Code and text of a REST error."""

    code: int | str = ""
    message: str = ""


class Markets(msgspec.Struct):
    """``GET /api/v1/info/markets``."""

    status: str
    data: msgspec.Raw = msgspec.Raw(b"[]")
    error: Failure | None = None


TRADES: Final = RowDecoder(TradeRow)
PRICES: Final = RowDecoder(PriceRow)
FUNDING: Final = RowDecoder(FundingRow)
LISTED: Final = RowDecoder(ListedInstrument)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_MARKETS: Final = msgspec.json.Decoder(Markets)


class Extended(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "extended"
    ws_url: ClassVar[str] = "wss://api.starknet.extended.exchange/stream.extended.exchange/v2/rpc"
    rest_url: ClassVar[str] = "https://api.starknet.extended.exchange"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every trade has its type", "api.docs.extended.exchange, trades stream"),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/api/v1/info/markets"),)
    rest_weight_per_minute: ClassVar[int] = 300
    """The exchange allows 1,000 requests a minute."""
    known_keys: ClassVar[frozenset[str]] = keys(
        "type data ts seq subscription id result error jsonrpc method status code message",
        "i m S tT T p q f",
    )

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the socket: one carries all markets."""
        carried = frozenset(carried_channels(channels, OFFERED))
        if not carried or not symbols:
            return []
        topics: list[dict[str, object]] = []
        if carried & {"liquidations", "trades"}:
            topics.append({"scope": "trades", "selector": {"market": None}})
        if "mark_price" in carried:
            topics.append({"scope": "funding-rates", "selector": {"market": None}})
            topics += [{"scope": "prices", "selector": {"type": kind, "market": None}} for kind in ("index", "mark")]
        return [
            Connection(
                name="rpc",
                url=ws_url or self.ws_url,
                requests=tuple(subscription(number, topic) for number, topic in enumerate(topics, 1)),
                channels=carried,
                symbols=tuple(symbols),
                stale_after_s=STALE_AFTER_S,
                request_interval_s=REQUEST_INTERVAL_S,
            )
        ]

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        envelope = _ENVELOPE.decode(receipt.frame)
        if envelope.error is not None:
            return [Refusal("" if envelope.id is None else str(envelope.id), refusal_text(envelope.error))]
        if envelope.id is not None:
            return [self._confirmed(str(envelope.id), envelope.result, receipt)]
        if envelope.type == "TRADES":
            topic = envelope.subscription
            return self._records.read_rows(envelope.data, TRADES, lambda row, at: self._trade(topic, row, at), receipt)
        if envelope.type in ("PRICES.MP", "PRICES.IP"):
            read = self._mark if envelope.type == "PRICES.MP" else self._index
            return self._records.read_rows(envelope.data, PRICES, lambda row, at: [read(row, envelope.ts, at)], receipt)
        if envelope.type == "FUNDING_RATES":
            return self._records.read_rows(envelope.data, FUNDING, self._funding, receipt)
        if envelope.type:
            return [self._records.unknown_channel(envelope.type, receipt)]
        return [self._records.malformed(receipt)]

    def _confirmed(self, key: str, result: Any, receipt: Receipt) -> Message:
        """Read the confirmation of a request, which names the topic that it opened."""
        if not isinstance(result, dict):
            return self._records.malformed(receipt)
        receipt.kept.subscribed_us[str(result.get("subscription", ""))] = receipt.received_us
        return Ack(key)

    def _trade(self, topic: str, row: TradeRow, receipt: Receipt) -> list[Message]:
        """Read the trade of a row, and the liquidation if it is one."""
        if self._listings[row.m] is None:
            return [Skipped("other_market", 1)]
        if row.tT == OFF_BOOK:
            return [Skipped("off_book", 1)]
        if row.tT not in TRADE_TYPES:
            return [self._records.refuse(unknown_value("trade type", row.tT), receipt)]
        time_us = plausible_us(row.T)
        if receipt.is_backlog(time_us, topic):
            return [Skipped("backlog", 1)]
        fill = Fill(row.m, row.S, row.p, row.q, time_us, str(row.i))
        return self._records.trade_and_liquidation(fill, receipt, liquidated=row.tT == "LIQUIDATION")

    def _mark(self, row: PriceRow, sent_ms: int, receipt: Receipt) -> Message:
        """Build a mark price with the last index price and funding rate of its market."""
        if self._listings[row.m] is None:
            return Skipped("other_market", 1)
        latest = self._records.latest(row.m, receipt)
        time_us = plausible_us(row.ts or sent_ms)
        return self._records.mark(
            MarkUpdate(row.m, row.p, time_us, latest.index_price, latest.rate, latest.next_us), receipt
        )

    def _index(self, row: PriceRow, sent_ms: int, receipt: Receipt) -> Message:
        """Store an index price for the next mark price, unless a later one is known."""
        listing = self._listings[row.m]
        if listing is None:
            return Skipped("other_market", 1)
        if fault := number_fault("index_price", row.p / listing[1], PRICE):
            return self._records.refuse(fault, receipt)
        latest = self._records.latest(row.m, receipt)
        time_us = self._records.plausible_time_us(row.ts or sent_ms, receipt)
        if time_us >= latest.time_us:
            latest.index_price, latest.time_us = row.p, time_us
        return Skipped("remembered", 1)

    def _funding(self, row: FundingRow, receipt: Receipt) -> list[Message]:
        """Store the funding rate of the running hour, which is paid when the hour ends."""
        if self._listings[row.m] is None:
            return [Skipped("other_market", 1)]
        time_us = self._records.plausible_time_us(row.T, receipt)
        next_us = optional_time_us((row.T // HOUR_MS + 1) * HOUR_MS) if time_us else UNSET
        return self._records.remember_funding(row.m, row.f, next_us, time_us, receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/api/v1/info/markets``: the perpetuals that trade around the clock."""
        rows, faults = LISTED.rows(markets_of(body))
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError("extended lists no market")
        instruments = []
        for row in rows:
            name = split_symbol(row.name)
            if row.type != "PERPETUAL" or not name.is_usd or not name.asset.isalnum():
                left_out[row.name] = "no perpetual on one coin against US dollars"
            elif row.tradingHours != CONTINUOUS:
                left_out[row.name] = TRADFI
            else:
                since_us = onboard_us(row.createdAt)
                trading = row.status == "ACTIVE"
                instruments.append(Instrument(row.name, name.asset, name.units, 1.0, "base", trading, since_us))
        return InstrumentPage(instruments, left_out, None)

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> Sequence[Poll]:
        """Return the poll for the open interest of all markets at once."""
        wanted = "open_interest" in frozenset(channels) and symbols
        return [Poll("open_interest", RestRequest("/api/v1/info/markets"), INTEREST_S)] if wanted else ()

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read the open interest of the watched markets, with the time of receipt."""
        receipt = Receipt(received_us, body, memory)
        return RestPage(self._records.read_rows(markets_of(body), LISTED, self._interest, receipt))

    def _interest(self, row: ListedInstrument, receipt: Receipt) -> list[Message]:
        """Read the open interest of one market."""
        stats = row.marketStats
        if self._listings[row.name] is None:
            return [Skipped("other_market", 1)]
        if stats.openInterestBase is UNSET or stats.markPrice is UNSET:
            return [Skipped("unpriced", 1)]
        at_us = receipt.received_us
        return [self._records.open_interest(row.name, stats.openInterestBase, stats.markPrice, at_us, receipt)]


def subscription(number: int, topic: dict[str, object]) -> Request:
    """Return the request number ``number`` of a socket, which subscribes to a topic."""
    key = str(number)
    return request({"jsonrpc": "2.0", "id": key, "method": "subscribe", "params": topic}, [key])


def refusal_text(error: Any) -> str:
    """Return the code and the message of an error; an error of another form as it is."""
    return f"{error.get('code')}: {error.get('message')}" if isinstance(error, dict) else str(error)


def markets_of(body: bytes) -> msgspec.Raw:
    """Return the undecoded markets of a REST answer. Raises ``ValueError`` if it is an error."""
    answer = _MARKETS.decode(body)
    if answer.status != "OK":
        failure = answer.error or Failure()
        raise ValueError(f"extended answers {failure.code}: {failure.message}")
    return answer.data
