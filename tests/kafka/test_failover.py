"""What happens to records when brokers die: three nodes, killed as a power cut would."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import pytest

from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection, administrator
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.topics import LIQUIDATIONS, SIGNALS
from monitor.model.events import Liquidation
from tests.budget import few
from tests.bus import records as make
from tests.bus.harness import read, records_of
from tests.kafka.broker import Kafka
from tests.kafka.fixtures import PARTITIONS
from tests.waiting import patient, until

pytestmark = pytest.mark.kafka
ASSETS: Final = ("BTC", "ETH", "SOL", "XRP", "DOGE", "PEPE", "HYPE")


@pytest.fixture
async def connection(kafka_cluster: Kafka, topic_prefix: str) -> AsyncIterator[KafkaConnection]:
    """Topics with three copies; every node runs again afterwards."""
    connection = KafkaConnection(kafka_cluster.bootstrap, partitions=PARTITIONS, topic_prefix=topic_prefix)
    await until_complete(connection)
    await topics_admin.create(connection, 3, [LIQUIDATIONS, SIGNALS])
    yield connection
    for node in kafka_cluster.nodes.values():
        node.send(signal.SIGCONT)
    kafka_cluster.revive()


async def until_complete(connection: KafkaConnection) -> None:
    """Wait until all three nodes take part (again)."""

    async def complete() -> bool:
        try:
            async with administrator(connection) as client:
                return len((await client.describe_cluster())["brokers"]) == 3
        except BusError:  # none of them is back yet
            return False

    await until(complete, every_s=0.2)


async def leader(connection: KafkaConnection, partition: int) -> int:
    """The node that leads a partition of the liquidations topic."""
    async with administrator(connection) as client:
        (topic,) = await client.describe_topics([connection.name(LIQUIDATIONS)])
    return next(int(each["leader"]) for each in topic["partitions"] if each["partition"] == partition)


def numbers(subscribed: list[Liquidation]) -> dict[str, list[int]]:
    """The numbers of each asset's records as they were read."""
    seen = defaultdict(list)
    for record in subscribed:
        seen[record.asset].append(int(record.id))
    return seen


async def everything(connection: KafkaConnection, count: int) -> dict[str, list[int]]:
    """All records of the topic, read from its beginning."""
    reader = await KafkaSubscriber(connection, [LIQUIDATIONS], group=connection.topic_prefix + "check").start()
    batches = await read(reader, count)
    batches += await reader.poll(0.5)  # a doubled record would still come
    await reader.close()
    return numbers([record for record in records_of(batches) if isinstance(record, Liquidation)])


async def test_the_leaders_death_loses_and_doubles_nothing(kafka_cluster: Kafka, connection: KafkaConnection) -> None:
    """While records stream, the leader of a partition is killed: each record arrives once, in order."""
    publisher = await KafkaPublisher(connection, [LIQUIDATIONS]).start()
    count = 0
    for step in range(150):
        publisher.write([make.liquidation(number, ASSETS[number % 7]) for number in range(count, count + 40)])
        count += 40
        await asyncio.sleep(0.01)
        if step == 50:
            kafka_cluster.nodes[await leader(connection, 0)].kill()
    await asyncio.wait_for(publisher.close(), patient(30))
    assert await everything(connection, count) == {
        asset: list(range(index, count, 7)) for index, asset in enumerate(ASSETS)
    }
    assert publisher.stats()[:2] == (count, 0)


@pytest.mark.sampled
@pytest.mark.parametrize("away", few(["silent", "killed"]))
async def test_records_wait_while_all_brokers_are_away(
    away: str, kafka_cluster: Kafka, connection: KafkaConnection
) -> None:
    """Writers are held back at the mark, memory stays bounded, and everything goes out when brokers are back."""
    publisher = await KafkaPublisher(connection, [LIQUIDATIONS], high_water=2_000).start()
    publisher.write([make.liquidation(number, ASSETS[number % 7]) for number in range(100)])
    await publisher.flush()
    for node in kafka_cluster.nodes.values():
        if away == "killed":
            node.kill()
        else:
            node.send(signal.SIGSTOP)
    count = 100
    while not publisher.full:
        publisher.write([make.liquidation(number, ASSETS[number % 7]) for number in range(count, count + 100)])
        count += 100
        await asyncio.sleep(0)
    assert publisher.stats().waiting == 2_000
    held = asyncio.create_task(publisher.drain())
    await asyncio.sleep(1)
    assert not held.done()
    for node in kafka_cluster.nodes.values():
        node.send(signal.SIGCONT)
    kafka_cluster.revive()
    await asyncio.wait_for(held, patient(60))
    await asyncio.wait_for(publisher.close(), patient(30))
    assert await everything(connection, count) == {
        asset: list(range(index, count, 7)) for index, asset in enumerate(ASSETS)
    }


@pytest.mark.deep("waits for a node to count as gone, then three times the client's patience, then for it to start")
async def test_a_partition_without_a_leader_keeps_its_records(
    kafka_cluster: Kafka, connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only copy's node is gone: its records are not given up, however long it takes, and the rest goes on."""
    monkeypatch.setattr("monitor.bus.kafka.publisher.REQUEST_TIMEOUT_MS", 1_000)
    single = replace(connection, topic_prefix=connection.topic_prefix + "single.")
    await topics_admin.create(single, 1, [LIQUIDATIONS])
    publisher = await KafkaPublisher(single, [LIQUIDATIONS]).start()
    kafka_cluster.nodes[await leader(single, 0)].kill()
    publisher.write([make.liquidation(number, ASSETS[number % 7]) for number in range(700)])
    await until(lambda: publisher.stats().waiting < 700)
    await asyncio.sleep(6)  # three seconds until the node counts as gone, then three times the client's patience
    assert 0 < publisher.stats().waiting < 700
    kafka_cluster.revive()
    await asyncio.wait_for(publisher.flush(), patient(60))
    await publisher.close()
    assert await everything(single, 700) == {asset: list(range(index, 700, 7)) for index, asset in enumerate(ASSETS)}


async def test_a_reader_survives_the_leaders_death(kafka_cluster: Kafka, connection: KafkaConnection) -> None:
    """A subscriber goes on with the new leader and sees each record once."""
    publisher = await KafkaPublisher(connection, [LIQUIDATIONS]).start()
    reader = await KafkaSubscriber(connection, [LIQUIDATIONS], group=connection.topic_prefix + "live").start()
    publisher.write([make.liquidation(number, ASSETS[number % 7]) for number in range(700)])
    batches = await read(reader, 700)
    kafka_cluster.nodes[await leader(connection, 1)].kill()
    publisher.write([make.liquidation(number, ASSETS[number % 7]) for number in range(700, 1_400)])
    batches += await asyncio.wait_for(read(reader, 700), patient(30))
    await publisher.close()
    await reader.close()
    seen = numbers([record for record in records_of(batches) if isinstance(record, Liquidation)])
    assert seen == {asset: list(range(index, 1_400, 7)) for index, asset in enumerate(ASSETS)}
