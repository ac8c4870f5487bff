"""Serves one exchange on loopback, websockets and REST on one port. The dialect decides all content."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from monitor.lab.simulate.exchanges.dialect import Dialect, Outgoing
from monitor.roles.clock import wall_clock_us

HOST: Final = "127.0.0.1"
QUEUE_FRAMES: Final = 10_000
"""Frames that may wait for one client, some ten seconds of a cascade; a slower client is cut, as exchanges do."""


@dataclass(slots=True)
class Client:
    """Holds one websocket's subscriptions and the frames that wait for it."""

    number: int
    path: str
    connection: ServerConnection
    topics: set[str] = field(default_factory=set)
    queue: asyncio.Queue[Outgoing] = field(default_factory=lambda: asyncio.Queue(QUEUE_FRAMES))


class ExchangeServer:
    """Serves a dialect to any number of clients; an async context manager.

    Args:
        dialect: format and data to serve.
        host, port: address to listen on; port 0 takes a free one.

    Attributes:
        dialect: format and data to serve, with the ledger.
        refusing: while True, new websockets get a 503, as if the exchange were down.
        connects: websockets opened so far.
        dropped: websockets cut by :meth:`drop_all`.
        overflows: websockets cut because they read too slowly.
    """

    def __init__(self, dialect: Dialect, host: str = HOST, port: int = 0) -> None:
        self.dialect = dialect
        self._where = (host, port)
        self.refusing = False
        self.connects = 0
        self.dropped = 0
        self.overflows = 0
        self._clients: dict[int, Client] = {}
        self._server: Server | None = None
        self._watched = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Listen. Raises ``OSError`` if the address is not available."""
        self._server = await serve(
            self._handle, *self._where, process_request=self._process_request, compression=None, ping_interval=None
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every socket and stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    @property
    def port(self) -> int:
        """Return the port. Raises ``RuntimeError`` outside the context."""
        if self._server is None:
            raise RuntimeError(f"the {self.dialect.venue} server is not running: enter it with 'async with'")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def ws_url(self) -> str:
        """Return the address to which a collector connects."""
        return f"ws://{HOST}:{self.port}{self.dialect.path}"

    @property
    def rest_url(self) -> str:
        """Return the base address of the exchange's REST API."""
        return f"http://{HOST}:{self.port}"

    @property
    def clients(self) -> int:
        """Return the number of open websockets."""
        return len(self._clients)

    @property
    def waiting(self) -> int:
        """Return the number of frames on their way to clients."""
        return sum(client.queue.qsize() for client in self._clients.values())

    @property
    def is_watched(self) -> bool:
        """True while some client has subscribed to forced orders."""
        return self._watched.is_set()

    async def watched(self) -> None:
        """Wait until some client has subscribed to forced orders."""
        await self._watched.wait()

    def publish(self, frames: Iterable[Outgoing]) -> None:
        """Send frames to their subscribers; a frame without any is lost."""
        for outgoing in frames:
            for client in list(self._clients.values()):
                if outgoing.topic in client.topics:
                    self._put(client, outgoing)

    def _put(self, client: Client, outgoing: Outgoing) -> None:
        try:
            client.queue.put_nowait(outgoing)
        except asyncio.QueueFull:
            self.overflows += 1
            self._cut(client)

    def drop_all(self) -> int:
        """Cut every websocket without a close frame, with all that waits for it, and return their number."""
        clients = list(self._clients.values())
        for client in clients:
            self._cut(client)
        self.dropped += len(clients)
        return len(clients)

    def _cut(self, client: Client) -> None:
        # Forgotten at once, so that nothing published from here on counts as waiting.
        """Close one websocket without a closing handshake and remove it."""
        self._clients.pop(client.number, None)
        self._update_watched()
        while not client.queue.empty():
            client.queue.get_nowait()
        client.connection.transport.abort()

    def _update_watched(self) -> None:
        """Set or clear the event that :meth:`watched` waits for."""
        watching = any(
            self.dialect.carries_liquidations(topic) for one in self._clients.values() for topic in one.topics
        )
        (self._watched.set if watching else self._watched.clear)()

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        address = urlsplit(request.path)
        if "Upgrade" not in request.headers:
            body = self.dialect.rest(address.path, dict(parse_qsl(address.query)))
            return (
                connection.respond(HTTPStatus.NOT_FOUND, "no such endpoint\n") if body is None else json_response(body)
            )
        if self.refusing:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "the exchange is down\n")
        if not self.dialect.serves(address.path):
            return connection.respond(HTTPStatus.NOT_FOUND, "no such stream\n")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        request = connection.request
        address = urlsplit(request.path if request else "")
        self.connects += 1
        client = Client(self.connects, address.path, connection)
        self._clients[client.number] = client
        self._subscribe(client, self.dialect.opening(address.path, dict(parse_qsl(address.query))))
        sender = asyncio.create_task(self._send(client))
        try:
            with suppress(ConnectionClosed):
                async for frame in connection:
                    await self._handle_frame(
                        client, frame if isinstance(frame, str) else frame.decode(errors="replace")
                    )
        finally:
            self._clients.pop(client.number, None)
            self._update_watched()
            sender.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await sender

    async def _handle_frame(self, client: Client, frame: str) -> None:
        answer = self.dialect.answer(frame, client.path, client.number)
        for reply in answer.frames:
            await client.connection.send(reply, text=True)
        client.topics.difference_update(answer.unsubscribe)
        self._subscribe(client, answer.subscribe)

    def _subscribe(self, client: Client, topics: Iterable[str]) -> None:
        for topic in topics:
            greeting = self.dialect.greeting(topic)
            if greeting is not None:
                self._put(client, Outgoing(topic, greeting))
            client.topics.add(topic)
        self._update_watched()

    async def _send(self, client: Client) -> None:
        while True:
            topic, frame, shown = await client.queue.get()
            await client.connection.send(self.dialect.envelope(client.path, topic, frame), text=True)
            for one in shown:
                one.clients.add(client.number)
                one.written_us = wall_clock_us()


def json_response(body: bytes) -> Response:
    """Return a REST answer."""
    headers: Mapping[str, str] = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    return Response(HTTPStatus.OK, HTTPStatus.OK.phrase, Headers(headers), body)
