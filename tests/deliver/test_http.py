import urllib.request
from http import HTTPStatus

import httpx
import pytest

from monitor.deliver.http import Check, feeds_check, health
from monitor.deliver.http_server import HttpServer
from tests.deliver.served import State, get, server, state

__all__ = ["server", "state"]


def test_metrics_are_served_as_classic_text(server: HttpServer) -> None:
    """A scrape gets the exposition in the text format, whatever it accepts."""
    answer = httpx.get(server.url + "/metrics?x=1", headers={"Accept": "application/openmetrics-text"}, trust_env=False)
    assert answer.text == "cascade_up 1\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "python" not in answer.headers["server"].lower()


def test_livez_follows_the_loop_alone(server: HttpServer, state: State) -> None:
    """A stuck loop is dead; feeds that are down are not."""
    state.checks = [Check("feeds", ok=False, detail="0 of 3")]
    assert get(server, "/livez").status_code == HTTPStatus.OK
    state.alive = False
    answer = get(server, "/livez")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "10 s" in answer.text


def test_readyz_says_what_is_missing(server: HttpServer, state: State) -> None:
    """Readiness needs all checks, and names each in words."""
    assert get(server, "/readyz").text == "ok settings: loaded\n"
    state.checks.append(feeds_check({"bybit": False, "okx": False}))
    answer = get(server, "/readyz")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.text.splitlines()[1] == "NOT READY feeds: 0 of 2 venues connected; not bybit, okx"


@pytest.mark.parametrize(
    ("connected", "expected"),
    [
        ({"bybit": True, "okx": True}, Check("feeds", ok=True, detail="2 of 2 venues connected")),
        ({"bybit": True, "okx": False}, Check("feeds", ok=True, detail="1 of 2 venues connected; not okx")),
        ({}, Check("feeds", ok=False, detail="0 of 0 venues connected")),
    ],
)
def test_one_feed_is_enough(connected: dict[str, bool], expected: Check) -> None:
    """One venue makes the feeds ready; the missing ones are named all the same."""
    assert feeds_check(connected) == expected


def test_health_of_a_running_monitor(server: HttpServer, state: State) -> None:
    """The check passes on with the endpoint's words, and fails when the endpoint does."""
    assert health(server.url + "/livez") == Check(server.url + "/livez", ok=True, detail="the event loop turns")
    state.alive = False
    assert not health(server.url + "/livez").ok


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/livez", "no-url", "http://[bad"])
def test_health_without_an_answer(url: str) -> None:
    """Nobody there, or no address: not well, and it says why."""
    answer = health(url, timeout_s=1)
    assert not answer.ok
    assert answer.detail.startswith("no answer: ")


def test_health_ignores_proxies(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is not asked about this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert urllib.request.getproxies()
    assert health(server.url + "/livez").ok
