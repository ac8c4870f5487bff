"""Reads records from Kafka as a member of a consumer group, in decoded batches, and measures its lag."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Literal, Self

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata, TopicPartition

from monitor.bus import codec
from monitor.bus.kafka.aiokafka_internals import Fetched, rewind
from monitor.bus.kafka.connection import KafkaConnection, explain_start, verify
from monitor.bus.kafka.continuity import Continuity
from monitor.bus.kafka.errors import BusError, explain
from monitor.bus.kafka.topic_watch import TopicWatch
from monitor.bus.ports import Batch, BusStats, Partition
from monitor.bus.topics import Record, Topic
from monitor.model.events import Reject

log = logging.getLogger(__name__)

POLL_RECORDS: Final = 2_000
"""Records of one poll: about 4 ms of decoding, so that heartbeats and timers of the same event loop are on time."""
SESSION_TIMEOUT_MS: Final = 10_000
"""Silence after which a member loses its partitions, ms. It was Kafka's default for a decade; a shorter one is unsafe,
because heartbeats share the event loop with the computation."""

Change = Callable[[frozenset[Partition]], Awaitable[None]]
"""Called with the partitions that were assigned or are about to be revoked; reading waits for it."""


async def _nothing(_: frozenset[Partition]) -> None:
    """Do nothing: the hook of a reader that keeps no state per partition."""


class KafkaSubscriber(ConsumerRebalanceListener):
    """Reads from Kafka as a member of a consumer group; see :class:`monitor.bus.ports.Subscriber`.

    Opened with ``await KafkaSubscriber(...).start()``.

    A batch holds records with consecutive offsets: at a hole in the log (a transaction's marker, a compacted or an
    unreadable record) a new batch begins. Records that cannot be decoded are counted, passed to ``on_reject`` and
    skipped.

    Args:
        connection: the brokers.
        topics: the topics to read.
        group: consumer group whose members share the partitions; a restart continues at its committed offsets.
        instance: name that stays the same over restarts (static membership), so that the partitions do too.
        start_at: where to start a partition without a committed offset, or whose records at that offset are gone.
        session_timeout_ms: silence after which a member loses its partitions.
        on_assigned: awaited with the new partitions before anything of them is read; may :meth:`seek`.
        on_revoked: awaited with the partitions before another member reads them.
        on_reject: called with every record that could not be decoded.
        watch: knows the topics' ids, so that a topic that is deleted and created is read from its beginning; run by the
            caller. None leaves only offsets to go by.

    Attributes:
        received: records handed out.
        rejected: records that could not be decoded.
        continuity: positions, and what was lost between two records.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Iterable[Topic],
        *,
        group: str,
        instance: str | None = None,
        start_at: Literal["earliest", "latest"] = "earliest",
        session_timeout_ms: int = SESSION_TIMEOUT_MS,
        on_assigned: Change = _nothing,
        on_revoked: Change = _nothing,
        on_reject: Callable[[Reject], None] | None = None,
        watch: TopicWatch | None = None,
    ) -> None:
        self.received = 0
        self.rejected = 0
        self._connection = connection
        self._topics = tuple(topics)
        self._names = {connection.name(topic): topic.name for topic in self._topics}
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._on_reject = on_reject
        self._failure: Exception | None = None
        self._settled = asyncio.Event()
        self._consumer = AIOKafkaConsumer(
            **connection.arguments(),
            group_id=group,
            group_instance_id=instance,
            auto_offset_reset=start_at,
            enable_auto_commit=False,
            isolation_level="read_committed",
            session_timeout_ms=session_timeout_ms,
            heartbeat_interval_ms=session_timeout_ms // 4,
            # By ranges, partition N of every topic goes to the same member.
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        self.continuity = Continuity(self._consumer, self._names, start_at, watch)

    async def start(self) -> Self:
        """Check the topics, join the group, and wait for an assignment.

        Raises:
            BusError: Kafka cannot be used; the text names the remedy.
        """
        try:
            await verify(self._connection, self._topics, "Read")
            self._consumer.subscribe(topics=list(self._names), listener=self)
            await self._consumer.start()
        except KafkaError as error:
            await self._consumer.stop()
            raise await explain_start(error, self._connection, "Read", self._topics) from error
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def poll(self, timeout_s: float) -> list[Batch]:
        """Return up to :data:`POLL_RECORDS` records, in batches of one partition each.

        Raises:
            BusError: Kafka refuses, or a hook failed.
        """
        try:
            await self.continuity.follow()
            fetched = await self._consumer.getmany(timeout_ms=round(timeout_s * 1000), max_records=POLL_RECORDS)
        except KafkaError as error:
            raise self._explain(error) from error
        if self._failure is not None:  # if a hook failed meanwhile, it may not have seen these partitions
            raise self._failure
        if not self._settled.is_set():
            await self._give_back(fetched, timeout_s)
            return []
        batches: list[Batch] = []
        for partition, messages in fetched.items():
            batches += await self._next(partition, messages)
        await self.continuity.note_positions(self._consumer.assignment())
        return batches

    async def _next(self, where: TopicPartition, messages: Sequence[ConsumerRecord[bytes, bytes]]) -> list[Batch]:
        """Return a partition's batches, with the gap before them; none if the partition is read from elsewhere."""
        try:
            batches = await self.continuity.before(where, messages[0])
        except KafkaError as error:
            raise self._explain(error) from error
        if batches is None:
            return []
        self._decode(where, messages, batches)
        self.continuity.positions[where] = messages[-1].offset + 1
        return self.continuity.hand_out(where, batches)

    async def _give_back(self, fetched: Fetched, timeout_s: float) -> None:
        """Wait for the hooks, which may seek, and fetch again the records that were fetched meanwhile."""
        rewind(self._consumer, fetched)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()

    def _decode(
        self, where: TopicPartition, messages: Sequence[ConsumerRecord[bytes, bytes]], batches: list[Batch]
    ) -> None:
        topic = self._names[where.topic]
        partition = Partition(topic, where.partition)
        decode = codec.decode
        run: list[Record] = []
        first = expected = 0
        for message in messages:
            if message.value is None:  # a tombstone: the record of the key is deleted
                continue
            try:
                record = decode(topic, message.value, message.headers)
            except msgspec.DecodeError as error:
                self._reject(message, message.value, error)
                continue
            if message.offset != expected:
                if run:
                    batches.append(Batch(partition, first, run))
                    run = []
                first = message.offset
            run.append(record)
            expected = message.offset + 1
            self.received += 1
        if run:
            batches.append(Batch(partition, first, run))

    def _reject(self, message: ConsumerRecord[bytes, bytes], value: bytes, error: msgspec.DecodeError) -> None:
        self.rejected += 1
        if self._on_reject is not None:
            where = f"{message.topic}/{message.partition}@{message.offset}"
            self._on_reject(codec.unreadable(where, value, error, message.timestamp * 1000))

    def lags(self) -> dict[Partition, int]:
        """Return, by assigned partition, the number of records that are written and not yet handed out."""
        return {
            Partition(self._names[partition.topic], partition.partition): max(
                # The high-water mark is unknown until the first fetch after a rebalance.
                0,
                (self._consumer.highwater(partition) or position) - position,
            )
            for partition, position in self.continuity.positions.items()
            if partition in self._consumer.assignment()
        }

    def assignment(self) -> frozenset[Partition]:
        """Return the partitions that are assigned to this member."""
        return self._partitions(self._consumer.assignment())

    def seek(self, partition: Partition, offset: int) -> None:
        """Continue reading at ``offset``, whatever the group committed."""
        self.continuity.seek(self._topic_partition(partition), offset)

    async def start_anew(self, partition: Partition) -> None:
        """Read a partition from its beginning, because its topic is not the one that the caller read before.

        Raises:
            BusError: the brokers refuse.
        """
        try:
            await self.continuity.start_anew(self._topic_partition(partition))
        except KafkaError as error:
            raise self._explain(error) from error

    async def ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the offset after the last record of each partition.

        Raises:
            BusError: the brokers refuse.
        """
        wanted = {self._topic_partition(each): each for each in partitions}
        try:
            found = await self._consumer.end_offsets(list(wanted)) if wanted else {}
        except KafkaError as error:
            raise self._explain(error) from error
        return {each: found[where] for where, each in wanted.items()}

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Pause these partitions until :meth:`resume`; partitions of other members are ignored."""
        mine = self._consumer.assignment()
        self._consumer.pause(*(mine & {self._topic_partition(each) for each in partitions}))

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Resume reading these partitions."""
        mine = self._consumer.assignment()
        self._consumer.resume(*(mine & {self._topic_partition(each) for each in partitions}))

    async def commit(self, offsets: Mapping[Partition, int], notes: Mapping[Partition, str] | None = None) -> None:
        """Commit offsets: everything below them is processed. A note may be stored with each.

        Raises:
            BusError: the partitions were assigned to another member, or Kafka refuses.
        """
        try:
            await self._consumer.commit(
                {
                    self._topic_partition(key): OffsetAndMetadata(offset, (notes or {}).get(key, ""))
                    for key, offset in offsets.items()
                }
            )
        except KafkaError as error:
            raise self._explain(error) from error

    async def close(self) -> None:
        """Leave the group (a static member keeps its place until its session ends) and disconnect."""
        await self._consumer.stop()

    def stats(self) -> BusStats:
        """Return the counts: ``published`` is the number handed out, ``waiting`` the lag over all partitions."""
        return BusStats(self.received, sum(self.lags().values()), 0, 0)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Run the hook and keep its error for :meth:`poll`, because aiokafka only logs what a listener raises.

        See ``aiokafka/consumer/group_coordinator.py``, ``GroupCoordinator._on_join_complete``.
        """
        self.continuity.keep(assigned)
        await self._run_hook(self._on_assigned, assigned)
        self._settled.set()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Run the hook; aiokafka calls this before it joins the group and at every rebalance."""
        self._settled.clear()
        self.continuity.positions.clear()
        await self._run_hook(self._on_revoked, revoked)

    async def _run_hook(self, hook: Change, partitions: Iterable[TopicPartition]) -> None:
        try:
            await hook(self._partitions(partitions))
        except Exception as error:  # noqa: BLE001  # poll() raises it
            self._failure = error

    def _partitions(self, partitions: Iterable[TopicPartition]) -> frozenset[Partition]:
        return frozenset(Partition(self._names[each.topic], each.partition) for each in partitions)

    def _topic_partition(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self._connection.topic_prefix + partition.topic, partition.partition)

    def _explain(self, error: KafkaError) -> BusError:
        return explain(error, self._connection.username, "Read")
