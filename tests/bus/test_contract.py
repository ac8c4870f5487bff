"""What every bus keeps to: one suite, run on the in-memory bus and on real Kafka."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest

from monitor.bus.topics import CASCADE_STATE, FEEDS, LIQUIDATIONS, REJECTS, SIGNALS, STATE, TRADES, Record, Topic
from monitor.model.events import Liquidation, MarkPrice, Trade
from tests.bus import records as make
from tests.bus.harness import (
    HIGH_WATER,
    WRITTEN,
    Bus,
    KafkaHarness,
    MemoryHarness,
    by_partition,
    read,
    records_of,
    write_and_read,
)

ASSETS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "PEPE", "HYPE")


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """Each bus in turn."""
    if request.param == "memory":
        yield MemoryHarness()
        return
    harness = KafkaHarness(request.getfixturevalue("kafka_connection"))
    await harness.start()
    yield harness
    await harness.close()


async def test_an_assets_records_keep_their_order(bus: Bus) -> None:
    """What was written of one asset is read in that order, whatever is written of others in between."""
    subscriber = await bus.subscriber([TRADES])
    publisher = await bus.publisher()
    batches = await write_and_read(
        publisher, subscriber, [make.trade(number, ASSETS[number % 7]) for number in range(3_000)]
    )
    seen = defaultdict(list)
    for record in records_of(batches):
        assert isinstance(record, Trade)
        seen[record.asset].append(int(record.id))
    assert seen == {asset: list(range(index, 3_000, 7)) for index, asset in enumerate(ASSETS)}


async def test_nothing_is_lost_or_doubled_under_back_pressure(bus: Bus) -> None:
    """A reader that starts late makes the writer wait at the high-water mark and still gets every record once."""
    subscriber = await bus.subscriber([LIQUIDATIONS])
    publisher = await bus.publisher()
    highest = 0

    async def write() -> None:
        nonlocal highest
        for start in range(0, 20_000, 250):
            publisher.write([make.liquidation(number, ASSETS[number % 7]) for number in range(start, start + 250)])
            highest = max(highest, publisher.stats().waiting)
            if publisher.full:
                await publisher.drain()

    writer = asyncio.create_task(write())
    batches = await read(subscriber, 20_000)
    await writer
    numbers = Counter(int(record.id) for record in records_of(batches) if isinstance(record, Liquidation))
    assert numbers == Counter(range(20_000))
    assert HIGH_WATER <= highest < HIGH_WATER + 250
    stats = publisher.stats()
    assert stats.drains_blocked > 0
    assert stats.published == 20_000


async def test_offsets_follow_one_another(bus: Bus) -> None:
    """A partition's batches continue each other without a hole, from the first offset on."""
    subscriber = await bus.subscriber([TRADES])
    publisher = await bus.publisher()
    records: list[Record] = [make.trade(number, ASSETS[number % 7]) for number in range(5_000)]
    partitions = by_partition(await write_and_read(publisher, subscriber, records))
    assert {partition.topic for partition in partitions} == {TRADES.name}
    for batches in partitions.values():
        expected = 0
        for batch in batches:
            assert batch.first_offset == expected
            assert batch.records
            expected = batch.next_offset
    assert sum(batches[-1].next_offset for batches in partitions.values()) == 5_000


@pytest.mark.parametrize(
    ("record", "topics"),
    [
        (make.liquidation(1), [LIQUIDATIONS]),
        (make.trade(2), [TRADES]),
        (make.bar(3), [TRADES]),
        (make.mark_price(4), [STATE]),
        (make.open_interest(5), [STATE]),
        (make.volatility(6), [STATE]),
        (make.gap(7, "BTC"), [FEEDS]),
        (make.heartbeat(8, "BTC"), [FEEDS]),
        (make.reject(9), [REJECTS]),
        (make.signal(10), [SIGNALS, CASCADE_STATE]),
        (make.signal(11, "MARKET"), [SIGNALS, CASCADE_STATE]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
async def test_a_record_goes_unchanged_to_the_topics_of_its_type(bus: Bus, record: Record, topics: list[Topic]) -> None:
    """A reader of all topics finds a record on those that the table gives its type, equal to what was written."""
    subscriber = await bus.subscriber(WRITTEN)
    publisher = await bus.publisher()
    publisher.write([record])
    batches = await read(subscriber, len(topics))
    assert Counter(batch.partition.topic for batch in batches) == Counter(topic.name for topic in topics)
    assert records_of(batches) == [record] * len(topics)


async def test_a_subscriber_sees_its_topics_alone(bus: Bus) -> None:
    """What goes to other topics does not reach it."""
    subscriber = await bus.subscriber([LIQUIDATIONS, STATE])
    publisher = await bus.publisher()
    mixed: list[Any] = [make.trade(1), make.liquidation(2), make.trade(3), make.mark_price(4), make.reject(5)]
    publisher.write(mixed)
    await publisher.flush()
    assert {type(record) for record in records_of(await read(subscriber, 2))} == {Liquidation, MarkPrice}


async def test_what_concerns_a_whole_venue_reaches_every_partition_once(bus: Bus) -> None:
    """A gap or heartbeat with asset ``*`` stands in each partition of the feeds topic, so every detector sees it."""
    subscriber = await bus.subscriber([FEEDS])
    publisher = await bus.publisher()
    publisher.write([make.gap(1), make.heartbeat(2), make.gap(3, "ETH")])
    batches = await read(subscriber, 2 * bus.partitions + 1)
    wide = {
        partition.partition: [record for record in records_of(found) if record in (make.gap(1), make.heartbeat(2))]
        for partition, found in by_partition(batches).items()
    }
    assert wide == {number: [make.gap(1), make.heartbeat(2)] for number in range(bus.partitions)}
    assert records_of(batches).count(make.gap(3, "ETH")) == 1


async def test_groups_read_independently(bus: Bus) -> None:
    """Two groups get every record each."""
    readers = [await bus.subscriber([TRADES], group) for group in ("one", "two")]
    publisher = await bus.publisher()
    publisher.write([make.trade(number) for number in range(50)])
    for reader in readers:
        assert records_of(await read(reader, 50)) == [make.trade(number) for number in range(50)]


async def test_poll_returns_nothing_when_nothing_comes(bus: Bus) -> None:
    """A quiet topic gives an empty list after the timeout, at once for a timeout of zero."""
    subscriber = await bus.subscriber([TRADES])
    assert await subscriber.poll(0) == []
    assert await subscriber.poll(0.02) == []


async def test_flushed_records_can_be_read_by_whoever_waits(bus: Bus) -> None:
    """After ``flush`` nothing waits at the publisher, and a waiting poll wakes up with the record."""
    subscriber = await bus.subscriber([TRADES])
    publisher = await bus.publisher()
    waiting = asyncio.create_task(read(subscriber, 1))
    await asyncio.sleep(0)
    publisher.write([make.trade(1)])
    await publisher.flush()
    await publisher.drain()
    assert not publisher.full
    assert records_of(await waiting) == [make.trade(1)]


async def test_stats_say_how_full_it_is(bus: Bus) -> None:
    """A publisher counts what it was given; a subscriber that has read everything has nothing waiting."""
    subscriber = await bus.subscriber([TRADES, LIQUIDATIONS])
    publisher = await bus.publisher()
    publisher.write([])
    assert publisher.stats() == (0, 0, HIGH_WATER, 0)
    publisher.write([make.trade(1), make.liquidation(2), make.trade(3)])
    assert publisher.stats().published == 3
    assert publisher.stats().waiting == 3
    await read(subscriber, 3)
    await publisher.flush()
    assert subscriber.stats().waiting == 0
    assert subscriber.stats().published == 3
    assert publisher.stats().waiting == 0


async def test_commit_and_close_go_through(bus: Bus) -> None:
    """A reader may commit what it has read, and what is closed stays closed."""
    subscriber = await bus.subscriber([TRADES])
    publisher = await bus.publisher()
    publisher.write([make.trade(1)])
    batches = await read(subscriber, 1)
    await subscriber.commit({batch.partition: batch.next_offset for batch in batches})
    await subscriber.close()
    await subscriber.close()
    await publisher.close()
