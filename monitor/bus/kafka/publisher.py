"""Writes records to Kafka in batches of one partition; a batch is sent once the one before is confirmed."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, NoReturn, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from monitor.bus.kafka.aiokafka_internals import (
    BATCH_BYTES,
    Compression,
    RecordBatch,
    keep_batches_until_sent,
    stop_producer,
)
from monitor.bus.kafka.connection import REQUEST_TIMEOUT_MS, KafkaConnection, explain_start, verify
from monitor.bus.kafka.errors import BusError, explain
from monitor.bus.kafka.outbox import Lane, Outbox
from monitor.bus.memory import HIGH_WATER
from monitor.bus.ports import BusStats
from monitor.bus.topics import Record, Topic

log = logging.getLogger(__name__)

LINGER_S: Final = 0.05
"""Longest wait of a batch that is not full and holds no heartbeat, seconds. A second is decided when a heartbeat closes
it, and heartbeats are sent at once, so this delays no signal; 5 ms cost 2.4 times as much CPU at 5,000 records/s."""
CLOSE_TIMEOUT_S: Final = 10.0
"""Longest wait of a closing publisher for its last records, seconds; orchestrators kill after 30 s or more."""


class KafkaPublisher:
    """Writes to Kafka; see :class:`monitor.bus.ports.Publisher`. Opened with ``await KafkaPublisher(...).start()``.

    Writes are idempotent, acknowledged by all in-sync replicas, and retried until they succeed. While brokers are away
    records wait here, :attr:`full` makes the writers pause, and everything is sent in order when they are back. An
    error that no retry can solve stops the publisher: every further call raises it, and so does :meth:`watch`.

    An event with asset ``*`` (a venue's gap or heartbeat) is written to every partition of its topic.

    Args:
        connection: the brokers.
        topics: the topics to write; a record of another topic is refused.
        clock: returns microseconds since the epoch, the records' timestamp from which retention counts.
        high_water: number of waiting records at which writers must pause.
        compression: compression of the batches.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Iterable[Topic],
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
        high_water: int = HIGH_WATER,
        compression: Compression = "zstd",
    ) -> None:
        self.high_water = high_water
        self._connection = connection
        self._topics = tuple(topics)
        self._clock = clock
        self._producer = AIOKafkaProducer(
            **connection.arguments(),
            enable_idempotence=True,
            acks="all",
            compression_type=compression,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        keep_batches_until_sent(self._producer)
        self._outbox = Outbox(self._topics, connection.name, connection.partitions, lambda: RecordBatch(compression))
        self._work = asyncio.Event()
        self._linger: asyncio.TimerHandle | None = None
        self._everything = False
        self._room = asyncio.Event()
        self._empty = asyncio.Event()
        self._room.set()
        self._empty.set()
        self._failure: BusError | None = None
        self._failed = asyncio.Event()
        self._sent_s: dict[Lane, float] = {}  # when the unconfirmed batch of a partition was sent
        self._drainer: asyncio.Task[None] | None = None
        self.published = 0
        self.drains_blocked = 0

    async def start(self) -> Self:
        """Check the topics, connect, and start sending.

        Raises:
            BusError: Kafka cannot be used; the text names the remedy.
        """
        try:
            await verify(self._connection, self._topics, "Write")
            await self._producer.start()
            for topic in self._topics:  # so that sending never waits for metadata
                await self._producer.partitions_for(self._connection.name(topic))
        except KafkaError as error:
            await self._release()
            raise await explain_start(error, self._connection, "Write", self._topics) from error
        except BaseException:
            await self._release()
            raise
        self._drainer = asyncio.create_task(self._send_batches(), name="kafka publisher")
        self._drainer.add_done_callback(self._drainer_ended)
        return self

    def write(self, records: Sequence[Record]) -> None:
        """Append records to their partitions' batches.

        Raises:
            BusError: an earlier batch failed for good.
            TypeError: this publisher was not opened for a record's topic.
        """
        self._check()
        outbox = self._outbox
        outbox.put(records, self._clock() // 1000)
        self.published += len(records)
        if outbox.waiting:
            self._empty.clear()
            if outbox.waiting >= self.high_water:
                self._room.clear()
            self._wake()

    def _wake(self) -> None:
        outbox = self._outbox
        if outbox.ready:
            self._work.set()
        if outbox.due and self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._send_everything)

    def _send_everything(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._everything = True
        self._work.set()

    @property
    def full(self) -> bool:
        """True at the high-water mark, when a writer must await :meth:`drain`."""
        return not self._room.is_set()

    async def drain(self) -> None:
        """Wait until fewer records wait than ``high_water``.

        Raises:
            BusError: a batch failed for good.
        """
        if not self._room.is_set():
            self.drains_blocked += 1
            await self._room.wait()
        self._check()

    async def flush(self) -> None:
        """Wait until the brokers confirmed everything.

        Raises:
            BusError: a batch failed for good.
        """
        self._send_everything()
        await self._empty.wait()
        self._check()

    async def close(self) -> None:
        """Flush for at most :data:`CLOSE_TIMEOUT_S`, then disconnect.

        Raises:
            BusError: records are left that the brokers did not confirm.
        """
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.flush()
        except TimeoutError:
            raise BusError(
                f"Kafka did not confirm {self._outbox.waiting} records within {CLOSE_TIMEOUT_S:.0f} s of closing; "
                "they may be missing: check the brokers, then the gap in the feeds"
            ) from None
        finally:
            await self._release()

    async def watch(self) -> NoReturn:
        """Wait until the publisher stops for an error that no retry can solve, and raise it.

        To be run beside the writers: a process whose records cannot be published must end, because to everybody else
        its exchanges only look quiet.

        Raises:
            BusError: why the publisher stopped.
        """
        await self._failed.wait()
        self._check()
        raise AssertionError("a publisher fails with a reason")

    def oldest(self) -> tuple[str, float]:
        """Return the partition whose batch has waited longest for its confirmation, and for how long, seconds."""
        if not self._sent_s:
            return "", 0.0
        lane, sent_s = min(self._sent_s.items(), key=lambda item: item[1])
        return f"{lane.topic}/{lane.partition}", asyncio.get_running_loop().time() - sent_s

    def stats(self) -> BusStats:
        """Return the counts; a record for every partition counts once for each."""
        return BusStats(self.published, self._outbox.waiting, self.high_water, self.drains_blocked)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _send_batches(self) -> None:
        outbox = self._outbox
        while True:
            await self._work.wait()
            self._work.clear()
            lanes = outbox.take_due() if self._everything else outbox.take_ready()
            self._everything = False
            for lane in lanes:
                batch = lane.take()
                self._sent_s[lane] = asyncio.get_running_loop().time()
                future = await self._producer.send_batch(batch, lane.topic, partition=lane.partition)
                future.add_done_callback(partial(self._confirmed, lane, batch.count))

    def _confirmed(self, lane: Lane, records: int, future: asyncio.Future[RecordMetadata]) -> None:
        error = future.exception()
        if error is not None:
            self._fail(explain(error, self._connection.username, "Write", lane.topic))
            return
        self._sent_s.pop(lane, None)
        self._outbox.confirmed(lane, records)
        if self._outbox.waiting < self.high_water:
            self._room.set()
        if not self._outbox.waiting:
            self._empty.set()
        self._wake()

    def _drainer_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(explain(error, self._connection.username, "Write"))

    def _fail(self, failure: BusError) -> None:
        """Keep the first error that no retry can solve, and wake all waiting callers, which raise it."""
        if self._failure is None:
            self._failure = failure
            log.error("the publisher stops with %d unconfirmed records: %s", self._outbox.waiting, failure)
        self._failed.set()
        self._room.set()
        self._empty.set()

    async def _release(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        if self._drainer is not None:
            self._drainer.cancel()
            await asyncio.wait([self._drainer])
        if self._outbox.waiting:
            await stop_producer(self._producer, "publisher")
        await self._producer.stop()
