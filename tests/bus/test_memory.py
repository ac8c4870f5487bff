from __future__ import annotations

import asyncio

import pytest

from monitor.bus.memory import MemoryBus
from monitor.bus.ports import Partition
from monitor.bus.topics import CASCADE_STATE, FEEDS, SIGNALS, TRADES
from tests.bus import records as make


def test_a_bus_without_room_is_refused() -> None:
    """A high-water mark below one could never be drained."""
    with pytest.raises(ValueError, match="high_water must be at least 1, not 0"):
        MemoryBus(0)


async def test_records_keep_the_order_across_topics() -> None:
    """A subscriber of several topics gets their records interleaved as they were written, one batch a run."""
    bus = MemoryBus()
    subscriber = bus.subscriber([TRADES, FEEDS])
    bus.publisher().write([make.trade(1), make.trade(2), make.gap(3), make.liquidation(4), make.trade(5)])
    batches = await subscriber.poll(0)
    assert [(batch.partition.topic, batch.first_offset, len(batch.records)) for batch in batches] == [
        (TRADES.name, 0, 2),
        (FEEDS.name, 0, 1),
        (TRADES.name, 2, 1),
    ]
    assert batches[0].next_offset == 2


async def test_a_subscriber_sees_nothing_from_before_it_came() -> None:
    """Reading begins with the subscription, at the offset that the topic has reached."""
    bus = MemoryBus()
    publisher = bus.publisher()
    publisher.write([make.trade(1)])
    subscriber = bus.subscriber([TRADES])
    publisher.write([make.trade(2)])
    (batch,) = await subscriber.poll(0)
    assert (batch.first_offset, list(batch.records)) == (1, [make.trade(2)])


async def test_the_slowest_subscriber_sets_the_pressure() -> None:
    """The bus is full while one of two subscribers is at the mark, whatever the other has read."""
    bus = MemoryBus(high_water=2)
    publisher = bus.publisher()
    slow, quick = bus.subscriber([TRADES]), bus.subscriber([TRADES])
    publisher.write([make.trade(1), make.trade(2)])
    await quick.poll(0)
    assert publisher.full
    assert bus.waiting == publisher.stats().waiting == slow.stats().waiting == 2
    await slow.poll(0)
    assert not publisher.full
    assert bus.waiting == 0


async def test_drain_waits_for_room() -> None:
    """A writer that drains goes on when the reader has taken the records, and the wait is counted."""
    bus = MemoryBus(high_water=1)
    publisher = bus.publisher()
    subscriber = bus.subscriber([TRADES])
    await publisher.drain()
    assert publisher.stats().drains_blocked == 0
    publisher.write([make.trade(1)])
    draining = asyncio.create_task(publisher.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    await subscriber.poll(0)
    await draining
    assert publisher.stats().drains_blocked == 1


async def test_a_subscriber_that_leaves_makes_room() -> None:
    """Its unread records hold nobody up any more; closing it again changes nothing."""
    bus = MemoryBus(high_water=1)
    publisher = bus.publisher()
    subscriber = bus.subscriber([TRADES])
    publisher.write([make.trade(1)])
    assert publisher.full
    await subscriber.close()
    assert not publisher.full
    await subscriber.close()
    publisher.write([make.trade(2)])
    assert not publisher.full


async def test_reading_while_another_is_at_the_mark_makes_no_room() -> None:
    """The quick reader's poll does not let writers go on while the slow one is full."""
    bus = MemoryBus(high_water=1)
    publisher = bus.publisher()
    bus.subscriber([TRADES])
    quick = bus.subscriber([TRADES])
    publisher.write([make.trade(1)])
    await quick.poll(0)
    assert publisher.full


async def test_poll_wakes_up_for_a_record() -> None:
    """A poll that waits returns as soon as something is written, long before its timeout."""
    bus = MemoryBus()
    subscriber = bus.subscriber([TRADES])
    polling = asyncio.create_task(subscriber.poll(60))
    await asyncio.sleep(0)
    bus.publisher().write([make.trade(1)])
    (batch,) = await polling
    assert list(batch.records) == [make.trade(1)]


async def test_a_signal_goes_to_both_its_topics() -> None:
    """The desks' topic and the latest-state topic each get it, at their own offsets."""
    bus = MemoryBus()
    subscriber = bus.subscriber([SIGNALS, CASCADE_STATE])
    bus.publisher().write([make.signal(1)])
    batches = await subscriber.poll(0)
    assert [batch.partition for batch in batches] == [Partition(SIGNALS.name, 0), Partition(CASCADE_STATE.name, 0)]
    assert bus.stats().published == 1


async def test_commits_are_remembered() -> None:
    """Committed offsets can be read back; flushing and closing a publisher need nothing."""
    bus = MemoryBus()
    subscriber = bus.subscriber([TRADES])
    await subscriber.commit({Partition(TRADES.name, 0): 5})
    assert subscriber.committed == {Partition(TRADES.name, 0): 5}
    publisher = bus.publisher()
    await publisher.flush()
    await publisher.close()
