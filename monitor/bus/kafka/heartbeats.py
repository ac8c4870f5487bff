"""Reads the last heartbeats that collectors published, from the end of the feeds' topic backwards."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from monitor.bus import codec
from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.errors import explain
from monitor.bus.topics import FEEDS
from monitor.model.events import Heartbeat

log = logging.getLogger(__name__)

CHUNK: Final = 20_000
"""Number of records read at once: some minutes of twenty exchanges."""
MAX_RECORDS: Final = 400_000
"""Largest number of records searched for a venue's heartbeats; they take a few seconds."""
READ_S: Final = 30.0
RETRY_S: Final = 2.0


class LastHeartbeats:
    """Finds the last heartbeat of each channel of some venues, whichever collector published it.

    A venue's heartbeat is in every partition, so one partition is enough.

    Args:
        connection: the brokers.
        venues: the venues; reading goes back until heartbeats of all are found.
    """

    def __init__(self, connection: KafkaConnection, venues: Iterable[str]) -> None:
        self._connection = connection
        self._venues = frozenset(venues)
        self._where = TopicPartition(connection.name(FEEDS), 0)
        self._found: dict[str, dict[str, int]] = {}
        self._read_to: int | None = None  # offset after the last record read
        self._began_s = -1.0  # start of the last reading
        self._lock = asyncio.Lock()
        self._refused = False

    async def of(self, venue: str) -> Mapping[str, int]:
        """Return by channel the receive time of the venue's last heartbeat, as of this call, microseconds.

        Waits until the brokers answer. If they refuse, the error is logged once and the result is empty.
        """
        asked_s = asyncio.get_running_loop().time()
        async with self._lock:
            while self._began_s < asked_s and not self._refused:
                await self._try()
        return dict(self._found.get(venue, {}))

    async def _try(self) -> None:
        began_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(READ_S):
                await self._read()
        except (KafkaError, TimeoutError) as error:
            why = explain(error, self._connection.username, "Read", self._where.topic)
            if getattr(error, "retriable", True):
                log.warning("%s; gaps of a restart are published once the topic can be read", why)
                await asyncio.sleep(RETRY_S)
            else:
                log.error("%s; until then no gap is published for a restart", why)  # noqa: TRY400  # complete without a traceback
                self._refused = True
        else:
            self._began_s = began_s

    async def _read(self) -> None:
        async with self._consumer() as consumer:
            end = (await consumer.end_offsets([self._where]))[self._where]
            if self._read_to is not None:
                await self._take(consumer, self._read_to, end)
            else:
                begin = (await consumer.beginning_offsets([self._where]))[self._where]
                first = end
                while first > max(begin, end - MAX_RECORDS) and not self._venues <= self._found.keys():
                    last, first = first, max(begin, first - CHUNK)
                    await self._take(consumer, first, last)
            self._read_to = end

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(**self._connection.arguments(), enable_auto_commit=False, fetch_max_wait_ms=100)
        try:
            await consumer.start()
            consumer.assign([self._where])
            yield consumer
        finally:
            await consumer.stop()

    async def _take(self, consumer: AIOKafkaConsumer, first: int, last: int) -> None:
        """Take the heartbeats at the offsets from ``first`` up to, but without, ``last``."""
        if first >= last:
            return
        consumer.seek(self._where, first)
        while await consumer.position(self._where) < last:
            for messages in (await consumer.getmany(timeout_ms=100, max_records=CHUNK)).values():
                for message in messages:
                    if message.offset < last and message.value is not None and b'"heartbeat"' in message.value:
                        self._note(message.value)

    def _note(self, value: bytes) -> None:
        try:
            record = codec.decode(FEEDS.name, value, ())
        except msgspec.DecodeError:
            return  # readers of the topic count and reject it
        if isinstance(record, Heartbeat):
            channels = self._found.setdefault(record.venue, {})
            channels[record.channel] = max(record.receive_time_us, channels.get(record.channel, 0))
