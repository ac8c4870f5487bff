"""Adapter of KuCoin Futures perpetuals, linear and inverse; the exchange publishes no liquidations.

Sizes are contracts: a linear contract is worth ``multiplier`` base coins, an inverse one (``XBTUSDM``) one dollar.
Without the instrument table sizes have no unit, so every row is rejected.

Trades (``/contractMarket/execution``): ``side`` is the taker side, ``ts`` is in nanoseconds. The channel
``/contract/instrument`` sends mark and index prices, and funding rates in messages without a price. The latest funding
rate of each symbol is therefore stored and added to the symbol's next mark price. A rate of ``granularity`` 60,000 is
the prediction of the next one and is not read; the current rate has its interval there. Open interest is polled by REST
for all contracts at once; the answer also has the current funding rate and the time of the next payment.

Each connection needs a new token, which is requested by REST. The exchange expects a ping about every 18 s. The exact
interval comes with the token; 15 s is below all intervals that were seen.

Ids:
    trade ``<tradeId>``.

Sources: kucoin.com/docs (futures: get public token, execution data, instrument, get all symbols);
github.com/tardis-dev/tardis-node 18.2.0; ccxt 4.5.90. Two points were not verified on live data: the field
``nextFundingRateDateTime``, and that open interest counts one side of each contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive, Request, Topic
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Greeting, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, Poll, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, onboard_us, optional_time_us
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.rest_envelope import unwrap_data
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel
from monitor.model.symbols import USD_QUOTES, split_base

OFFERED: Final[tuple[Channel, ...]] = ("mark_price", "trades")
"""Channels that the sockets carry."""

SYMBOLS_PER_CONNECTION: Final = 100
SYMBOLS_PER_REQUEST: Final = 50
"""Symbols of one subscription; the exchange allows 100."""
KEEPALIVE: Final = Keepalive('{"id":"ping","type":"ping"}', interval_s=15.0, timeout_s=10.0)
STALE_AFTER_S: Final = 20.0
INTEREST_S: Final = 60.0
TOPICS: Final[dict[Channel, str]] = {
    "trades": "/contractMarket/execution:",
    "mark_price": "/contract/instrument:",
}
SUCCESS: Final = "200000"
PREDICTED_MS: Final = 60_000
"""``granularity`` of a predicted funding rate, which changes every minute; that of the current one is its interval."""


class TradeRow(msgspec.Struct, gc=False):
    """The data of an execution."""

    symbol: str
    side: str
    size: float
    price: float
    tradeId: str
    ts: int


class InstrumentRow(msgspec.Struct, gc=False):
    """The data of ``/contract/instrument``: the prices or the funding rate, depending on the frame's ``subject``."""

    timestamp: int = 0
    granularity: int = 0
    markPrice: float | UnsetType = UNSET
    indexPrice: float | UnsetType = UNSET
    fundingRate: float | UnsetType = UNSET


class Envelope(msgspec.Struct, gc=False):
    """The envelope of any frame."""

    type: str = ""
    id: str = ""
    topic: str = ""
    subject: str = ""
    code: int | str = 0
    data: msgspec.Raw = msgspec.Raw(b"null")


class Contract(msgspec.Struct):
    """A contract in ``/api/v1/contracts/active``, with its open interest and its prices."""

    symbol: str
    baseCurrency: str
    quoteCurrency: str
    multiplier: float
    isInverse: bool
    status: str
    expireDate: int | None = None
    firstOpenDate: int | None = None
    openInterest: float = 0.0
    markPrice: float | None = None
    nextFundingRateDateTime: int | None = None
    fundingFeeRate: float | None = None


class Server(msgspec.Struct):
    """The address of a WebSocket server."""

    endpoint: str


class Token(msgspec.Struct):
    """The data of the answer to ``bullet-public``."""

    token: str
    instanceServers: list[Server]


_TRADES: Final = RowDecoder(TradeRow)
_INSTRUMENTS: Final = RowDecoder(InstrumentRow)
_CONTRACTS: Final = RowDecoder(Contract)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_TOKEN: Final = msgspec.json.Decoder(Token)


class Kucoin(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "kucoin"
    ws_url: ClassVar[str] = "wss://ws-api-futures.kucoin.com/"
    rest_url: ClassVar[str] = "https://api-futures.kucoin.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = ()
    counts_contracts: ClassVar[bool] = True
    by_name: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/api/v1/contracts/active"),)
    rest_weight_per_minute: ClassVar[int] = 120
    """Well below the exchange's limit of 2,000 in 30 s; a request of this adapter costs up to 10."""
    token_request: ClassVar[RestRequest | None] = RestRequest("/api/v1/bullet-public", body={})
    known_keys: ClassVar[frozenset[str]] = keys(
        "id type topic subject code data sn userId channelType response",
        "symbol sequence side size price takerOrderId makerOrderId tradeId ts time liquidity fee",
        "granularity indexPrice markPrice fundingRate timestamp",
    )

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets; each carries all channels of its symbols."""
        carried = carried_channels(channels, OFFERED)
        if "open_interest" in frozenset(channels) and not carried:
            return []
        plans = []
        for number, group in enumerate(chunked(symbols, SYMBOLS_PER_CONNECTION) if carried else ()):
            asked = [(channel, some) for channel in carried for some in chunked(group, SYMBOLS_PER_REQUEST)]
            plans.append(
                Connection(
                    name=f"futures-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(
                        subscription(str(place), channel, some) for place, (channel, some) in enumerate(asked)
                    ),
                    channels=frozenset(carried),
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S,
                    keepalive=KEEPALIVE,
                )
            )
        return plans

    def dial_url(self, url: str, answer: bytes) -> str:
        """Return the address of the first server of the answer, with the token."""
        given = _TOKEN.decode(unwrap_data(self.venue, answer, SUCCESS))
        if not given.instanceServers:
            raise ValueError("kucoin's answer to bullet-public has no server")
        query = urlencode({"token": given.token, "connectId": "cascade-monitor"})
        return f"{given.instanceServers[0].endpoint}?{query}"

    def read(self, receipt: Receipt) -> list[Message]:
        """Read one frame."""
        envelope = _ENVELOPE.decode(receipt.frame)
        if envelope.type == "message":
            if envelope.topic.startswith(TOPICS["trades"]):
                return self._records.read_rows(envelope.data, _TRADES, self._trade, receipt)
            if envelope.topic.startswith(TOPICS["mark_price"]):
                symbol = envelope.topic.rpartition(":")[2]
                return self._records.read_rows(
                    envelope.data, _INSTRUMENTS, lambda row, at: self._state(symbol, row, at), receipt
                )
            return [self._records.unknown_channel(envelope.topic, receipt)]
        return self._reply(envelope, receipt)

    def _trade(self, row: TradeRow, receipt: Receipt) -> list[Message]:
        fill = Fill(row.symbol, row.side, row.price, row.size, row.ts // 1000, row.tradeId)
        return [self._records.trade(fill, receipt)]

    def _state(self, symbol: str, row: InstrumentRow, receipt: Receipt) -> list[Message]:
        """Build a mark price, or store a funding rate for the next one."""
        latest = self._records.latest(symbol, receipt)
        messages: list[Message] = []
        if row.fundingRate is not UNSET and row.granularity == PREDICTED_MS:
            messages.append(Skipped("no_value", 1))
        elif row.fundingRate is not UNSET:
            time_us = self._records.plausible_time_us(row.timestamp, receipt)
            messages += self._records.remember_funding(symbol, row.fundingRate, latest.next_us, time_us, receipt)
        if row.markPrice is UNSET:
            return messages
        mark = MarkUpdate(symbol, row.markPrice, row.timestamp * 1000, row.indexPrice, latest.rate, latest.next_us)
        return [*messages, self._records.mark(mark, receipt)]

    def _reply(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Read an answer to a request, or a notice about the connection."""
        if envelope.type == "ack":
            return [Ack(envelope.id)]
        if envelope.type == "pong":
            return [Pong()]
        if envelope.type == "welcome":
            return [Greeting()]
        if envelope.type == "error":
            return [Refusal(envelope.id, f"{envelope.code}: {bytes(envelope.data).decode(errors='replace')}")]
        return [self._records.malformed(receipt)]

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``contracts/active`` and keep the perpetuals quoted in US dollars."""
        rows, faults = _CONTRACTS.rows(unwrap_data(self.venue, body, SUCCESS))
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError("kucoin lists no contract")
        instruments = []
        for row in rows:
            if reason := exclusion_reason(row):
                left_out[row.symbol] = reason
                continue
            asset, units = split_base(row.baseCurrency)
            instruments.append(
                Instrument(
                    row.symbol,
                    asset,
                    units,
                    abs(row.multiplier),
                    "usd" if row.isInverse else "base",
                    row.status == "Open",
                    onboard_us(row.firstOpenDate or 0),
                )
            )
        return InstrumentPage(instruments, left_out, None)

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> Sequence[Poll]:
        """Return the poll for the open interest of all contracts at once."""
        wanted = "open_interest" in frozenset(channels) and symbols
        return [Poll("open_interest", RestRequest("/api/v1/contracts/active"), INTEREST_S)] if wanted else ()

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read the open interest in ``contracts/active``, with the time of receipt; other symbols are skipped."""
        return RestPage(
            self._records.read_rows(
                unwrap_data(self.venue, body, SUCCESS), _CONTRACTS, self._interest, Receipt(received_us, body, memory)
            )
        )

    def _interest(self, row: Contract, receipt: Receipt) -> list[Message]:
        if self._listings[row.symbol] is None:
            return [Skipped("other_market", 1)]
        next_us = optional_time_us(row.nextFundingRateDateTime or 0)
        if next_us is not UNSET:
            self._records.latest(row.symbol, receipt).next_us = next_us
        if row.fundingFeeRate is not None:
            self._records.remember_funding(row.symbol, row.fundingFeeRate, next_us, 0, receipt)
        if row.markPrice is None:
            return [Skipped("unpriced", 1)]
        price, at = row.markPrice, receipt.received_us
        return [self._records.open_interest(row.symbol, row.openInterest, price, at, receipt)]


def subscription(key: str, channel: Channel, symbols: Sequence[str]) -> Request:
    """Return the subscription of one channel of some symbols; one unknown symbol costs all of them."""
    content = {"id": key, "type": "subscribe", "topic": TOPICS[channel] + ",".join(symbols), "response": True}
    return request(content, [key], [Topic(symbol, channel) for symbol in symbols])


def exclusion_reason(row: Contract) -> str:
    """Return why a contract is not watched; empty when it is."""
    if row.quoteCurrency not in USD_QUOTES:
        return f"quoted in {row.quoteCurrency}, which is not a US dollar"
    if row.expireDate:
        return "dated: its price is not the perpetual's"
    if not 0.0 < abs(row.multiplier) < 1e18:
        return f"multiplier {row.multiplier}"
    return ""
