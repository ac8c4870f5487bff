"""Merges the topics of one partition into one stream, second by second, independently of the order of reading. No I/O.

A record takes effect at its receive time, but never before a record that precedes it in its topic. Each topic is thus
complete up to its own watermark (:mod:`monitor.model.watermark`), the latest accepted time of the records read. A
second is complete once every topic's watermark is beyond it; collectors ensure that with a heartbeat of every venue in
every topic each second. The second of a record is thus a pure function of the topics' contents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from monitor.bus.ports import Batch
from monitor.model.events import MICROS, AnyEvent, Heartbeat
from monitor.model.watermark import Placed, Watermark, WatermarkState

AHEAD: Final = 20_000
"""Number of records by which a topic may be ahead of the others before it is paused: half a second of decoding."""


NewWatermark = Callable[[WatermarkState], Watermark]


class Position(NamedTuple):
    """Position in a topic: the offset to continue from, and the watermark of the records before it."""

    offset: int
    watermark: WatermarkState = WatermarkState()

    @property
    def reached_us(self) -> int:
        """The watermark, microseconds."""
        return self.watermark.reached_us


class Chunk:
    """Consecutive records of one second, and the position after the last of them."""

    __slots__ = ("position", "records", "second")

    def __init__(self, second: int, position: Position) -> None:
        self.second = second
        self.records: list[AnyEvent] = []
        self.position = position


class Lane:
    """Queues the records of one topic that were read and not yet taken.

    Args:
        start: position from which the topic is read.
        new_watermark: makes the topic's watermark.

    Attributes:
        fetched: offset after the last record read.
        watermark: watermark of the records read.
        waiting: number of records not taken.
        taken: position after the last record taken.
    """

    __slots__ = ("_chunks", "fetched", "taken", "waiting", "watermark")

    def __init__(self, start: Position, new_watermark: NewWatermark) -> None:
        self.taken = start
        self.fetched = start.offset
        self.watermark = new_watermark(start.watermark)
        self.waiting = 0
        self._chunks: deque[Chunk] = deque()
        self._append(start.watermark.released, start.offset, None)

    @property
    def reached_us(self) -> int:
        """The watermark of what was read, microseconds."""
        return self.watermark.reached_us

    def put(self, batch: Batch) -> None:
        """Append records that were read; those that were read before are skipped, unless the offsets start anew."""
        if batch.anew:
            self.fetched = batch.first_offset
        skip = max(0, self.fetched - batch.first_offset)
        watermark = self.watermark
        chunk = self._chunks[-1] if self._chunks else None
        for offset, record in enumerate(batch.records[skip:], batch.first_offset + skip):
            at_us = record.receive_time_us or record.event_time_us  # type: ignore[union-attr]  # market events alone
            if chunk is not None and watermark.low_us <= at_us <= watermark.reached_us:
                chunk.records.append(record)  # type: ignore[arg-type]
                if type(record) is Heartbeat:
                    watermark.note_active(record.venue)
                self.waiting += 1
                continue
            if chunk is not None:
                chunk.position = Position(max(0, offset), watermark.state())  # a gap may stand before the first
            chunk = self._append(watermark.take(record), offset + 1, chunk)  # type: ignore[arg-type]
        self.fetched = max(self.fetched, batch.next_offset)
        if chunk is not None:
            chunk.position = Position(self.fetched, watermark.state())

    def _append(self, placed: Sequence[Placed], next_offset: int, chunk: Chunk | None) -> Chunk | None:
        """Append records that take effect; chunks in between keep the records of their seconds."""
        for index, (at_us, record) in enumerate(placed):
            second = at_us // MICROS
            if chunk is None or second != chunk.second:
                if chunk is not None:
                    for earlier in self._chunks:  # an earlier chunk is later only after a step back
                        earlier.second = min(earlier.second, second)
                    if index:
                        rest = msgspec.structs.replace(self.watermark.state(), released=tuple(placed[index:]))
                        chunk.position = Position(next_offset, rest)
                chunk = Chunk(second, Position(next_offset, self.watermark.state()))
                self._chunks.append(chunk)
            chunk.records.append(record)
            self.waiting += 1
        return chunk

    @property
    def second(self) -> int | None:
        """The second of the next record, None if none waits."""
        return self._chunks[0].second if self._chunks else None

    def take(self, second: int) -> Iterable[Sequence[AnyEvent]]:
        """Yield the waiting records of the seconds up to and including ``second``, in chunks of one second."""
        chunks = self._chunks
        while chunks and chunks[0].second <= second:
            chunk = chunks.popleft()
            self.waiting -= len(chunk.records)
            self.taken = chunk.position
            yield chunk.records


class Merge:
    """Merges the topics of one partition.

    Args:
        starts: position from which each topic is read.
        new_watermark: makes a topic's watermark.
    """

    def __init__(self, starts: Mapping[str, Position], new_watermark: NewWatermark) -> None:
        self.lanes = {topic: Lane(start, new_watermark) for topic, start in starts.items()}

    def put(self, batch: Batch) -> None:
        """Append a batch that was read from one topic."""
        self.lanes[batch.partition.topic].put(batch)

    @property
    def complete(self) -> int:
        """The second up to which every topic is read; 0 while a topic has no record."""
        return min(lane.reached_us for lane in self.lanes.values()) // MICROS

    def next_second(self) -> int:
        """Return the second to make current: all before it are complete and no waiting record lies before it."""
        waiting = (lane.second for lane in self.lanes.values() if lane.second is not None)
        return min((self.complete, *waiting))

    def take(self, second: int) -> Iterable[Sequence[AnyEvent]]:
        """Yield the records up to and including ``second``, which may be incomplete; in order within each topic."""
        for lane in self.lanes.values():
            yield from lane.take(second)

    def positions(self) -> dict[str, Position]:
        """Return by topic the position up to which records were taken."""
        return {topic: lane.taken for topic, lane in self.lanes.items()}

    @property
    def steps_back(self) -> int:
        """Number of times that the watermark of a topic stepped back."""
        return sum(lane.watermark.steps_back for lane in self.lanes.values())

    def watermarks(self) -> list[Watermark]:
        """Return the topics' watermarks."""
        return [lane.watermark for lane in self.lanes.values()]

    def ahead(self) -> set[str]:
        """Return the topics to pause until the others catch up, because their records would only fill memory."""
        complete = self.complete
        return {
            topic for topic, lane in self.lanes.items() if lane.waiting > AHEAD and lane.reached_us // MICROS > complete
        }
