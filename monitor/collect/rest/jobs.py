"""What a venue is asked for by REST beside its sockets: polls without end, history at the start, what gaps hid.

All of it goes through the venue's one client and its budget, and out by the same outlet as what the sockets bring. An
event takes effect when it arrives, so a backfilled one stands in the stream where its answer came, with the time at
which it happened; a recording holds these events themselves, because nobody could ask again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from monitor.collect.pipeline.outlet import Outlet
from monitor.collect.rest.client import RestClient
from monitor.collect.rest.errors import RestError
from monitor.collect.stats import KIND_NAMES, SessionStats
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Skipped
from monitor.exchanges.rest_requests import Poll, RestRequest
from monitor.model.events import MICROS, AnyEvent, Channel, Gap, Reject

log = logging.getLogger(__name__)

LANES: Final = 4
"""Polls under way at once: with 100 ms an answer 2,400 a minute, and no pile-up when an exchange is slow."""


@dataclass(frozen=True, slots=True)
class AskingSettings:
    """What to ask for.

    Attributes:
        history: whether to load the open interest of the last thirty days at the start.
        backfill: whether to ask for what a gap hid.
        settle_s: how long after a gap's end to ask: REST lags behind the sockets.
        most_minutes: of the whole REST budget for one gap; what would cost more is not begun.
        longest_s: a longer gap is not asked for, seconds: no sum shown goes back more than a day.
        most_gaps: that wait to be filled; of more the oldest are given up.
    """

    history: bool = True
    backfill: bool = True
    settle_s: float = 5.0
    most_minutes: float = 10.0
    longest_s: float = 86_400.0
    most_gaps: int = 256


class AskingStats(NamedTuple):
    """What came of it.

    Attributes:
        events: what was received, counted like a connection's.
        stretch: by how much polls are slower than the adapter wants, because the budget does not suffice; 1 is not.
        polls: how many there are.
        failures: requests given up.
        weight, throttled: weight spent from the pool, and answers that asked to slow down, by all who share it.
        paused_s: for how long the exchange still wants to be left alone.
        history: events of the past that were loaded at the start.
        filled, unfilled: gaps that were backfilled, and those for which that was tried in vain or given up.
    """

    events: SessionStats
    stretch: float
    polls: int
    failures: int
    weight: int
    throttled: int
    paused_s: float
    history: int
    filled: int
    unfilled: int


class RestPageAt(NamedTuple):
    """A page's messages, what asks for the next, and when it was received."""

    messages: Sequence[object]
    next_request: RestRequest | None
    received_us: int


class Asking:
    """One venue's REST work; :meth:`run` does it.

    Args:
        client: the venue's REST client.
        adapter, symbols, channels: as the fleet has them.
        outlet: where the venue's events go.
        clock: the machine's time in microseconds.
        settings: what to ask for.
        memory: the venue's, which answers and frames build on.
    """

    def __init__(
        self,
        client: RestClient,
        adapter: Adapter,
        symbols: Sequence[str],
        channels: Iterable[Channel],
        outlet: Outlet,
        clock: Callable[[], int],
        settings: AskingSettings,
        memory: Memory | None = None,
    ) -> None:
        self._client = client
        self._adapter = adapter
        self._symbols = tuple(symbols)
        self._channels = tuple(channels)
        self._outlet = outlet
        self._clock = clock
        self._settings = settings
        self._memory = memory or Memory()
        self._stats = SessionStats(adapter.venue, "rest")
        self._polls: list[Poll] = []
        self._changed = asyncio.Event()
        self._gaps: deque[tuple[Gap, Sequence[str]]] = deque()
        self._gap_came = asyncio.Event()
        self._failures = self._history = self._filled = self._unfilled = 0
        self._failing = False
        self._plan()

    def update(self, adapter: Adapter, symbols: Sequence[str]) -> None:
        """Go on with newer instruments and other symbols."""
        self._adapter = adapter
        self._symbols = tuple(symbols)
        self._plan()

    def _plan(self) -> None:
        polls = list(self._adapter.polls(self._symbols, self._channels))
        if polls == self._polls:
            return
        self._polls = polls
        self._changed.set()
        self._client.pool.needs[self._stats.venue] = sum(poll.request.weight * 60.0 / poll.interval_s for poll in polls)
        stretch = self._client.pool.stretch
        if stretch > 1.0:
            log.warning(
                "%s: %d polls want more than the REST budget of %d weight a minute: each comes %.1f times as seldom",
                self._stats.venue, len(polls), self._client.pool.per_minute, stretch,
            )  # fmt: skip

    async def run(self) -> None:
        """Poll, load history and backfill until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll_all())
            if self._settings.backfill:
                group.create_task(self._fill_all())
            if self._settings.history and "open_interest" in self._channels:
                group.create_task(self._load_history())

    async def ask(self, request: RestRequest, keep: Callable[[AnyEvent], bool] | None = None) -> int:
        """Publish what a request brings, page by page; returns the number of events. Raises :class:`RestError`."""
        events = 0

        def read(request: RestRequest, body: bytes) -> RestPageAt:
            received_us = self._clock()
            return RestPageAt(*self._adapter.parse_rest(request, body, received_us, self._memory), received_us)

        async for page in self._client.pages(request, read):
            events += self._take(page, keep)
            if self._outlet.full:
                await self._outlet.drain()
        return events

    def _take(self, page: RestPageAt, keep: Callable[[AnyEvent], bool] | None) -> int:
        """Count and publish an answer's events."""
        stats = self._stats
        stats.frames += 1
        events: list[AnyEvent] = []
        for message in page.messages:
            if isinstance(message, Reject):
                stats.rejects[message.reason] += 1
                self._outlet.reject(message)
            elif isinstance(message, Skipped):
                stats.skipped[message.reason] += message.rows
            elif type(message) in KIND_NAMES and (keep is None or keep(message)):  # type: ignore[arg-type]
                events.append(message)  # type: ignore[arg-type]  # the table holds event types alone
                stats.count_event(events[-1])
        if events:
            stats.last_message_us = page.received_us
            self._outlet.publish_asked(events)
        return len(events)

    async def _tried(self, request: RestRequest, keep: Callable[[AnyEvent], bool] | None = None) -> int | None:
        """As :meth:`ask`, but a failure is counted, told once in a row, and gives None."""
        try:
            events = await self.ask(request, keep)
        except RestError as error:
            self._failures += 1
            if not self._failing:
                log.warning("%s: REST does not answer as it should: %s", self._stats.venue, error)
            self._failing = True
            return None
        if self._failing:
            log.info("%s: REST answers again", self._stats.venue)
        self._failing = False
        return events

    async def _poll_all(self) -> None:
        """Poll in lanes; another list of polls starts them anew."""
        while True:
            self._changed.clear()
            polls = self._polls
            async with asyncio.TaskGroup() as group:
                lanes = [
                    group.create_task(self._poll_lane(polls[lane::LANES], lane, len(polls)))
                    for lane in range(min(LANES, len(polls)))
                ]
                await self._changed.wait()
                for lane in lanes:
                    lane.cancel()

    async def _poll_lane(self, polls: Sequence[Poll], lane: int, total: int) -> None:
        """Each poll of a lane in turn, all lanes' polls spread evenly over their intervals."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        due_s = [
            now_s + poll.interval_s * self._client.pool.stretch * (lane + number * LANES) / total
            for number, poll in enumerate(polls)
        ]
        while True:
            number = due_s.index(min(due_s))
            await asyncio.sleep(due_s[number] - loop.time())
            self._stats.connected = int(await self._tried(polls[number].request) is not None)
            interval_s = polls[number].interval_s * self._client.pool.stretch
            due_s[number] = max(due_s[number] + interval_s, loop.time())

    async def _load_history(self) -> None:
        """Load the past, request by request, in the queue of all who ask there."""
        requests = self._adapter.history(self._symbols, self._clock())
        failed = 0
        for request in requests:
            events = await self._tried(request)
            failed += events is None
            self._history += events or 0
        if requests:
            log.info(
                "%s: %d values of past open interest from %d requests, %d of them failed",
                self._stats.venue, self._history, len(requests), failed,
            )  # fmt: skip

    def note(self, gap: Gap, symbols: Sequence[str]) -> None:
        """A gap of a socket with these symbols was published: it may be filled."""
        if gap.backfilled or gap.from_us >= gap.to_us:
            return
        if len(self._gaps) >= self._settings.most_gaps:
            self._gaps.popleft()
            self._unfilled += 1
        self._gaps.append((gap, symbols))
        self._gap_came.set()

    async def _fill_all(self) -> None:
        while True:
            while self._gaps:
                await self._fill(*self._gaps.popleft())
            self._gap_came.clear()
            await self._gap_came.wait()

    async def _fill(self, gap: Gap, symbols: Sequence[str]) -> None:
        """Ask for what a gap hid; when all of it has come, say so."""
        watched = frozenset(self._symbols)  # others were delisted meanwhile
        lost = [symbol for symbol in symbols if symbol in watched]
        requests = self._adapter.backfill(gap.channel, lost, gap.from_us, gap.to_us)
        if not requests:
            return
        venue = self._stats.venue
        lasted_s = (gap.to_us - gap.from_us) / MICROS
        if lasted_s > self._settings.longest_s:
            self._unfilled += 1
            log.warning("%s: a gap of %s is not backfilled: it lasted %.1f hours", venue, gap.channel, lasted_s / 3600)
            return
        minutes = sum(request.weight for request in requests) / self._client.pool.per_minute
        if minutes > self._settings.most_minutes:
            self._unfilled += 1
            log.warning("%s: a gap of %s is not backfilled: %.0f minutes of budget", venue, gap.channel, minutes)
            return
        await asyncio.sleep((gap.to_us - self._clock()) / MICROS + self._settings.settle_s)

        # Readers know an id for two minutes, so nothing may come again that was seen before a longer gap.
        def hidden(event: AnyEvent) -> bool:
            return gap.from_us <= event.event_time_us < gap.to_us

        found = [await self._tried(request, hidden) for request in requests]
        if None in found:
            self._unfilled += 1
            log.warning("%s: a gap of %s could not be backfilled wholly", venue, gap.channel)
            return
        self._filled += 1
        log.info("%s: a gap of %s is backfilled: %d events", venue, gap.channel, sum(number or 0 for number in found))
        now_us = self._clock()
        again = msgspec.structs.replace(gap, event_time_us=now_us, receive_time_us=now_us, backfilled=True)
        self._outlet.announce([again])

    def stats(self) -> AskingStats:
        """What came of it so far."""
        pool = self._client.pool
        return AskingStats(
            self._stats, pool.stretch, len(self._polls), self._failures, pool.spent, pool.throttled, pool.paused_s,
            self._history, self._filled, self._unfilled,
        )  # fmt: skip
