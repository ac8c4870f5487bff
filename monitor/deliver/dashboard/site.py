"""The page's routes and its clock."""

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
"""Nothing from outside, whatever a page is made to hold; charts place themselves by inline styles."""

TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
FILES: Final = {
    "/": "index.html",
    "/page.js": "page.js",
    "/page.css": "page.css",
    "/uplot.min.js": "uplot.min.js",
    "/uplot.min.css": "uplot.min.css",
}


def page_routes(state: Callable[[], bytes]) -> dict[str, Route]:
    """The page's files and its data; ``state`` is called from the server's threads."""
    table: dict[str, Route] = {path: _file(name) for path, name in FILES.items()}
    table["/state.json"] = lambda: Response(HTTPStatus.OK, "application/json", state())
    return table


def _file(name: str) -> Route:
    body = files("monitor.deliver.dashboard").joinpath("static", name).read_bytes()
    kind = f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    return lambda: Response(HTTPStatus.OK, kind, body, {"Content-Security-Policy": POLICY})


async def sample(source: Source) -> None:
    """Take the charts' points until cancelled."""
    while True:
        source.sample()
        await asyncio.sleep(SAMPLE_S)
