from __future__ import annotations

import asyncio

from monitor.bus.memory import MemoryBus
from monitor.collect.pipeline.outlet import Outlet
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.model.events import AnyEvent, Gap, Heartbeat, Liquidation, Reject, Trade
from tests.collect.exchange import VENUE, Reader, trade


class Clock:
    """A clock that a test sets."""

    now_us = 0

    def __call__(self) -> int:
        """The time."""
        return self.now_us


def rig(high_water: int = 10) -> tuple[Outlet, Reader, Clock, OverloadSwitch]:
    """An outlet on a small bus."""
    bus = MemoryBus(high_water)
    clock = Clock()
    switch = OverloadSwitch("each", 1.0, VENUE)
    return Outlet(bus.publisher(), switch, RejectGate(1.0, 1), clock), Reader(bus), clock, switch


LIQUIDATION = Liquidation(VENUE, "BTCUSDT", "BTC", 5, 5, "long", 1.0, "complete", "x")


async def test_overload_turns_trades_into_bars_and_calm_turns_them_back() -> None:
    """While the bus is full and for a while after, trades are folded; liquidations never are."""
    outlet, reader, clock, switch = rig(high_water=3)
    outlet.publish([trade(number, "BTCUSDT", number) for number in range(3)])
    assert outlet.full
    draining = asyncio.create_task(outlet.drain())
    await asyncio.sleep(0)
    assert switch.folding
    clock.now_us = 5_000_000
    outlet.flush_ended()
    assert switch.folding, "full for longer than the calm time is no calm"
    await reader.read()
    await draining
    outlet.publish([trade(3, "BTCUSDT", 5_000_000), LIQUIDATION, trade(4, "BTCUSDT", 5_000_001)])
    outlet.publish([trade(5, "BTCUSDT", 5_000_002)])
    await reader.read()
    assert reader.records[3:] == [LIQUIDATION]
    clock.now_us = 6_000_000
    outlet.flush_ended()
    outlet.publish([trade(6, "BTCUSDT", 6_000_001)])
    await reader.read()
    assert [bar.trades for bar in reader.of_bars()] == [3]
    assert reader.of(Trade)[-1].id == "6"
    assert not switch.folding


async def test_bars_are_published_by_event_time_timer_and_flush() -> None:
    """A later trade, the timer or a flush brings a bar out; an empty folder publishes nothing."""
    outlet, reader, clock, switch = rig(high_water=100)
    outlet.flush()
    outlet.flush_ended()
    switch.pressed(0)
    outlet.publish([trade(0, "BTCUSDT", 0)])
    outlet.publish([trade(1, "BTCUSDT", 100_000)])
    clock.now_us = 300_000
    outlet.flush_ended()
    outlet.publish([trade(2, "BTCUSDT", 300_000)])
    outlet.flush()
    await reader.read()
    assert [bar.event_time_us for bar in reader.of_bars()] == [100_000, 200_000, 400_000]


async def test_gaps_and_heartbeats_are_shown_to_the_recorder() -> None:
    """What the collector itself says is published and shown, in order; market events are not shown."""
    bus, seen = MemoryBus(), list[AnyEvent]()
    outlet = Outlet(bus.publisher(), OverloadSwitch("each", 1.0, VENUE), RejectGate(1.0, 1), Clock(), seen.append)
    reader = Reader(bus)
    gap = Gap(VENUE, "*", "*", 9, 9, "trades", 5, 9, "stale")
    beat = Heartbeat(VENUE, "*", "*", 9, 9, "trades")
    outlet.publish([LIQUIDATION])
    outlet.announce_gaps([gap], "A")
    outlet.announce([beat])
    await reader.read()
    assert reader.records == [LIQUIDATION, gap, beat]
    assert seen == [gap, beat]


async def test_rejects_beyond_the_rate_are_held_back() -> None:
    """One reject passes, the next one within the second is counted as suppressed."""
    outlet, reader, _, _ = rig()
    for _ in range(2):
        outlet.reject(Reject(VENUE, "malformed", "x", 1_000_000))
    await reader.read()
    assert len(reader.of(Reject)) == 1
    assert outlet.gate.suppressed == 1
