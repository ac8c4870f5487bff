"""The bus as the rest of the program sees it: a publisher and a subscriber, with asyncio's write/drain manners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from monitor.bus.topics import Record, Topic


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Batch(NamedTuple):
    """Consecutive records of one partition; the first one's offset, the others follow by one."""

    partition: Partition
    first_offset: int
    records: Sequence[Record]

    @property
    def next_offset(self) -> int:
        """The offset to go on from after this batch."""
        return self.first_offset + len(self.records)


class Outgoing(NamedTuple):
    """A record to be written as it is; without ``headers`` it carries those that all records of its topic do."""

    topic: Topic
    partition: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class BusStats(NamedTuple):
    """How full the bus is. Counts are since the start; ``waiting`` and ``high_water`` are records."""

    published: int
    waiting: int
    high_water: int
    drains_blocked: int
    lost: int


class Publisher(Protocol):
    """Takes records towards their topics (:data:`monitor.bus.topics.ROUTES`), keyed by their asset."""

    def write(self, records: Sequence[Record]) -> None:
        """Take records at once. Never blocks and never drops: call :meth:`drain` between two writes."""

    @property
    def full(self) -> bool:
        """Whether the high-water mark is reached: a writer should await :meth:`drain` before it reads on."""

    async def drain(self) -> None:
        """Wait until there is room: the back-pressure that stops the sockets being read."""

    async def flush(self) -> None:
        """Wait until everything written is where a subscriber can read it."""

    async def close(self) -> None:
        """Flush, then release what is held."""

    def stats(self) -> BusStats:
        """How full it is now."""


class Subscriber(Protocol):
    """Hands out records in order within a partition."""

    async def poll(self, timeout_s: float) -> list[Batch]:
        """The batches that are there, or those that come within ``timeout_s``; an empty list where none do."""

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Remember that everything below these offsets is dealt with."""

    async def close(self) -> None:
        """Release what is held."""

    def stats(self) -> BusStats:
        """How far behind it is now."""
