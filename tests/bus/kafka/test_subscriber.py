from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import TopicPartition

from monitor.bus import codec
from monitor.bus.kafka.connection import KafkaConnection, administrator
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.ports import Batch, Partition
from monitor.bus.topics import CASCADE_STATE, TRADES
from monitor.model.events import Gap, Reject, Trade
from tests.bus import records as make
from tests.bus.harness import KafkaHarness, by_partition, read, records_of

pytestmark = pytest.mark.kafka
ASSETS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "PEPE", "HYPE")
ALL_TRADES = {Partition(TRADES.name, number) for number in range(3)}


@pytest.fixture
async def bus(kafka_connection: KafkaConnection) -> AsyncIterator[KafkaHarness]:
    """Topics of this test; everything that was opened is closed."""
    harness = KafkaHarness(kafka_connection)
    await harness.start()
    yield harness
    await harness.close()


async def published(bus: KafkaHarness, count: int) -> KafkaPublisher:
    """``count`` trades of seven assets on the topic."""
    publisher = await bus.publisher()
    publisher.write([make.trade(number, ASSETS[number % 7]) for number in range(count)])
    await publisher.flush()
    return publisher


def ends(batches: list[Batch]) -> dict[Partition, int]:
    """Where to go on after these batches."""
    return {batch.partition: batch.next_offset for batch in batches}


async def test_a_restart_goes_on_where_the_group_committed(bus: KafkaHarness) -> None:
    """The next member reads what was not committed, nothing twice and nothing skipped."""
    publisher = await published(bus, 700)
    first = await bus.subscriber([TRADES])
    seen = await read(first, 700)
    await first.commit(ends(seen))
    publisher.write([make.trade(number, ASSETS[number % 7]) for number in range(700, 800)])
    assert len(records_of(await read(first, 100))) == 100
    await first.close()
    second = await bus.subscriber([TRADES])
    again = await read(second, 100)
    assert sorted(int(record.id) for record in records_of(again) if isinstance(record, Trade)) == list(range(700, 800))
    for partition, batches in by_partition(again).items():
        assert batches[0].first_offset == ends(seen)[partition]


async def test_lag_is_what_is_written_and_not_read(bus: KafkaHarness) -> None:
    """Before the first record of a partition is read its whole content is the lag; afterwards nothing."""
    await published(bus, 5_000)
    subscriber = await bus.subscriber([TRADES])
    batches: list[Batch] = []
    while not batches:
        batches = await subscriber.poll(0.1)
    count = len(records_of(batches))
    assert 0 < count <= 2_000
    assert subscriber.stats().waiting == sum(subscriber.lags().values()) > 0
    batches += await read(subscriber, 5_000 - count)
    await subscriber.poll(0)
    assert subscriber.lags() == dict.fromkeys(ALL_TRADES, 0)
    assert subscriber.stats() == (5_000, 0, 0, 0)


async def test_an_empty_partition_has_no_lag(bus: KafkaHarness) -> None:
    """A partition that never held anything is measured too."""
    subscriber = await bus.subscriber([TRADES])
    for _ in range(50):
        await subscriber.poll(0.1)
        if len(subscriber.lags()) == 3:
            break
    assert subscriber.lags() == dict.fromkeys(ALL_TRADES, 0)


async def test_what_cannot_be_read_is_counted_and_passed_over(bus: KafkaHarness) -> None:
    """Garbage on a topic becomes a counted reject; the records around it come through at their own offsets."""
    rejects: list[Reject] = []
    name = bus.connection.name(TRADES)
    producer = AIOKafkaProducer(bootstrap_servers=bus.connection.bootstrap_servers)
    await producer.start()
    good = codec.encode(make.trade(1))
    for value in (good, b"{not JSON", codec.encode(make.liquidation(1)), good, good):
        await producer.send_and_wait(name, value, partition=1, timestamp_ms=1_760_130_000_000)
    await producer.stop()
    subscriber = await KafkaSubscriber(
        bus.connection, [TRADES], group=bus.connection.topic_prefix + "g", on_reject=rejects.append
    ).start()
    batches = await read(subscriber, 3)
    await subscriber.close()
    assert [(batch.first_offset, len(batch.records)) for batch in batches] == [(0, 1), (3, 2)]
    assert records_of(batches) == [make.trade(1)] * 3
    assert subscriber.rejected == 2
    assert [(each.venue, each.reason, each.receive_time_us) for each in rejects] == [
        ("bus", "malformed", 1_760_130_000_000_000)
    ] * 2
    assert rejects[0].detail.startswith(f"{name}/1@1: ")
    assert rejects[0].sample == b"{not JSON"


async def test_garbage_without_a_listener_is_counted_all_the_same(bus: KafkaHarness) -> None:
    """Nobody needs to listen for rejects."""
    producer = AIOKafkaProducer(bootstrap_servers=bus.connection.bootstrap_servers)
    await producer.start()
    await producer.send_and_wait(bus.connection.name(TRADES), b"\xff", partition=0)
    await producer.send_and_wait(bus.connection.name(TRADES), codec.encode(make.trade(1)), partition=0)
    await producer.stop()
    subscriber = await bus.subscriber([TRADES])
    assert records_of(await read(subscriber, 1)) == [make.trade(1)]
    assert (subscriber.rejected, subscriber.received) == (1, 1)


async def test_a_tombstone_is_no_record(bus: KafkaHarness) -> None:
    """On a compacted topic a removed key is passed over and is no reject either."""
    name = bus.connection.name(CASCADE_STATE)
    producer = AIOKafkaProducer(bootstrap_servers=bus.connection.bootstrap_servers)
    await producer.start()
    await producer.send_and_wait(name, None, key=b"BTC", partition=0)
    await producer.send_and_wait(name, codec.encode(make.signal(1)), key=b"BTC", partition=0)
    await producer.stop()
    subscriber = await bus.subscriber([CASCADE_STATE])
    (batch,) = await read(subscriber, 1)
    assert (batch.first_offset, list(batch.records)) == (1, [make.signal(1)])
    assert subscriber.rejected == 0


async def test_a_second_member_takes_its_share(bus: KafkaHarness) -> None:
    """The hooks are called before a partition is read and before it goes; together the members have all of them."""
    calls: list[tuple[str, frozenset[Partition]]] = []

    async def assigned(partitions: frozenset[Partition]) -> None:
        calls.append(("assigned", partitions))

    async def revoked(partitions: frozenset[Partition]) -> None:
        calls.append(("revoked", partitions))

    group = bus.connection.topic_prefix + "shared"
    first = await KafkaSubscriber(
        bus.connection, [TRADES], group=group, on_assigned=assigned, on_revoked=revoked
    ).start()
    assert calls[-1] == ("assigned", frozenset(ALL_TRADES))
    assert first.assignment() == ALL_TRADES
    second = await KafkaSubscriber(bus.connection, [TRADES], group=group).start()
    while len(calls) < 4:  # nothing goes before the first assignment, too
        await first.poll(0.05)
    assert first.assignment() | second.assignment() == ALL_TRADES
    assert not first.assignment() & second.assignment()
    assert calls[-2:] == [("revoked", frozenset(ALL_TRADES)), ("assigned", first.assignment())]
    lost = next(iter(second.assignment()))
    with pytest.raises(BusError, match="another member of the group has been assigned the partitions"):
        await first.commit({lost: 1})
    await first.close()
    await second.close()


async def test_a_hook_may_choose_where_to_read_on(bus: KafkaHarness) -> None:
    """Seeking in the hook overrides what the group committed: a restored snapshot knows its own offset."""
    await published(bus, 700)
    subscribers: list[KafkaSubscriber] = []

    async def assigned(partitions: frozenset[Partition]) -> None:
        for partition in partitions:
            subscribers[0].seek(partition, 50)

    subscriber = KafkaSubscriber(
        bus.connection, [TRADES], group=bus.connection.topic_prefix + "seek", on_assigned=assigned
    )
    subscribers.append(subscriber)
    await subscriber.start()
    batches = await read(subscriber, 700 - 3 * 50)
    await subscriber.close()
    assert {batches[0].first_offset for batches in by_partition(batches).values()} == {50}


async def test_nothing_is_read_while_a_hook_runs(bus: KafkaHarness) -> None:
    """Polls give nothing until the hook has restored its state and said where to go on; then everything from there."""
    await published(bus, 700)
    restored = asyncio.Event()
    subscribers: list[KafkaSubscriber] = []

    async def assigned(partitions: frozenset[Partition]) -> None:
        await restored.wait()
        for partition in partitions:
            subscribers[0].seek(partition, 50)

    group = bus.connection.topic_prefix + "slow"
    subscribers.append(KafkaSubscriber(bus.connection, [TRADES], group=group, on_assigned=assigned))
    subscriber = await subscribers[0].start()
    for timeout_s in (0.3, 0.1, 0):
        assert await subscriber.poll(timeout_s) == []
    restored.set()
    batches = await read(subscriber, 700 - 3 * 50)
    await subscriber.close()
    assert {found[0].first_offset for found in by_partition(batches).values()} == {50}


async def test_what_was_read_during_a_change_is_read_again(bus: KafkaHarness) -> None:
    """A hook that seeks nowhere loses nothing of what came in while it ran."""
    await published(bus, 700)
    ready = asyncio.Event()

    async def assigned(_: frozenset[Partition]) -> None:
        await ready.wait()

    group = bus.connection.topic_prefix + "again"
    subscriber = await KafkaSubscriber(bus.connection, [TRADES], group=group, on_assigned=assigned).start()
    assert await subscriber.poll(0.3) == []
    ready.set()
    assert len(records_of(await read(subscriber, 700))) == 700
    await subscriber.close()


async def test_a_hook_that_fails_fails_the_next_poll(bus: KafkaHarness) -> None:
    """Aiokafka only logs what a hook raises; here the reader hears of it before it reads a record."""

    async def broken(_: frozenset[Partition]) -> None:
        raise ZeroDivisionError("a fault in the hook")

    await published(bus, 10)
    subscriber = await KafkaSubscriber(
        bus.connection, [TRADES], group=bus.connection.topic_prefix + "broken", on_assigned=broken
    ).start()
    with pytest.raises(ZeroDivisionError, match="a fault in the hook"):
        await subscriber.poll(0.1)
    await subscriber.close()


async def test_nothing_is_handed_out_that_a_failed_hook_did_not_see(bus: KafkaHarness) -> None:
    """A poll that waited while the hook failed raises, too, instead of giving records whose state was not restored."""
    failing = asyncio.Event()

    async def broken(_: frozenset[Partition]) -> None:
        await failing.wait()
        raise ZeroDivisionError("a fault in the hook")

    group = bus.connection.topic_prefix + "broken-late"
    subscriber = await KafkaSubscriber(bus.connection, [TRADES], group=group, on_assigned=broken).start()
    reading = asyncio.create_task(subscriber.poll(10))
    await asyncio.sleep(0.1)  # it waits for the brokers
    failing.set()
    await published(bus, 10)
    with pytest.raises(ZeroDivisionError, match="a fault in the hook"):
        await reading
    await subscriber.close()


async def test_a_latest_reader_begins_at_the_end(bus: KafkaHarness) -> None:
    """It sees nothing from before it came."""
    publisher = await published(bus, 100)
    subscriber = await KafkaSubscriber(
        bus.connection, [TRADES], group=bus.connection.topic_prefix + "late", start_at="latest"
    ).start()
    while len(subscriber.lags()) < 3:
        await subscriber.poll(0.05)
    publisher.write([make.trade(1_000)])
    assert records_of(await read(subscriber, 1)) == [make.trade(1_000)]
    await subscriber.close()


async def remove_before(bus: KafkaHarness, offsets: dict[Partition, int]) -> None:
    """Have the broker remove what stands below these offsets, as retention does."""
    async with administrator(bus.connection) as client:
        prefix = bus.connection.topic_prefix
        await client.delete_records(
            {TopicPartition(prefix + at.topic, at.partition): RecordsToDelete(before) for at, before in offsets.items()}
        )


async def test_records_removed_before_they_were_read_are_stated(
    bus: KafkaHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """They are counted and logged by partition, and come as a gap of every exchange at the offset before the rest."""
    where = Partition(TRADES.name, 0)
    publisher = await bus.publisher()
    publisher.write([make.trade(number, "BTC") for number in range(300)])
    await publisher.flush()
    first = await bus.subscriber([TRADES])
    seen = await read(first, 300)
    (where,) = by_partition(seen)
    await first.commit({where: 100})
    await first.close()
    await remove_before(bus, {where: 250})
    second = await bus.subscriber([TRADES])
    batches = await read(second, 51)
    (gap,) = batches[0].records
    assert isinstance(gap, Gap)
    assert (gap.venue, gap.channel, gap.reason, gap.from_us) == ("*", "trades", "offsets_lost", 0)
    assert (batches[0].first_offset, batches[1].first_offset) == (249, 250)
    (left,) = [batches[1].records[0]]
    assert isinstance(left, Trade)
    assert gap.to_us == left.receive_time_us
    assert (second.continuity.lost, second.continuity.resets) == ({where: 150}, {})
    assert "150 records from offset 100 on were removed" in caplog.text


async def test_a_seek_below_what_is_left_is_stated_and_one_to_the_beginning_is_not(bus: KafkaHarness) -> None:
    """A state's offset below the rest is a loss; whoever begins with the topic has lost nothing."""
    publisher = await bus.publisher()
    publisher.write([make.trade(number, "BTC") for number in range(300)])
    await publisher.flush()
    subscriber = await bus.subscriber([TRADES])
    (where,) = by_partition(await read(subscriber, 300))
    await remove_before(bus, {where: 200})
    subscriber.seek(where, 0)
    assert len(records_of(await read(subscriber, 100))) == 100
    assert subscriber.continuity.lost == {}
    subscriber.seek(where, 50)
    assert len(records_of(await read(subscriber, 101))) == 101
    assert subscriber.continuity.lost == {where: 150}


async def test_a_topic_made_anew_is_stated(bus: KafkaHarness, caplog: pytest.LogCaptureFixture) -> None:
    """An offset behind the topic's end goes on at its beginning, and says so."""
    publisher = await bus.publisher()
    publisher.write([make.trade(number, "BTC") for number in range(30)])
    await publisher.flush()
    subscriber = await bus.subscriber([TRADES])
    (where,) = by_partition(await read(subscriber, 30))
    subscriber.seek(where, 5_000)
    gap, *again = records_of(await read(subscriber, 31))
    assert isinstance(gap, Gap)
    assert len(again) == 30
    assert (subscriber.continuity.lost, subscriber.continuity.resets) == ({}, {where: 1})
    assert "is read from offset 0; reading had come to offset 5000" in caplog.text
