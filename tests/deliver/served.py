"""The monitor's routes on a running server, with a state that a test changes."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from monitor.deliver.http import Check, routes
from monitor.deliver.http_server import HttpServer
from tests.waiting import patient
from tests.web import CONTEXT


class State:
    """What the served routes say."""

    def __init__(self) -> None:
        self.alive = True
        self.checks = [Check("settings", ok=True, detail="loaded")]
        self.failure: Exception | None = None

    def metrics(self) -> bytes:
        """A scrape, or the failure of one."""
        if self.failure:
            raise self.failure
        return b"cascade_up 1\n"


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def server(state: State) -> Iterator[HttpServer]:
    with HttpServer("127.0.0.1", 0, routes(state.metrics, lambda: state.alive, lambda: state.checks)) as running:
        yield running


def get(server: HttpServer, path: str, method: str = "GET") -> httpx.Response:
    return httpx.request(method, server.url + path, trust_env=False, verify=CONTEXT, timeout=patient(5))
