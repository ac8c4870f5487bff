import asyncio
import json
import os
import select
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from monitor.bus.memory import MemoryBus
from monitor.bus.topics import SIGNALS
from monitor.deliver.signal_lines import SignalLines
from monitor.model.schema import checked
from monitor.model.signals import SideTotals, Signal, SignalCoverage


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
    """Each signal is one line that validates, written as it comes, also after quiet polls."""
    monkeypatch.setattr("monitor.deliver.signal_lines.POLL_S", 0.001)
    bus = MemoryBus()
    path = tmp_path / "deep" / "signals.jsonl"
    lines = SignalLines(bus.subscriber([SIGNALS]), str(path))
    task = asyncio.create_task(lines.run())
    await eventually(path.exists)
    bus.publisher().write([signal(1), signal(2)])
    await eventually(lambda: path.read_bytes().count(b"\n") == 2)
    assert [json.loads(line)["revision"] for line in path.read_text().splitlines()] == [1, 2]
    bus.publisher().write([signal(3)])
    await stop(task)
    records = [checked(Signal, line) for line in path.read_text().splitlines()]
    assert [record.revision for record in records] == [1, 2, 3]


async def test_file_is_appended_to(tmp_path: Path) -> None:
    """A restart keeps the signals of before."""
    path = tmp_path / "signals.jsonl"
    path.write_text("before\n")
    bus = MemoryBus()
    task = asyncio.create_task(SignalLines(bus.subscriber([SIGNALS]), str(path)).run())
    await asyncio.sleep(0)
    bus.publisher().write([signal(1)])
    await stop(task)
    assert path.read_text().startswith('before\n{"type":"signal"')


async def test_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """``-`` writes to standard output and leaves it open."""
    bus = MemoryBus()
    task = asyncio.create_task(SignalLines(bus.subscriber([SIGNALS]), "-").run())
    await asyncio.sleep(0)
    bus.publisher().write([signal(1)])
    await stop(task)
    os.write(1, b"x\n")
    first, second = capfdbinary.readouterr().out.splitlines()
    assert (json.loads(first)["revision"], second) == (1, b"x")


async def test_a_reader_that_leaves_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe that nobody reads any more is one line in the log; the bus goes on being read, so nothing piles up."""
    bus, path = MemoryBus(high_water=2), tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    lines = SignalLines(bus.subscriber([SIGNALS]), str(path))
    task = asyncio.create_task(lines.run())
    bus.publisher().write([signal(1)])
    await eventually(lambda: select.select([reader], [], [], 0)[0] != [])
    os.close(reader)
    for revision in range(2, 6):
        bus.publisher().write([signal(revision)])
        await eventually(lambda: not bus.waiting)
    await eventually(lambda: lines.output.stats().failing)
    lines.output._closing = True  # noqa: SLF001  # another try to open it would wait for a reader
    await stop(task)
    assert [record.getMessage() for record in caplog.records if "cannot be written" in record.getMessage()] == [
        "signals_output: cannot be written ([Errno 32] Broken pipe); continuing without it and retrying"
    ]


async def test_a_pipe_that_nobody_opens_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While no reader comes signals leave the bus, what does not fit is counted, and the rest comes later."""
    monkeypatch.setattr("monitor.deliver.signal_lines.MAX_BYTES", 2_000)
    bus, path = MemoryBus(high_water=2), tmp_path / "pipe"
    os.mkfifo(path)
    lines = SignalLines(bus.subscriber([SIGNALS]), str(path))
    task = asyncio.create_task(lines.run())
    for revision in range(1, 21):
        bus.publisher().write([signal(revision)])
        await eventually(lambda: not bus.waiting)
    assert not bus.full
    stats = lines.output.stats()
    assert stats.failing
    assert 0 < stats.dropped < 20
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    read = bytearray()

    def all_there() -> bool:
        with suppress(BlockingIOError):
            read.extend(os.read(reader, 65536))
        return read.count(b"\n") == 20 - stats.dropped

    await eventually(all_there)
    await stop(task)
    os.close(reader)
    assert [json.loads(line)["revision"] for line in read.splitlines()] == list(range(1, 21 - stats.dropped))
    assert not lines.output.stats().failing
