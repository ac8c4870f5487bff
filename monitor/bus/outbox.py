"""What waits on its way to Kafka: batches under construction, one partition each. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Protocol

from monitor.bus import codec
from monitor.bus.partitioner import Partitioner
from monitor.bus.topics import ROUTES, WATERMARKED, Record, Topic
from monitor.events import ALL, Heartbeat, Reject

ALL_KEY: Final = ALL.encode()


class Batch(Protocol):
    """aiokafka's batch builder, as far as it is needed here."""

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> object | None:
        """Take a record; None where the batch is full. The first record always fits. ``timestamp`` in ms."""

    def record_count(self) -> int:
        """How many records it holds."""


class Lane:
    """One partition: at most one batch is under way, so order holds and no retry is overtaken."""

    __slots__ = ("builder", "in_flight", "partition", "sealed", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.builder: Batch | None = None
        self.sealed: deque[Batch] = deque()
        self.in_flight = False

    def take(self) -> Batch:
        """The oldest batch; it is under way from now on."""
        self.in_flight = True
        if self.sealed:
            return self.sealed.popleft()
        batch, self.builder = self.builder, None
        if batch is None:
            raise LookupError(f"nothing waits for {self.topic}/{self.partition}")
        return batch


class Route:
    """A topic's lanes, and which of them a key's records take."""

    __slots__ = ("_by_key", "_partitioner", "headers", "lanes")

    def __init__(self, topic: Topic, name: str, partitioner: Partitioner) -> None:
        self.headers = codec.headers(topic)
        self.lanes = tuple(Lane(name, number) for number in range(partitioner.partitions))
        self._partitioner = partitioner
        # What concerns a whole venue has no asset: the reader of every partition must see it.
        self._by_key = {ALL: (ALL_KEY, self.lanes)}

    def find(self, key: str) -> tuple[bytes, tuple[Lane, ...]]:
        """The key's bytes and the lanes."""
        found = self._by_key.get(key)
        if found is None:
            lane = self.lanes[self._partitioner.partition(key)]
            found = self._by_key[key] = (key.encode(), (lane,))
        return found


class Outbox:
    """Records by partition, encoded and packed as they come.

    Attributes:
        waiting: records put in and not yet confirmed; one for every partition counts once for each.
        due: lanes with something to send and nothing under way, oldest first.
        hurry: whether one of them holds a full batch.
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
        self.waiting = 0
        self.due: list[Lane] = []
        self.hurry = False

    def put(self, records: Iterable[Record], now_ms: int) -> None:
        """Take records, stamped ``now_ms``.

        Raises:
            TypeError: a record belongs to a topic that this outbox was not made for.
        """
        for kind, run in groupby(records, type):
            routes = self._routes.get(kind)
            if routes is None:
                raise TypeError(f"this publisher was not opened for the topics of {kind.__name__}")
            same: list[Any] = list(run)
            for route in routes:
                if kind is Reject:
                    self._append_rejects(route, same, now_ms)
                else:
                    self._append(route, same, now_ms)
            if kind is Heartbeat:
                self._append_watermarks(same, now_ms)

    def _append_watermarks(self, beats: Sequence[Heartbeat], now_ms: int) -> None:
        """One of each venue, whatever its channel: it says how far the topic goes, as everything before it is in."""
        latest = list({beat.venue: beat for beat in beats if beat.asset == ALL}.values())
        for route in self._watermarked:
            self._append(route, latest, now_ms)

    def _append(self, route: Route, records: Sequence[Any], now_ms: int) -> None:
        encode = codec.encode
        find = route.find
        headers = route.headers
        for record in records:
            key, lanes = find(record.asset)
            value = encode(record)
            for lane in lanes:
                builder = lane.builder
                if builder is None or builder.append(timestamp=now_ms, key=key, value=value, headers=headers) is None:
                    self._begin(lane).append(timestamp=now_ms, key=key, value=value, headers=headers)
            self.waiting += len(lanes)

    def _append_rejects(self, route: Route, rejects: Sequence[Reject], now_ms: int) -> None:
        for reject in rejects:
            key, (lane,) = route.find(reject.venue)
            value, headers = codec.encode_reject(reject)
            builder = lane.builder
            if builder is None or builder.append(timestamp=now_ms, key=key, value=value, headers=headers) is None:
                self._begin(lane).append(timestamp=now_ms, key=key, value=value, headers=headers)
            self.waiting += 1

    def _begin(self, lane: Lane) -> Batch:
        """A new batch; a full one is put aside."""
        if lane.builder is not None:
            lane.sealed.append(lane.builder)
            self.hurry |= not lane.in_flight
        elif not lane.in_flight:
            self.due.append(lane)
        lane.builder = self._create_batch()
        return lane.builder

    def take_due(self) -> list[Lane]:
        """The lanes that are due; each is due again after :meth:`confirmed`."""
        due, self.due, self.hurry = self.due, [], False
        return due

    def confirmed(self, lane: Lane, records: int) -> None:
        """The lane's batch has arrived."""
        lane.in_flight = False
        self.waiting -= records
        if lane.sealed or lane.builder is not None:
            self.due.append(lane)
            self.hurry |= bool(lane.sealed)
