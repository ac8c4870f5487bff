"""Serves metrics and health over HTTP from threads of their own, so that a scrape never blocks the event loop."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, NamedTuple, Self

import httpx
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

log = logging.getLogger(__name__)

_TEXT: Final = "text/plain; charset=utf-8"


class Response(NamedTuple):
    """The answer of a route."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = {}


class Check(NamedTuple):
    """One condition of readiness, with an explanation of its state."""

    name: str
    ok: bool
    detail: str


Route = Callable[[], Response]


def routes(
    metrics: Callable[[], bytes], alive: Callable[[], bool], checks: Callable[[], Sequence[Check]]
) -> dict[str, Route]:
    """Return the routes of the monitor.

    Args:
        metrics: returns the text of a scrape.
        alive: true if the event loop runs; no other condition may restart the process.
        checks: returns the conditions of readiness, all of which must hold.
    """

    def livez() -> Response:
        if alive():
            return Response(HTTPStatus.OK, _TEXT, b"the event loop turns\n")
        return Response(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"the event loop has not turned for 10 s\n")

    def readyz() -> Response:
        results = checks()
        lines = [f"{'ok' if check.ok else 'NOT READY'} {check.name}: {check.detail}\n" for check in results]
        ready = all(check.ok for check in results)
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(status, _TEXT, "".join(lines).encode())

    def scrape() -> Response:
        return Response(HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, metrics())

    return {"/metrics": scrape, "/livez": livez, "/readyz": readyz}


def feeds_check(connected: Mapping[str, bool]) -> Check:
    """Check that at least one venue is connected, and name those that are not."""
    missing = [venue for venue, up in connected.items() if not up]
    words = f"{len(connected) - len(missing)} of {len(connected)} venues connected"
    return Check("feeds", len(missing) < len(connected), words + (f"; not {', '.join(missing)}" if missing else ""))


class _Handler(BaseHTTPRequestHandler):
    timeout = 10  # seconds for a request's lines, so that an idle peer holds no thread
    server: _Server

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        response = self.server.respond(self.path.partition("?")[0])
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class has this name
        log.debug("http %s", format % args)

    def version_string(self) -> str:
        return "cascade-monitor"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], table: Mapping[str, Route]) -> None:
        self._table = table
        super().__init__(address, _Handler)

    def respond(self, path: str) -> Response:
        route = self._table.get(path)
        if route is None:
            return Response(HTTPStatus.NOT_FOUND, _TEXT, f"there are {', '.join(self._table)}\n".encode())
        try:
            return route()
        except TimeoutError as error:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{error}\n".encode())
        except Exception:
            log.exception("%s failed", path)
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"failed; the log has the traceback\n")

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  # signature of the base class
        log.debug("http client %s disconnected: %s", client_address, sys.exception())


class HttpServer:
    """Serves routes from a thread while entered.

    Args:
        host, port: where to listen; port 0 takes a free one.
        table: routes by path.

    Raises:
        OSError: on entering, if the address is in use or not allowed.
    """

    def __init__(self, host: str, port: int, table: Mapping[str, Route]) -> None:
        self._where = (host, port)
        self._table = table
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Return the host and port of the server."""
        if self._server is None:
            raise RuntimeError("the server is not running; use it as a context manager")
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def url(self) -> str:
        """Return the server's address, such as ``http://127.0.0.1:9108``."""
        host, port = self.address
        return f"http://{host}:{port}"

    def __enter__(self) -> Self:
        host, port = self._where
        try:
            self._server = _Server(self._where, self._table)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(f"cannot listen on {host}:{port}: {reason}; set delivery.port or delivery.host") from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="http", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None


def health(url: str, timeout_s: float = 5.0) -> Check:
    """Request a health endpoint, as a container's health check does; ``detail`` is the answer or the error."""
    try:
        answer = httpx.get(url, timeout=timeout_s, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Check(url, ok=False, detail=f"no answer: {error}")
    return Check(url, answer.is_success, answer.text.strip())
