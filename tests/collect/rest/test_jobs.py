"""Polls, history and backfill through a real HTTP server and a fleet's venue_publisher."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import ClassVar

import pytest

from monitor.bus.memory import MemoryBus
from monitor.collect.fleet import Fleet, FleetSettings
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.venue_publisher import VenuePublisher
from monitor.collect.rest.client import Rest
from monitor.collect.rest.jobs import RestJobs, RestJobsSettings
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Message, Skipped
from monitor.exchanges.rest_requests import Poll, RestPage, RestRequest
from monitor.model.events import ALL, AnyEvent, Channel, Gap, OpenInterest, Reject, Trade
from tests.collect.exchange import FAST, VENUE, Exchange, LoopbackAdapter, Peer, Reader, now_us, trade
from tests.collect.rest_server import Answer, RestServer, rest_server

__all__ = ["rest_server"]

QUICK = RestJobsSettings(history=False, settle_s=0.0)


class Asked(LoopbackAdapter):
    """Open interest of each symbol by polls, two values of it by history, and trades of a gap."""

    rest_weight_per_minute: ClassVar[int] = 6_000
    interval_s: ClassVar[float] = 0.1
    backfill_pages: ClassVar[int] = 1

    def __init__(self) -> None:
        super().__init__()
        self.filled: list[str] = []

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> list[Poll]:
        """One a symbol."""
        return [
            Poll("open_interest", RestRequest("/interest", {"symbol": symbol}, about=symbol), self.interval_s)
            for symbol in symbols
            if "open_interest" in channels
        ]

    def history(self, symbols: Sequence[str], now_us: int) -> list[RestRequest]:
        """One a symbol."""
        return [RestRequest("/history", {"symbol": symbol}, about=symbol) for symbol in symbols]

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> list[RestRequest]:
        """Of trades alone; :attr:`filled` keeps of which symbols."""
        self.filled.append("".join(symbols))
        return [RestRequest("/trades", about="1")] * self.backfill_pages if channel == "trades" else []

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Numbers: of open interest, or times of trades in us."""
        numbers = json.loads(body)
        if request.path == "/trades":
            page = int(request.about)
            further = request._replace(about=str(page + 1)) if page < 2 else None
            return RestPage([trade(page * 10 + i, "X", time_us) for i, time_us in enumerate(numbers)], further)
        messages: list[Message] = [
            OpenInterest(VENUE, request.about, "BTC", received_us - 1_000_000, received_us, 1.0, number)
            for number in numbers
        ]
        bad = Reject(VENUE, "malformed", "a row", received_us, body)
        return RestPage([*messages, bad, Skipped("not_executed", 2)])


class Rig:
    """A venue's REST jobs, the bus that they publish to, and the events that its recorder received."""

    def __init__(self, url: str, settings: RestJobsSettings, adapter: LoopbackAdapter, symbols: Sequence[str]) -> None:
        bus = MemoryBus()
        self.reader = Reader(bus)
        self.seen: list[AnyEvent] = []
        switch = OverloadSwitch("each", 1.0, VENUE)
        venue_publisher = VenuePublisher(bus.publisher(), switch, RejectGate(5.0, 5), now_us, self.seen.append)
        self.pool = (client := Rest().client(adapter, url)).pool
        self.rest_jobs = RestJobs(
            client, adapter, symbols, ("open_interest", "trades"), venue_publisher, now_us, settings
        )


@contextlib.asynccontextmanager
async def running(
    url: str, settings: RestJobsSettings = QUICK, adapter: LoopbackAdapter | None = None, symbols: Sequence[str] = "AB"
) -> AsyncIterator[Rig]:
    """Asks while the block lasts."""
    rig = Rig(url, settings, adapter or Asked(), symbols)
    task = asyncio.create_task(rig.rest_jobs.run())
    try:
        yield rig
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def gap(channel: Channel = "trades", from_us: int = 1_000_000, to_us: int = 2_000_000) -> Gap:
    """Return a gap as a session publishes it."""
    return Gap(VENUE, ALL, ALL, to_us, to_us, channel, from_us, to_us, "disconnect")


async def test_polls_go_on_and_are_published_recorded_and_counted(rest_server: RestServer) -> None:
    """Every symbol is polled again and again; its events reach the bus and the recorder, bad rows are counted."""
    rest_server.answers = [Answer(200, b"[5]")]
    async with running(rest_server.url) as rig:
        await rig.reader.until(lambda: len(rig.reader.of(OpenInterest)) >= 6)
        stats = rig.rest_jobs.stats()
        assert stats.events.connected == 1
    assert {event.symbol for event in rig.reader.of(OpenInterest)} == {"A", "B"}
    assert rig.seen == rig.reader.of(OpenInterest)[: len(rig.seen)]
    assert stats.events.events["open_interest"] == len(rig.seen)
    assert (stats.events.rejects["malformed"], stats.events.skipped["not_executed"]) == (
        len(rig.seen),
        2 * len(rig.seen),
    )
    assert (stats.stretch, stats.polls, stats.failures) == (1.0, 2, 0)


async def test_other_symbols_are_polled_after_an_update(rest_server: RestServer) -> None:
    """The same symbols change nothing; others are polled instead of the old ones."""
    rest_server.answers = [Answer(200, b"[5]")]
    async with running(rest_server.url) as rig:
        rig.rest_jobs.update(Asked(), "AB")
        await rig.reader.until(lambda: bool(rig.reader.of(OpenInterest)))
        rig.rest_jobs.update(Asked(), "C")
        await rig.reader.until(lambda: rig.reader.of(OpenInterest)[-1].symbol == "C")


async def test_polls_beyond_the_budget_are_slower_and_say_so(
    rest_server: RestServer, caplog: pytest.LogCaptureFixture
) -> None:
    """More weight than the budget allows stretches the intervals: a metric and a log line give the factor."""
    rig = Rig(rest_server.url, QUICK, Asked(), [str(number) for number in range(10)])
    assert rig.rest_jobs.stats().stretch == pytest.approx(10 * 600 / (0.8 * rig.pool.per_minute))
    assert "intervals are 1.2 times as long" in caplog.text


async def test_a_failing_api_is_told_once_and_asked_on(
    rest_server: RestServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests that fail are counted, logged once, and polling goes on until the exchange answers again."""
    caplog.set_level("INFO")
    rest_server.answers = [Answer(418, b"", (("Retry-After", "61"),)), Answer(200, b"[5]")]
    async with running(rest_server.url, symbols="A") as rig:
        await rig.reader.until(lambda: rig.rest_jobs.stats().failures >= 3)
        assert rig.rest_jobs.stats().events.connected == 0
        assert rig.rest_jobs.stats().paused_s > 50
        rig.pool._paused_until_s = 0.0  # the hour is over
        await rig.reader.until(lambda: bool(rig.reader.of(OpenInterest)))
    assert caplog.text.count("a REST request failed") == 1
    assert "requests succeed again" in caplog.text


async def test_history_is_loaded_once_with_its_old_times(rest_server: RestServer) -> None:
    """Thirty days of open interest are published as events with their own times, and their number is logged."""
    rest_server.answers = [Answer(200, b"[1,2,3]")]
    adapter = Asked()
    adapter.polls = lambda symbols, channels: []  # type: ignore[method-assign]
    async with running(rest_server.url, RestJobsSettings(settle_s=0.0), adapter) as rig:
        await rig.reader.until(lambda: rig.rest_jobs.stats().history == 6)
    assert {event.receive_time_us - event.event_time_us for event in rig.reader.of(OpenInterest)} == {1_000_000}
    assert sorted(rest_server.asked) == ["/history?symbol=A", "/history?symbol=B"]


async def test_a_gap_is_filled_page_by_page_and_told_again(rest_server: RestServer) -> None:
    """What the gap hid is published, nothing from outside it, and then the gap once more, as backfilled."""
    rest_server.answers = [Answer(200, b"[999999, 1000000]"), Answer(200, b"[1999999, 2000000]")]
    async with running(rest_server.url, symbols="") as rig:
        rig.rest_jobs.gap_published(gap(), "A")
        await rig.reader.until(lambda: bool(rig.reader.of(Gap)))
    assert [one.id for one in rig.reader.of(Trade)] == ["11", "20"]
    told = rig.reader.of(Gap)
    assert [(one.from_us, one.to_us, one.backfilled) for one in told] == [(1_000_000, 2_000_000, True)]
    assert rig.seen[-1] == told[0]
    assert (rig.rest_jobs.stats().filled, rig.rest_jobs.stats().unfilled) == (1, 0)


async def test_a_gap_is_filled_of_its_sockets_symbols_alone(rest_server: RestServer) -> None:
    """Symbols of other sockets and symbols that are no longer watched are not requested."""
    rest_server.answers = [Answer(200, b"[]")]
    adapter = Asked()
    async with running(rest_server.url, adapter=adapter, symbols="AB") as rig:
        rig.rest_jobs.gap_published(gap(), "BC")
        await rig.reader.until(lambda: bool(rig.reader.of(Gap)))
    assert adapter.filled == ["B"]


async def test_a_gap_that_cannot_be_filled_stays_a_gap(
    rest_server: RestServer, caplog: pytest.LogCaptureFixture
) -> None:
    """An API that fails, a list too long, a channel without backfill and a gap backfilled before publish nothing."""
    rest_server.answers = [Answer(418, b"", (("Retry-After", "3600"),))]
    adapter = Asked()
    adapter.backfill_pages = 2  # type: ignore[misc]
    async with running(
        rest_server.url, RestJobsSettings(history=False, settle_s=0.0, max_minutes=2.5 / 6_000), adapter, ""
    ) as rig:
        rig.rest_jobs.gap_published(gap("liquidations"), "A")
        rig.rest_jobs.gap_published(gap(), "A")
        await rig.reader.until(lambda: rig.rest_jobs.stats().unfilled == 1)
        adapter.backfill_pages = 3  # type: ignore[misc]
        rig.rest_jobs.gap_published(gap(), "A")
        await rig.reader.until(lambda: rig.rest_jobs.stats().unfilled == 2)
        rig.rest_jobs.gap_published(gap(from_us=5, to_us=5), "A")
    assert not rig.reader.of(Gap)
    assert "could be backfilled only in part" in caplog.text
    assert "is not backfilled, because it costs 0 minutes" in caplog.text


async def test_of_too_many_gaps_the_oldest_are_given_up(rest_server: RestServer) -> None:
    """The list of gaps is bounded, and what falls off it is counted."""
    rig = Rig(rest_server.url, RestJobsSettings(max_gaps=2), Asked(), "")
    for number in range(3):
        rig.rest_jobs.gap_published(gap(to_us=2_000_000 + number), "A")
    assert rig.rest_jobs.stats().unfilled == 1


async def test_a_fleet_fills_the_gaps_of_its_sockets(rest_server: RestServer) -> None:
    """A socket that drops leaves a gap; the fleet requests its events and publishes the gap again as backfilled."""
    rest_server.answers = [Answer(200, b"[]")]
    dropped: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.trade(peer.number)
        if peer.number == 0:
            dropped.append(json.loads(peer.requests[0])["subscribe"])
            await asyncio.sleep(0.05)
            return
        await peer.chatter(10)

    bus = MemoryBus()
    reader = Reader(bus)
    settings = FleetSettings(session=FAST, dial_interval_s=0.01, rest_jobs=QUICK)
    async with Exchange(script) as exchange:
        adapter = Asked()
        channels: tuple[Channel, ...] = ("trades", "liquidations", "open_interest")
        adapter.interval_s = 3600.0  # type: ignore[misc]
        fleet = Fleet(
            adapter,
            "AB",
            channels,
            bus.publisher(),
            settings,
            clock=now_us,
            rng=random.Random(1),
            ws_url=exchange.url,
            rest=Rest().client(adapter, rest_server.url),
        )
        task = asyncio.create_task(fleet.run())
        await reader.until(lambda: any(gap.backfilled for gap in reader.of(Gap)))
        fleet.update(adapter, "AB")
        stats = fleet.stats()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert stats.rest_jobs is not None
    assert stats.rest_jobs.filled == 1
    assert stats.total.connected == 2
    assert set(adapter.filled) == set(dropped)
    filled = [gap for gap in reader.of(Gap) if gap.backfilled]
    hidden = next(gap for gap in reader.of(Gap) if gap.channel == "trades" and not gap.backfilled)
    assert [(gap.channel, gap.from_us, gap.to_us) for gap in filled] == [("trades", hidden.from_us, hidden.to_us)]


async def test_a_gap_of_more_than_a_day_is_not_asked_for(rest_server: RestServer) -> None:
    """No window reaches further back, and it would take the budget from the polls for hours."""
    settings = dataclasses.replace(QUICK, max_gap_s=60.0)
    rest_server.answers = [Answer(200, b"[]")]
    async with running(rest_server.url, settings) as rig:
        now = now_us()
        rig.rest_jobs.gap_published(gap(from_us=now - 61_000_000, to_us=now), "A")
        rig.rest_jobs.gap_published(gap(from_us=now - 30_000_000, to_us=now), "A")
        await rig.reader.until(lambda: bool(rig.reader.of(Gap)))
    (filled,) = rig.reader.of(Gap)
    assert (filled.from_us, filled.backfilled) == (now - 30_000_000, True)
    assert (rig.rest_jobs.stats().filled, rig.rest_jobs.stats().unfilled) == (1, 1)
