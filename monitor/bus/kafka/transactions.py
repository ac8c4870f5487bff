"""All or nothing on Kafka: records, and how far the input was read, in transactions of one owner.

aiokafka has no fencing by the group's generation (KIP-447; https://github.com/aio-libs/aiokafka/issues/844), so a
member that lost its partitions could still commit.
Each owner of a piece of work therefore has a transactional id of that piece: the next owner's start fences the one
before, whose transaction is undone and who can write nothing any more. aiokafka reports that with various errors;
whatever goes wrong in a transaction, the work is lost to this owner, who starts anew or leaves it.
"""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from monitor.bus import codec
from monitor.bus.kafka.aiokafka_internals import log_unawaited_errors, stop_producer
from monitor.bus.kafka.connection import REQUEST_TIMEOUT_MS, KafkaConnection, administrator
from monitor.bus.kafka.errors import explain
from monitor.bus.ports import Outgoing, Partition
from monitor.bus.topics import SNAPSHOTS

TRANSACTION_S: Final = 10.0
"""Timeout of a transaction, seconds: the brokers abort it then, and readers of committed records wait no longer for an
owner that failed. A transaction takes some 20 ms, and a broker's fail-over a few seconds."""
RETRY_MS: Final = 10
"""Brokers refuse a transaction's first record while they still end the one before, for some milliseconds; aiokafka's
own pause of 100 ms would then be most of a signal's latency."""
START_S: Final = 15.0
"""Timeout of a start, seconds: it waits for the brokers to abort the previous owner's transaction."""
MAX_RECORD_BYTES: Final = 8 * 1024 * 1024
"""An asset's state takes 50 to 500 kB; the snapshots' topic allows as much."""
READ_S: Final = 30.0
"""Timeout of reading a partition's snapshots, seconds; it takes one."""


class OwnershipLostError(Exception):
    """The transaction did not happen, and none of this owner will."""


class TransactionalWriter:
    """Writes as the owner of a piece of work.

    Args:
        connection: where to.
        owner: the transactional id: the same for whoever owns the piece of work.
        group: whose offsets go with the records.
    """

    def __init__(self, connection: KafkaConnection, owner: str, group: str) -> None:
        self._connection = connection
        self._group = group
        self._owner = owner
        self._producer = AIOKafkaProducer(
            **connection.arguments(),
            transactional_id=owner,
            transaction_timeout_ms=round(TRANSACTION_S * 1000),
            acks="all",
            compression_type="zstd",
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_MS,
        )

    async def start(self) -> Self:
        """Become the owner: from now on nobody who was it before can write.

        Raises:
            OwnershipLostError: the brokers cannot be reached.
            BusError: they refuse.
        """
        log_unawaited_errors(asyncio.get_running_loop())
        try:
            async with asyncio.timeout(START_S):
                await self._producer.start()
        except (KafkaError, TimeoutError) as error:
            await self.close()
            if getattr(error, "retriable", True):
                raise OwnershipLostError(f"{self._owner} could not start: {error!r}") from error
            raise explain(error, self._connection.username, "Write", f"transactional id {self._owner}") from error
        except BaseException:
            await self.close()
            raise
        return self

    async def commit(self, records: Iterable[Outgoing], offsets: Mapping[Partition, int], metadata: str) -> None:
        """Write the records and the offsets, or nothing.

        Args:
            records: what to write.
            offsets: where the next owner reads on.
            metadata: a note to that owner, kept with the offsets.

        Raises:
            OwnershipLostError: nothing was written; this writer is of no use any more.
        """
        producer, connection = self._producer, self._connection
        try:
            async with asyncio.timeout(TRANSACTION_S):
                await producer.begin_transaction()
                for topic, partition, key, value, own in records:
                    headers = list(own) or codec.headers(topic)
                    name = connection.name(topic)
                    await producer.send(name, value, key, partition=partition, headers=headers)
                if offsets:
                    await producer.send_offsets_to_transaction(self._positions(offsets, metadata), self._group)
                await producer.commit_transaction()
        # aiokafka asserts its states, and its futures carry whatever broke.
        except Exception as error:
            raise OwnershipLostError(f"{self._owner}: {error!r}") from error

    def _positions(self, offsets: Mapping[Partition, int], metadata: str) -> dict[TopicPartition, OffsetAndMetadata]:
        prefix = self._connection.topic_prefix
        return {
            TopicPartition(prefix + at.topic, at.partition): OffsetAndMetadata(to, metadata)
            for at, to in offsets.items()
        }

    async def close(self) -> None:
        """Disconnect; what is not committed is undone by the brokers."""
        await stop_producer(self._producer, self._owner)


async def committed(
    connection: KafkaConnection, group: str, partitions: Iterable[Partition]
) -> dict[Partition, tuple[int, str]]:
    """Return the offset and metadata that a group committed, by partition; those without are left out.

    Raises:
        BusError: the brokers refuse.
    """
    names = {TopicPartition(connection.topic_prefix + each.topic, each.partition): each for each in partitions}
    async with administrator(connection) as client:
        try:
            async with asyncio.timeout(START_S):
                found = await client.list_consumer_group_offsets(group, partitions=list(names))
        except (KafkaError, TimeoutError) as error:
            raise explain(error, connection.username, "Read", f"offsets of {group}") from error
    return {names[where]: (at.offset, at.metadata) for where, at in found.items() if at.offset >= 0}


async def read_snapshots(connection: KafkaConnection, partition: int) -> dict[bytes, bytes]:
    """The latest record of every key in a partition of the snapshots' topic.

    To be called by an owner that has started, so that nobody else adds to what it looks for.

    Raises:
        BusError: the brokers refuse.
    """
    where = TopicPartition(connection.name(SNAPSHOTS), partition)
    latest: dict[bytes, bytes | None] = {}
    consumer = AIOKafkaConsumer(
        **connection.arguments(), isolation_level="read_committed", enable_auto_commit=False, fetch_max_wait_ms=100
    )
    try:
        async with asyncio.timeout(READ_S):
            await consumer.start()
            consumer.assign([where])
            await consumer.seek_to_beginning(where)
            end = None
            while end is None or await consumer.position(where) < end:
                for messages in (await consumer.getmany(timeout_ms=100)).values():
                    latest.update((message.key, message.value) for message in messages if message.key)
                # Past the end of what others, of other keys, have not committed: they end within their time.
                end = consumer.highwater(where) if end is None else end
    except (KafkaError, TimeoutError) as error:
        raise explain(error, connection.username, "Read", where.topic) from error
    finally:
        await consumer.stop()
    return {key: value for key, value in latest.items() if value is not None}
