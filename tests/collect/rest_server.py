"""Provides an HTTP server on loopback with answers set by the test, and a sleep that does not wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest


class Answer(NamedTuple):
    """One answer of the server."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class RestServer(ThreadingHTTPServer):
    """Gives its answers in order, repeats the last one, and records the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: RestServer

    def do_GET(self) -> None:
        """Give the next answer."""
        self._answer()

    def do_POST(self) -> None:
        """The same, for a body."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        self.server.asked.append(self.path)
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def rest_server() -> Iterator[RestServer]:
    """A server on a free port, closed afterwards."""
    with RestServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


class Pauses(list[float]):
    """Takes the place of sleeping and remembers how long."""

    async def __call__(self, seconds: float) -> None:
        """Do not sleep."""
        self.append(seconds)
        await asyncio.sleep(0)

    def now_s(self) -> float:
        """The time that would have passed."""
        return sum(self)
