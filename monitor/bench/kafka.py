"""Publishing to and consuming from Kafka, beside what aiokafka's own documentation shows first."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from monitor.bench.measure import Case, Group, measure
from monitor.bus import admin, codec
from monitor.bus.kafka_client import KafkaConnection
from monitor.bus.kafka_publisher import KafkaPublisher
from monitor.bus.kafka_subscriber import KafkaSubscriber
from monitor.bus.topics import TRADES
from monitor.events import Trade

PARTITIONS: Final = 6
CHUNK: Final = 500
"""Records handed over at once: a busy socket's wake-up."""
NAIVE: Final = "aiokafka send(key=…)"
ASYNC_FOR: Final = "aiokafka async for, json.loads"


def trades(count: int) -> list[Trade]:
    """Trades of 40 assets; about 200 bytes of JSON each."""
    start_us = 1_760_130_000_000_000
    return [
        Trade("bybit", f"A{n % 40}USDT", f"A{n % 40}", start_us + n, start_us + n + 50_000, "sell", 60_000.5, 0.25,
              15_000.125, 1, str(10**9 + n))
        for n in range(count)
    ]  # fmt: skip


async def _publish(connection: KafkaConnection, records: list[Trade]) -> int:
    publisher = await KafkaPublisher(connection, [TRADES]).start()
    for start in range(0, len(records), CHUNK):
        publisher.write(records[start : start + CHUNK])
        await (publisher.drain() if publisher.full else asyncio.sleep(0))
    await publisher.close()
    return len(records)


async def _send(connection: KafkaConnection, records: list[Trade]) -> int:
    values = [(record.asset.encode(), codec.encode(record)) for record in records]
    producer = AIOKafkaProducer(bootstrap_servers=connection.bootstrap_servers, acks="all", enable_idempotence=True)
    await producer.start()
    topic = connection.name(TRADES)
    for start in range(0, len(values), CHUNK):
        await asyncio.gather(
            *[await producer.send(topic, value, key=key) for key, value in values[start : start + CHUNK]]
        )
    await producer.stop()
    return len(values)


async def _poll(connection: KafkaConnection, count: int) -> int:
    reader = await KafkaSubscriber(connection, [TRADES], group=uuid.uuid4().hex).start()
    read = 0
    while read < count:
        read += sum(len(batch.records) for batch in await reader.poll(1.0))
    await reader.close()
    return read


async def _async_for(connection: KafkaConnection, count: int) -> int:
    consumer = AIOKafkaConsumer(
        connection.name(TRADES), bootstrap_servers=connection.bootstrap_servers, group_id=uuid.uuid4().hex,
        auto_offset_reset="earliest",
    )  # fmt: skip
    await consumer.start()
    read = 0
    async for message in consumer:
        json.loads(message.value)
        read += 1
        if read == count:
            break
    await consumer.stop()
    return read


def _fresh(bootstrap: str) -> KafkaConnection:
    """Topics of its own for every run."""
    connection = KafkaConnection(bootstrap, partitions=PARTITIONS, topic_prefix=f"bench-{uuid.uuid4().hex[:8]}.")
    asyncio.run(admin.create(connection, 1, [TRADES]))
    return connection


def groups(bootstrap: str, count: int, rounds: int) -> Iterator[Group]:
    """Measure publishing, then consuming; the CPU is this process's, the brokers' is not counted."""
    notes = (f"{count:,} trades of 40 assets, {PARTITIONS} partitions, acks=all, idempotent; connecting included",)
    records = trades(count)
    cases = [
        Case(NAIVE, "records", lambda each: asyncio.run(_send(each, records)), lambda: _fresh(bootstrap)),
        Case("monitor", "records", lambda each: asyncio.run(_publish(each, records)), lambda: _fresh(bootstrap)),
    ]
    yield Group("publish to Kafka", measure(cases, rounds), (NAIVE,), notes)
    filled = _fresh(bootstrap)
    asyncio.run(_publish(filled, records))
    cases = [
        Case(ASYNC_FOR, "records", lambda _: asyncio.run(_async_for(filled, count))),
        Case("monitor", "records", lambda _: asyncio.run(_poll(filled, count))),
    ]
    yield Group("consume from Kafka", measure(cases, rounds), (ASYNC_FOR,), notes)
