"""A stand-in for PagerDuty's Events API on loopback: answers as scripted, remembers what it accepted."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.waiting import patient


class Answer(NamedTuple):
    """One answer."""

    status: int = 202
    body: bytes = b'{"status":"success","message":"Event processed"}'
    headers: tuple[tuple[str, str], ...] = ()


class EventsApi(ThreadingHTTPServer):
    """Gives ``answers`` in order, then accepts; ``accepted`` holds what it took, ``tries`` everything it was sent."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answers: list[Answer] = []
        self.accepted: list[dict[str, Any]] = []
        self.tries: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where events go."""
        return f"http://127.0.0.1:{self.server_address[1]}/v2/enqueue"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def wait_for(self, count: int, within_s: float = 20.0) -> list[dict[str, Any]]:
        """The accepted events, once there are ``count``."""
        deadline = time.monotonic() + patient(within_s)
        while len(self.accepted) < count:
            assert time.monotonic() < deadline, f"{len(self.accepted)} of {count} events: {self.accepted}"
            time.sleep(0.02)
        return self.accepted


class _Handler(BaseHTTPRequestHandler):
    server: EventsApi

    def do_POST(self) -> None:
        """Take an event."""
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.tries.append(event)
        answer = self.server.answers.pop(0) if self.server.answers else Answer()
        if 200 <= answer.status < 300:
            self.server.accepted.append(event)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
