"""Provides a websocket server on loopback with faults set by the test, and a small adapter that parses its frames."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response

from monitor.bus.memory import MemoryBus, MemorySubscriber
from monitor.bus.topics import TOPICS, Record
from monitor.collect.connection.session import SessionSettings
from monitor.collect.connection.socket import SocketSettings
from monitor.exchanges.adapter import Adapter, Connection, CoverageEra, Request
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Notice, Ping, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.model.events import Channel, Liquidation, MarkPrice, Reject, Trade, TradeBar
from tests.waiting import CEILING_S, patient

T = TypeVar("T")
VENUE = "test-venue"

LINK = SocketSettings(open_timeout_s=patient(1.0), close_timeout_s=0.2, ack_timeout_s=patient(0.3), tick_s=0.02)
FAST = SessionSettings(socket=LINK, backoff_base_s=0.02, backoff_cap_s=0.5, healthy_s=0.05, overlap_s=0.05)
"""Limits short enough for tests."""


def now_us() -> int:
    """The machine's time."""
    return time.time_ns() // 1000


class Peer:
    """One client of the exchange, as the exchange sees it."""

    def __init__(self, socket: ServerConnection, number: int) -> None:
        self.socket = socket
        self.number = number
        self.requests: list[str] = []
        self.opened_s = time.monotonic()

    async def send(self, **message: object) -> None:
        """Send one JSON text frame."""
        await self.socket.send(orjson.dumps(message).decode())

    async def asked(self) -> dict[str, Any]:
        """The next request."""
        frame = await self.socket.recv(decode=False)
        self.requests.append(frame.decode())
        answer: dict[str, Any] = orjson.loads(frame)
        return answer

    async def acknowledge(self, count: int = 1) -> None:
        """Read ``count`` subscriptions and acknowledge each; pings between them are read over."""
        while count:
            key = (await self.asked()).get("subscribe")
            if key is not None:
                await self.send(ack=key)
                count -= 1

    async def trade(self, number: int, symbol: str = "BTCUSDT") -> None:
        """Send trade ``number``."""
        await self.send(trades=[number], symbol=symbol)

    async def trades(self, numbers: Iterable[int], pause_s: float = 0.0) -> None:
        """Send these trades, one a frame."""
        for number in numbers:
            await self.trade(number)
            await asyncio.sleep(pause_s)

    async def chatter(self, first: int = 0, pause_s: float = 0.01) -> None:
        """Send trades for ever."""
        number = first
        while True:
            await self.trade(number)
            number += 1
            await asyncio.sleep(pause_s)


Script = Callable[[Peer], Awaitable[None]]


class Exchange:
    """Runs ``script`` for every client; the socket closes when the script returns.

    The first ``refused`` handshakes are answered with HTTP 429 and, if given, the header ``Retry-After``.
    """

    def __init__(self, script: Script, refused: int = 0, retry_after: str = "") -> None:
        self.retry_after = retry_after
        self.script = script
        self.refused = refused
        self.dialled_s: list[float] = []
        self.peers: list[Peer] = []
        self.faults: list[BaseException] = []
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=0.2,
            max_size=2**25,
        )
        return self

    def _admit(self, socket: ServerConnection, request: HttpRequest) -> Response | None:
        self.dialled_s.append(time.monotonic())
        if len(self.dialled_s) > self.refused:
            return None
        response = socket.respond(HTTPStatus.TOO_MANY_REQUESTS, "too many requests\n")
        if self.retry_after:
            response.headers["Retry-After"] = self.retry_after
        return response

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        for peer in self.peers:
            peer.socket.transport.abort()
        self._server.close()
        await self._server.wait_closed()
        assert not self.faults, self.faults

    async def _serve(self, socket: ServerConnection) -> None:
        peer = Peer(socket, len(self.peers))
        self.peers.append(peer)
        try:
            await self.script(peer)
        except ConnectionClosed:
            return  # the client left, as clients do
        except Exception as error:
            self.faults.append(error)
            raise

    @property
    def url(self) -> str:
        """Where to dial."""
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/"


async def by_symbol(peer: Peer) -> None:
    """Acknowledge one symbol, then show its trades."""
    asked = await peer.asked()
    await peer.send(ack=asked["subscribe"])
    for number in range(10_000):
        await peer.trade(number, asked["subscribe"])
        await asyncio.sleep(0.01)


class LoopbackAdapter(Adapter):
    """Reads the JSON that :class:`Peer` sends; plans whatever the test gives it."""

    venue: ClassVar[str] = VENUE
    ws_url: ClassVar[str] = "ws://127.0.0.1:1/"
    rest_url: ClassVar[str] = "http://127.0.0.1:1"
    eras: ClassVar[tuple[CoverageEra, ...]] = (CoverageEra(0, "complete", "all", "this file"),)
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/instruments"),)

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        self.instruments = instruments or {}

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """One connection a symbol."""
        return [
            plan(ws_url or self.ws_url, name=f"market-{index}", keys=(symbol,), channels=frozenset(channels))
            for index, symbol in enumerate(symbols)
        ]

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame of the test exchange."""
        try:
            fields = orjson.loads(frame)
        except orjson.JSONDecodeError as error:
            return [Reject(VENUE, "malformed", str(error), received_us, frame[:100])]
        match fields:
            case {"ack": key}:
                return [Ack(key)]
            case {"refuse": key, "why": why}:
                return [Refusal(key, why)]
            case {"ping": number}:
                return [Ping(f'{{"pong":{number}}}')]
            case {"pong": _}:
                return [Pong()]
            case {"notice": text, "reconnect": reconnect}:
                return [Notice(text, reconnect)]
            case {"trades": numbers, "symbol": symbol}:
                return [trade(number, symbol, received_us) for number in numbers]
            case {"liquidated": usd, "side": side, "id": key}:
                return [Liquidation(VENUE, "BTCUSDT", "BTC", received_us, received_us, side, usd, "complete", key)]
            case {"mark": price}:
                return [MarkPrice(VENUE, "BTCUSDT", "BTC", received_us, received_us, price)]
            case {"backlog": rows}:
                return [Skipped("backlog", rows)]
            case {"crash": why}:
                raise RuntimeError(why)
        return []

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Raise an error, because these tests request no instruments."""
        raise ValueError(body[:50])


def trade(number: int, symbol: str, time_us: int) -> Trade:
    """Trade ``number``: its number is its id and its price."""
    return Trade(VENUE, symbol, "BTC", time_us, time_us, "buy", 1.0 + number, 1.0, 1.0 + number, 1, str(number))


def plan(url: str, *, keys: Sequence[str] = ("all",), **changes: Any) -> Connection:
    """A plan that subscribes ``keys``, one request each; other fields as given."""
    requests = tuple(Request(orjson.dumps({"subscribe": key}).decode(), (key,)) for key in keys)
    defaults: dict[str, Any] = {
        "name": "market-0",
        "url": url,
        "requests": requests,
        "channels": frozenset({"trades", "liquidations"}),
        "symbols": tuple(keys),
        "stale_after_s": 5.0,
        "request_interval_s": 0.01,
    }
    return Connection(**(defaults | changes))


class Reader:
    """A subscriber of the whole bus that keeps all it has read."""

    def __init__(self, bus: MemoryBus) -> None:
        self._subscriber: MemorySubscriber = bus.subscriber(TOPICS)
        self.records: list[Record] = []

    async def read(self) -> None:
        """Read what is there."""
        for batch in await self._subscriber.poll(0.0):
            self.records.extend(batch.records)

    def of(self, kind: type[T]) -> list[T]:
        """The records of one type."""
        return [record for record in self.records if isinstance(record, kind)]

    async def until(self, condition: Callable[[], bool], within_s: float = CEILING_S) -> None:
        """Read until the condition holds."""
        async with asyncio.timeout(patient(within_s)):
            while True:
                await self.read()
                if condition():
                    return
                await asyncio.sleep(0.005)

    def of_bars(self) -> list[TradeBar]:
        """The bars."""
        return self.of(TradeBar)
