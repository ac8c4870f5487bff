"""Runs every adapter against a loopback websocket server that imitates its exchange and fails in many ways.

All scenarios of a venue run side by side, each with a server and a session of its own for every kind of socket that
the adapter plans.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec
import pytest

from monitor.bus.memory import MemoryBus
from monitor.collect.connection.session import Session, SessionSettings
from monitor.collect.connection.socket import SocketSettings
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.venue_publisher import VenuePublisher
from monitor.exchanges.adapter import Adapter, Connection, Keepalive
from monitor.exchanges.registry import ADAPTERS
from monitor.model.events import SIDES, Channel, Gap, Liquidation, MarkPrice, Trade
from tests.collect.exchange import Exchange, Peer, Reader, now_us
from tests.exchanges.dialects import PENDING, dialect_of
from tests.exchanges.dialects.base import Dialect, Frame, price_of

LINK: Final = SocketSettings(open_timeout_s=5.0, close_timeout_s=0.2, ack_timeout_s=1.0, tick_s=0.02)
AT_ONCE: Final = 12
"""Conversations played at a time: HTX has sixty, and on a busy machine they would make each other late."""
SETTINGS: Final = SessionSettings(socket=LINK, backoff_base_s=0.02, backoff_cap_s=0.5, healthy_s=0.05, overlap_s=0.05)
WITHIN_S: Final = 30.0
"""A busy machine is no failure; a scenario takes a second or two."""

SPOKEN: Final[tuple[Channel, ...]] = ("trades", "mark_price", "liquidations")
CLOSED_AT_ONCE: Final = 4


class Stage:
    """One kind of socket of one adapter: what every scenario begins with."""

    def __init__(self, adapter: Adapter, dialect: type[Dialect], plan: Connection) -> None:
        self.adapter = adapter
        self.dialect = dialect
        self.plan = plan._replace(request_interval_s=0.001, stale_after_s=20.0)
        candidates = [channel for channel in SPOKEN if channel in (plan.dense or plan.channels)]
        self.spoken = candidates[0]
        """What numbers are spoken as: a dense channel where there is one."""
        self.started_ms = time.time_ns() // 1_000_000

    async def locate(self, url: str) -> str:
        """Return the address that the exchange gives to a client that requests one."""
        if self.adapter.token_request is None:
            return url
        return self.adapter.dial_url(url, self.dialect(self.plan).token(url))

    def time_ms(self, number: int) -> int:
        """When a number happened."""
        return self.started_ms + number

    def say(self, dialect: Dialect, number: int) -> Frame:
        """The frame of a number."""
        if self.spoken == "trades":
            return dialect.trade(number, self.time_ms(number))
        if self.spoken == "mark_price":
            return dialect.mark(number, self.time_ms(number))
        return dialect.liquidation(number, self.time_ms(number), "long")


class Talk:
    """One socket on the exchange's side: it sends the dialect's frames and answers the client's."""

    def __init__(self, stage: Stage, peer: Peer) -> None:
        self.stage = stage
        self.peer = peer
        self.dialect = stage.dialect(stage.plan)
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self._listening: asyncio.Task[None] | None = None

    async def send(self, *frames: Frame) -> None:
        """Send these frames."""
        for frame in frames:
            await self.peer.socket.send(frame)

    async def say(self, *numbers: int) -> None:
        """Speak these numbers."""
        await self.send(*(self.stage.say(self.dialect, number) for number in numbers))

    async def asked(self) -> list[str]:
        """The plan's requests; the client's keep-alives between them are answered."""
        await self.send(*self.dialect.greeting())
        requests: list[str] = []
        while len(requests) < len(self.stage.plan.requests):
            frame = str(await self.peer.socket.recv())
            pong = self.dialect.pong(frame)
            if pong is None:
                requests.append(frame)
            else:
                await self.send(pong)
        return requests

    async def subscribed(self) -> None:
        """Confirm all subscriptions, then answer keep-alives until the socket ends."""
        for request in await self.asked():
            await self.send(*self.dialect.acks(request))
        self.listen()

    def listen(self) -> None:
        """Answer keep-alives from now on."""
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        with contextlib.suppress(Exception):  # the socket is closed; the sender detects it
            async for frame in self.peer.socket:
                self.heard.put_nowait(str(frame))
                pong = self.dialect.pong(str(frame))
                if pong is not None:
                    await self.send(pong)

    async def chatter(self, first: int) -> None:
        """Speak numbers for ever."""
        for number in itertools.count(first):
            await self.say(number)
            await asyncio.sleep(0.01)


class Rig:
    """A session on a stage, the bus that it publishes to, and a reader of that bus."""

    def __init__(self, stage: Stage, url: str, settings: SessionSettings, **changes: Any) -> None:
        bus = MemoryBus(50_000)
        self.reader = Reader(bus)
        self.stage = stage
        self.plan = stage.plan._replace(url=url, **changes)
        venue_publisher = VenuePublisher(
            bus.publisher(), OverloadSwitch("each", 30.0, "test"), RejectGate(5.0, 10), now_us
        )
        self.session = Session(
            self.plan, stage.adapter, venue_publisher, settings, clock=now_us, rng=random.Random(7), locate=stage.locate
        )
        self.stats = self.session.stats

    def numbers(self) -> list[int]:
        """The numbers that came out, in their order."""
        if self.stage.spoken == "trades":
            prices = [trade.price for trade in self.reader.of(Trade)]
        elif self.stage.spoken == "mark_price":
            prices = [mark.mark_price for mark in self.reader.of(MarkPrice)]
        else:
            prices = [float(death.price or 0.0) for death in self.reader.of(Liquidation)]
        return [round(price - price_of(0)) for price in prices]

    def last_received_us(self) -> int:
        """When the last event before the gap was received."""
        gap = self.reader.of(Gap)[0]
        events = self.reader.of(Trade) + self.reader.of(MarkPrice) + self.reader.of(Liquidation)
        return max(event.receive_time_us for event in events if event.receive_time_us < gap.to_us)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Read until it holds."""
        await self.reader.until(condition, WITHIN_S)

    def gap_reasons(self) -> set[str]:
        """Return the gaps; each is published for every channel of the plan."""
        gaps = self.reader.of(Gap)
        assert {gap.channel for gap in gaps} in (set(self.plan.channels), set())
        return {gap.reason for gap in gaps}


@contextlib.asynccontextmanager
async def running(
    stage: Stage,
    script: Callable[[Talk], Awaitable[None]],
    settings: SessionSettings = SETTINGS,
    refused: int = 0,
    **changes: Any,
) -> AsyncIterator[tuple[Rig, Exchange]]:
    """A session on a server that runs ``script`` for each socket."""

    async def serve(peer: Peer) -> None:
        await script(Talk(stage, peer))

    async with Exchange(serve, refused) as exchange:
        rig = Rig(stage, exchange.url, settings, **changes)
        task = asyncio.create_task(rig.session.run())
        try:
            yield rig, exchange
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await rig.reader.read()


async def acks_late(stage: Stage) -> None:
    """Until every subscription is confirmed, nothing is claimed; a slow confirmation costs nothing."""
    confirmed = asyncio.Event()

    async def script(talk: Talk) -> None:
        requests = await talk.asked()
        await confirmed.wait()
        for request in requests:
            await talk.send(*talk.dialect.acks(request))
        talk.listen()
        await talk.chatter(0)

    async with running(stage, script) as (rig, _):
        if any(request.acks for request in stage.plan.requests):
            await rig.until(lambda: rig.session.intake.stats.dials == 1)
            await asyncio.sleep(0.1)
            assert not rig.session.alive
        confirmed.set()
        await rig.until(lambda: rig.session.alive and len(rig.numbers()) > 3)
    assert (rig.stats.dials, rig.stats.acks_missing) == (1, 0)
    assert not rig.reader.of(Gap)


async def acks_refused(stage: Stage) -> None:
    """A socket of which everything was refused is given up, loudly; the next one is tried."""
    answers: list[Frame] = []

    async def script(talk: Talk) -> None:
        if talk.peer.number:
            await talk.subscribed()
            await talk.chatter(0)
        requests = await talk.asked()
        while True:  # parts of refused requests follow, until every topic was refused by itself
            for request in requests:
                pong = talk.dialect.pong(request)
                refusals = talk.dialect.refusals(request) if pong is None else [pong]
                answers.extend(refusals)
                await talk.send(*refusals)
            requests = [str(await talk.peer.socket.recv())]

    async with running(stage, script) as (rig, _):
        await rig.until(lambda: rig.session.alive and bool(rig.reader.of(Gap)))
    assert rig.stats.refusals >= bool(answers)
    assert rig.stats.reconnects["refused" if answers else "ack_timeout"] == 1
    assert rig.gap_reasons() == {"disconnect"}


async def pings_unanswered(stage: Stage) -> None:
    """A socket on which nothing follows our ping is replaced; the gap begins with the last event."""
    keepalive = stage.plan.keepalive or Keepalive("", 0.0, 0.0)

    async def script(talk: Talk) -> None:
        if talk.peer.number:
            await talk.subscribed()
            await talk.chatter(100)
        for request in await talk.asked():
            await talk.send(*talk.dialect.acks(request))
        await talk.say(1, 2, 3)
        if not keepalive.frame:
            talk.peer.socket.transport.pause_reading()
        await talk.peer.socket.wait_closed()

    quick = keepalive._replace(interval_s=0.1, timeout_s=0.4)
    async with running(stage, script, keepalive=quick) as (rig, _):
        await rig.until(lambda: rig.session.alive and bool(rig.reader.of(Gap)))
    assert rig.stats.reconnects["unanswered"] >= 1
    assert rig.gap_reasons() == {"stale"}
    assert rig.reader.of(Gap)[0].from_us == rig.last_received_us()


async def closed_at_once(stage: Stage) -> None:
    """Handshakes that lead nowhere are not repeated in a hot loop, and one that does is taken up."""

    async def script(talk: Talk) -> None:
        if talk.peer.number < CLOSED_AT_ONCE:
            await talk.peer.socket.close(1008, "banned")
            return
        await talk.subscribed()
        await talk.chatter(0)

    async with running(stage, script) as (rig, exchange):
        await rig.until(lambda: rig.session.alive and bool(rig.reader.of(Gap)))
    assert rig.stats.dials == CLOSED_AT_ONCE + 1
    assert_backed_off(exchange)
    assert rig.gap_reasons() == {"disconnect"}


def assert_backed_off(exchange: Exchange) -> None:
    """The waits are at least those of the backoff's lower bound."""
    doubled = sum(SETTINGS.backoff_base_s * 2**number for number in range(CLOSED_AT_ONCE))
    assert exchange.dialled_s[CLOSED_AT_ONCE] - exchange.dialled_s[0] >= 0.5 * doubled


async def rotation(stage: Stage) -> None:
    """A socket that grows too old is replaced while it still delivers: nothing is lost, no trade comes twice."""
    talks: list[Talk] = []
    said = 0

    async def script(talk: Talk) -> None:
        await talk.subscribed()
        talks.append(talk)
        await talk.peer.socket.wait_closed()
        talks.remove(talk)

    async def market() -> None:
        nonlocal said
        while True:
            for talk in tuple(talks):
                with contextlib.suppress(Exception):  # a client that has just left
                    await talk.say(said)
            said += bool(talks)
            await asyncio.sleep(0.005)

    speaking = asyncio.create_task(market())
    async with running(stage, script, max_age_s=0.4) as (rig, _):
        await rig.until(lambda: rig.stats.reconnects["rotation"] >= 2)
    speaking.cancel()
    numbers = rig.numbers()
    if stage.spoken == "trades":
        assert numbers == list(range(len(numbers)))
    assert set(numbers) == set(range(max(numbers) + 1))
    assert not rig.reader.of(Gap)


async def duplicated_and_reordered(stage: Stage) -> None:
    """Equal rows have the same id, others another one, in any order; the side is the liquidated position's."""
    with_deaths = "liquidations" in stage.plan.channels

    async def script(talk: Talk) -> None:
        await talk.subscribed()
        await talk.say(2, 1, 1, 3)
        for place, number in enumerate((12, 10, 10, 11) if with_deaths else (), 13):
            if not talk.dialect.prices_liquidations:
                await talk.send(talk.dialect.mark(number, stage.time_ms(place)))
            await talk.send(talk.dialect.liquidation(number, stage.time_ms(number), SIDES[number % 2]))
        await talk.chatter(20)

    async with running(stage, script) as (rig, _):
        await rig.until(lambda: {20, 21} <= set(rig.numbers()))
    assert set(rig.numbers()) - {10, 11, 12} >= {1, 2, 3, 20, 21}
    trades = {(round(trade.price - price_of(0)), trade.id) for trade in rig.reader.of(Trade)}
    assert len({id_ for _, id_ in trades}) == len(trades) == len({number for number, _ in trades})
    if with_deaths:
        deaths = {
            (round(float(death.price or 0.0) - price_of(0)), death.id, death.side)
            for death in rig.reader.of(Liquidation)
            if death.price != price_of(20) and 10 <= round(float(death.price or 0.0) - price_of(0)) <= 12
        }
        assert sorted((number, side) for number, _, side in deaths) == [(10, "long"), (11, "short"), (12, "long")]
        assert len({id_ for _, id_, _ in deaths}) == 3
    assert rig.stats.dials == 1


async def backlog(stage: Stage) -> None:
    """What happened before the subscription makes no event, and what happens after it does."""
    had: list[Frame] = []

    async def script(talk: Talk) -> None:
        await talk.subscribed()
        frame = talk.dialect.backlog(stage.started_ms - 600_000)
        if frame is not None:
            had.append(frame)
            await talk.send(frame)
        await talk.chatter(0)

    async with running(stage, script) as (rig, _):
        await rig.until(lambda: rig.session.alive and len(rig.numbers()) > 3)
    executed = rig.reader.of(Trade) + rig.reader.of(Liquidation)
    assert all(event.event_time_us >= stage.started_ms * 1000 for event in executed)
    assert (rig.stats.skipped["backlog"] > 0) == bool(had)
    assert not any(rig.stats.rejects.values())


async def maintenance(stage: Stage) -> None:
    """A notice is obeyed with an overlap; an exchange that just goes away costs a gap of exact bounds."""
    noticed = stage.dialect(stage.plan).maintenance() is not None

    async def script(talk: Talk) -> None:
        await talk.subscribed()
        await talk.say(*range(3))
        if talk.peer.number == 0:
            frame = talk.dialect.maintenance()
            if frame is None:
                await talk.peer.socket.close(1001, "maintenance")
                return
            await talk.send(frame)
        await talk.chatter(100 * talk.peer.number + 3)

    async with running(stage, script) as (rig, _):
        await rig.until(lambda: any(number > 103 for number in rig.numbers()) and rig.session.alive)
        await rig.until(lambda: rig.stats.reconnects["notice" if noticed else "closed"] >= 1)
    if noticed:
        assert not rig.reader.of(Gap)
    else:
        assert rig.gap_reasons() == {"disconnect"}
        assert rig.reader.of(Gap)[0].from_us == rig.last_received_us()


async def half_open(stage: Stage) -> None:
    """A peer that neither reads nor writes any more is left, although TCP reports no error."""

    async def script(talk: Talk) -> None:
        await talk.subscribed()
        await talk.say(1, 2, 3)
        if talk.peer.number == 0:
            talk.peer.socket.transport.pause_reading()
            await talk.peer.socket.wait_closed()
        await talk.chatter(100)

    keepalive = (stage.plan.keepalive or Keepalive("", 0.0, 0.0))._replace(interval_s=0.1, timeout_s=30.0)
    if not stage.plan.dense:
        keepalive = keepalive._replace(timeout_s=0.4)
    async with running(stage, script, stale_after_s=0.5, keepalive=keepalive) as (rig, _):
        await rig.until(lambda: rig.session.alive and bool(rig.reader.of(Gap)))
    assert rig.stats.reconnects["stale" if stage.plan.dense else "unanswered"] >= 1
    assert rig.gap_reasons() == {"stale"}
    assert rig.reader.of(Gap)[0].from_us == rig.last_received_us()


@functools.cache
def bomb() -> bytes:
    """A few bytes that would become 64 MB; made once, for that takes half a second."""
    return gzip.compress(bytes(2**26))


async def compressed(stage: Stage) -> None:
    """Compressed, plain, text and binary frames: each is read or refused, counted, and none costs the socket."""

    async def script(talk: Talk) -> None:
        await talk.subscribed()
        await talk.say(0)
        frame = stage.say(talk.dialect, 1)
        if isinstance(frame, str):
            await talk.send(frame.encode(), gzip.compress(frame.encode()))
        else:
            await talk.send(frame, frame[:-9], bomb())
        await talk.chatter(2)

    async with running(stage, script) as (rig, _):
        await rig.until(lambda: {0, 1, 2, 3} <= set(rig.numbers()))
    assert sum(rig.stats.rejects.values()) == (1 if isinstance(stage.say(stage.dialect(stage.plan), 0), str) else 2)
    assert rig.stats.dials == 1


async def rate_limited(stage: Stage) -> None:
    """A complaint about our rate is counted and costs no data; refused handshakes are backed off from."""
    frame = stage.dialect(stage.plan).rate_limited()

    async def script(talk: Talk) -> None:
        await talk.subscribed()
        if frame is not None and talk.peer.number == 0:
            await talk.send(frame)
        await talk.chatter(0)

    async with running(stage, script, refused=0 if frame else CLOSED_AT_ONCE) as (rig, exchange):
        await rig.until(lambda: rig.session.alive and len(rig.numbers()) > 3)
    if frame is None:
        assert rig.stats.reconnects["dial_failed"] == CLOSED_AT_ONCE
        assert_backed_off(exchange)
    else:
        assert rig.stats.refusals >= 1
        assert rig.stats.dials <= 2


async def exchange_pings(stage: Stage) -> None:
    """The exchange's own ping inside the stream is answered in its form."""
    if stage.dialect(stage.plan).ping() is None:
        return
    answered: list[str] = []

    async def script(talk: Talk) -> None:
        await talk.subscribed()
        await talk.say(0)
        frame = talk.dialect.ping()
        assert frame is not None
        await talk.send(frame)
        while not talk.dialect.is_pong(answer := await talk.heard.get()):
            pass
        answered.append(answer)
        await talk.chatter(1)

    async with running(stage, script) as (rig, _):
        await rig.until(lambda: bool(answered) and len(rig.numbers()) > 2)
    assert rig.stats.dials == 1


SCENARIOS: Final = (
    acks_late,
    acks_refused,
    pings_unanswered,
    closed_at_once,
    rotation,
    duplicated_and_reordered,
    backlog,
    maintenance,
    half_open,
    compressed,
    rate_limited,
    exchange_pings,
)


def stages(venue: str) -> list[Stage]:
    """Every kind of socket that the adapter plans for one symbol of each of its markets."""
    dialect = dialect_of(venue)
    adapter = ADAPTERS[venue](dialect.instruments)
    return [Stage(adapter, dialect, plan) for plan in adapter.connections(dialect.symbols, dialect.channels)]


async def played(scenario: Callable[[Stage], Awaitable[None]], stage: Stage, turn: asyncio.Semaphore) -> None:
    """Run one scenario in its turn; a failure names it."""
    async with turn:
        try:
            await scenario(stage)
        except BaseException as error:
            error.add_note(f"{scenario.__name__} on {stage.plan.name}: {scenario.__doc__}")
            raise


@pytest.mark.parametrize(
    "venue", [venue for venue, adapter in ADAPTERS.items() if venue not in PENDING and not adapter.closed]
)
async def test_an_adapter_conforms(venue: str) -> None:
    """On each of its sockets an adapter gets through everything that exchanges do to their clients."""
    played_stages = stages(venue)
    assert played_stages
    bomb()  # made beforehand: within a conversation it would hold up all others for a second
    turn = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for stage in played_stages:
            for scenario in SCENARIOS:
                group.create_task(played(scenario, stage, turn))


LISTED: Final = 300


def crowded(venue: str) -> Stage:
    """Return the first socket of a venue that lists 300 symbols; it has as many of them as the adapter plans."""
    dialect = dialect_of(venue)
    like = dialect.instruments[dialect.symbols[-1] if venue in ("deribit", "coinbase-intl") else dialect.symbols[0]]
    symbols = [like.symbol.replace("BTC", f"C{number:03}").replace("XBT", f"C{number:03}") for number in range(LISTED)]
    adapter = ADAPTERS[venue]({symbol: msgspec.structs.replace(like, symbol=symbol) for symbol in symbols})
    plans = adapter.connections(symbols, ("trades", "mark_price"))
    assert sum(len(plan.symbols) for plan in plans) == LISTED
    stage = Stage(adapter, dialect, plans[0])
    assert any(request.topics for request in stage.plan.requests)
    return stage


@pytest.mark.parametrize("venue", ["bybit", "gate", "kucoin", "deribit", "coinbase-intl"])
async def test_one_delisted_symbol_costs_no_other(venue: str) -> None:
    """Of 300 symbols of which the exchange refuses one, all others are subscribed, and its topics are missing."""
    stage = crowded(venue)
    delisted = stage.plan.symbols[37]
    accepted: list[str] = []
    sent: list[str] = []

    async def script(talk: Talk) -> None:
        talk.dialect.symbol = stage.plan.symbols[0]
        lists_accepted = stage.dialect.answers is not Dialect.answers
        await talk.send(*talk.dialect.greeting())
        async for request in talk.peer.socket:
            sent.append(str(request))
            await talk.send(*talk.dialect.answers(str(request), delisted))
            if lists_accepted or delisted not in str(request):
                accepted.append(str(request))
            await talk.say(len(sent))

    async with running(stage, script) as (rig, _):
        await rig.until(lambda: rig.session.alive)
    names = [topic.name for request in stage.plan.requests for topic in request.topics]
    missing = {topic.name for topic in rig.session.missing}
    assert missing == {name for name in names if delisted in name}
    whole = " ".join(accepted)
    assert all(whole.count(name) for name in set(names) - missing)
    assert len(sent) <= len(stage.plan.requests) + 2 * 2 * 9
    assert rig.stats.dials == 1


def test_the_dialects_cover_every_channel_of_an_adapter() -> None:
    """What an adapter carries is in its dialect's subscription, so no kind of socket stays untried."""
    for venue in {venue for venue, adapter in ADAPTERS.items() if not adapter.closed} - PENDING:
        carried = {channel for stage in stages(venue) for channel in stage.plan.channels}
        everything = {
            channel
            for plan in ADAPTERS[venue](dialect_of(venue).instruments).connections(
                dialect_of(venue).symbols, ("liquidations", "trades", "mark_price", "open_interest", "volatility_index")
            )
            for channel in plan.channels
        }
        assert carried == everything, venue
