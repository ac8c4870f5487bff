"""The one rule for proxies, through the doors that it holds for: REST, pagers and websockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from monitor.collect.rest.client import new_http_client
from monitor.deliver.http import Response, Route
from monitor.deliver.http_server import HttpServer
from monitor.deliver.paging import webhook
from monitor.deliver.paging.text import Links
from monitor.model.hosts import proxy_for
from tests.waiting import patient

ODD: Final = {
    "no_proxy": "fe80::/10",
    "NO_PROXY": "[::1]",
    "ALL_PROXY": "socks5://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "https_proxy": "ftp://[::",
}
"""Variables that ended programs with a traceback: clients read them as each likes."""

LOCAL: Final[Mapping[str, Route]] = {"/x": lambda: Response(HTTPStatus.OK, "text/plain", b"local")}


@asynccontextmanager
async def first_lines() -> AsyncIterator[tuple[str, asyncio.Queue[str]]]:
    """Yield the address of a proxy that refuses everything, and the first line of each request to it."""
    lines: asyncio.Queue[str] = asyncio.Queue()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.put_nowait((await reader.readline()).decode().strip())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", lines


async def test_the_environments_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Odd variables neither end the program nor lead a request elsewhere."""
    for name, odd in ODD.items():
        monkeypatch.setenv(name, odd)
    with HttpServer("127.0.0.1", 0, LOCAL) as server:
        async with new_http_client(patient(5), None) as client:
            assert (await client.get(server.url + "/x")).text == "local"
    await webhook.channel("https://hooks.example/x", Links()).close()


async def test_rest_goes_through_the_proxy_and_to_this_machine_directly() -> None:
    """Plain HTTP is requested from the proxy by its whole address; loopback is not."""
    async with first_lines() as (proxy, lines), new_http_client(patient(5), proxy) as client:
        assert (await client.get("http://exchange.example/time")).status_code == 403
        assert await lines.get() == "GET http://exchange.example/time HTTP/1.1"
        with pytest.raises(httpx.ProxyError):
            await client.get("https://exchange.example/time")
        assert await lines.get() == "CONNECT exchange.example:443 HTTP/1.1"
        with HttpServer("127.0.0.1", 0, LOCAL) as server:
            assert (await client.get(server.url + "/x")).text == "local"
        assert lines.empty()


async def test_a_socket_asks_the_proxy_for_a_tunnel() -> None:
    """The handshake begins with a tunnel to the exchange."""
    async with first_lines() as (proxy, lines):
        with pytest.raises((WebSocketException, OSError)):
            await connect("wss://exchange.example/ws", proxy=proxy_for("wss://exchange.example/ws", proxy))
        assert await lines.get() == "CONNECT exchange.example:443 HTTP/1.1"
