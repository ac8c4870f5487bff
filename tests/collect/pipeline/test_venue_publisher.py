from __future__ import annotations

import asyncio

from monitor.bus.memory import MemoryBus
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.venue_publisher import VenuePublisher
from monitor.model.events import AnyEvent, Gap, Heartbeat, Liquidation, Reject, Trade
from tests.collect.exchange import VENUE, Reader, trade


class Clock:
    """A clock that a test sets."""

    now_us = 0

    def __call__(self) -> int:
        """The time."""
        return self.now_us


def rig(high_water: int = 10) -> tuple[VenuePublisher, Reader, Clock, OverloadSwitch]:
    """An venue_publisher on a small bus."""
    bus = MemoryBus(high_water)
    clock = Clock()
    switch = OverloadSwitch("each", 1.0, VENUE)
    return VenuePublisher(bus.publisher(), switch, RejectGate(1.0, 1), clock), Reader(bus), clock, switch


LIQUIDATION = Liquidation(VENUE, "BTCUSDT", "BTC", 5, 5, "long", 1.0, "complete", "x")


async def test_overload_turns_trades_into_bars_and_calm_turns_them_back() -> None:
    """While the bus is full and for a while after, trades are folded; liquidations never are."""
    venue_publisher, reader, clock, switch = rig(high_water=3)
    venue_publisher.publish([trade(number, "BTCUSDT", number) for number in range(3)])
    assert venue_publisher.full
    draining = asyncio.create_task(venue_publisher.drain())
    await asyncio.sleep(0)
    assert switch.folding
    clock.now_us = 5_000_000
    venue_publisher.flush_ended()
    assert switch.folding, "full for longer than the calm time is no calm"
    await reader.read()
    await draining
    venue_publisher.publish([trade(3, "BTCUSDT", 5_000_000), LIQUIDATION, trade(4, "BTCUSDT", 5_000_001)])
    venue_publisher.publish([trade(5, "BTCUSDT", 5_000_002)])
    await reader.read()
    assert reader.records[3:] == [LIQUIDATION]
    clock.now_us = 6_000_000
    venue_publisher.flush_ended()
    venue_publisher.publish([trade(6, "BTCUSDT", 6_000_001)])
    await reader.read()
    assert [bar.trades for bar in reader.of_bars()] == [3]
    assert reader.of(Trade)[-1].id == "6"
    assert not switch.folding


async def test_bars_are_published_by_event_time_timer_and_flush() -> None:
    """A later trade, the timer or a flush brings a bar out; an empty folder publishes nothing."""
    venue_publisher, reader, clock, switch = rig(high_water=100)
    venue_publisher.flush()
    venue_publisher.flush_ended()
    switch.pressed(0)
    venue_publisher.publish([trade(0, "BTCUSDT", 0)])
    venue_publisher.publish([trade(1, "BTCUSDT", 100_000)])
    clock.now_us = 300_000
    venue_publisher.flush_ended()
    venue_publisher.publish([trade(2, "BTCUSDT", 300_000)])
    venue_publisher.flush()
    await reader.read()
    assert [bar.event_time_us for bar in reader.of_bars()] == [100_000, 200_000, 400_000]


async def test_gaps_and_heartbeats_are_shown_to_the_recorder() -> None:
    """The collector's own records are published and passed to ``on_event`` in order; market events are not passed."""
    bus, seen = MemoryBus(), list[AnyEvent]()
    venue_publisher = VenuePublisher(
        bus.publisher(), OverloadSwitch("each", 1.0, VENUE), RejectGate(1.0, 1), Clock(), seen.append
    )
    reader = Reader(bus)
    gap = Gap(VENUE, "*", "*", 9, 9, "trades", 5, 9, "stale")
    beat = Heartbeat(VENUE, "*", "*", 9, 9, "trades")
    venue_publisher.publish([LIQUIDATION])
    venue_publisher.announce_gaps([gap], "A")
    venue_publisher.announce([beat])
    await reader.read()
    assert reader.records == [LIQUIDATION, gap, beat]
    assert seen == [gap, beat]


async def test_rejects_beyond_the_rate_are_held_back() -> None:
    """One reject passes, the next one within the second is counted as suppressed."""
    venue_publisher, reader, _, _ = rig()
    for _ in range(2):
        venue_publisher.reject(Reject(VENUE, "malformed", "x", 1_000_000))
    await reader.read()
    assert len(reader.of(Reject)) == 1
    assert venue_publisher.gate.suppressed == 1
