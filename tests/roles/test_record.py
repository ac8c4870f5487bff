from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
from pathlib import Path

import pytest

from monitor.collect.recording import INSTRUMENTS, read_file
from monitor.lab.demo.story import demo_settings
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import Phase, Scenario
from monitor.model.errors import OperatorError
from monitor.model.events import Gap, Heartbeat
from monitor.model.lines import RawFrame
from monitor.roles import record
from monitor.settings import Settings
from monitor.settings.tree import CollectorSettings
from tests.waiting import patient

MOMENT = Scenario("moment", (Phase("busy", 2.5, push=-0.03, noise=4, activity=4),))


def test_recording_needs_a_place() -> None:
    """Without a path it says which key and option there are."""
    with pytest.raises(OperatorError, match=r"collector\.record_path or give --output"):
        record.run(Settings())


def test_a_recording_that_cannot_begin_ends_the_command(tmp_path: Path) -> None:
    """Here it is the main work, unlike beside a running monitor."""
    (tmp_path / "file").write_text("no folder")
    settings = Settings.model_validate({"collector": {"record_path": tmp_path / "file" / "frames.jsonl"}})
    with pytest.raises(FileExistsError):
        record.run(settings)


async def test_everything_that_came_is_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file holds instruments first, then frames and heartbeats of every venue in the order of arrival."""
    monkeypatch.setattr(record, "REPORT_S", 0.5)
    path = tmp_path / "frames.jsonl.gz"
    async with Arena(MOMENT) as arena:
        settings = demo_settings(arena, tmp_path, None)
        collector = CollectorSettings(instruments_cache=tmp_path, record_path=path)
        with caplog.at_level(logging.INFO):
            task = asyncio.create_task(record._record(settings.model_copy(update={"collector": collector})))
            await asyncio.wait_for(arena.watched(), patient(10))
            await arena.play()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        venues = set(arena.exchanges)
    with gzip.open(path) as whole:  # raises if its end is missing
        assert whole.read(1) == b"{"
    items = list(read_file(path))
    frames = [item for item in items if isinstance(item, RawFrame)]
    own = [item for item in items if isinstance(item, Gap | Heartbeat)]
    assert len(frames) + len(own) == len(items)
    assert {frame.venue for frame in frames if frame.channel == INSTRUMENTS} == venues
    assert {frame.venue for frame in frames if frame.channel != INSTRUMENTS} == venues
    assert {event.venue for event in own} == venues
    for venue in venues:
        assert next(frame for frame in frames if frame.venue == venue).channel == INSTRUMENTS
    arrivals = [item.receive_time_us for item in frames]
    assert arrivals == sorted(arrivals)
    assert "frames recorded" in caplog.text


async def test_instruments_that_do_not_come_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a venue is without instruments the report leaves it out, and nothing fails."""
    monkeypatch.setattr(record, "REPORT_S", 0.01)
    path = tmp_path / "frames.jsonl"
    settings = Settings.model_validate(
        {
            "venues": {"bybit": {"ws_url": "ws://127.0.0.1:1/", "rest_url": "http://127.0.0.1:1"}},
            "collector": {"instruments_cache": tmp_path, "record_path": path},
        }
    )
    task = asyncio.create_task(record._record(settings))
    await asyncio.sleep(0.1)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
