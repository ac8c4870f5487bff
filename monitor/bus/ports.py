"""Interfaces of the bus: a publisher with asyncio's write and drain, and a subscriber."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from monitor.bus.topics import Record, Topic


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Batch(NamedTuple):
    """Consecutive records of one partition, and the offset of the first.

    With ``anew`` the partition's offsets started again: those before belong to records that are gone.
    """

    partition: Partition
    first_offset: int
    records: Sequence[Record]
    anew: bool = False

    @property
    def next_offset(self) -> int:
        """The offset to continue from after this batch."""
        return self.first_offset + len(self.records)


class Outgoing(NamedTuple):
    """A record to write; without ``headers`` it gets those of its topic. Without a value it deletes its key."""

    topic: Topic
    partition: int
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class BusStats(NamedTuple):
    """Counts of a bus since the start; ``waiting`` and ``high_water`` are numbers of records now."""

    published: int
    waiting: int
    high_water: int
    drains_blocked: int


class Publisher(Protocol):
    """Takes records towards their topics (:data:`monitor.bus.topics.ROUTES`), keyed by their asset."""

    def write(self, records: Sequence[Record]) -> None:
        """Accept records without blocking and without dropping any; await :meth:`drain` between two writes if full."""

    @property
    def full(self) -> bool:
        """True at the high-water mark, when a writer must await :meth:`drain` before it reads on."""

    async def drain(self) -> None:
        """Wait until there is room: the back-pressure that pauses reading from the sockets."""

    async def flush(self) -> None:
        """Wait until everything written is where a subscriber can read it."""

    async def close(self) -> None:
        """Flush, then release all resources."""

    def stats(self) -> BusStats:
        """Return the current counts."""


class Subscriber(Protocol):
    """Hands out records in order within a partition."""

    async def poll(self, timeout_s: float) -> list[Batch]:
        """Return the waiting batches, or those that arrive within ``timeout_s``; an empty list if none do."""

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit offsets: everything below them is processed."""

    async def close(self) -> None:
        """Release all resources."""

    def stats(self) -> BusStats:
        """Return the current counts; ``waiting`` is the lag."""
