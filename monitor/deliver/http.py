"""Defines the monitor's HTTP routes for metrics and health, and requests a health endpoint."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

import httpx
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from monitor.model.events import MICROS
from monitor.model.visibility import MonitorVisibility

TEXT: Final = "text/plain; charset=utf-8"
"""Content type of answers for people and scripts."""


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
            return Response(HTTPStatus.OK, TEXT, b"the event loop turns\n")
        return Response(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, b"the event loop has not turned for 10 s\n")

    def readyz() -> Response:
        results = checks()
        lines = [f"{'ok' if check.ok else 'NOT READY'} {check.name}: {check.detail}\n" for check in results]
        ready = all(check.ok for check in results)
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(status, TEXT, "".join(lines).encode())

    def scrape() -> Response:
        return Response(HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, metrics())

    return {"/metrics": scrape, "/livez": livez, "/readyz": readyz}


def feeds_check(connected: Mapping[str, bool]) -> Check:
    """Check that at least one venue is connected, and name those that are not."""
    missing = [venue for venue, up in connected.items() if not up]
    words = f"{len(connected) - len(missing)} of {len(connected)} venues connected"
    return Check("feeds", len(missing) < len(connected), words + (f"; not {', '.join(missing)}" if missing else ""))


def visibility_check(seen: MonitorVisibility) -> Check:
    """Check that any exchange can be seen; the detail has the state, how many are connected and since when."""
    words = f"{seen.state}: {seen.connected} of {seen.expected} exchanges connected"
    since = (
        f" since {datetime.fromtimestamp(seen.since_us / MICROS, UTC):%Y-%m-%d %H:%M:%S} UTC" if seen.since_us else ""
    )
    return Check("visibility", not seen.is_blind, words + since)


def health(url: str, timeout_s: float = 5.0, authority: Path | None = None) -> Check:
    """Request a health endpoint, as a container's health check does; ``detail`` is the answer or the error.

    Args:
        url: address of the endpoint.
        timeout_s: longest wait, seconds.
        authority: certificates (PEM) that sign an HTTPS server's; None takes the well-known ones.
    """
    try:
        trusted = ssl.create_default_context(cafile=authority) if authority is not None else True
        answer = httpx.get(url, timeout=timeout_s, trust_env=False, verify=trusted)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Check(url, ok=False, detail=f"no answer: {error}")
    return Check(url, answer.is_success, answer.text.strip())
