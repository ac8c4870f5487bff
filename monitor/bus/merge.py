"""Several topics of one partition as one stream, second by second, the same however they are read. No I/O.

A record takes effect at its receive time, but never before one that stands in front of it in its topic. So each topic
by itself says how far it is known: up to the latest time in what was read of it. A second is complete once every topic
is known beyond it; collectors make sure of that with a heartbeat of every venue in every topic each second, whatever
else it carries. Which second a record falls into is thus a pure function of the topics' contents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from monitor.bus.ports import Batch
from monitor.events import MICROS, AnyEvent

AHEAD: Final = 20_000
"""Records that a topic may be ahead of the others before it should not be read on: half a second of decoding."""


class Position(NamedTuple):
    """How far a topic was taken: the offset to go on from, and the latest time before it, microseconds."""

    offset: int
    reached_us: int


class Chunk:
    """Consecutive records of one second."""

    __slots__ = ("next_offset", "reached_us", "records", "second")

    def __init__(self, second: int) -> None:
        self.second = second
        self.records: list[AnyEvent] = []
        self.next_offset = 0
        self.reached_us = 0


class Lane:
    """One topic: what was read and not taken yet.

    Attributes:
        fetched: the offset after the last record read.
        reached_us: the latest time in what was read.
        waiting: records not taken.
        taken: how far it was taken.
    """

    __slots__ = ("_chunks", "fetched", "reached_us", "taken", "waiting")

    def __init__(self, start: Position) -> None:
        self.taken = start
        self.fetched = start.offset
        self.reached_us = start.reached_us
        self.waiting = 0
        self._chunks: deque[Chunk] = deque()

    def put(self, batch: Batch) -> None:
        """Append what was read; what was read before is passed over."""
        skip = max(0, self.fetched - batch.first_offset)
        records = batch.records[skip:]
        if not records:
            return
        reached_us = self.reached_us
        chunk = self._chunks[-1] if self._chunks else Chunk(-1)
        for offset, record in enumerate(records, batch.first_offset + skip + 1):
            at_us = record.receive_time_us or record.event_time_us  # type: ignore[union-attr]  # market events alone
            if at_us > reached_us:
                reached_us = at_us
            second = reached_us // MICROS
            if second != chunk.second:
                chunk = Chunk(second)
                self._chunks.append(chunk)
            chunk.records.append(record)  # type: ignore[arg-type]
            chunk.next_offset = offset
            chunk.reached_us = reached_us
        self.reached_us = reached_us
        self.fetched = batch.next_offset
        self.waiting += len(records)

    @property
    def second(self) -> int | None:
        """The second of the next record, None where none waits."""
        return self._chunks[0].second if self._chunks else None

    def take(self, second: int) -> Iterable[Sequence[AnyEvent]]:
        """What waits of the seconds up to and with ``second``."""
        chunks = self._chunks
        while chunks and chunks[0].second <= second:
            chunk = chunks.popleft()
            self.waiting -= len(chunk.records)
            self.taken = Position(chunk.next_offset, chunk.reached_us)
            yield chunk.records


class Merge:
    """The topics of one partition.

    Args:
        starts: by topic where reading begins.
    """

    def __init__(self, starts: Mapping[str, Position]) -> None:
        self.lanes = {topic: Lane(start) for topic, start in starts.items()}

    def put(self, batch: Batch) -> None:
        """Take what was read of one topic."""
        self.lanes[batch.partition.topic].put(batch)

    @property
    def complete(self) -> int:
        """Every second before this one is known in every topic; 0 while a topic has said nothing yet."""
        return min(lane.reached_us for lane in self.lanes.values()) // MICROS

    def next_second(self) -> int:
        """The second to make the current one: all before it are complete and none that waits lies before it."""
        return min(second for second in (self.complete, *(lane.second for lane in self.lanes.values()))
                   if second is not None)  # fmt: skip

    def take(self, second: int) -> Iterable[Sequence[AnyEvent]]:
        """The records up to and with ``second``, which may still be going on; in order within each topic."""
        for lane in self.lanes.values():
            yield from lane.take(second)

    def positions(self) -> dict[str, Position]:
        """By topic how far it was taken."""
        return {topic: lane.taken for topic, lane in self.lanes.items()}

    def ahead(self) -> set[str]:
        """Topics that should wait for the others: what is read of them would only lie about."""
        complete = self.complete
        return {
            topic for topic, lane in self.lanes.items() if lane.waiting > AHEAD and lane.reached_us // MICROS > complete
        }
