"""Serves routes over HTTP from threads of their own, so that a scrape never blocks the event loop.

Limits keep peers from exhausting it: connections at a time, and the time of one request from its first byte to the last
of the answer.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from monitor.deliver.http import TEXT, Response, Route
from monitor.deliver.http_access import OPEN, Access, refuse_foreign_host
from monitor.model.hosts import bracketed, is_loopback

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 64
"""Largest number of connections at a time; a further one is closed at once."""
REQUEST_S: Final = 30.0
"""Longest time of one request, seconds, whatever the peer sends or reads in between."""
IDLE_S: Final = 10.0
"""Longest wait for the next bytes of a request, seconds."""
HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Headers of every answer: browsers take it for nothing else, show it in no frame, and keep no copy."""


class _Handler(BaseHTTPRequestHandler):
    timeout = IDLE_S
    server: _Server

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        response = self.server.refusal(
            path, self.headers.get("Host", ""), self.headers.get("Authorization", "")
        ) or self.server.respond(path)
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in {**HEADERS, **response.headers}.items():
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
    request_queue_size = MAX_CONNECTIONS  # the default of 5 delays bursts by the second after which a SYN is repeated

    def __init__(self, host: str, port: int, table: Mapping[str, Route], access: Access) -> None:
        self._table = table
        self._access = access
        self._opened: dict[socket.socket, float] = {}  # seconds on the monotonic clock
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._only_local = is_loopback(host)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6 and hasattr(socket, "IPPROTO_IPV6"):
            # ``::`` listens on IPv4 as well, as an administrator expects of "all addresses".
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Admit a connection unless there are too many; called before a thread is started for it."""
        with self._lock:
            if len(self._opened) >= MAX_CONNECTIONS:
                log.debug("http client %s: %d connections are open", client_address, MAX_CONNECTIONS)
                return False
            self._opened[request] = time.monotonic()
        return True

    def service_actions(self) -> None:
        """End the connections whose request takes too long; called several times a second."""
        before = time.monotonic() - REQUEST_S
        with self._lock:
            late = [request for request, opened in self._opened.items() if opened < before]
        for request in late:
            with suppress(OSError):  # it may have ended by itself
                request.shutdown(socket.SHUT_RDWR)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer one connection, in a thread of its own."""
        if self._access.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(IDLE_S)
        # The descriptor stays with ``request``, so that its shutdown reaches the encrypted socket as well.
        with self._access.tls.wrap_socket(request.dup(), server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._opened.pop(request, None)
        super().shutdown_request(request)

    def refusal(self, path: str, host: str, authorization: str) -> Response | None:
        """Return why a request is not answered, if so."""
        if self._only_local and (foreign := refuse_foreign_host(host)) is not None:
            return foreign
        return self._access.refusal(path, authorization)

    def respond(self, path: str) -> Response:
        route = self._table.get(path)
        if route is None:
            return Response(HTTPStatus.NOT_FOUND, TEXT, f"there are {', '.join(self._table)}\n".encode())
        try:
            return route()
        except TimeoutError as error:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, f"{error}\n".encode())
        except Exception:
            log.exception("%s failed", path)
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, b"failed; the log has the traceback\n")

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  # signature of the base class
        log.debug("http client %s disconnected: %s", client_address, sys.exception())


class HttpServer:
    """Serves routes from a thread while entered.

    Args:
        host: address to listen on, IPv4 or IPv6; ``::`` stands for all addresses of both.
        port: port to listen on; 0 takes a free one.
        table: routes by path.
        access: who may read them.

    Raises:
        OSError: on entering, if the address is in use or not allowed.
    """

    def __init__(self, host: str, port: int, table: Mapping[str, Route], access: Access = OPEN) -> None:
        self._where = (host, port)
        self._table = table
        self._access = access
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
        return f"{'http' if self._access.tls is None else 'https'}://{bracketed(host)}:{port}"

    def __enter__(self) -> Self:
        host, port = self._where
        try:
            self._server = _Server(host, port, self._table, self._access)
        except OSError as error:
            reason = error.strerror or str(error)
            where = f"{bracketed(host)}:{port}"
            raise OSError(f"cannot listen on {where}: {reason}; set delivery.port or delivery.host") from error
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
