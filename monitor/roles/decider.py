"""Applies the bus's events to the detector, publishes its signals, and saves its state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from monitor.bus.ports import Batch, Publisher, Subscriber
from monitor.bus.topics import Record
from monitor.detect.detector import Detector
from monitor.model.events import MICROS
from monitor.model.histogram import BucketCounter, Histogram
from monitor.model.signals import Signal
from monitor.roles import state_file
from monitor.roles.journal import Journal, lines_of, mark_of
from monitor.storage.side_output import SideOutput

POLL_S: Final = 0.25
"""Longest wait for events before the state may be saved, seconds; events wake the decider at once."""
SAVE_S: Final = 30
"""Interval between two saves of the state, seconds; every phase change is saved too."""
BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bucket bounds of the decision latency, seconds, around the objective of one second."""


class Decider:
    """Runs one detector.

    Args:
        detector: its state.
        subscriber: market events in order of arrival; the decider closes it.
        publisher: publishes the signals.
        clock: returns the machine's time in microseconds.
        path: state file, None to save no state.
        journal: stores the events that are decided on, None for no journal; the caller closes it.
        sync_s: interval at which the journal is flushed to the disk, seconds; None leaves that to the operating system.
        pending: signals of the restored journal that were not published.

    Attributes:
        saved_us: time of the last save, or of the start; 0 without a state file.
        output: writes the state in a thread of its own.
        journal_output: writes the journal, so that a slow disk delays no decision.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        subscriber: Subscriber,
        publisher: Publisher,
        clock: Callable[[], int],
        path: Path | None = None,
        journal: Journal | None = None,
        sync_s: float | None = None,
        pending: Sequence[Signal] = (),
    ) -> None:
        self.detector = detector
        self._subscriber = subscriber
        self._publisher = publisher
        self._clock = clock
        self._path = path
        self.output = SideOutput("state_file")
        self._save_due_us = clock() + SAVE_S * MICROS
        self.saved_us = clock() if path is not None else 0
        self._journal = journal
        self.journal_output = SideOutput("journal")
        self._journalled = 0  # number of the last job; a missing number marks a job that was dropped
        self._sync_s = sync_s
        self._sync_due_us = clock()
        self._pending = list(pending)
        self._latency_s = BucketCounter(BOUNDS_S)

    async def run(self) -> None:
        """Decide until cancelled; then decide what is still on the bus, and save the state."""
        try:
            if self._pending:
                await self._send(self._pending)
            while True:
                await self.decide(await self._subscriber.poll(POLL_S))
        finally:
            await self.decide(await self._subscriber.poll(0))
            await self._subscriber.close()
            self._save()
            await asyncio.to_thread(self.output.close)
            await asyncio.to_thread(self.journal_output.close)

    async def decide(self, batches: Sequence[Batch]) -> None:
        """Apply batches in order and publish the signals that result.

        Only records close seconds, never the clock: each connected venue sends a heartbeat a second. While none is
        connected nothing is decided, as on Kafka, and a replay decides the same.
        """
        signals: list[Signal] = []
        if batches:
            self._write_down([record for batch in batches for record in batch.records])
        for batch in batches:
            signals += self.detector.apply(batch.records)
        rejects = [fault.reject for fault in self.detector.quarantine.take()]
        if rejects:
            self._publisher.write(rejects)
            await self._publisher.drain()
        if signals:
            await self._send(signals)
        if batches:
            await self._subscriber.commit({batch.partition: batch.next_offset for batch in batches})
        changed = any(signal.phase != signal.previous_phase for signal in signals)
        if changed or self._clock() >= self._save_due_us:
            self._save()

    async def _send(self, signals: Sequence[Signal]) -> None:
        self._stamp(signals)
        self._publisher.write(signals)
        self._mark()
        await self._publisher.drain()

    def _write_down(self, records: Sequence[Record]) -> None:
        """Queue records for the journal before they are decided on."""
        if self._journal is None:
            return
        self._append(self._journal, lines_of(records))
        if self._sync_s is not None and self._clock() >= self._sync_due_us:
            self._sync_due_us = self._clock() + round(self._sync_s * MICROS)
            self.journal_output.put(self._journal.sync, count=0, key="sync")

    def _mark(self) -> None:
        if self._journal is not None:
            self._append(self._journal, mark_of(self.detector.second))

    def _append(self, journal: Journal, lines: bytes) -> None:
        self._journalled += 1
        self.journal_output.put(partial(journal.append, self._journalled, lines), size=len(lines))

    def _stamp(self, signals: Sequence[Signal]) -> None:
        now_us = self._clock()
        for signal in signals:
            signal.emitted_time_us = now_us
            self._latency_s.observe((now_us - signal.event_time_us) / MICROS)

    @property
    def latency(self) -> Histogram:
        """Seconds from the end of the market second that a signal decides to its publication."""
        return self._latency_s.histogram()

    def _save(self) -> None:
        """Queue the state to be written; a state that still waits for an earlier write is replaced by the next."""
        if self._path is None:
            return
        self._save_due_us = self._clock() + SAVE_S * MICROS
        snapshot = self.detector.snapshot()
        if self._journal is not None:
            self._journalled += 1
            self.journal_output.put(partial(self._journal.rotate, self._journalled, snapshot))
        self.output.put(partial(self._write, self._path, snapshot), size=len(snapshot), key="state")

    def _write(self, path: Path, snapshot: bytes) -> None:
        """Write the state in the output's thread, so that a slow disk delays no decision."""
        began_us = self._clock()
        state_file.save(path, snapshot)
        self.saved_us = began_us
        if self._journal is not None:
            self.journal_output.put(partial(self._journal.saved, snapshot), count=0)
