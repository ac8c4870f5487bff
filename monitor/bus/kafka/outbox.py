"""Queues records for Kafka in batches, one partition each. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Protocol

from monitor.bus import codec
from monitor.bus.kafka.partitioner import Partitioner
from monitor.bus.topics import ROUTES, WATERMARKED, Record, Topic
from monitor.model.events import ALL, Heartbeat, Reject

ALL_KEY: Final = ALL.encode()


Add = Callable[[int, int, bytes, Any, Any], object | None]
"""``add(number, timestamp_ms, key, value, headers)`` copies a record into a batch; returns None if the batch is full.
The first record always fits."""


class Batch(Protocol):
    """A batch under construction.

    Attributes:
        count: number of records in it; the caller of ``add`` increases it.
        add: adds a record.
    """

    count: int
    add: Add


class Lane:
    """Queues one partition's batches; at most one is in flight, so that a retry cannot change the order."""

    __slots__ = ("builder", "in_flight", "partition", "sealed", "topic", "urgent")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.builder: Batch | None = None
        self.sealed: deque[Batch] = deque()
        self.in_flight = False
        self.urgent = False

    def take(self) -> Batch:
        """Return the oldest batch, which counts as in flight from then on."""
        self.in_flight = True
        if self.sealed:
            return self.sealed.popleft()
        batch, self.builder, self.urgent = self.builder, None, False
        if batch is None:
            raise LookupError(f"nothing waits for {self.topic}/{self.partition}")
        return batch


class Route(dict[str, tuple[bytes, tuple[Lane, ...]]]):
    """Maps a key of a topic to its bytes and the lanes of its records."""

    __slots__ = ("_partitioner", "headers", "lanes")

    def __init__(self, topic: Topic, name: str, partitioner: Partitioner) -> None:
        self.headers = codec.headers(topic)
        self.lanes = tuple(Lane(name, number) for number in range(partitioner.partitions))
        self._partitioner = partitioner
        # A record about a whole venue has no asset: it goes to every partition.
        super().__init__({ALL: (ALL_KEY, self.lanes)})

    def __missing__(self, key: str) -> tuple[bytes, tuple[Lane, ...]]:
        lane = self.lanes[self._partitioner.partition(key)]
        found = self[key] = (key.encode(), (lane,))
        return found


def runs(records: Sequence[Record]) -> Iterable[tuple[type, Sequence[Any]]]:
    """Split records into runs of one type; most often there is one run."""
    kinds = set(map(type, records))
    if len(kinds) == 1:
        return ((kinds.pop(), records),)
    return [(kind, list(run)) for kind, run in groupby(records, type)]


class Outbox:
    """Encodes records and packs them into batches by partition.

    Attributes:
        waiting: records put in and not yet confirmed; one for every partition counts once for each.
        ready: lanes with a full batch or a heartbeat and nothing in flight, oldest first; to be sent at once.
        due: other lanes with records and nothing in flight; they may linger for more records.
    """

    def __init__(
        self, topics: Iterable[Topic], name: Callable[[Topic], str], partitions: int, create_batch: Callable[[], Batch]
    ) -> None:
        partitioner = Partitioner(partitions)
        routes = {topic: Route(topic, name(topic), partitioner) for topic in topics}
        self._routes: Mapping[type, tuple[Route, ...]] = {
            kind: tuple(routes[topic] for topic in wanted)
            for kind, wanted in ROUTES.items()
            if routes.keys() >= set(wanted)
        }
        self._watermarked = tuple(routes[topic] for topic in WATERMARKED if topic in routes)
        self._create_batch = create_batch
        self._value = bytearray()
        self.waiting = 0
        self.ready: dict[Lane, None] = {}
        self.due: dict[Lane, None] = {}

    def put(self, records: Sequence[Record], now_ms: int) -> None:
        """Append records with the timestamp ``now_ms``.

        Raises:
            TypeError: the outbox was not made for a record's topic.
        """
        for kind, same in runs(records):
            routes = self._routes.get(kind)
            if routes is None:
                raise TypeError(f"this publisher was not opened for the topics of {kind.__name__}")
            for route in routes:
                if kind is Reject:
                    self._append_rejects(route, same, now_ms)
                else:
                    self._append(route, same, now_ms)
            if kind is Heartbeat:
                for route in routes:
                    self._hasten(lane for beat in same for lane in route[beat.asset][1])
                self._append_watermarks(same, now_ms)

    def _append_watermarks(self, beats: Sequence[Heartbeat], now_ms: int) -> None:
        """Append one heartbeat of each venue to every other topic, where it serves as the topic's watermark.

        Everything that the venue published before it precedes it there. Heartbeats close a second, so they are sent
        at once, with the records before them.
        """
        latest = list({beat.venue: beat for beat in beats if beat.asset == ALL}.values())
        for route in self._watermarked:
            self._append(route, latest, now_ms)
            if latest:
                self._hasten(route.lanes)

    def _append(self, route: Route, records: Sequence[Any], now_ms: int) -> None:
        encode_into, value = codec.encode_into, self._value
        headers, count = route.headers, 0
        for record in records:
            key, lanes = route[record.asset]
            encode_into(record, value)
            for lane in lanes:
                batch = lane.builder
                if batch is None or batch.add(batch.count, now_ms, key, value, headers) is None:
                    batch = self._begin(lane)
                    batch.add(0, now_ms, key, value, headers)
                batch.count += 1
                count += 1
        self.waiting += count

    def _append_rejects(self, route: Route, rejects: Sequence[Reject], now_ms: int) -> None:
        for reject in rejects:
            key, (lane,) = route[reject.venue]
            value, headers = codec.encode_reject(reject)
            batch = lane.builder
            if batch is None or batch.add(batch.count, now_ms, key, value, headers) is None:
                batch = self._begin(lane)
                batch.add(0, now_ms, key, value, headers)
            batch.count += 1
            self.waiting += 1

    def _hasten(self, lanes: Iterable[Lane]) -> None:
        """Mark these lanes to be sent at once, or as soon as their batch in flight is confirmed."""
        for lane in lanes:
            lane.urgent = True
            if not lane.in_flight:
                self._promote(lane)

    def _begin(self, lane: Lane) -> Batch:
        """Close the lane's last batch and return a new one."""
        if lane.builder is not None:
            lane.sealed.append(lane.builder)
            if not lane.in_flight:
                self._promote(lane)
        elif not lane.in_flight:
            self.due[lane] = None
        lane.builder = self._create_batch()
        return lane.builder

    def _promote(self, lane: Lane) -> None:
        self.due.pop(lane, None)
        self.ready[lane] = None

    def take_ready(self) -> list[Lane]:
        """Return the lanes that are ready; each is ready or due again after :meth:`confirmed`."""
        ready = list(self.ready)
        self.ready.clear()
        return ready

    def take_due(self) -> list[Lane]:
        """Return all lanes with records to send, the ready ones first."""
        taken = [*self.take_ready(), *self.due]
        self.due.clear()
        return taken

    def confirmed(self, lane: Lane, records: int) -> None:
        """Record that the brokers confirmed the lane's batch."""
        lane.in_flight = False
        self.waiting -= records
        if lane.sealed or lane.urgent:
            self.ready[lane] = None
        elif lane.builder is not None:
            self.due[lane] = None
