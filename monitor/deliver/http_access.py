"""Decides who may read the monitor's HTTP server: by name of the host, by token, by certificate."""

from __future__ import annotations

import base64
import binascii
import hmac
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from monitor.deliver.http import TEXT, Response
from monitor.model.hosts import is_loopback

HEALTH: Final = frozenset({"/livez", "/readyz"})
"""Paths that need no token: an orchestrator's health checks have none, and they show no market data."""


class Access(NamedTuple):
    """Conditions of reading the server.

    Attributes:
        token: sent by a client as ``Authorization: Bearer TOKEN`` or, from a browser, as the password; None admits all.
        tls: certificate of the server and authority of its clients; None serves plain HTTP.
    """

    token: str | None = None
    tls: ssl.SSLContext | None = None

    def refusal(self, path: str, authorization: str) -> Response | None:
        """Return the answer to a request that is refused; None for one that may be answered."""
        if self.token is None or path in HEALTH or self._admits(authorization):
            return None
        challenge = {"WWW-Authenticate": 'Basic realm="cascade-monitor", charset="UTF-8"'}
        return Response(HTTPStatus.UNAUTHORIZED, TEXT, b"a token is required, see delivery.token\n", challenge)

    def _admits(self, authorization: str) -> bool:
        scheme, _, shown = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                shown = base64.b64decode(shown, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(shown.strip().encode(), (self.token or "").encode())


OPEN: Final = Access()
"""Everybody who reaches the address, over plain HTTP."""


def server_tls(certificate: Path, key: Path | None, client_authority: Path | None) -> ssl.SSLContext:
    """Return the TLS context of a server, 1.2 or newer.

    Args:
        certificate: file of the server's certificate chain, PEM.
        key: file of its key; None where the chain's file holds it.
        client_authority: certificates that sign those of admitted clients; None requires none.

    Raises:
        ValueError: a file cannot be read or is no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if client_authority is not None:
            context.load_verify_locations(client_authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        files = ", ".join(str(each) for each in (certificate, key, client_authority) if each)
        raise ValueError(f"{files}: no usable certificate: {error.strerror or error}") from error
    return context


def refuse_foreign_host(header: str) -> Response | None:
    """Return the answer of a server on loopback to a ``Host`` header that names another host; None for its own names.

    A web page of a host whose name resolves to this machine could read the server otherwise (DNS rebinding). Clients
    that send no such header are no browsers.
    """
    if not header or is_loopback(host_name(header)):
        return None
    return Response(HTTPStatus.MISDIRECTED_REQUEST, TEXT, b"this server answers to localhost only\n")


def host_name(header: str) -> str:
    """Return the host of a ``Host`` header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if header.count(":") == 1 else header
