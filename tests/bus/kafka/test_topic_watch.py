from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"
import pytest

from monitor.bus.kafka import topic_watch, topics_admin
from monitor.bus.kafka.connection import KafkaConnection, administrator
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.topic_watch import TopicWatch
from monitor.bus.topics import SIGNALS, TRADES
from tests.waiting import until


@pytest.mark.kafka
async def test_topics_that_are_missing_or_created_again_are_noticed(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A deleted topic is missing, logged once with the remedy; created again it has another id, others keep theirs."""
    monkeypatch.setattr(topic_watch, "WATCH_S", 0.05)
    await topics_admin.create(kafka_connection, 1, [SIGNALS, TRADES])
    watch = TopicWatch(kafka_connection, [SIGNALS, TRADES])
    running = asyncio.create_task(watch.run())
    await until(lambda: len(watch.ids) == 2)
    before = dict(watch.ids)
    assert watch.trouble() == ""
    name = kafka_connection.name(SIGNALS)
    async with administrator(kafka_connection) as client:
        await client.delete_topics([name])
    await until(lambda: watch.missing == [name])
    assert watch.trouble() == f"Kafka topic {name} does not exist; create it: cascade-monitor topics create"
    await topics_admin.create(kafka_connection, 1, [SIGNALS])
    await until(lambda: not watch.missing)
    running.cancel()
    assert watch.ids[SIGNALS.name] != before[SIGNALS.name]
    assert watch.ids[TRADES.name] == before[TRADES.name]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        f"Kafka topic {name} does not exist; create it: cascade-monitor topics create"
    ]


async def test_brokers_that_do_not_answer_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watching goes on; whoever must know now gets the reason."""
    monkeypatch.setattr(topic_watch, "WATCH_S", 0.01)
    watch = TopicWatch(KafkaConnection("127.0.0.1:1"), [SIGNALS])
    running = asyncio.create_task(watch.run())
    with pytest.raises(BusError, match="cannot be reached"):
        await watch.look()
    assert not running.done()
    running.cancel()
    assert (watch.ids, watch.missing) == ({}, [])


async def test_brokers_without_ids_are_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Before Kafka 2.8 topics have no ids: a warning names what is missed, and nothing is looked at again."""

    async def too_old(*_: object) -> None:
        raise NotImplementedError

    @asynccontextmanager
    async def client(_: object) -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr(topic_watch, "topic_ids", too_old)
    monkeypatch.setattr(topic_watch, "administrator", client)
    watch = TopicWatch(KafkaConnection("127.0.0.1:1"), [SIGNALS])
    await watch.look()
    assert not watch.supported
    assert "older than Kafka 2.8" in caplog.text
