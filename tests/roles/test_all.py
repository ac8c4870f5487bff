from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.bus.topics import MARKET_TOPICS
from monitor.deliver.paging import pagerduty
from monitor.deliver.paging.incidents import Page
from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR, demo_settings
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import Phase, Scenario
from monitor.model.errors import OperatorError
from monitor.model.events import MICROS, Heartbeat
from monitor.model.visibility import STARTING_US
from monitor.roles import all as role
from monitor.roles import state_file
from monitor.roles.all import monitoring
from monitor.settings import Settings
from monitor.settings.notifier import NotifierSettings
from tests.deliver.paging.test_incidents import EPISODE
from tests.waiting import patient, until
from tests.web import get

CRASHES = 'cascade_notifier_crashes_total{channel="pagerduty"}'
MOMENT = Scenario("moment", (Phase("busy", 1.5, push=-0.03, noise=4, activity=4),))


def changed(settings: Settings, **delivery: Any) -> Settings:
    """The settings with other delivery keys."""
    return settings.model_copy(update={"delivery": settings.delivery.model_copy(update=delivery)})


async def until_listening(monitor: role.Monitor, venues: int) -> None:
    """Wait for a heartbeat from all venues."""
    beats: set[str] = set()
    listener = monitor.bus.subscriber(MARKET_TOPICS)
    async with asyncio.timeout(patient(15)):
        while len(beats) < venues:
            for batch in await listener.poll(1):
                beats |= {record.venue for record in batch.records if isinstance(record, Heartbeat)}
    await listener.close()


async def test_kafka_is_refused_with_the_way_out() -> None:
    """Role all has its own bus; the error names the roles for Kafka."""
    settings = Settings.model_validate({"bus": {"kind": "kafka"}})
    with pytest.raises(OperatorError, match="with kafka run the roles collector, detector and notifier"):
        async with monitoring(settings):
            pass


async def test_all_parts_work_while_the_context_lasts(tmp_path: Path) -> None:
    """Events reach the detector, HTTP answers, signals go to the file, the state is kept; then the port is free."""
    state, signals = tmp_path / "detector.state", tmp_path / "out" / "signals.jsonl"
    async with Arena(MOMENT) as arena:
        settings = changed(demo_settings(arena, tmp_path, str(signals)), state_file=state)
        async with monitoring(settings) as monitor:
            early = await get(f"{monitor.url}/readyz")
            playing = asyncio.create_task(_play(arena))
            await until_listening(monitor, 3)
            ready = await get(f"{monitor.url}/readyz")
            metrics = await get(f"{monitor.url}/metrics")
            await playing
        events = sum(venue.fleet.total.events["trade"] for venue in monitor.collecting.collector.stats() if venue.fleet)
    assert early.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "NOT READY feeds: 0 of 3 venues connected" in early.text
    assert (ready.status_code, ready.text.splitlines()[0]) == (HTTPStatus.OK, "ok state: saved")
    assert 'cascade_instruments_age_seconds{venue="okx"}' in metrics.text
    assert 'cascade_consumer_lag_records{partition="0",topic="memory"}' in metrics.text
    assert events > 0
    # Decided to the last event, though the context ended right after it.
    kept = state_file.load(state, DETECTOR)
    assert kept.view().liquidations == monitor.detector.view().liquidations > 0
    lines = signals.read_text().splitlines()
    assert all(json.loads(line)["type"] == "signal" for line in lines)
    with pytest.raises(httpx.ConnectError):
        await get(f"{monitor.url}/livez")


async def _play(arena: Arena) -> None:
    await asyncio.wait_for(arena.watched(), patient(10))
    await arena.play()


async def test_a_start_without_network_shows_that_nothing_is_seen(tmp_path: Path) -> None:
    """No exchange can be reached from the start: metrics, readiness and the dashboard's state have no calm in them."""
    async with Arena(MOMENT) as arena:
        settings = changed(demo_settings(arena, tmp_path, None), page=True)
    now_us = 1_764_000_000 * MICROS
    async with monitoring(settings, Detector(DETECTOR), lambda: now_us) as monitor:
        starting = (await get(f"{monitor.url}/readyz")).text
        metrics = (await get(f"{monitor.url}/metrics")).text
        now_us += STARTING_US
        blind = await get(f"{monitor.url}/readyz")
        state = json.loads((await get(f"{monitor.url}/state.json")).text)
    assert "NOT READY visibility: starting: 0 of 3 exchanges connected since 2025-11-24 16:00:00 UTC" in starting
    connected = dict(
        re.findall(r'^cascade_feed_connected{connection="none",venue="([\w-]+)"} (.+)$', metrics, re.MULTILINE)
    )
    assert connected == dict.fromkeys(settings.enabled_venues, "0.0")
    assert 'cascade_visibility_state{state="starting"} 1.0' in metrics
    assert blind.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "NOT READY visibility: blind: 0 of 3 exchanges connected since 2025-11-24 16:00:00 UTC" in blind.text
    assert state["visibility"] == {"state": "blind", "connected": 0, "expected": 3, "since_us": now_us - STARTING_US}


async def test_given_detector_is_used(tmp_path: Path) -> None:
    """A detector that is warm already is not replaced by the file's."""
    async with Arena(MOMENT) as arena:
        detector = Detector(DETECTOR)
        async with monitoring(demo_settings(arena, tmp_path, None), detector) as monitor:
            assert monitor.detector is detector is monitor.decider.detector


async def test_failed_saves_make_it_unready(tmp_path: Path) -> None:
    """Whoever would lose its state at a restart says so, until a later save makes it good; metrics name the output."""
    blocked = tmp_path / "state"
    blocked.write_text("a file where a folder should be")
    async with Arena(MOMENT) as arena:
        settings = changed(demo_settings(arena, tmp_path, None), state_file=blocked / "detector.state")
        async with monitoring(settings, Detector(DETECTOR)) as monitor:
            monitor.decider._save()
            await until(lambda: monitor.decider.output.stats().failing)
            unready = await get(f"{monitor.url}/readyz")
            metrics = (await get(f"{monitor.url}/metrics")).text
            blocked.unlink()
            await until(lambda: not monitor.decider.output.stats().failing)
            after = await get(f"{monitor.url}/readyz")
    assert unready.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "NOT READY state: cannot be saved: " in unready.text
    assert 'cascade_output_failing{output="state_file"} 1.0' in metrics
    assert 'cascade_output_failing{output="instruments_cache"} 0.0' in metrics
    assert "ok state: saved" in after.text
    assert (blocked / "detector.state").exists()


def failing(exposition: str) -> set[str]:
    """The outputs that cannot be written, by the metrics."""
    return set(re.findall(r'^cascade_output_failing{output="(\w+)"} 1', exposition, re.MULTILINE))


async def test_disks_that_take_nothing_stop_neither_feeds_nor_decisions(tmp_path: Path) -> None:
    """Recording, signals, state, journal and instrument cache all fail from the start; what is collected is decided."""
    outputs = {"recording", "signals_output", "state_file", "journal", "instruments_cache"}
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    async with Arena(MOMENT) as arena:
        settings = changed(demo_settings(arena, tmp_path, "/dev/full"), state_file=blocked / "detector.state")
        collector = settings.collector.model_copy(
            update={"record_path": Path("/dev/full"), "instruments_cache": blocked / "instruments"}
        )
        async with monitoring(settings.model_copy(update={"collector": collector})) as monitor:
            await _play(arena)
            monitor.bus.write(EPISODE[:2])
            monitor.decider._save()

            async def all_fail() -> bool:
                return failing((await get(f"{monitor.url}/metrics")).text) == outputs

            await until(all_fail)
            alive = await get(f"{monitor.url}/livez")
        crashes = sum(venue.fleet.total.crashes for venue in monitor.collecting.collector.stats() if venue.fleet)
    assert monitor.detector.view().liquidations > 0
    assert crashes == 0
    assert alive.status_code == HTTPStatus.OK


async def test_a_fault_of_a_notifier_stops_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process goes on deciding and serving; metrics count the fault, and readiness says that pages wait."""

    def broken(*_: object) -> Callable[[Page], dict[str, Any]]:
        def render(_: Page) -> dict[str, Any]:
            raise RuntimeError("a fault of ours")

        return render

    monkeypatch.setattr(pagerduty, "renderer", broken)
    paging = NotifierSettings.model_validate({"pagerduty": {"routing_key": "K"}, "state_file": None})
    async with Arena(MOMENT) as arena:
        settings = demo_settings(arena, tmp_path, None).model_copy(update={"notifier": paging})
        async with monitoring(settings, Detector(DETECTOR)) as monitor:
            monitor.bus.write(EPISODE[:2])

            async def crashed() -> bool:
                return f"{CRASHES} 0.0" not in (await get(f"{monitor.url}/metrics")).text

            await until(crashed)
            ready = await get(f"{monitor.url}/readyz")
            await _play(arena)
            alive = await get(f"{monitor.url}/livez")
        assert monitor.detector.view().liquidations > 0
    assert "NOT READY notifiers: pagerduty: failed and restarted, 1 pages wait" in ready.text
    assert alive.status_code == HTTPStatus.OK


async def test_taken_port_ends_the_start(tmp_path: Path) -> None:
    """The error names the address and the key; nothing is left running."""
    async with Arena(MOMENT) as arena:
        taken = arena.exchanges["okx"].port
        settings = changed(demo_settings(arena, tmp_path, None), port=taken)
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{taken}.*delivery\.port"):
            async with monitoring(settings):
                pass
    assert not [thread for thread in threading.enumerate() if thread.name == "http"]


async def test_symbols_that_no_venue_lists_are_retried(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Symbols that are not traded, as in maintenance, do not end the role; the log names the key to check."""
    async with Arena(MOMENT) as arena:
        venue = {
            "symbols": ["NOPE"],
            "ws_url": arena.exchanges["bybit"].ws_url,
            "rest_url": arena.exchanges["bybit"].rest_url,
        }
        settings = Settings.model_validate(
            {
                "venues": {"bybit": venue},
                "collector": {"instruments_cache": tmp_path},
                "delivery": {"port": 0, "state_file": None},
            }
        )
        async with monitoring(settings):
            await until(lambda: "check venues.bybit.symbols; next attempt in" in caplog.text)


def test_run_watches_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's entry runs the watch on its own loop and reports success."""
    watched: list[Settings] = []

    async def watch(settings: Settings) -> None:
        watched.append(settings)

    monkeypatch.setattr(role, "_watch", watch)
    settings = Settings()
    assert role.run(settings) == 0
    assert watched == [settings]
