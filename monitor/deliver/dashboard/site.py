"""Serves the dashboard's files and its state, and samples its charts once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from monitor.deliver.dashboard.state import Source
from monitor.deliver.http import Response, Route

SAMPLE_S: Final = 1.0

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:"
)
"""Content security policy: no foreign content, whatever the state contains. The charts need inline styles."""

TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
FILES: Final = {
    "/": "index.html",
    "/dashboard.js": "dashboard.js",
    "/dashboard.css": "dashboard.css",
    "/uplot.min.js": "uplot.min.js",
    "/uplot.min.css": "uplot.min.css",
}


def dashboard_routes(state: Callable[[], bytes]) -> dict[str, Route]:
    """Return the routes of the dashboard's files and its state; ``state`` is called from the server's threads."""
    table: dict[str, Route] = {path: _file(name) for path, name in FILES.items()}
    table["/state.json"] = lambda: Response(HTTPStatus.OK, "application/json", state())
    return table


def _file(name: str) -> Route:
    body = files("monitor.deliver.dashboard").joinpath("static", name).read_bytes()
    kind = f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    return lambda: Response(HTTPStatus.OK, kind, body, {"Content-Security-Policy": POLICY})


async def sample(source: Source) -> None:
    """Add the charts' points once a second until cancelled."""
    while True:
        source.sample()
        await asyncio.sleep(SAMPLE_S)
