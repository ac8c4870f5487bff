"""Owns one shard on Kafka: claims it, restores its state, processes its input, and saves its state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from monitor.bus import codec
from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.topic_watch import TopicWatch
from monitor.bus.kafka.transactions import OwnershipLostError, TransactionalWriter, committed, read_snapshots
from monitor.bus.ports import Batch, Outgoing, Partition
from monitor.bus.topics import REJECTS, SNAPSHOTS
from monitor.detect.detector_state import OtherFormatError
from monitor.model.errors import OperatorError
from monitor.model.events import MICROS, Reject
from monitor.model.histogram import BucketCounter, Histogram
from monitor.model.signals import Signal
from monitor.roles.decider import BOUNDS_S
from monitor.roles.kept_parts import TOPIC_IDS, Note, Parts, opening, sealed
from monitor.roles.shard import COMMON, Shard, Step
from monitor.storage.checksum import NewerEnvelopeError
from monitor.storage.state_losses import Part, StateLosses

log = logging.getLogger(__name__)

COMMIT_S: Final = 0.05
"""Shortest interval between two commits of a shard, seconds; a transaction takes the brokers 20 ms."""
RECLAIM_BEATS: Final = 2
"""Number of group heartbeat intervals that an owner waits after it lost a shard. By then a member that was disconnected
knows that the shard was assigned to another one, and does not claim it again."""

SLICE_S: Final = 0.05
"""Longest work on a restore before the event loop turns, seconds, and at most one asset's more: the group's heartbeats
and the health endpoint are on the same loop."""

Result = TypeVar("Result")
Restore = Callable[[Parts, int, Note], Generator[None, None, Shard]]
"""``restore(parts, emitted, note)``: restores a shard in steps, silent up to the second ``emitted``."""


def snapshot_period(now_s: float, every_s: float, phase: float) -> int:
    """Return the number of the period at ``now_s``; periods last ``every_s`` and start ``phase`` periods early.

    Each shard has another phase, from 0 to 1, because the snapshots of all shards together have 5 to 20 MB and delayed
    signals by up to 1.4 s (measured).
    """
    return int(now_s / every_s + phase)


@dataclass
class Counters:
    """Counts for all owners of a process."""

    latency_s: BucketCounter = field(default_factory=lambda: BucketCounter(BOUNDS_S))
    signals_by_phase: dict[str, int] = field(
        default_factory=lambda: {"calm": 0, "building": 0, "cascade": 0, "relief": 0}
    )
    commits: int = 0
    lost: int = 0
    rebalances: int = 0

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
        """Seconds from the end of the market second that a signal decides to its commit."""
        return self.latency_s.histogram()


@dataclass(frozen=True)
class Place:
    """Holds what all owners of a process share.

    Attributes:
        connection: the brokers.
        group: the detectors' consumer group.
        subscriber: this process's member of the group.
        clock: returns the machine's time in microseconds.
        snapshot_s: interval between two snapshots, seconds.
        reclaim_s: wait after a shard was lost, seconds.
        losses: counts state that cannot be used, or refuses it.
        watch: knows the topics' ids.
    """

    connection: KafkaConnection
    group: str
    subscriber: KafkaSubscriber
    clock: Callable[[], int]
    snapshot_s: float
    reclaim_s: float
    losses: StateLosses
    watch: TopicWatch


class ShardOwner:
    """Owns a shard as long as its input is assigned to this member.

    Args:
        name: name of the shard, unique in the group and the same for every owner.
        inputs: the partitions that it reads.
        home: partition of the snapshots' topic that holds its state.
        restore: builds the shard from its saved parts.
        place: what all owners of the process share.
        counters: counters of all owners of the process.

    Attributes:
        shard: the shard while it is owned and restored, else None.
        trouble: why the shard was lost last; empty once a transaction succeeded since.
        kept_us: time of the last save or of the restore; 0 before.
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
        self.trouble = ""
        self._ids: dict[str, UUID] = {}  # of the input topics that the shard's positions belong to
        self._saved_in: UUID | None = None  # id of the snapshots' topic
        self._fresh = False  # whether state was missing, so that it is saved with the first commit

    def put(self, batch: Batch) -> None:
        """Pass a batch to the shard; while it is not restored the batch is skipped, and read again later."""
        if self.shard is not None:
            if batch.anew:
                self._ids |= self._present_ids([batch.partition.topic])
            self.shard.put(batch)
            self._arrived.set()
            self._hold_back(self.shard)

    def _hold_back(self, shard: Shard) -> None:
        """Pause topics that are far ahead of the others, and resume those that are not."""
        held = shard.ahead()
        if held != self._held:
            subscriber = self._place.subscriber
            subscriber.pause(each for each in self.inputs if each.topic in held - self._held)
            subscriber.resume(each for each in self.inputs if each.topic in self._held - held)
            self._held = held

    def attach(self) -> None:
        """Continue reading at the shard's position, after the group assigned the inputs to this member again."""
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
        """Own the shard until cancelled or stopped; whenever it is lost, claim it again.

        Raises:
            OperatorError: Kafka refuses, or the saved state cannot be read.
        """
        place = self._place
        while not self._stopping:
            writer = TransactionalWriter(place.connection, f"{place.group}-{self.name}", place.group)
            try:
                self._taken_up_us = place.clock()
                await writer.start()
                self.shard = await self._restored(writer)
                self.kept_us = place.clock()
                self._read_on(self.shard)
                await self._work(writer, self.shard)
            except OwnershipLostError as error:
                self._counters.lost += 1
                self.trouble = str(error)
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
        """Save the state and end."""
        self._stopping = True
        self._arrived.set()

    async def _restored(self, writer: TransactionalWriter) -> Shard:
        place = self._place
        found = await committed(place.connection, place.group, self.inputs)
        emitted = max((int(metadata or 0) for _, metadata in found.values()), default=0)
        records = await read_snapshots(place.connection, self._home)
        losses: list[str] = []

        def note(part: Part, what: str) -> None:
            line = f"{self.name}: a part of the state in {place.connection.name(SNAPSHOTS)} cannot be used: {what}"
            place.losses.note(part, line)
            losses.append(what)
            log.error("%s; it starts anew", line)

        try:
            parts = await sliced(opening(records, self._prefix))
            kept_ids = parts.take_topic_ids()
            shard = await sliced(self._restore(parts, emitted, note))
            self._fresh = COMMON not in parts.whole or bool(losses)
        except (OtherFormatError, NewerEnvelopeError) as error:
            topic = place.connection.name(SNAPSHOTS)
            raise OperatorError(
                f"{self.name}: the state in {topic} cannot be used ({error}); run the version that wrote it, or start "
                "without state under another bus.kafka.group"
            ) from error
        if losses:
            await self._report(writer, losses)
        await self._compare_topics(kept_ids if not self._fresh else {})
        return shard

    def _present_ids(self, topics: Iterable[str]) -> dict[str, UUID]:
        found = self._place.watch.ids
        return {topic: found[topic] for topic in topics if topic in found}

    async def _compare_topics(self, kept: Mapping[str, UUID]) -> None:
        """Read topics from their beginning that were created again since the state was saved."""
        watch = self._place.watch
        if not watch.ids and watch.supported:
            await watch.look()
        present = self._present_ids(each.topic for each in self.inputs)
        for partition in self.inputs:
            topic = partition.topic
            if topic in kept and topic in present and kept[topic] != present[topic]:
                await self._place.subscriber.start_anew(partition)
        self._ids = present | dict(kept)  # until records of the new topic come, positions belong to the one before

    async def _report(self, writer: TransactionalWriter, losses: Sequence[str]) -> None:
        """Write to the rejects' topic what was lost, so that it is on record beyond this process's log."""
        rejects = [
            codec.encode_reject(Reject(codec.BUS, "malformed", f"{self.name}: {what}", self._place.clock(), b""))
            for what in losses
        ]
        key = codec.BUS.encode()
        await writer.commit([Outgoing(REJECTS, self._home, key, value, headers) for value, headers in rejects], {}, "")

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
            if self._fresh:  # with the first offsets: the next owner must never find those without a state
                step = step._replace(records=[*step.records, *self._state(shard)])
                self._fresh = False
            await self._commit(writer, shard, step)
            if not warm:
                warm = True
                log.info("%s: warm in %.2f s", self.name, (self._place.clock() - self._taken_up_us) / MICROS)
            await asyncio.sleep(max(0.0, COMMIT_S - (loop.time() - began)))
            period = self._period(began)
            if period != kept:  # in its own transaction, so that the second's signals do not wait for it
                await self._keep(writer, shard, closed)
                kept = period
        if warm:
            await self._keep(writer, shard, closed)

    def _period(self, now_s: float) -> int:
        """Return the number of the snapshot period at ``now_s``."""
        return snapshot_period(now_s, self._place.snapshot_s, self._home / self._place.connection.partitions)

    async def _commit(self, writer: TransactionalWriter, shard: Shard, step: Step) -> None:
        # The positions are read before any await: records put in later belong to the next transaction.
        offsets = {each: shard.positions()[each.topic].offset for each in self.inputs}
        await writer.commit(step.records, offsets, str(step.closed))
        self._counters.committed(step, self._place.clock())
        self.trouble = ""

    async def _keep(self, writer: TransactionalWriter, shard: Shard, closed: int) -> None:
        await self._commit(writer, shard, Step([], self._state(shard), closed))
        self.kept_us = self._place.clock()

    def _state(self, shard: Shard) -> list[Outgoing]:
        """Return the records that save what has changed of the shard's state."""
        present = self._place.watch.ids.get(SNAPSHOTS.name)
        if self._saved_in is not None and present != self._saved_in:
            shard.mark_unsaved()
        self._saved_in = present
        parts = {**shard.snapshot(), TOPIC_IDS: msgspec.json.encode(self._ids)}
        return [Outgoing(SNAPSHOTS, self._home, key, value) for key, value in sealed(parts, self._prefix)]


async def sliced(steps: Generator[object, None, Result]) -> Result:
    """Run the steps and return their result; the event loop turns at least every :data:`SLICE_S` and one step."""
    loop = asyncio.get_running_loop()
    due_s = loop.time() + SLICE_S
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: Result = done.value
            return result
        if loop.time() >= due_s:
            await asyncio.sleep(0)
            due_s = loop.time() + SLICE_S
