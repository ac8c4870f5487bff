"""The two buses behind one face, so that one suite tests both; and what reads from them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, Protocol

from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.memory import MemoryBus
from monitor.bus.ports import Batch, Partition, Publisher, Subscriber
from monitor.bus.topics import SNAPSHOTS, TOPICS, Record, Topic

HIGH_WATER: Final = 1_000
READ_TIMEOUT_S: Final = 20.0
WRITTEN: Final = tuple(topic for topic in TOPICS if topic is not SNAPSHOTS)


class Bus(Protocol):
    """What the suite needs of a bus."""

    partitions: int

    async def publisher(self) -> Publisher:
        """One that may write to every topic, with :data:`HIGH_WATER`."""

    async def subscriber(self, topics: Iterable[Topic], group: str = "readers") -> Subscriber:
        """One that reads what is written from now on."""


class MemoryHarness:
    """The in-memory bus."""

    partitions = 1

    def __init__(self) -> None:
        self._bus = MemoryBus(HIGH_WATER)

    async def publisher(self) -> Publisher:
        """A publisher."""
        return self._bus.publisher()

    async def subscriber(self, topics: Iterable[Topic], group: str = "readers") -> Subscriber:
        """A subscriber; every one sees everything, as a group of its own would."""
        return self._bus.subscriber(topics)


class KafkaHarness:
    """The Kafka bus, on topics of its own."""

    def __init__(self, connection: KafkaConnection) -> None:
        self.connection = connection
        self.partitions = connection.partitions
        self._open: list[KafkaPublisher | KafkaSubscriber] = []

    async def start(self) -> None:
        """Make the topics."""
        await topics_admin.create(self.connection, 1)

    async def publisher(self) -> KafkaPublisher:
        """A publisher."""
        publisher = await KafkaPublisher(self.connection, WRITTEN, high_water=HIGH_WATER).start()
        self._open.append(publisher)
        return publisher

    async def subscriber(self, topics: Iterable[Topic], group: str = "readers") -> KafkaSubscriber:
        """A subscriber in a group of this test."""
        subscriber = await KafkaSubscriber(
            self.connection, topics, group=self.connection.topic_prefix + group, start_at="earliest"
        ).start()
        self._open.append(subscriber)
        return subscriber

    async def close(self) -> None:
        """Close whatever was opened, also twice."""
        for each in self._open:
            await each.close()


async def read(subscriber: Subscriber, records: int) -> list[Batch]:
    """Batches until there are ``records``, and any that come right after them; fails after a while without."""
    batches: list[Batch] = []
    deadline = time.monotonic() + READ_TIMEOUT_S
    while sum(len(batch.records) for batch in batches) < records:
        if time.monotonic() > deadline:
            raise AssertionError(f"only {sum(len(batch.records) for batch in batches)} of {records} records came")
        batches += await subscriber.poll(0.1)
    return batches + await subscriber.poll(0.05)


async def write_all(publisher: Publisher, records: list[Record], chunk: int = 100) -> None:
    """Write as a session does: some at once, then wait while the bus is full."""
    for start in range(0, len(records), chunk):
        publisher.write(records[start : start + chunk])
        if publisher.full:
            await publisher.drain()
        await asyncio.sleep(0)


async def write_and_read(publisher: Publisher, subscriber: Subscriber, records: list[Record]) -> list[Batch]:
    """Both at once, as they run in the monitor: the reader makes the room that the writer waits for."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write_all(publisher, records))
        reading = tasks.create_task(read(subscriber, len(records)))
    return reading.result()


def records_of(batches: Iterable[Batch]) -> list[Record]:
    """All records, in the order of their batches."""
    return [record for batch in batches for record in batch.records]


def by_partition(batches: Iterable[Batch]) -> dict[Partition, list[Batch]]:
    """The batches of each partition."""
    found: dict[Partition, list[Batch]] = defaultdict(list)
    for batch in batches:
        found[batch.partition].append(batch)
    return found
