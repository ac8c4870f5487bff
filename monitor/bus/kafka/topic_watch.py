"""Watches the topics of a process: which are missing, and which were deleted and created again."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final, NoReturn
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from monitor.bus.kafka.aiokafka_internals import topic_ids
from monitor.bus.kafka.connection import PROBE_TIMEOUT_MS, KafkaConnection, administrator
from monitor.bus.kafka.errors import BusError, explain, missing
from monitor.bus.topics import Topic

log = logging.getLogger(__name__)

WATCH_S: Final = 3.0
"""Interval between two looks, seconds: one small request to one broker."""


class TopicWatch:
    """The topics as the brokers last described them.

    Args:
        connection: the brokers.
        topics: the topics that the process uses.

    Attributes:
        ids: by topic, the id of its present incarnation; without those that are missing or were never seen.
        missing: the topics that did not exist at the last look, by their names on the brokers.
        supported: false if the brokers are too old to have ids (before Kafka 2.8).
    """

    def __init__(self, connection: KafkaConnection, topics: Iterable[Topic]) -> None:
        self.ids: dict[str, UUID] = {}
        self.missing: list[str] = []
        self.supported = True
        self._connection = connection
        self._names = {connection.name(topic): topic.name for topic in topics}

    def trouble(self) -> str:
        """Return what is wrong with the topics and the remedy; empty if nothing is."""
        return "; ".join(str(missing(name)) for name in self.missing)

    async def run(self) -> NoReturn:
        """Look until cancelled. While brokers do not answer, everything stays as it was."""
        while True:
            try:
                async with administrator(self._connection) as client:
                    while self.supported:
                        await self._look(client)
                        await asyncio.sleep(WATCH_S)
                    await asyncio.Event().wait()
            except (BusError, KafkaError, TimeoutError) as error:
                log.debug("the topics cannot be described: %s", error)
            await asyncio.sleep(WATCH_S)

    async def look(self) -> None:
        """Look once, now.

        Raises:
            BusError: no broker answered.
        """
        async with administrator(self._connection) as client:
            try:
                await self._look(client)
            except (KafkaError, TimeoutError) as error:
                raise explain(error, self._connection.username, "Describe") from error

    async def _look(self, client: AIOKafkaAdminClient) -> None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_MS / 1000):
                found = await topic_ids(client, list(self._names))
        except NotImplementedError:
            self.supported = False
            log.warning(
                "the brokers are older than Kafka 2.8: a topic that is created again is noticed by offsets alone"
            )
            return
        gone = [name for name, found_id in found.items() if found_id is None]
        for name in gone:
            if name not in self.missing:
                log.error("%s", missing(name))
        self.missing = gone
        self.ids |= {self._names[name]: found_id for name, found_id in found.items() if found_id is not None}
