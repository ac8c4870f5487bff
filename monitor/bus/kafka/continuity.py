"""Finds where records do not follow on those read before: removed, truncated, or of a topic created again."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, Literal
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from monitor.bus import codec
from monitor.bus.kafka.aiokafka_internals import refresh_metadata
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.topic_watch import TopicWatch
from monitor.bus.ports import Batch, Partition
from monitor.bus.topics import LIQUIDATIONS, STATE, TRADES
from monitor.model.events import ALL, Channel, Gap

log = logging.getLogger(__name__)

CHANNELS: Final[Mapping[str, Channel]] = {
    LIQUIDATIONS.name: "liquidations",
    TRADES.name: "trades",
    STATE.name: "mark_price",
}
"""Channel of the gap that is reported when records of a topic were removed before they were read."""

Message = ConsumerRecord[bytes, bytes]


class Continuity:
    """The positions of a consumer's partitions, and what was lost between two of its records.

    A topic that was created again is read from its beginning; a reader that starts at the latest record reads it from
    its end. A topic that lost its end with a broker is read from its present end, because what was written since cannot
    be distinguished from what was read. Both are in the log, in :attr:`resets`, and marked in the next batch.

    Args:
        consumer: the consumer.
        names: by name on the brokers, the topic's name.
        start_at: where the consumer starts a partition without an offset.
        watch: knows the topics' ids; None leaves only offsets to go by.

    Attributes:
        positions: by partition, the offset of the next record.
        lost: by partition, records that were removed before they were read.
        resets: by partition, how often its offsets started again.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        names: Mapping[str, str],
        start_at: Literal["earliest", "latest"],
        watch: TopicWatch | None,
    ) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self.lost: dict[Partition, int] = {}
        self.resets: dict[Partition, int] = {}
        self._consumer = consumer
        self._names = names
        self._start_at = start_at
        self._watch = watch
        self._ids: dict[str, UUID] = {}  # by topic, of the incarnation that is read
        self._unplaced: set[TopicPartition] = set()  # without a committed offset
        self._anew: dict[TopicPartition, int] = {}  # where partitions start anew whose next batch must say so

    def seek(self, where: TopicPartition, offset: int) -> None:
        """Continue at an offset; a partition that starts anew continues where it does."""
        offset = self._anew.get(where, offset)
        self._consumer.seek(where, offset)
        self.positions[where] = offset

    def keep(self, assigned: Iterable[TopicPartition]) -> None:
        """Forget about partitions that were assigned to other members."""
        mine = set(assigned)
        self._anew = {where: offset for where, offset in self._anew.items() if where in mine}

    async def follow(self) -> None:
        """Start the partitions of topics anew that were created again. Raises ``KafkaError``."""
        for topic, found in () if self._watch is None else list(self._watch.ids.items()):
            known = self._ids.setdefault(topic, found)
            if known != found:
                self._ids[topic] = found
                await refresh_metadata(self._consumer)
                mine = [where for where in self._consumer.assignment() if self._names[where.topic] == topic]
                for where in mine:
                    if where in self.positions:
                        await self.start_anew(where)

    async def start_anew(self, where: TopicPartition) -> None:
        """Start a partition anew whose topic was created again. Raises ``KafkaError``."""
        if where in self._anew:
            return
        begin = (await self._consumer.beginning_offsets([where]))[where]
        end = (await self._consumer.end_offsets([where]))[where]
        start = begin if self._start_at == "earliest" else end
        self._jump(where, start, f"the topic was created again and is read from offset {start}")
        if start > begin:
            self._count(where, start - begin)

    def _jump(self, where: TopicPartition, offset: int, what: str) -> None:
        before = self.positions.get(where)
        log.error("%s/%d: %s; reading had come to offset %s", where.topic, where.partition, what, before)
        partition = self._partition(where)
        self.resets[partition] = self.resets.get(partition, 0) + 1
        self._anew[where] = offset
        if where in self._consumer.assignment():
            self.seek(where, offset)

    async def before(self, where: TopicPartition, first: Message) -> list[Batch] | None:
        """Return the gap to hand out before a message; None if it must not be handed out but be read again.

        What a detector misses is a gap of every venue at the offset before that message; the reader knows its start.

        Raises:
            KafkaError: the brokers refuse.
        """
        expected = await self._expected(where)
        if (
            where in self._anew or not expected or first.offset == expected
        ):  # whoever starts with the topic lost nothing
            return self._gaps(where, first) if where in self._anew else []
        begin = (await self._consumer.beginning_offsets([where]))[where]
        if first.offset < expected:
            self.positions[where] = expected  # also if it was committed by the member before
            await self._follow_back(where, begin)
            return None
        if begin > expected:
            count = first.offset - expected  # with start_at "latest", more may be skipped than was removed
            self._count(where, count)
            log.error(
                "%s/%d: %d records from offset %d on were removed or skipped before they were read; keep them longer "
                "(retention.ms), or add detectors so that they are read sooner",
                where.topic,
                where.partition,
                count,
                expected,
            )
            return self._gaps(where, first)
        return []

    async def _expected(self, where: TopicPartition) -> int | None:
        expected = self.positions.get(where)
        if expected is None and where not in self._unplaced:
            expected = await self._consumer.committed(where)
            if expected is None:
                self._unplaced.add(where)
        return expected

    async def _follow_back(self, where: TopicPartition, begin: int) -> None:
        """Find out why the partition ends before what was read of it, and continue accordingly."""
        if self._watch is not None:
            try:
                await self._watch.look()
            except BusError as error:
                log.warning("%s/%d ends before what was read of it: %s; trying again", *where, error)
                self._consumer.seek(where, self.positions[where])  # which ends here again
                return
            await self.follow()
        if where in self._anew:
            return
        if self._names[where.topic] not in self._ids and begin == 0:
            await self.start_anew(where)
            return
        end = (await self._consumer.end_offsets([where]))[where]
        self._jump(
            where, end, f"the topic lost its end with a broker: records up to its present end {end} may be skipped"
        )

    def hand_out(self, where: TopicPartition, batches: list[Batch]) -> list[Batch]:
        """Return the batches of a partition, the first of them marked if it starts anew."""
        if batches and self._anew.pop(where, None) is not None:
            return [batches[0]._replace(anew=True), *batches[1:]]
        return batches

    def _gaps(self, where: TopicPartition, first: Message) -> list[Batch]:
        topic = self._names[where.topic]
        if topic not in CHANNELS:
            return []
        return [Batch(self._partition(where), first.offset - 1, [_gap(topic, first)])]

    def _count(self, where: TopicPartition, lost: int) -> None:
        partition = self._partition(where)
        self.lost[partition] = self.lost.get(partition, 0) + lost

    def _partition(self, where: TopicPartition) -> Partition:
        return Partition(self._names[where.topic], where.partition)

    async def note_positions(self, assigned: Iterable[TopicPartition]) -> None:
        """Note the position of partitions without records so far, which is known after the first fetch."""
        for where in assigned:
            if where not in self.positions and self._consumer.highwater(where) is not None:
                self.positions[where] = await self._consumer.position(where)


def _gap(topic: str, first: Message) -> Gap:
    at_us = first.timestamp * 1000
    if first.value is not None:
        with suppress(msgspec.DecodeError):  # it is rejected when it is decoded
            at_us = getattr(codec.decode(topic, first.value, first.headers), "receive_time_us", 0) or at_us
    return Gap(ALL, ALL, ALL, at_us, at_us, CHANNELS[topic], 0, at_us, "offsets_lost")
