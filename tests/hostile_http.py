"""Provides an HTTP server on loopback that never ends its answers, sends bombs, or redirects its clients."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Answers one request on the connection's writer; the connection closes when it returns."""


def head(status: str, *headers: str) -> bytes:
    """Return the head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode()


async def endless(writer: asyncio.StreamWriter) -> None:
    """Send a body that has no end, as fast as it is read."""
    writer.write(head("200 OK"))
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def bomb(writer: asyncio.StreamWriter) -> None:
    """Send 64 kB that decompress to 64 MB."""
    packed = gzip.compress(bytes(64 * 1024 * 1024))
    writer.write(head("200 OK", "Content-Encoding: gzip", f"Content-Length: {len(packed)}") + packed)
    await writer.drain()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Send a byte every 20 ms without end, so that no single wait for bytes is long."""
    writer.write(head("200 OK", "Content-Length: 1000000"))
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


def moved(location: str) -> Script:
    """Return a script that redirects to another address."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(head("302 Found", f"Location: {location}", "Content-Length: 0"))

    return script


@contextlib.asynccontextmanager
async def hostile(script: Script) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a server; yield its ``host:port`` and the heads of the requests that it received."""
    heads: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await script(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
