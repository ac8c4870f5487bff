"""Owns one shard of the work on Kafka: becomes its owner, restores it, goes on with it, and keeps it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.transactions import OwnershipLostError, TransactionalWriter, committed, read_snapshots
from monitor.bus.ports import Batch, Outgoing, Partition
from monitor.bus.topics import SNAPSHOTS
from monitor.model.errors import OperatorError
from monitor.model.events import MICROS, Signal
from monitor.model.histogram import BucketCounter, Histogram
from monitor.roles.decider import BOUNDS_S
from monitor.roles.shard import COMMON, Shard, Step

log = logging.getLogger(__name__)

COMMIT_S: Final = 0.05
"""Shortest interval between two commits of a shard, seconds: a transaction costs the brokers 20 ms."""
RECLAIM_BEATS: Final = 2
"""Heartbeats of the group that an owner waits after it lost a shard: by then a member that was cut off knows that the
shard was assigned to another one, and does not take it back."""

Restore = Callable[[Mapping[str, bytes], int], Shard]
"""``restore(parts, emitted)``: the shard of a snapshot's parts, silent up to the second ``emitted``."""


def snapshot_period(now_s: float, every_s: float, phase: float) -> int:
    """Number of the period that ``now_s`` lies in, of periods of ``every_s`` that begin ``phase`` periods early.

    Each shard has another phase, 0 to 1: all of them at once are 5 to 20 MB, and held up a second's signals for up to
    1.4 s (measured).
    """
    return int(now_s / every_s + phase)


@dataclass
class Counters:
    """Counters that all owners of a process share."""

    latency_s: BucketCounter = field(default_factory=lambda: BucketCounter(BOUNDS_S))
    signals_by_phase: dict[str, int] = field(
        default_factory=lambda: {"calm": 0, "building": 0, "cascade": 0, "relief": 0}
    )
    commits: int = 0
    lost: int = 0

    def committed(self, step: Step, now_us: int) -> None:
        """Count a transaction and its signals."""
        self.commits += 1
        for signal in step.signals:
            self._signal(signal, now_us)

    def _signal(self, signal: Signal, now_us: int) -> None:
        self.latency_s.observe((now_us - signal.event_time_us) / MICROS)
        self.signals_by_phase[signal.phase] += 1

    @property
    def latency(self) -> Histogram:
        """From the end of the market second that a signal decides on to its commit, seconds."""
        return self.latency_s.histogram()


@dataclass(frozen=True)
class Place:
    """Everything that the owners of a process have in common: connection, group, clock and periods.

    Attributes:
        connection: the brokers.
        group: the detectors' consumer group.
        subscriber: this member of it.
        clock: the machine's time in microseconds.
        snapshot_s: interval between two snapshots, seconds.
        reclaim_s: wait after a shard was lost, seconds.
    """

    connection: KafkaConnection
    group: str
    subscriber: KafkaSubscriber
    clock: Callable[[], int]
    snapshot_s: float
    reclaim_s: float


class ShardOwner:
    """The owner of a shard, as long as its input is assigned to this member.

    Args:
        name: of the shard, unique in the group and the same for every owner.
        inputs: the partitions that it reads.
        home: the partition of the snapshots' topic that it keeps its state in.
        restore: builds the shard from its saved parts.
        place: what the owners of the process have in common.
        counters: common to all owners of the process.

    Attributes:
        shard: the shard while it is owned and restored, else None.
        kept_us: when its state was last kept, or taken up; 0 before.
    """

    def __init__(
        self,
        name: str,
        inputs: frozenset[Partition],
        *,
        home: int,
        restore: Restore,
        place: Place,
        counters: Counters,
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.shard: Shard | None = None
        self._home = home
        self._restore = restore
        self._place = place
        self._counters = counters
        self._arrived = asyncio.Event()
        self._stopping = False
        self._held: set[str] = set()
        self._taken_up_us = 0
        self.kept_us = 0
        self._prefix = f"{place.group}/{name}/".encode()

    def put(self, batch: Batch) -> None:
        """Take a batch that was read; while the shard is not restored it is skipped, to be read again."""
        if self.shard is not None:
            self.shard.put(batch)
            self._arrived.set()
            self._hold_back(self.shard)

    def _hold_back(self, shard: Shard) -> None:
        """Stop reading topics that are far ahead of the others."""
        held = shard.ahead()
        if held != self._held:
            subscriber = self._place.subscriber
            subscriber.pause(each for each in self.inputs if each.topic in held - self._held)
            subscriber.resume(each for each in self.inputs if each.topic in self._held - held)
            self._held = held

    def attach(self) -> None:
        """Continue reading where it stopped, after the group (again) assigned the inputs to this member."""
        self._held = set()
        if self.shard is None:
            self._place.subscriber.pause(self.inputs)
        else:
            self._read_on(self.shard)

    def _read_on(self, shard: Shard) -> None:
        subscriber = self._place.subscriber
        if not self.inputs <= subscriber.assignment():
            raise OwnershipLostError(f"{self.name}: assigned to another member")
        for partition in self.inputs:
            subscriber.seek(partition, shard.fetched()[partition.topic])
        subscriber.resume(self.inputs)

    async def run(self) -> None:
        """Own the shard until cancelled or stopped; whenever it is lost, start anew.

        Raises:
            OperatorError: Kafka refuses, or the state that is kept cannot be read.
        """
        place = self._place
        while not self._stopping:
            writer = TransactionalWriter(place.connection, f"{place.group}-{self.name}", place.group)
            try:
                self._taken_up_us = place.clock()
                await writer.start()
                self.shard = await self._restored()
                self.kept_us = place.clock()
                self._read_on(self.shard)
                await self._work(writer, self.shard)
            except OwnershipLostError as error:
                self._counters.lost += 1
                log.warning(
                    "%s; its state is dropped, and restored if the shard is still assigned to this member", error
                )
            finally:
                self.shard = None
                place.subscriber.pause(self.inputs)
                await writer.close()
            if not self._stopping:
                await asyncio.sleep(place.reclaim_s)

    def stop(self) -> None:
        """Keep the state and end."""
        self._stopping = True
        self._arrived.set()

    async def _restored(self) -> Shard:
        place, cut = self._place, len(self._prefix)
        found = await committed(place.connection, place.group, self.inputs)
        emitted = max((int(metadata or 0) for _, metadata in found.values()), default=0)
        kept = await read_snapshots(place.connection, self._home)
        parts = {key[cut:].decode(): value for key, value in kept.items() if key.startswith(self._prefix)}
        try:
            return self._restore(parts, emitted)
        except ValueError as error:
            topic = place.connection.name(SNAPSHOTS)
            raise OperatorError(
                f"{self.name}: the state in {topic} cannot be used ({error}); run the version that wrote it, or start "
                "anew under another bus.kafka.group"
            ) from error

    async def _work(self, writer: TransactionalWriter, shard: Shard) -> None:
        loop = asyncio.get_running_loop()
        kept, closed, warm = self._period(loop.time()), 0, False
        while not self._stopping:
            self._arrived.clear()
            step = shard.step(self._place.clock())
            if step is None:
                await self._arrived.wait()
                continue
            closed = step.closed
            if not step.records:
                await asyncio.sleep(0)
                continue
            began = loop.time()
            await self._commit(writer, shard, step)
            if not warm:
                warm = True
                log.info("%s: warm in %.2f s", self.name, (self._place.clock() - self._taken_up_us) / MICROS)
            await asyncio.sleep(max(0.0, COMMIT_S - (loop.time() - began)))
            period = self._period(began)
            if period != kept:  # in a transaction of its own: the second's signals do not wait for it
                await self._keep(writer, shard, closed)
                kept = period
        if warm:
            await self._keep(writer, shard, closed)

    def _period(self, now_s: float) -> int:
        """Number of the snapshot period that ``now_s`` lies in."""
        return snapshot_period(now_s, self._place.snapshot_s, self._home / self._place.connection.partitions)

    async def _commit(self, writer: TransactionalWriter, shard: Shard, step: Step) -> None:
        # Taken before anything is awaited: what is put in meanwhile belongs to the next transaction.
        offsets = {each: shard.positions()[each.topic].offset for each in self.inputs}
        await writer.commit(step.records, offsets, str(step.closed))
        self._counters.committed(step, self._place.clock())

    async def _keep(self, writer: TransactionalWriter, shard: Shard, closed: int) -> None:
        records = [
            Outgoing(SNAPSHOTS, self._home, self._prefix + name.encode(), value)
            for name, value in shard.snapshot().items()
        ]
        await self._commit(writer, shard, Step([], records, closed))
        self.kept_us = self._place.clock()


__all__ = ["COMMON", "Counters", "Place", "ShardOwner"]
