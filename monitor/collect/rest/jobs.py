"""Requests a venue's REST API beside its sockets: periodic polls, history at the start, backfill of gaps.

All requests share the venue's rate limit, and their events are published like those of its sockets. An event takes
effect when it arrives: a backfilled one stands in the stream at the time of the answer, with its own event time. A
recording holds these events themselves, because a later request could not fetch them again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from monitor.collect.pipeline.venue_publisher import VenuePublisher
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
"""Number of polls in flight: 2,400 a minute at 100 ms an answer, and no pile-up when an exchange is slow."""


@dataclass(frozen=True, slots=True)
class RestJobsSettings:
    """Holds what to request.

    Attributes:
        history: true to load the open interest of the last thirty days at the start.
        backfill: true to backfill gaps.
        settle_s: delay from a gap's end to its backfill, seconds, because REST lags behind the sockets.
        max_minutes: largest cost of one gap, minutes of the whole rate limit; a dearer gap is not backfilled.
        max_gap_s: longest gap that is backfilled, seconds; the longest window shown is a day.
        max_gaps: largest number of queued gaps; beyond it the oldest are dropped.
    """

    history: bool = True
    backfill: bool = True
    settle_s: float = 5.0
    max_minutes: float = 10.0
    max_gap_s: float = 86_400.0
    max_gaps: int = 256


class RestJobsStats(NamedTuple):
    """Counts what the requests brought.

    Attributes:
        events: counts of the events received, like those of a connection.
        stretch: factor by which polls are slowed down to stay within the rate limit; 1 if they are not.
        polls: number of polls.
        failures: requests given up after all retries.
        weight, throttled: weight spent and rate-limit answers, by all that share the rate limit.
        paused_s: seconds until the rate-limit pause ends.
        history: past events loaded at the start.
        filled, unfilled: gaps that were backfilled, and gaps that could not be or were dropped.
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
    """A page's messages, the request for the next page, and the receive time, microseconds."""

    messages: Sequence[object]
    next_request: RestRequest | None
    received_us: int


class RestJobs:
    """Runs one venue's REST requests.

    Args:
        client: the venue's REST client.
        adapter, symbols, channels: as the fleet has them.
        venue_publisher: publishes the venue's events.
        clock: returns the machine's time in microseconds.
        settings: what to request.
        memory: the venue's parsing state, shared by answers and frames.
    """

    def __init__(
        self,
        client: RestClient,
        adapter: Adapter,
        symbols: Sequence[str],
        channels: Iterable[Channel],
        venue_publisher: VenuePublisher,
        clock: Callable[[], int],
        settings: RestJobsSettings,
        memory: Memory | None = None,
    ) -> None:
        self._client = client
        self._adapter = adapter
        self._symbols = tuple(symbols)
        self._channels = tuple(channels)
        self._venue_publisher = venue_publisher
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
        """Use newer instruments and other symbols."""
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
                "%s: %d polls exceed the REST rate limit of %d weight a minute: their intervals are %.1f times as long",
                self._stats.venue,
                len(polls),
                self._client.pool.per_minute,
                stretch,
            )

    async def run(self) -> None:
        """Poll, load history and backfill until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll_all())
            if self._settings.backfill:
                group.create_task(self._fill_all())
            if self._settings.history and "open_interest" in self._channels:
                group.create_task(self._load_history())

    async def fetch_events(self, request: RestRequest, keep: Callable[[AnyEvent], bool] | None = None) -> int:
        """Publish a request's events, page by page, and return their number; raise :class:`RestError` on failure."""
        events = 0

        def read(request: RestRequest, body: bytes) -> RestPageAt:
            received_us = self._clock()
            return RestPageAt(*self._adapter.parse_rest(request, body, received_us, self._memory), received_us)

        async for page in self._client.pages(request, read):
            events += self._take(page, keep)
            if self._venue_publisher.full:
                await self._venue_publisher.drain()
        return events

    def _take(self, page: RestPageAt, keep: Callable[[AnyEvent], bool] | None) -> int:
        """Count and publish a page's events; return their number."""
        stats = self._stats
        stats.frames += 1
        events: list[AnyEvent] = []
        for message in page.messages:
            if isinstance(message, Reject):
                stats.rejects[message.reason] += 1
                self._venue_publisher.reject(message)
            elif isinstance(message, Skipped):
                stats.skipped[message.reason] += message.rows
            elif type(message) in KIND_NAMES and (keep is None or keep(message)):  # type: ignore[arg-type]
                events.append(message)  # type: ignore[arg-type]  # the table holds event types alone
                stats.count_event(events[-1])
        if events:
            stats.last_message_us = page.received_us
            self._venue_publisher.publish_rest(events)
        return len(events)

    async def _try_fetch(self, request: RestRequest, keep: Callable[[AnyEvent], bool] | None = None) -> int | None:
        """Fetch as :meth:`fetch_events`; count a failure, log the first of a row, and return None."""
        try:
            events = await self.fetch_events(request, keep)
        except RestError as error:
            self._failures += 1
            if not self._failing:
                log.warning("%s: a REST request failed: %s", self._stats.venue, error)
            self._failing = True
            return None
        if self._failing:
            log.info("%s: REST requests succeed again", self._stats.venue)
        self._failing = False
        return events

    async def _poll_all(self) -> None:
        """Run the polls in lanes; restart the lanes when the list of polls changes."""
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
        """Run a lane's polls in turn, so that all lanes' polls spread evenly over their intervals."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        due_s = [
            now_s + poll.interval_s * self._client.pool.stretch * (lane + number * LANES) / total
            for number, poll in enumerate(polls)
        ]
        while True:
            number = due_s.index(min(due_s))
            await asyncio.sleep(due_s[number] - loop.time())
            self._stats.connected = int(await self._try_fetch(polls[number].request) is not None)
            interval_s = polls[number].interval_s * self._client.pool.stretch
            due_s[number] = max(due_s[number] + interval_s, loop.time())

    async def _load_history(self) -> None:
        """Load past events once, request by request."""
        requests = self._adapter.history(self._symbols, self._clock())
        failed = 0
        for request in requests:
            events = await self._try_fetch(request)
            failed += events is None
            self._history += events or 0
        if requests:
            log.info(
                "%s: %d values of past open interest from %d requests, %d of them failed",
                self._stats.venue,
                self._history,
                len(requests),
                failed,
            )

    def gap_published(self, gap: Gap, symbols: Sequence[str]) -> None:
        """Queue a published gap of a socket with these symbols for backfilling."""
        if gap.backfilled or gap.from_us >= gap.to_us:
            return
        if len(self._gaps) >= self._settings.max_gaps:
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
        """Fetch the events that a gap hides; once all have come, publish the gap again as backfilled."""
        watched = frozenset(self._symbols)  # symbols may have been delisted since
        lost = [symbol for symbol in symbols if symbol in watched]
        requests = self._adapter.backfill(gap.channel, lost, gap.from_us, gap.to_us)
        if not requests:
            return
        venue = self._stats.venue
        lasted_s = (gap.to_us - gap.from_us) / MICROS
        if lasted_s > self._settings.max_gap_s:
            self._unfilled += 1
            log.warning(
                "%s: a gap of %s is not backfilled, because it lasted %.1f hours", venue, gap.channel, lasted_s / 3600
            )
            return
        minutes = sum(request.weight for request in requests) / self._client.pool.per_minute
        if minutes > self._settings.max_minutes:
            self._unfilled += 1
            log.warning(
                "%s: a gap of %s is not backfilled, because it costs %.0f minutes of the REST rate limit",
                venue,
                gap.channel,
                minutes,
            )
            return
        await asyncio.sleep((gap.to_us - self._clock()) / MICROS + self._settings.settle_s)

        # Readers remember ids for two minutes: events from before a longer gap must not be published again.
        def hidden(event: AnyEvent) -> bool:
            return gap.from_us <= event.event_time_us < gap.to_us

        found = [await self._try_fetch(request, hidden) for request in requests]
        if None in found:
            self._unfilled += 1
            log.warning("%s: a gap of %s could be backfilled only in part", venue, gap.channel)
            return
        self._filled += 1
        log.info("%s: a gap of %s is backfilled: %d events", venue, gap.channel, sum(number or 0 for number in found))
        now_us = self._clock()
        again = msgspec.structs.replace(gap, event_time_us=now_us, receive_time_us=now_us, backfilled=True)
        self._venue_publisher.announce([again])

    def stats(self) -> RestJobsStats:
        """Return the counts so far."""
        pool = self._client.pool
        return RestJobsStats(
            events=self._stats,
            stretch=pool.stretch,
            polls=len(self._polls),
            failures=self._failures,
            weight=pool.spent,
            throttled=pool.throttled,
            paused_s=pool.paused_s,
            history=self._history,
            filled=self._filled,
            unfilled=self._unfilled,
        )
