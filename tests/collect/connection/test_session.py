from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import random
import time
from collections.abc import AsyncIterator
from typing import Any, get_args

import pytest

from monitor.bus.memory import MemoryBus
from monitor.collect.connection.session import Session, SessionSettings
from monitor.collect.connection.socket import SocketSettings
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.venue_publisher import VenuePublisher
from monitor.collect.restart import Predecessors, Restart
from monitor.exchanges.adapter import Connection, Keepalive
from monitor.exchanges.messages import SkipReason
from monitor.model.events import Gap, Liquidation, Reject, Trade
from tests.collect.exchange import FAST, VENUE, Exchange, LoopbackAdapter, Peer, Reader, now_us, plan
from tests.waiting import patient, until


class Rig:
    """A session, the bus that it publishes to, and a reader of that bus."""

    def __init__(self, wanted: Connection, settings: SessionSettings, high_water: int, **extra: Any) -> None:
        self.bus = MemoryBus(high_water)
        self.reader = Reader(self.bus)
        switch = OverloadSwitch(extra.pop("trades", "each"), 30.0, VENUE)
        self.venue_publisher = VenuePublisher(self.bus.publisher(), switch, RejectGate(5.0, 10), now_us)
        self.session = Session(
            wanted, LoopbackAdapter(), self.venue_publisher, settings, clock=now_us, rng=random.Random(7), **extra
        )
        self.stats = self.session.stats

    def trade_ids(self) -> list[int]:
        """The trades that arrived."""
        return [int(trade.id) for trade in self.reader.of(Trade)]


@contextlib.asynccontextmanager
async def running(
    wanted: Connection, settings: SessionSettings = FAST, high_water: int = 50_000, **extra: Any
) -> AsyncIterator[Rig]:
    """A session that runs while the block does."""
    rig = Rig(wanted, settings, high_water, **extra)
    task = asyncio.create_task(rig.session.run())
    try:
        yield rig
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await rig.reader.read()


async def test_publishes_what_it_receives_and_counts_it() -> None:
    """Trades and liquidations of a healthy socket reach the bus once each, counted by kind, side and age."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge(2)
        await peer.trades(range(3))
        await peer.send(liquidated=0.1, side="long", id="a")
        await peer.send(backlog=3)
        await peer.send(liquidated=0.2, side="short", id="b")
        await peer.socket.wait_closed()

    async with Exchange(script) as exchange, running(plan(exchange.url, keys=("x", "y"))) as rig:
        await rig.reader.until(lambda: len(rig.reader.of(Liquidation)) == 2)
        assert rig.session.alive
        rig.session.refresh_gauges()
        assert (rig.stats.connected, rig.stats.acks_pending) == (1, 0)
    assert rig.trade_ids() == [0, 1, 2]
    assert rig.stats.events == {
        "liquidation": 2,
        "trade": 3,
        "trade_bar": 0,
        "mark_price": 0,
        "open_interest": 0,
        "volatility_index": 0,
    }
    assert rig.stats.liquidated_long_micro_usd == 100_000
    assert rig.stats.liquidated_short_micro_usd == 200_000
    assert rig.stats.frames == 8
    assert rig.stats.skipped == dict.fromkeys(get_args(SkipReason), 0) | {"backlog": 3}
    assert sum(rig.stats.ages.counts) == 5
    assert rig.stats.connected == 0
    assert not rig.reader.of(Gap)
    assert exchange.peers[0].requests == ['{"subscribe":"x"}', '{"subscribe":"y"}']


async def test_requests_are_spaced() -> None:
    """Requests go out in order, one interval apart."""
    asked_s: list[float] = []

    async def script(peer: Peer) -> None:
        for _ in range(3):
            await peer.acknowledge()
            asked_s.append(asyncio.get_running_loop().time())
        await peer.chatter()

    wanted = plan("", keys=("a", "b", "c"), request_interval_s=0.05)
    async with Exchange(script) as exchange, running(wanted._replace(url=exchange.url)) as rig:
        await rig.reader.until(lambda: rig.session.alive)
    assert asked_s[1] - asked_s[0] >= 0.04
    assert asked_s[2] - asked_s[1] >= 0.04


async def test_text_and_binary_frames_are_read_alike() -> None:
    """A binary frame holds the same bytes as a text frame and gives the same event."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trade(1)
        await peer.socket.send(b'{"trades":[2],"symbol":"BTCUSDT"}')
        await peer.socket.wait_closed()

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: len(rig.reader.of(Trade)) == 2)
    assert rig.trade_ids() == [1, 2]


async def test_late_acknowledgement_within_its_time_is_fine() -> None:
    """Data before the acknowledgement is published, and a slow acknowledgement costs nothing."""

    async def script(peer: Peer) -> None:
        asked = await peer.asked()
        await peer.trade(0)
        await asyncio.sleep(0.15)
        await peer.send(ack=asked["subscribe"])
        await peer.chatter(1)

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: bool(rig.reader.of(Trade)))
        assert not rig.session.alive
        rig.session.refresh_gauges()
        assert rig.stats.acks_pending == 1
        await rig.reader.until(lambda: rig.session.alive)
    assert rig.stats.dials == 1
    assert not rig.reader.of(Gap)


async def test_missing_acknowledgement_costs_a_reconnect() -> None:
    """A subscription that is never acknowledged is counted, and the next socket gets it."""

    async def script(peer: Peer) -> None:
        if peer.number == 0:
            await peer.acknowledge()
            await peer.chatter()
        await peer.acknowledge(2)
        await peer.chatter()

    async with Exchange(script) as exchange, running(plan(exchange.url, keys=("a", "b"))) as rig:
        await rig.reader.until(lambda: rig.session.alive)
    assert rig.stats.acks_missing == 1
    assert rig.stats.reconnects["ack_timeout"] == 1
    assert rig.stats.dials == 2


async def test_acknowledgement_that_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An acknowledgement with an unknown key changes nothing but the log."""

    async def script(peer: Peer) -> None:
        await peer.send(ack="other")
        await peer.acknowledge()
        await peer.chatter()

    with caplog.at_level(logging.WARNING):
        async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
            await rig.reader.until(lambda: rig.session.alive)
    assert "unexpected acknowledgement 'other'" in caplog.text


@pytest.mark.parametrize("named", [True, False])
async def test_refusal_spares_the_other_subscriptions(named: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A refused key, named or not, is counted and logged; the socket lives on with the rest."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        asked = await peer.asked()
        await peer.send(refuse=asked["subscribe"] if named else "", why="no such symbol")
        await peer.chatter()

    async with Exchange(script) as exchange, running(plan(exchange.url, keys=("a", "b"))) as rig:
        await rig.reader.until(lambda: rig.session.alive)
    assert rig.stats.refusals == 1
    assert rig.stats.dials == 1
    assert rig.stats.acks_missing == 0
    assert "no such symbol" in caplog.text


async def test_socket_with_everything_refused_is_given_up() -> None:
    """When every subscription is refused there is nothing to wait for on that socket."""

    async def script(peer: Peer) -> None:
        asked = await peer.asked()
        if peer.number == 0:
            await peer.send(refuse=asked["subscribe"], why="maintenance")
            await peer.socket.wait_closed()
        await peer.send(ack=asked["subscribe"])
        await peer.chatter()

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: rig.session.alive)
    assert rig.stats.reconnects["refused"] == 1


async def test_exchange_ping_is_answered() -> None:
    """A ping inside the data stream is answered with the adapter's reply."""
    answers: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.send(ping=42)
        answers.append(await peer.asked())
        await peer.chatter()

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: rig.session.alive)
    assert answers == [{"pong": 42}]


async def test_unanswered_keepalive_is_death() -> None:
    """Silence after the exchange's own ping ends the socket, although no dense channel could show it."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        if peer.number == 0:
            await peer.socket.wait_closed()
        while True:
            await peer.asked()
            await peer.send(pong=1)

    keepalive = Keepalive('{"ping":1}', interval_s=0.05, timeout_s=0.1)
    wanted = plan("", channels=frozenset({"liquidations"}), keepalive=keepalive)
    async with Exchange(script) as exchange, running(wanted._replace(url=exchange.url)) as rig:
        await rig.reader.until(lambda: len(exchange.peers) == 2 and len(exchange.peers[1].requests) > 4)
    assert rig.stats.reconnects["unanswered"] == 1
    assert rig.stats.dials == 2
    assert {gap.reason for gap in rig.reader.of(Gap)} == {"stale"}


async def test_protocol_pings_keep_a_quiet_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ping of the exchange's own, protocol pongs prove a quiet socket alive."""
    monkeypatch.setattr("monitor.collect.connection.socket.PROTOCOL_PING", Keepalive("", 0.03, patient(0.1)))

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.socket.wait_closed()

    wanted = plan("", channels=frozenset({"liquidations"}))
    async with Exchange(script) as exchange, running(wanted._replace(url=exchange.url)) as rig:
        await asyncio.sleep(patient(0.5))
        assert rig.session.alive
    assert rig.stats.dials == 1


async def test_half_open_socket_is_noticed_by_protocol_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that neither reads nor writes any more is left, although TCP reports no error."""
    monkeypatch.setattr("monitor.collect.connection.socket.PROTOCOL_PING", Keepalive("", 0.03, 0.05))

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        if peer.number == 0:
            peer.socket.transport.pause_reading()
        await peer.socket.wait_closed()

    wanted = plan("", channels=frozenset({"liquidations"}))
    async with Exchange(script) as exchange, running(wanted._replace(url=exchange.url)) as rig:
        await rig.reader.until(lambda: rig.stats.dials == 2 and rig.session.alive)
    assert rig.stats.reconnects["unanswered"] == 1


async def test_closed_at_once_after_accept_is_not_dialled_in_a_hot_loop() -> None:
    """Handshakes that lead nowhere double the delay: each wait is at least half of its nominal one."""

    async def script(peer: Peer) -> None:
        await peer.socket.close(1008, "banned")

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: len(exchange.peers) >= 6)
    opened = [peer.opened_s for peer in exchange.peers]
    for failures, (before, after) in enumerate(itertools.pairwise(opened)):
        nominal_s = min(FAST.backoff_cap_s, FAST.backoff_base_s * 2**failures)
        assert after - before > 0.45 * nominal_s
    assert rig.stats.reconnects["closed"] >= 4


async def test_refused_dial_backs_off_and_recovers(unused_tcp_port: int) -> None:
    """An address where nobody listens is dialled again, with the reason counted and the gap from the start."""
    before_us = now_us()
    async with running(plan(f"ws://127.0.0.1:{unused_tcp_port}/")) as rig:
        await rig.reader.until(lambda: rig.stats.reconnects["dial_failed"] >= 3)
    gaps = rig.reader.of(Gap)
    assert {gap.channel for gap in gaps} == {"trades", "liquidations"}
    assert before_us <= gaps[0].from_us <= gaps[0].to_us <= now_us()


async def test_half_open_socket_with_a_dense_channel_is_stale() -> None:
    """A socket that stops delivering while TCP stays up is replaced, with the gap from the last event."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trades(range(5), 0.01)
        if peer.number == 0:
            peer.socket.transport.pause_reading()
            await peer.socket.wait_closed()
        await peer.chatter(5)

    wanted = plan("", stale_after_s=0.2)
    async with Exchange(script) as exchange, running(wanted._replace(url=exchange.url)) as rig:
        await rig.reader.until(lambda: bool(rig.reader.of(Gap)))
    assert rig.stats.reconnects["stale"] == 1
    gap = rig.reader.of(Gap)[0]
    received = [trade.receive_time_us for trade in rig.reader.of(Trade)]
    assert gap.reason == "stale"
    assert gap.from_us == received[4]
    assert gap.to_us == received[5]
    assert rig.stats.gap_us == gap.to_us - gap.from_us >= 200_000


async def test_silent_dense_channel_is_stale_whatever_the_sparse_ones_do() -> None:
    """Liquidations that keep coming do not excuse trades that stopped."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trade(0)
        for number in range(1000):
            if peer.number:
                await peer.trade(number)
            await peer.send(liquidated=1.0, side="long", id=f"{peer.number}-{number}")
            await asyncio.sleep(0.02)

    wanted = plan("", stale_after_s=0.15)
    async with Exchange(script) as exchange, running(wanted._replace(url=exchange.url)) as rig:
        await rig.reader.until(lambda: bool(rig.reader.of(Gap)))
    assert rig.stats.reconnects["stale"] == 1
    assert rig.reader.of(Gap)[0].from_us == rig.reader.of(Trade)[0].receive_time_us


async def test_duplicates_pass() -> None:
    """The exchange's own duplicates are published: readers drop them by id."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trades([1, 1, 2])
        await peer.socket.wait_closed()

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: len(rig.reader.of(Trade)) == 3)
    assert rig.trade_ids() == [1, 1, 2]


async def test_ten_megabyte_frame_costs_a_reconnect_and_is_counted() -> None:
    """An oversized frame is a counted reject; what came before and after it is published."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trade(peer.number)
        if peer.number == 0:
            await peer.socket.send("x" * 10_000_000)
        await peer.chatter(100)

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: 100 in rig.trade_ids())
    assert rig.stats.rejects["oversized"] == 1
    assert rig.stats.reconnects["oversized"] == 1
    assert rig.trade_ids()[:2] == [0, 1]
    assert [reject.reason for reject in rig.reader.of(Reject)] == ["oversized"]
    assert rig.reader.of(Gap)[0].reason == "disconnect"


async def test_malformed_frames_are_counted_all_and_published_within_the_rate() -> None:
    """Garbage costs nothing valid; beyond the rate limit rejects are counted alone."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        for number in range(40):
            await peer.socket.send("{garbage")
            await peer.trade(number)
        await peer.socket.wait_closed()

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: len(rig.reader.of(Trade)) == 40)
    assert rig.stats.rejects["malformed"] == 40
    published = len(rig.reader.of(Reject))
    assert 10 <= published < 20
    assert rig.venue_publisher.gate.suppressed == 40 - published
    assert rig.stats.dials == 1


async def test_maintenance_notice_moves_to_a_fresh_socket_without_a_gap() -> None:
    """A notice of a disconnect leads to a reconnect with an overlap; any other notice is only logged."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trade(peer.number)
        await peer.send(notice="all is well", reconnect=False)
        if peer.number == 0:
            await peer.send(notice="upgrade in a minute", reconnect=True)
        await peer.chatter(1000 * (peer.number + 1))

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: rig.stats.reconnects["notice"] == 1)
        await rig.reader.until(lambda: rig.trade_ids()[-1] >= 2000)
    assert rig.stats.dials == 2
    assert not rig.reader.of(Gap)


async def test_notice_on_every_socket_is_no_hot_loop() -> None:
    """An exchange that greets each socket with a farewell gets one socket per healthy age, no more."""

    async def script(peer: Peer) -> None:
        await peer.send(notice="going away", reconnect=True)
        await peer.acknowledge()
        await peer.chatter(1000 * peer.number)

    settings = dataclasses.replace(FAST, healthy_s=0.3, overlap_s=0.0)
    async with Exchange(script) as exchange, running(plan(exchange.url), settings) as rig:
        await rig.reader.until(lambda: len(exchange.peers) == 3)
    first, _, third = [peer.opened_s for peer in exchange.peers[:3]]
    assert third - first > 1.9 * settings.healthy_s
    assert not rig.reader.of(Gap)


async def test_slow_subscribing_is_not_silence() -> None:
    """While requests are still sent, a dense channel that is requested last has time to deliver."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge(6)
        await peer.chatter()

    wanted = plan("", keys=tuple("abcdef"), request_interval_s=0.05, stale_after_s=0.15)
    async with Exchange(script) as exchange, running(wanted._replace(url=exchange.url)) as rig:
        await rig.reader.until(lambda: rig.session.alive)
    assert rig.stats.dials == 1


async def test_requests_to_a_socket_that_is_closing_change_nothing() -> None:
    """Sending to a socket that the exchange just closed is no error of its own: the close is reported."""

    async def script(peer: Peer) -> None:
        if peer.number == 0:
            await peer.acknowledge()
            await peer.send(ping=1)
            await peer.socket.close(1001)
            return
        await peer.acknowledge(3)
        await peer.chatter()

    wanted = plan("", keys=tuple("abc"), request_interval_s=0.03, keepalive=Keepalive('{"x":1}', 0.02, 1.0))
    async with Exchange(script) as exchange, running(wanted._replace(url=exchange.url)) as rig:
        await rig.reader.until(lambda: rig.session.alive)
    assert rig.stats.reconnects["closed"] == 1


class Tape:
    """One stream of numbered trades that every socket of the exchange shows while it is subscribed."""

    def __init__(self) -> None:
        self.sent = 0
        self.shown: list[int] = []
        self._peers: list[Peer] = []

    async def script(self, peer: Peer) -> None:
        """Show the tape to one more socket."""
        await peer.acknowledge()
        self._peers.append(peer)
        try:
            await peer.socket.wait_closed()
        finally:
            self._peers.remove(peer)

    async def play(self, pause_s: float) -> None:
        """Send trade after trade to whoever is subscribed."""
        while True:
            if self._peers:
                self.shown.append(len(self._peers))
                number, self.sent = self.sent, self.sent + 1
                frame = f'{{"trades":[{number}],"symbol":"BTCUSDT"}}'
                await asyncio.gather(*(peer.socket.send(frame) for peer in self._peers), return_exceptions=True)
            await asyncio.sleep(pause_s)


@pytest.mark.parametrize("trades", ["each", "bars"])
async def test_rotation_overlaps_and_loses_nothing(trades: str) -> None:
    """Sockets that reach their age are replaced while they still deliver: every trade arrives, and no gap is published.

    ::

        socket 0  ───────────────┐
        socket 1             ────┴──────────────┐
        socket 2                            ────┴─────
    """
    tape = Tape()
    async with Exchange(tape.script) as exchange:
        player = asyncio.create_task(tape.play(0.002))
        async with running(plan(exchange.url, max_age_s=0.3), trades=trades) as rig:
            await rig.reader.until(lambda: rig.stats.reconnects["rotation"] >= 3)
        player.cancel()
    rig.venue_publisher.flush()
    await rig.reader.read()
    assert 2 in tape.shown
    assert rig.stats.dials >= 4
    assert not rig.reader.of(Gap)
    assert rig.stats.overlap_duplicates > 0
    if trades == "each":
        ids = rig.trade_ids()
        assert sorted(set(ids)) == list(range(min(ids), max(ids) + 1))
        assert max(ids) >= tape.sent - 100
    else:
        folded = sum(bar.trades for bar in rig.reader.of_bars())
        assert folded == rig.stats.events["trade"] - rig.stats.overlap_duplicates
        assert tape.sent - 100 <= folded <= tape.sent, "no trade counted twice within a bar"


async def test_failed_rotation_keeps_the_old_socket() -> None:
    """While no fresh socket can be had the old one goes on, and nothing is called a gap."""

    async def script(peer: Peer) -> None:
        if 1 <= peer.number <= 2:
            await peer.socket.close(1013, "try again later")
            return
        await peer.acknowledge()
        await peer.chatter(1000 * peer.number, 0.002)

    async with Exchange(script) as exchange, running(plan(exchange.url, max_age_s=0.2)) as rig:
        await rig.reader.until(lambda: rig.stats.reconnects["rotation"] == 1)
    ids = [number for number in rig.trade_ids() if number < 1000]
    assert ids == list(range(len(ids)))
    assert rig.stats.reconnects["closed"] == 2
    assert not rig.reader.of(Gap)


async def test_fresh_socket_that_dies_while_the_old_one_lingers_is_given_up() -> None:
    """Until the old socket is let go, losing the fresh one costs nothing."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        if peer.number == 1:
            await peer.trades(range(1000, 1003))
            return
        await peer.chatter(2000 * peer.number, 0.002)

    settings = dataclasses.replace(FAST, overlap_s=0.15)
    async with Exchange(script) as exchange, running(plan(exchange.url, max_age_s=0.2), settings) as rig:
        await rig.reader.until(lambda: rig.stats.reconnects["rotation"] == 1)
    ids = [number for number in rig.trade_ids() if number < 1000]
    assert ids == list(range(len(ids)))
    assert rig.stats.reconnects["closed"] == 1
    assert not rig.reader.of(Gap)


async def test_old_socket_that_dies_during_rotation_opens_a_gap() -> None:
    """When the old socket ends before the fresh one delivers, the time between is a gap."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        if peer.number == 0:
            await peer.trades(range(20), 0.02)
            return
        await asyncio.sleep(0.5)
        await peer.chatter(1000)

    wanted = plan("", max_age_s=0.3)
    async with Exchange(script) as exchange, running(wanted._replace(url=exchange.url)) as rig:
        await rig.reader.until(lambda: bool(rig.reader.of(Gap)))
    gap = rig.reader.of(Gap)[0]
    received = {int(trade.id): trade.receive_time_us for trade in rig.reader.of(Trade)}
    assert (gap.from_us, gap.to_us) == (received[19], received[1000])


async def test_three_drops_give_three_gaps_with_the_right_bounds() -> None:
    """Each drop mid-stream is one gap a channel, from the last event before to the first one after."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trades(range(100 * peer.number, 100 * peer.number + 10), 0.01)
        if peer.number < 3:
            peer.socket.transport.abort()
        await peer.socket.wait_closed()

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: 309 in rig.trade_ids())
    received = {int(trade.id): trade.receive_time_us for trade in rig.reader.of(Trade)}
    gaps = [gap for gap in rig.reader.of(Gap) if gap.channel == "liquidations"]
    assert [(gap.from_us, gap.to_us) for gap in gaps] == [
        (received[9], received[100]),
        (received[109], received[200]),
        (received[209], received[300]),
    ]
    assert {gap.reason for gap in gaps} == {"disconnect"}
    assert {(gap.symbol, gap.asset) for gap in gaps} == {("*", "*")}
    assert len(rig.reader.of(Gap)) == 6
    assert rig.stats.gaps == 3
    assert len(received) == 40


async def test_slow_subscriber_stops_the_reading_and_nothing_is_lost() -> None:
    """A full bus makes the socket wait: the queue stays bounded, every event arrives, the socket survives.

    The exchange sends far more than the bus and the read-ahead hold; the deadlines are shorter than the stop.
    """
    sent = 8_000

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        for number in range(sent):
            await peer.send(liquidated=1.0, side="long", id=str(number))
            if number % 10 == 0:
                await peer.trade(number)
        await peer.chatter(sent, 0.05)

    socket = SocketSettings(ack_timeout_s=0.3, tick_s=0.02, max_queue=64)
    wanted = plan("", stale_after_s=0.25, keepalive=Keepalive('{"x":1}', 0.05, 0.1))
    async with Exchange(script) as exchange:
        settings = SessionSettings(socket=socket)
        async with running(wanted._replace(url=exchange.url), settings, high_water=200) as rig:
            await asyncio.sleep(0.6)
            assert not rig.session.alive
            assert rig.bus.waiting <= 201
            assert rig.stats.frames <= 210
            await rig.reader.until(lambda: rig.stats.events["trade"] > sent // 10 + 5, within_s=20.0)
        rig.venue_publisher.flush()
        await rig.reader.read()
    assert [liquidation.id for liquidation in rig.reader.of(Liquidation)] == [str(n) for n in range(sent)]
    folded = sum(bar.trades for bar in rig.reader.of_bars())
    assert len(rig.reader.of(Trade)) + folded == rig.stats.events["trade"]
    assert rig.stats.dials == 1
    assert rig.stats.drains > 10
    assert rig.venue_publisher.switch.to_bars == 1
    assert not rig.reader.of(Gap)


async def test_a_socket_that_is_not_read_for_too_long_is_given_up_with_a_gap() -> None:
    """What an exchange keeps for a slow reader is bounded: from the last frame read to a fresh socket is a gap."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.chatter(10_000 * peer.number, 0.002)

    settings = dataclasses.replace(FAST, socket=dataclasses.replace(FAST.socket, hold_s=0.1))
    async with Exchange(script) as exchange, running(plan(exchange.url), settings, high_water=50) as rig:
        await rig.reader.until(lambda: rig.session.alive)
        await until(lambda: rig.stats.reconnects["overflow"] == 1)
        assert len(exchange.peers) == 1, "there is no room for another socket's events yet"
        await rig.reader.until(lambda: bool(rig.reader.of(Gap)))
        again_us = now_us()
    gaps = rig.reader.of(Gap)
    assert {gap.reason for gap in gaps} == {"queue_overflow"}
    read_us = [one.receive_time_us for one in (*rig.reader.of_bars(), *rig.reader.of(Trade))]
    assert {gap.from_us for gap in gaps} == {max(at for at in read_us if at < gaps[0].to_us)}
    assert all(gap.from_us < gap.to_us <= again_us for gap in gaps)


async def test_another_plan_is_taken_up_without_a_gap() -> None:
    """Changed symbols are subscribed on a second socket before the first one goes."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.chatter(1000 * peer.number)

    async with Exchange(script) as exchange, running(plan(exchange.url, keys=("old",))) as rig:
        await rig.reader.until(lambda: rig.session.alive)
        rig.session.move_to(plan(exchange.url, keys=("new",)))
        await rig.reader.until(lambda: rig.stats.reconnects["replan"] == 1)
    assert [peer.requests for peer in exchange.peers] == [['{"subscribe":"old"}'], ['{"subscribe":"new"}']]
    assert not rig.reader.of(Gap)


async def test_every_frame_is_shown_to_the_tap() -> None:
    """The recorder's tap sees control frames and garbage as well, as they came."""
    seen: list[tuple[str, str, bytes]] = []

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.socket.send("{garbage")
        await peer.trade(5)
        await peer.socket.wait_closed()

    def tap(venue: str, connection: str, received_us: int, frame: bytes) -> None:
        assert abs(received_us - now_us()) < 1_000_000
        seen.append((venue, connection, frame))

    async with Exchange(script) as exchange, running(plan(exchange.url), on_frame=tap) as rig:
        await rig.reader.until(lambda: bool(rig.reader.of(Trade)))
    assert [frame for _, _, frame in seen] == [
        b'{"ack":"all"}',
        b"{garbage",
        b'{"trades":[5],"symbol":"BTCUSDT"}',
    ]
    assert {(venue, connection) for venue, connection, _ in seen} == {(VENUE, "market-0")}


async def test_failure_inside_the_session_surfaces_and_a_second_run_goes_on() -> None:
    """A fault of the program is raised, not swallowed; run again, the session publishes the gap."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trade(peer.number)
        if peer.number == 0:
            await peer.send(crash="a bug")
        await peer.chatter(100)

    async with Exchange(script) as exchange:
        rig = Rig(plan(exchange.url), FAST, 50_000)
        with pytest.raises(ExceptionGroup) as failure:
            await rig.session.run()
        assert failure.group_contains(RuntimeError, match="a bug")
        task = asyncio.create_task(rig.session.run())
        await rig.reader.until(lambda: 100 in rig.trade_ids())
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    received = {int(trade.id): trade.receive_time_us for trade in rig.reader.of(Trade)}
    assert rig.reader.of(Gap)[0].from_us == received[0]
    assert rig.reader.of(Gap)[0].to_us == received[1]


async def test_cancelled_in_the_middle_of_a_gap_tells_it() -> None:
    """A session that is stopped while disconnected publishes the gap until then."""

    async def script(peer: Peer) -> None:
        if peer.number == 0:
            await peer.acknowledge()
            await peer.trade(0)
            await asyncio.sleep(0.1)
        await peer.socket.close(1008)

    async with Exchange(script) as exchange, running(plan(exchange.url)) as rig:
        await rig.reader.until(lambda: rig.stats.dials >= 3)
        assert not rig.reader.of(Gap)
    gap = rig.reader.of(Gap)[0]
    assert gap.from_us == rig.reader.of(Trade)[0].receive_time_us
    assert gap.to_us > gap.from_us


async def test_the_exchange_is_asked_for_an_address_before_every_dial() -> None:
    """A fresh address for each socket; where it cannot be had, that is a dial that failed, and it is tried again."""
    asked: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trade(peer.number)
        if peer.number:
            await peer.chatter(10)

    async with Exchange(script) as exchange:

        async def locate(url: str) -> str:
            asked.append(url)
            if len(asked) == 1:
                raise OSError("no token today")
            return f"{exchange.url}?token={len(asked)}"

        async with running(plan("ws://127.0.0.1:1/"), locate=locate) as rig:
            await rig.reader.until(lambda: 10 in rig.trade_ids())
    assert rig.stats.reconnects["dial_failed"] == 1
    assert asked == ["ws://127.0.0.1:1/"] * 3
    assert [peer.socket.request.path for peer in exchange.peers if peer.socket.request] == ["/?token=2", "/?token=3"]


def after_restart(answers: asyncio.Event, **beats: int) -> Restart:
    """A restart whose last heartbeats are known once ``answers`` is set."""

    async def last(venue: str) -> dict[str, int]:
        assert venue == VENUE
        await answers.wait()
        return beats

    return Restart(VENUE, Predecessors(last, alone=True), now_us)


async def trade_until_closed(peer: Peer) -> None:
    """Acknowledge, send a trade, and wait for the client to leave."""
    await peer.acknowledge()
    await peer.trade(1)
    await peer.socket.wait_closed()


async def test_a_restart_is_a_gap_from_the_last_heartbeat_to_the_first_socket() -> None:
    """It is stated by channel before the session counts as alive, counted, and given to whoever fills gaps."""
    answers = asyncio.Event()
    beat_us = now_us() - 20_000_000
    noted: list[tuple[str, bool]] = []
    async with (
        Exchange(trade_until_closed) as exchange,
        running(plan(exchange.url), restart=after_restart(answers, liquidations=beat_us)) as rig,
    ):
        rig.venue_publisher.on_gap = lambda gap, symbols: noted.append((gap.channel, symbols == ("all",)))
        await rig.reader.until(lambda: bool(rig.reader.of(Trade)))
        assert not rig.session.alive
        answers.set()
        await rig.reader.until(lambda: rig.session.alive)
        await rig.reader.read()
    (gap,) = rig.reader.of(Gap)
    assert (gap.channel, gap.reason, gap.from_us) == ("liquidations", "restart", beat_us)
    assert beat_us + 20_000_000 < gap.to_us <= gap.receive_time_us
    assert noted == [("liquidations", True)]
    assert (rig.stats.gaps, rig.stats.gap_us) == (1, gap.to_us - gap.from_us)


async def test_a_first_dial_that_fails_splits_the_gap() -> None:
    """The restart's gap ends where the process began to look, and the failed dials' gap goes on from there."""
    answers = asyncio.Event()
    answers.set()
    beat_us = now_us() - 20_000_000
    restart = after_restart(answers, liquidations=beat_us, trades=beat_us)
    async with Exchange(trade_until_closed, refused=1) as exchange, running(plan(exchange.url), restart=restart) as rig:
        await rig.reader.until(lambda: rig.session.alive)
        await rig.reader.read()
    for channel in ("liquidations", "trades"):
        gaps = {gap.reason: gap for gap in rig.reader.of(Gap) if gap.channel == channel}
        assert gaps["restart"].from_us == beat_us
        assert gaps["restart"].to_us == gaps["disconnect"].from_us < gaps["disconnect"].to_us


async def test_a_socket_lost_amid_the_look_back_states_the_restart_once() -> None:
    """Reconnecting while the last heartbeats are read neither repeats nor forgets the gap."""
    answers = asyncio.Event()
    beat_us = now_us() - 20_000_000

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trade(peer.number)
        if peer.number:
            await peer.socket.wait_closed()

    restart = after_restart(answers, trades=beat_us)
    async with Exchange(script) as exchange, running(plan(exchange.url), restart=restart) as rig:
        await rig.reader.until(lambda: len(rig.reader.of(Trade)) == 2)
        answers.set()
        await rig.reader.until(lambda: rig.session.alive)
        await rig.reader.read()
    assert [gap.from_us for gap in rig.reader.of(Gap) if gap.reason == "restart"] == [beat_us]


async def test_a_starved_loop_leaves_a_healthy_socket_alone() -> None:
    """A pause of this process that is longer than the limits of silence and of pings replaces no socket."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.chatter()

    async with Exchange(script) as exchange, running(plan(exchange.url, stale_after_s=1.0)) as rig:
        await rig.reader.until(lambda: rig.session.alive)
        time.sleep(1.5)  # noqa: ASYNC251  # the loop is to stand still
        before = rig.stats.frames
        await rig.reader.until(lambda: rig.stats.frames > before + 50)
    assert rig.stats.dials == 1
    assert not rig.reader.of(Gap)
