from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.bus.memory import MemoryBus, MemorySubscriber
from monitor.bus.topics import MARKET_TOPICS, REJECTS, SIGNALS
from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR
from monitor.model.events import (
    ALL,
    MICROS,
    AnyEvent,
    Heartbeat,
    Liquidation,
    MarkPrice,
    Reject,
)
from monitor.model.signals import Signal
from monitor.roles import state_file
from monitor.roles.decider import SAVE_S, Decider
from monitor.roles.journal import Journal, segments
from monitor.storage.kept_file import read_state
from tests.detect.poison import UNAPPLIED, poisoned
from tests.waiting import patient, until

T0_S = 1_790_000_000


class Bench:
    """A decider on a bus, with a clock that the test turns."""

    def __init__(
        self,
        path: Path | None = None,
        detector: Detector | None = None,
        journal: Journal | None = None,
        pending: Sequence[Signal] = (),
    ) -> None:
        self.now_us = T0_S * MICROS
        self.bus = MemoryBus()
        self.publisher = self.bus.publisher()
        self.subscriber: MemorySubscriber = self.bus.subscriber(MARKET_TOPICS)
        self.signals: MemorySubscriber = self.bus.subscriber([SIGNALS])
        self.decider = Decider(
            detector or Detector(DETECTOR),
            subscriber=self.subscriber,
            publisher=self.publisher,
            clock=lambda: self.now_us,
            path=path,
            journal=journal,
            sync_s=0.0,
            pending=pending,
        )

    async def take(self, *events: AnyEvent) -> list[Signal]:
        """Decide on events; returns the signals that came of them."""
        self.publisher.write(events)
        await self.decider.decide(await self.subscriber.poll(0))
        return await self.said()

    async def said(self) -> list[Signal]:
        """The signals on the bus."""
        batches = await self.signals.poll(0)
        return [record for batch in batches for record in batch.records if isinstance(record, Signal)]

    async def crash(self, seconds: int = 12) -> list[Signal]:
        """A price that falls by a percent a second under a flood of forced sales."""
        said: list[Signal] = []
        for second in range(seconds):
            at_us = T0_S * MICROS + second * MICROS
            self.now_us = at_us + 250_000
            forced = [
                Liquidation(venue, "BTCUSDT", "BTC", at_us, at_us, "long", 4e6, "complete", f"{second}:{number}")
                for venue in ("bybit", "okx")
                for number in range(10)
            ]
            price = 65_000.0 * (1 - 0.01 * second)
            said += await self.take(MarkPrice("bybit", "BTCUSDT", "BTC", at_us, at_us, price), *forced)
        return said


def beat(second: int) -> Heartbeat:
    """A heartbeat ``second`` after the start."""
    at_us = (T0_S + second) * MICROS
    return Heartbeat("bybit", ALL, ALL, at_us, at_us, "liquidations")


async def test_signals_are_stamped_and_sent() -> None:
    """A crash leads to signals on the bus with the wall time of their sending, and their latency is counted."""
    bench = Bench()
    said = await bench.crash()
    assert "cascade" in {signal.phase for signal in said}
    assert {signal.emitted_time_us % MICROS for signal in said} == {250_000}
    latency = bench.decider.latency
    assert sum(latency.counts) == len(said)
    # The second ended when the next one began: a quarter of a second before the clock.
    assert latency.counts[latency.bounds.index(0.25)] == len(said)
    assert latency.sum == pytest.approx(0.25 * len(said))


async def test_what_was_taken_is_committed() -> None:
    """The offsets behind what was decided are the subscriber's."""
    bench = Bench()
    await bench.take(beat(0), beat(1))
    assert list(bench.subscriber.committed.values()) == [2]


async def test_no_second_closes_by_the_clock() -> None:
    """While nothing arrives nothing is decided, however late it is: the next record closes the seconds before it."""
    bench = Bench()
    await bench.take(beat(0))
    bench.now_us = (T0_S + 3_600) * MICROS
    await bench.decider.decide([])
    assert bench.decider.detector.second == T0_S
    await bench.take(beat(9))
    assert bench.decider.detector.second == T0_S + 9


async def test_change_of_phase_saves_the_state(tmp_path: Path) -> None:
    """The file on disk knows of the cascade as soon as it is called."""
    path = tmp_path / "detector.state"
    bench = Bench(path)
    await bench.crash()
    assert bench.decider.output.settled(10)
    kept = Detector.restore(read_state(path), DETECTOR)
    assert any(episode.cascade_us for episode in kept.episodes())


async def test_state_is_saved_every_half_minute(tmp_path: Path) -> None:
    """Also without a change the state is never older than the interval."""
    path = tmp_path / "detector.state"
    bench = Bench(path)
    await bench.take(beat(0))
    assert not path.exists()
    bench.now_us += SAVE_S * MICROS
    await bench.take(beat(1))
    assert bench.decider.output.settled(10)
    path.unlink()
    await bench.take(beat(2))
    assert bench.decider.output.settled(10)
    assert not path.exists()


async def test_failed_save_is_counted_and_does_not_stop_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full or vanished disk is logged and counted, and signals go on."""
    (tmp_path / "file").write_text("no folder")
    bench = Bench(tmp_path / "file" / "detector.state")
    said = await bench.crash()
    assert any(signal.phase == "cascade" for signal in said)
    await until(lambda: bench.decider.output.stats().failing)
    assert "state_file: cannot be written" in caplog.text


async def test_cancelled_decider_decides_what_is_left_and_saves(tmp_path: Path) -> None:
    """What is on the bus when it is told to stop is decided and in the file; the bus forgets it."""
    path = tmp_path / "detector.state"
    bench = Bench(path)
    task = asyncio.create_task(bench.decider.run())
    bench.publisher.write([beat(0)])
    await until(lambda: bench.decider.detector.second == T0_S)
    task.cancel()
    bench.publisher.write([beat(1)])
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert Detector.restore(read_state(path), DETECTOR).second == T0_S + 1
    bench.publisher.write([beat(2)])
    assert bench.subscriber.waiting == 0


async def test_interrupted_save_is_over_before_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation amid a save never has two threads write the file; the last state wins."""
    path = tmp_path / "detector.state"
    release, writing, most = threading.Event(), 0, 0
    save = state_file.save

    def slow(where: Path, snapshot: bytes) -> None:
        nonlocal writing, most
        writing += 1
        most = max(most, writing)
        release.wait(5)
        save(where, snapshot)
        writing -= 1

    monkeypatch.setattr(state_file, "save", slow)
    bench = Bench(path)
    bench.now_us += SAVE_S * MICROS
    task = asyncio.create_task(bench.decider.run())
    bench.publisher.write([beat(0)])
    await until(lambda: writing == 1)
    bench.publisher.write([beat(1)])
    task.cancel()
    await asyncio.sleep(0.05)
    release.set()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert most == 1
    assert Detector.restore(read_state(path), DETECTOR).second == T0_S + 1


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No state file is kept unless one is configured."""
    monkeypatch.chdir(tmp_path)
    asyncio.run(Bench().crash())
    assert list(tmp_path.iterdir()) == []


async def test_a_record_that_cannot_be_applied_is_sent_to_the_rejects(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes out once, and the detector goes on with the other assets."""
    poisoned(monkeypatch)
    bench = Bench()
    rejects = bench.bus.subscriber([REJECTS])
    at_us = T0_S * MICROS
    await bench.take(MarkPrice("okx", "SOL", "SOL", at_us, at_us, UNAPPLIED))
    said = await bench.crash()
    assert {signal.asset for signal in said} >= {"BTC"}
    (batch,) = await rejects.poll(0)
    assert [(each.venue, each.reason) for each in batch.records if isinstance(each, Reject)] == [
        ("okx", "not_applicable")
    ]


async def test_a_killed_decider_goes_on_from_its_journal(tmp_path: Path) -> None:
    """Without a save after the last events the next one knows them, and has nothing to send again."""
    path = tmp_path / "detector.state"
    journal = Journal(path)
    bench = Bench(path, journal=journal)
    assert journal.restore(bench.decider.detector, b"") == []
    said = await bench.crash()
    await bench.decider.decide([])  # the clock alone closes nothing more yet
    bench.now_us += 60 * MICROS
    await bench.decider.decide([])
    assert said
    assert bench.decider.output.settled(10)
    assert bench.decider.journal_output.settled(10)
    journal.close()
    again = state_file.load(path, DETECTOR)
    late = Journal(path)
    assert late.restore(again, read_state(path)) == []
    late.close()
    assert again.snapshot() == bench.decider.detector.snapshot()
    assert len(segments(path)) <= 3


async def test_signals_that_were_not_sent_are_sent_at_the_start() -> None:
    """What a restored journal led to and nobody saw goes out first."""
    said = await Bench().crash()
    bench = Bench(pending=said[-2:])
    task = asyncio.create_task(bench.decider.run())
    sent: list[Signal] = []
    async with asyncio.timeout(patient(60)):
        while len(sent) < 2:
            sent += [one for batch in await bench.signals.poll(1) for one in batch.records if isinstance(one, Signal)]
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert [one.revision for one in sent] == [one.revision for one in said[-2:]]
