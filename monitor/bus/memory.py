"""Implements the bus within one process: bounded, in order across all topics, lossless by back-pressure."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from monitor.bus.ports import Batch, BusStats, Partition
from monitor.bus.topics import ROUTES, Record, Topic

HIGH_WATER: Final = 50_000
"""Number of waiting records at which writers must pause: about a second of the worst minute of 2025-10-10, 25 MB."""


class MemoryBus:
    """Publishers and subscribers of one process, one partition a topic.

    A subscriber sees the records of all its topics in the order in which they were written, from its creation on.
    A record is handed to every subscriber of its topic; the slowest of them sets the back-pressure.
    """

    def __init__(self, high_water: int = HIGH_WATER) -> None:
        if high_water < 1:
            raise ValueError(f"high_water must be at least 1, not {high_water}")
        self.high_water = high_water
        self._next_offset: dict[str, int] = {}
        self._subscribers: list[MemorySubscriber] = []
        self._room = asyncio.Event()
        self._room.set()
        self.published = 0
        self.drains_blocked = 0

    def publisher(self) -> MemoryPublisher:
        """Return a new publisher."""
        return MemoryPublisher(self)

    def subscriber(self, topics: Iterable[Topic]) -> MemorySubscriber:
        """Return a new subscriber that reads ``topics`` from now on."""
        subscriber = MemorySubscriber(self, frozenset(topic.name for topic in topics))
        self._subscribers.append(subscriber)
        return subscriber

    @property
    def waiting(self) -> int:
        """Number of records that the slowest subscriber has still to read."""
        return max((subscriber.waiting for subscriber in self._subscribers), default=0)

    @property
    def full(self) -> bool:
        """True if the slowest subscriber is at the high-water mark."""
        return not self._room.is_set()

    def write(self, records: Sequence[Record]) -> None:
        """Append records to every topic that their type is routed to."""
        start = 0
        total = len(records)
        while start < total:
            kind = type(records[start])
            end = start + 1
            while end < total and type(records[end]) is kind:
                end += 1
            run = records if start == 0 and end == total else records[start:end]
            for topic in ROUTES[kind]:
                self._append(topic.name, run)
            start = end
        self.published += total

    def _append(self, topic: str, records: Sequence[Record]) -> None:
        offset = self._next_offset.get(topic, 0)
        self._next_offset[topic] = offset + len(records)
        batch = Batch(Partition(topic, 0), offset, records)
        for subscriber in self._subscribers:
            if topic in subscriber.topics:
                subscriber.put(batch)
                if subscriber.waiting >= self.high_water:
                    self._room.clear()

    async def drain(self) -> None:
        """Wait until the slowest subscriber has room again."""
        if not self._room.is_set():
            self.drains_blocked += 1
            await self._room.wait()

    def room_made(self) -> None:
        """Let writers continue if a subscriber took records or left and that made room."""
        if self.waiting < self.high_water:
            self._room.set()

    def remove(self, subscriber: MemorySubscriber) -> None:
        """Remove a subscriber that closed."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self.room_made()

    def stats(self) -> BusStats:
        """Return the counts of the bus and the length of the slowest subscriber's queue."""
        return BusStats(self.published, self.waiting, self.high_water, self.drains_blocked)


class MemoryPublisher:
    """Writes to a :class:`MemoryBus`; see :class:`monitor.bus.ports.Publisher`."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def write(self, records: Sequence[Record]) -> None:
        """Append the records to the bus."""
        self._bus.write(records)

    @property
    def full(self) -> bool:
        """True if a writer must await :meth:`drain` first."""
        return self._bus.full

    async def drain(self) -> None:
        """Wait until there is room."""
        await self._bus.drain()

    async def flush(self) -> None:
        """Return at once: a written record can be read immediately."""

    async def close(self) -> None:
        """Do nothing: a publisher holds no resource."""

    def stats(self) -> BusStats:
        """Return the counts of the bus."""
        return self._bus.stats()


class MemorySubscriber:
    """Reads from a :class:`MemoryBus`; see :class:`monitor.bus.ports.Subscriber`."""

    def __init__(self, bus: MemoryBus, topics: frozenset[str]) -> None:
        self.topics = topics
        self.waiting = 0
        self.committed: dict[Partition, int] = {}
        self._bus = bus
        self._batches: deque[Batch] = deque()
        self._arrived = asyncio.Event()

    def put(self, batch: Batch) -> None:
        """Append a batch to the queue."""
        self._batches.append(batch)
        self.waiting += len(batch.records)
        self._arrived.set()

    async def poll(self, timeout_s: float) -> list[Batch]:
        """Return all batches that wait, or those that arrive within ``timeout_s``."""
        if not self._batches and timeout_s > 0:
            self._arrived.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._arrived.wait()
            except TimeoutError:
                return []
        batches = list(self._batches)
        self._batches.clear()
        self.waiting = 0
        self._bus.room_made()
        return batches

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Keep the offsets in memory; they do not survive the process."""
        self.committed.update(offsets)

    async def close(self) -> None:
        """Stop receiving."""
        self._bus.remove(self)

    def stats(self) -> BusStats:
        """Return the counts of the bus and the length of this subscriber's queue."""
        return BusStats(self._bus.published, self.waiting, self._bus.high_water, self._bus.drains_blocked)
