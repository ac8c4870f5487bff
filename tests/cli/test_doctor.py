"""The doctor says in words what is wrong and what to do, looking at real servers on loopback."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from monitor.cli.doctor import clock, exchange, feed, writable
from monitor.cli.main import cli
from monitor.exchanges.bybit.adapter import Bybit
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import CALM
from monitor.settings.tree import VenueSettings
from tests.collect.rest_server import Answer as RestAnswer
from tests.collect.rest_server import RestServer, rest_server
from tests.deliver.paging.events_api import Answer, EventsApi

__all__ = ["rest_server"]

KEY = "a1b2c3d4" * 4


def doctor(folder: Path, text: str, *options: str) -> Result:
    """Run the command with a settings file."""
    (folder / "c.yaml").write_text(text)
    return CliRunner().invoke(cli, ["doctor", "--config", str(folder / "c.yaml"), *options])


def nobody(folder: Path, **notifier: Any) -> str:
    """Settings of a role that dials nobody, with something to page."""
    return f"""
role: notifier
bus: {{kind: kafka, kafka: {{bootstrap_servers: "127.0.0.1:1"}}}}
collector: {{instruments_cache: {folder}/cache}}
delivery: {{state_file: {folder}/state}}
notifier: {notifier}
"""


async def test_an_exchange_that_answers_is_well() -> None:
    """Its instruments are counted."""
    async with Arena(CALM) as arena, httpx.AsyncClient(trust_env=False) as client:
        url = arena.exchanges["bybit"].rest_url
        found = await exchange(client, Bybit, VenueSettings(rest_url=url))
    assert found[0].ok
    assert "instruments" in found[0].detail


async def test_a_feed_is_tried_by_its_sockets_too() -> None:
    """Each kind of socket is opened and must confirm and speak; where REST is not well, none is dialled."""
    async with Arena(CALM) as arena, httpx.AsyncClient(trust_env=False) as client:
        bybit = arena.exchanges["bybit"]
        found = await feed(client, Bybit, VenueSettings(rest_url=bybit.rest_url, ws_url=bybit.ws_url))
        silent = await feed(client, Bybit, VenueSettings(rest_url=bybit.rest_url, ws_url="ws://127.0.0.1:1/"))
        nothing = await feed(client, Bybit, VenueSettings(rest_url="http://127.0.0.1:1"))
    assert [(one.what, one.ok) for one in found if "linear" in one.what] == [("bybit linear-0", True)]
    (down,) = [one for one in silent if "linear" in one.what]
    assert not down.ok
    assert "venues.bybit.ws_url" in down.remedy
    assert [one.ok for one in nothing] == [False]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (RestAnswer(403, b""), "answers HTTP 403; this address or country is refused"),
        (RestAnswer(500, b""), "answers HTTP 500; check network, proxy and venues.bybit.rest_url"),
        (RestAnswer(200, b"{}"), "returns no instruments"),
    ],
)
async def test_an_exchange_that_refuses_is_named(rest_server: RestServer, answer: RestAnswer, words: str) -> None:
    """By status, and where the answer is none."""
    rest_server.answers = [answer]
    async with httpx.AsyncClient(trust_env=False) as client:
        (finding,) = await exchange(client, Bybit, VenueSettings(rest_url=rest_server.url))
    assert not finding.ok
    assert words in f"{finding.detail}; {finding.remedy}"


async def test_an_exchange_that_is_not_there_is_named_with_the_remedy() -> None:
    """A closed port is in words."""
    async with httpx.AsyncClient(trust_env=False) as client:
        (finding,) = await exchange(client, Bybit, VenueSettings(rest_url="http://127.0.0.1:1"))
    assert "cannot be reached (ConnectError" in finding.detail


@pytest.mark.parametrize(
    ("ahead_s", "ok", "words"), [(1, True, "agrees"), (90, False, "90 s ahead of"), (-90, False, "90 s behind")]
)
def test_a_clock_that_differs_is_said(ahead_s: int, ok: bool, words: str) -> None:
    """Whole seconds of an HTTP date are no difference; a minute and a half is."""
    (finding,) = clock("bybit", formatdate(1_764_000_000 + ahead_s, usegmt=True), 1_764_000_000.0)
    assert finding.ok == ok
    assert words in finding.detail
    assert clock("bybit", None, 0.0) == clock("bybit", "yesterday", 0.0) == []


def test_a_file_in_a_folder_s_place_is_no_folder(tmp_path: Path) -> None:
    """Nothing can be made below it."""
    (tmp_path / "state").write_text("")
    assert not writable("delivery.state_file", tmp_path / "state" / "detector").ok
    assert writable("delivery.state_file", tmp_path / "new" / "detector").ok


def test_brokers_that_are_away_and_a_key_that_is_none_are_said(tmp_path: Path) -> None:
    """Each in one line; the key itself is not in it, and the status is 1."""
    result = doctor(tmp_path, nobody(tmp_path, pagerduty={"routing_key": "short-secret"}))
    assert result.exit_code == 1
    assert "WRONG kafka:" in result.output
    assert "WRONG pagerduty: the routing key is not 32 letters and digits; copy the integration key" in result.output
    assert "short-secret" not in result.output
    assert "checks, 2 failed" in result.output


def test_a_test_page_is_opened_and_resolved(tmp_path: Path) -> None:
    """Both arrive with the same key, and say that they are a test."""
    with EventsApi() as api:
        result = doctor(tmp_path, nobody(tmp_path, pagerduty={"routing_key": KEY, "url": api.url}), "--page")
        opened, resolved = api.accepted
    assert "accepted the test page TEST-long-" in result.output
    assert (opened["event_action"], resolved["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == resolved["dedup_key"]
    assert "a test of this channel, and no cascade" in opened["payload"]["summary"]
    assert opened["payload"]["severity"] == "info"


def test_a_test_page_that_is_refused_is_said(tmp_path: Path) -> None:
    """A wrong key is found before the night."""
    with EventsApi() as api:
        api.answers = [Answer(400)]
        result = doctor(tmp_path, nobody(tmp_path, pagerduty={"routing_key": KEY, "url": api.url}), "--page")
    assert "WRONG pagerduty: refuses pages" in result.output
    assert KEY not in result.output


def test_a_test_page_that_nobody_takes_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real page would be tried for ever; a test says what went wrong."""
    monkeypatch.setattr("monitor.cli.doctor.PAGE_S", 0.3)
    with EventsApi() as api:
        api.answers = [Answer(503)] * 100
        result = doctor(tmp_path, nobody(tmp_path, pagerduty={"routing_key": KEY, "url": api.url}), "--page")
    assert "WRONG pagerduty: no page was accepted within 0 s (1 x server)" in result.output


def test_with_nobody_to_page_a_test_page_is_wrong(tmp_path: Path) -> None:
    """Without --page it is only said."""
    assert "ok    pages: nobody is paged" in doctor(tmp_path, nobody(tmp_path)).output
    assert "WRONG pages: nobody is paged; set notifier.pagerduty" in doctor(tmp_path, nobody(tmp_path), "--page").output
