import asyncio
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from monitor.bus.memory import MemoryBus
from monitor.bus.topics import SIGNALS
from monitor.contracts import Signal as Contract
from monitor.delivery.signals import SignalLines, output
from monitor.events import SideTotals, Signal, SignalCoverage


def signal(revision: int) -> Signal:
    return Signal(
        episode_id="BTC-1",
        revision=revision,
        asset="BTC",
        phase="building",
        previous_phase="calm",
        direction="long",
        risk_score=40.0,
        event_time_us=1,
        emitted_time_us=2,
        started_us=1,
        price=None,
        drawdown_pct=-1.0,
        liquidated_usd=SideTotals(1.0, 0.0),
        windows={},
        evidence=[],
        coverage=SignalCoverage([], [], 1.0),
    )


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def eventually(done: Callable[[], bool]) -> None:
    for _ in range(5000):
        if done():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it never came")


async def test_signals_become_lines_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each signal is one line that validates, flushed as it comes, also after quiet polls."""
    monkeypatch.setattr("monitor.delivery.signals.POLL_S", 0.001)
    bus = MemoryBus()
    path = tmp_path / "deep" / "signals.jsonl"
    with output(str(path)) as stream:
        lines = SignalLines(bus.subscriber([SIGNALS]), stream)
        task = asyncio.create_task(lines.run())
        await asyncio.sleep(0.01)
        bus.publisher().write([signal(1), signal(2)])
        await eventually(lambda: lines.written == 2)
        assert [json.loads(line)["revision"] for line in path.read_text().splitlines()] == [1, 2]
        bus.publisher().write([signal(3)])
        await stop(task)
    records = [Contract.model_validate_json(line) for line in path.read_text().splitlines()]
    assert [record.revision for record in records] == [1, 2, 3]


async def test_file_is_appended_to(tmp_path: Path) -> None:
    """A restart keeps the signals of before."""
    path = tmp_path / "signals.jsonl"
    path.write_text("before\n")
    with output(str(path)) as stream:
        stream.write(b"after\n")
    assert path.read_text() == "before\nafter\n"


def test_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """``-`` writes to standard output and leaves it open."""
    with output("-") as stream:
        stream.write(b"x\n")
        stream.flush()
    assert capfdbinary.readouterr().out == b"x\n"
    assert not stream.closed


async def test_reader_that_leaves_ends_the_writing_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A broken pipe is one line in the log; the bus is left, so nothing piles up, and closing raises nothing."""
    bus = MemoryBus(high_water=2)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as stream:
        lines = SignalLines(bus.subscriber([SIGNALS]), stream)
        bus.publisher().write([signal(1)])
        await asyncio.wait_for(lines.run(), 5)
    assert [record.getMessage() for record in caplog.records] == [
        "nobody reads the signals any more: no more are written"
    ]
    bus.publisher().write([signal(2), signal(3), signal(4)])
    assert not bus.full
    assert lines.written == 0
