from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import random
from collections.abc import AsyncIterator, Iterable, Sequence

import orjson
import pytest

from monitor.bus.memory import MemoryBus
from monitor.collect.fleet import Fleet, FleetSettings, wait_until
from monitor.collect.restart import Predecessors
from monitor.exchanges.adapter import Connection
from monitor.exchanges.memory import Latest, Memory
from monitor.exchanges.messages import Message
from monitor.model.events import Channel, Gap, Heartbeat, MarkPrice, Trade
from tests.collect.exchange import FAST, VENUE, Exchange, LoopbackAdapter, Peer, Reader, by_symbol, now_us, plan

QUICK = FleetSettings(session=FAST, dial_interval_s=0.01, heartbeat_s=0.03)
BOTH: tuple[Channel, ...] = ("trades", "liquidations")


class Rig:
    """A fleet, its bus and a reader."""

    def __init__(
        self,
        url: str,
        symbols: Sequence[str],
        settings: FleetSettings,
        adapter: LoopbackAdapter,
        predecessors: Predecessors | None = None,
    ) -> None:
        self.bus = MemoryBus()
        self.reader = Reader(self.bus)
        self.fleet = Fleet(
            adapter,
            symbols,
            BOTH,
            self.bus.publisher(),
            settings,
            clock=now_us,
            rng=random.Random(3),
            ws_url=url,
            predecessors=predecessors,
        )

    def trades_of(self, symbol: str) -> list[Trade]:
        """The trades of one symbol that arrived."""
        return [trade for trade in self.reader.of(Trade) if trade.symbol == symbol]


@contextlib.asynccontextmanager
async def running(
    url: str,
    symbols: Sequence[str],
    settings: FleetSettings = QUICK,
    adapter: LoopbackAdapter | None = None,
    predecessors: Predecessors | None = None,
) -> AsyncIterator[Rig]:
    """A fleet that runs while the block does."""
    rig = Rig(url, symbols, settings, adapter or LoopbackAdapter(), predecessors)
    task = asyncio.create_task(rig.fleet.run())
    try:
        yield rig
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await rig.reader.read()


async def test_every_connection_is_dialled_spread_out_and_summed() -> None:
    """Three connections are dialled one interval apart, all deliver, and the total is their sum."""
    settings = dataclasses.replace(QUICK, dial_interval_s=0.05)
    async with Exchange(by_symbol) as exchange, running(exchange.url, "ABC", settings) as rig:
        await rig.reader.until(lambda: all(rig.trades_of(symbol) for symbol in "ABC"))
        stats = rig.fleet.stats()
        assert stats.total.connected == 3
        assert [part.connection for part in stats.connections] == ["market-0", "market-1", "market-2"]
        assert stats.total.frames == sum(part.frames for part in stats.connections)
    opened = [peer.opened_s for peer in exchange.peers]
    assert opened[-1] - opened[0] > 0.05
    assert rig.fleet.stats().total.connected == 0


async def test_a_ban_of_one_socket_delays_the_dials_of_all() -> None:
    """A ``Retry-After`` on one upgrade holds back every socket of the venue, and they are spread again after it."""
    settings = dataclasses.replace(QUICK, dial_interval_s=0.3)
    async with (
        Exchange(by_symbol, refused=1, retry_after="1") as exchange,
        running(exchange.url, "ABC", settings) as rig,
    ):
        await rig.reader.until(lambda: all(rig.trades_of(symbol) for symbol in "ABC"))
    first, *later = exchange.dialled_s
    assert len(later) == 3
    assert later[0] - first >= 0.95
    assert all(after - before >= 0.2 for before, after in itertools.pairwise(later))


async def test_heartbeats_need_every_connection_of_the_channel() -> None:
    """A channel has heartbeats while all connections that carry it are alive, and none while one is down."""
    pulse = asyncio.Event()
    pulse.set()

    async def script(peer: Peer) -> None:
        asked = await peer.asked()
        await pulse.wait()
        await peer.send(ack=asked["subscribe"])
        for number in range(10_000):
            await peer.trade(number, asked["subscribe"])
            if asked["subscribe"] == "B" and not pulse.is_set():
                return
            await asyncio.sleep(0.01)

    async with Exchange(script) as exchange, running(exchange.url, "AB") as rig:
        beats = rig.reader.of
        await rig.reader.until(lambda: len(beats(Heartbeat)) >= 4)
        assert {beat.channel for beat in beats(Heartbeat)} == set(BOTH)
        assert {(beat.venue, beat.symbol, beat.asset) for beat in beats(Heartbeat)} == {(VENUE, "*", "*")}
        pulse.clear()
        await rig.reader.until(lambda: not rig.fleet.alive_channels())
        silenced = len(beats(Heartbeat))
        await asyncio.sleep(0.1)
        await rig.reader.read()
        assert len(beats(Heartbeat)) == silenced
        pulse.set()
        await rig.reader.until(lambda: len(beats(Heartbeat)) > silenced)


async def test_a_beat_is_not_due_before_the_clock_says_so() -> None:
    """Where the loop wakes up a hair early the wait goes on: the beat belongs to the second that it closes."""
    readings = [999_000, 999_700, 999_999, 1_000_002]
    await wait_until(1_000_000, lambda: readings.pop(0))
    assert not readings


async def test_a_beat_never_overtakes_an_open_bar() -> None:
    """With trades as bars, everything received before a beat is on the bus before it."""
    settings = dataclasses.replace(QUICK, trades="bars")
    async with Exchange(by_symbol) as exchange, running(exchange.url, "A", settings) as rig:
        await rig.reader.until(lambda: len(rig.reader.of(Heartbeat)) >= 10)
    assert not rig.reader.of(Trade)
    seen_us = 0
    for record in rig.reader.records:
        if isinstance(record, Heartbeat):
            seen_us = record.receive_time_us
        elif record in rig.reader.of_bars():
            assert record.receive_time_us >= seen_us
    stats = rig.fleet.stats()
    assert stats.folding
    assert sum(bar.trades for bar in rig.reader.of_bars()) == stats.total.events["trade"]


async def test_one_session_that_fails_is_restarted_and_spares_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """A bug met by one connection is logged with its traceback and counted; the other connection never notices."""

    async def script(peer: Peer) -> None:
        asked = await peer.asked()
        await peer.send(ack=asked["subscribe"])
        if asked["subscribe"] == "B" and sum(peer.requests[0] in other.requests for other in exchange.peers) == 1:
            await peer.send(crash="a bug")
        for number in range(10_000):
            await peer.trade(number, asked["subscribe"])
            await asyncio.sleep(0.01)

    with caplog.at_level(logging.ERROR):
        async with Exchange(script) as exchange, running(exchange.url, "AB") as rig:
            await rig.reader.until(lambda: bool(rig.trades_of("B")))
            stats = rig.fleet.stats()
    crashes = {part.connection: part.crashes for part in stats.connections}
    assert crashes == {"market-0": 0, "market-1": 1}
    assert [part.dials for part in stats.connections] == [1, 2]
    assert "a bug" in caplog.text


class Planner(LoopbackAdapter):
    """Puts two symbols on a connection."""

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Pairs of symbols, a connection each."""
        pairs = [symbols[start : start + 2] for start in range(0, len(symbols), 2)]
        chosen = frozenset(channels)
        return [
            plan(ws_url or self.ws_url, name=f"pair-{number}", keys=tuple(pair), channels=chosen)
            for number, pair in enumerate(pairs)
        ]


async def every_symbol(peer: Peer) -> None:
    """Acknowledge every request, and send trades from the first one on."""
    asked = await peer.asked()
    await peer.send(ack=asked["subscribe"])
    chatter = asyncio.create_task(peer.chatter())
    try:
        while True:
            await peer.acknowledge()
    finally:
        chatter.cancel()
        await asyncio.gather(chatter, return_exceptions=True)


async def test_update_moves_only_the_connections_that_changed() -> None:
    """New symbols open or move connections, gone ones close them, and what stays the same is not touched."""
    async with Exchange(every_symbol) as exchange, running(exchange.url, "ABCDE", adapter=Planner()) as rig:
        await rig.reader.until(lambda: rig.fleet.stats().total.connected == 3)
        rig.fleet.update(Planner(), "ABCX")
        await rig.reader.until(lambda: rig.fleet.stats().total.reconnects["replan"] == 1)
        await rig.reader.until(lambda: rig.fleet.stats().total.connected == 2)
        dials = {part.connection: part.dials for part in rig.fleet.stats().connections}
        assert dials == {"pair-0": 1, "pair-1": 2}
        rig.fleet.update(Planner(), "ABCXYZ")
        await rig.reader.until(lambda: rig.fleet.stats().total.connected == 3)
        assert {part.connection: part.dials for part in rig.fleet.stats().connections}["pair-2"] == 2
    asked = [peer.requests for peer in exchange.peers]
    assert ['{"subscribe":"C"}', '{"subscribe":"X"}'] in asked
    assert ['{"subscribe":"Y"}', '{"subscribe":"Z"}'] in asked


async def test_a_connection_that_is_no_longer_planned_leaves_the_connections_and_stays_in_the_total() -> None:
    """A dropped plan is not shown as down for ever, no counter falls, and a plan that returns counts on."""
    async with Exchange(every_symbol) as exchange, running(exchange.url, "ABC", adapter=Planner()) as rig:
        await rig.reader.until(lambda: rig.fleet.stats().total.connected == 2)
        before = rig.fleet.stats().total
        rig.fleet.update(Planner(), "AB")
        after = rig.fleet.stats()
        assert [part.connection for part in after.connections] == ["pair-0"]
        assert (after.total.connected, after.total.dials) == (1, 2)
        assert after.total.frames >= before.frames
        rig.fleet.update(Planner(), "ABC")
        await rig.reader.until(lambda: rig.fleet.stats().total.connected == 2)
        again = rig.fleet.stats()
        assert {part.connection: part.dials for part in again.connections} == {"pair-0": 1, "pair-1": 2}
        assert again.total.dials == 3


async def test_update_before_the_start_is_what_is_dialled() -> None:
    """A fleet that does not run yet takes the newest symbols when it does."""
    rig = Rig("ws://127.0.0.1:1/", "A", QUICK, LoopbackAdapter())
    rig.fleet.update(LoopbackAdapter(), "XY")
    task = asyncio.create_task(rig.fleet.run())
    await rig.reader.until(lambda: len(rig.fleet.stats().connections) == 2)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_no_channel_beats_without_sessions() -> None:
    """A fleet that does not run claims nothing."""
    rig = Rig("ws://127.0.0.1:1/", "A", QUICK, LoopbackAdapter())
    assert rig.fleet.alive_channels() == []
    assert rig.fleet.stats().connections == []


async def test_sockets_that_are_cut_together_are_dialled_one_after_another() -> None:
    """Thirty sockets cut at once do not come back at once: the exchange's limit on dials holds for all of them."""
    settings = dataclasses.replace(QUICK, dial_interval_s=0.03)
    async with Exchange(by_symbol) as exchange, running(exchange.url, [f"S{n}" for n in range(30)], settings) as rig:
        await rig.reader.until(lambda: rig.fleet.stats().total.connected == 30)
        for peer in tuple(exchange.peers):
            peer.socket.transport.abort()
        await rig.reader.until(lambda: rig.fleet.stats().total.dials == 60)
        await rig.reader.until(lambda: rig.fleet.stats().total.connected == 30)
    redialled = sorted(exchange.dialled_s)[30:]
    assert len(redialled) == 30
    assert redialled[-1] - redialled[0] >= 0.8 * 29 * settings.dial_interval_s


class Rememberer(LoopbackAdapter):
    """Remembers a price for the venue and a name for the socket, and makes a mark price of both when recalled."""

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame of the test exchange."""
        assert memory is not None
        match orjson.loads(frame):
            case {"remember": price, "channel": name}:
                memory.latest["A"] = Latest(price)
                memory.channels[1] = name
                return []
            case {"recall": _}:
                price, name = memory.latest["A"].price, memory.channels.get(1, "forgotten")
                assert isinstance(price, float)
                return [MarkPrice(VENUE, name, "BTC", received_us, received_us, price)]
        return super().parse(frame, received_us, memory)


async def test_what_frames_reported_outlives_adapters_and_sockets() -> None:
    """A fresh adapter goes on with all that a live socket reported; the next socket has the venue's values alone."""
    swapped, closing = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        if peer.number == 0:
            await peer.send(remember=5.0, channel="mine")
            await peer.send(recall=1)
            await swapped.wait()
            await peer.send(recall=2)
            await closing.wait()
            return
        while True:
            await peer.trade(1, "A")
            await peer.send(recall=3)
            await asyncio.sleep(0.01)

    async with Exchange(script) as exchange, running(exchange.url, "A", adapter=Rememberer()) as rig:
        marks: list[tuple[str, float]] = []

        def recalled(number: int) -> bool:
            marks[:] = [(mark.symbol, mark.mark_price) for mark in rig.reader.of(MarkPrice)]
            return len(marks) >= number

        await rig.reader.until(lambda: recalled(1))
        rig.fleet.update(Rememberer(), "A")
        swapped.set()
        await rig.reader.until(lambda: recalled(2))
        assert rig.fleet.stats().total.dials == 1
        closing.set()
        await rig.reader.until(lambda: recalled(3))
    assert marks[:3] == [("mine", 5.0), ("mine", 5.0), ("forgotten", 5.0)]


async def test_a_fleet_says_what_is_down() -> None:
    """A venue whose socket cannot be opened is not up."""
    async with running("ws://127.0.0.1:1/", "A") as rig:
        await rig.reader.until(lambda: rig.fleet.stats().total.reconnects["dial_failed"] > 1)
        feed_health = rig.fleet.stats().feed_health
    assert feed_health is not None
    assert not feed_health.up


async def test_the_first_sessions_state_the_restart_before_any_beat() -> None:
    """Each first connection states its gap ahead of the first heartbeat; one launched later has nothing to state."""
    beat_us = now_us() - 60_000_000

    async def beats(_: str) -> dict[str, int]:
        return {"liquidations": beat_us}

    adapter = LoopbackAdapter()
    async with (
        Exchange(by_symbol) as exchange,
        running(exchange.url, "AB", adapter=adapter, predecessors=Predecessors(beats, alone=True)) as rig,
    ):
        await rig.reader.until(lambda: bool(rig.reader.of(Heartbeat)))
        order = [type(record) for record in rig.reader.records if isinstance(record, Gap | Heartbeat)]
        assert order[:3] == [Gap, Gap, Heartbeat]
        rig.fleet.update(adapter, "ABC")
        await rig.reader.until(lambda: bool(rig.trades_of("C")))
        await rig.reader.until(lambda: bool(rig.fleet.alive_channels()))
    gaps = [gap for gap in rig.reader.of(Gap) if gap.reason == "restart"]
    assert [(gap.channel, gap.from_us) for gap in gaps] == [("liquidations", beat_us)] * 2
