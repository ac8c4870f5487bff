"""Keeps one connection plan running without end, socket after socket, with backoff, gap records and rotation.

dial ──► subscribe ──► read ──► ended ──► gap opens ──► backoff ──► dial …
                         │
                         └── age limit reached, notice from the exchange, or symbols changed ──► a second socket is
                             dialled and subscribed; the first is closed only once the second delivers, so that there
                             is no gap, but some events arrive twice
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

from monitor.collect.connection.socket import FeedSocket, Locate, SocketEnd, SocketSettings, as_planned, no_wait
from monitor.collect.pipeline.intake import Intake, OnFrame
from monitor.collect.pipeline.venue_publisher import VenuePublisher
from monitor.collect.quality.feed_health import FeedHealth
from monitor.collect.restart import Restart
from monitor.collect.stats import EndReason, SessionStats
from monitor.exchanges.adapter import Adapter, Connection, Topic
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Notice, Refusal
from monitor.model.backoff import Backoff
from monitor.model.events import ALL, MICROS, Channel, Gap, GapReason, Reject

log = logging.getLogger(__name__)

LISTED: Final = 20
"""Maximum number of refused topics in one line of the log."""

GAP_REASON: Final[dict[EndReason, GapReason]] = {
    "stale": "stale",
    "unanswered": "stale",
    "overflow": "queue_overflow",
}
"""Gap reason by end reason: silence is ``stale``, a full bus ``queue_overflow``, everything else ``disconnect``."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Holds the limits and waits of one session.

    Attributes:
        socket: limits of one socket.
        backoff_base_s, backoff_cap_s: first and longest wait before the next dial, seconds.
        healthy_s: age in seconds from which a socket that delivered data resets the backoff; an exchange that bans or
            refuses a client closes within seconds. A younger socket is not replaced after a notice either.
        rotation_share: share of the plan's ``max_age_s`` after which the next socket is dialled. It is reduced at
            random by up to 0.05, so that sockets opened together do not rotate together.
        overlap_s: time in seconds for which both sockets are kept once the new one delivers. Two seconds cover the
            slowest known batching of liquidations, which is one second.
    """

    socket: SocketSettings = field(default_factory=SocketSettings)
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 60.0
    healthy_s: float = 30.0
    rotation_share: float = 0.95
    overlap_s: float = 2.0


class OpenGap(NamedTuple):
    """A gap that has begun and has not ended: its start, its reason and the symbols whose events may be missing."""

    from_us: int
    reason: GapReason
    symbols: tuple[str, ...]


class _Running:
    """Holds a socket, its task, and the time at which it should be replaced."""

    __slots__ = ("replace_at_s", "replace_reason", "socket", "started_s", "task")

    def __init__(self, socket: FeedSocket, task: asyncio.Task[SocketEnd], started_s: float, age_s: float) -> None:
        self.socket = socket
        self.task = task
        self.started_s = started_s
        self.replace_at_s = started_s + age_s
        self.replace_reason: EndReason = "rotation"


class Session:
    """Keeps one connection plan connected until it is cancelled.

    Args:
        plan: the subscriptions to keep; :meth:`move_to` replaces the plan without a gap.
        adapter: parses the frames; ``intake.adapter`` may be replaced at any time by one with newer instruments.
        venue_publisher: publishes the venue's events.
        settings: timeouts and limits.
        clock: returns the machine's time in microseconds.
        rng: source of all jitter.
        stats: counters to continue; None starts new ones.
        dial_slot: awaited before every dial, to stay within the venue's connection limit.
        pause_dials: delays every dial of the venue by some seconds, as an exchange requires that throttles or bans us.
        locate: awaited before every dial; returns a fresh address for exchanges that require one.
        on_frame: receives every frame before it is parsed.
        feed_health: checks the venue's feed for schema changes, wrong sides and connections that are down.
        memory: state that parsing builds up, shared by the venue's sessions; None creates one for this session.
        restart: finds the gap before the process's first socket; None for sessions that are started later.

    Attributes:
        last_end: reason for which the last socket ended or was replaced, None before the first.
        missing: topics of the plan that the exchange refused to the last socket that became ready.
    """

    def __init__(
        self,
        plan: Connection,
        adapter: Adapter,
        venue_publisher: VenuePublisher,
        settings: SessionSettings,
        *,
        clock: Callable[[], int],
        rng: random.Random,
        stats: SessionStats | None = None,
        dial_slot: Callable[[], Awaitable[None]] = no_wait,
        pause_dials: Callable[[float], None] | None = None,
        locate: Locate = as_planned,
        on_frame: OnFrame | None = None,
        feed_health: FeedHealth | None = None,
        memory: Memory | None = None,
        restart: Restart | None = None,
    ) -> None:
        self.plan = plan
        self.stats = stats or SessionStats(adapter.venue, plan.name)
        self.intake = Intake(adapter, venue_publisher, self.stats, on_frame, feed_health, memory)
        self.last_end: EndReason | None = None
        self.missing: frozenset[Topic] = frozenset()
        self._venue_publisher = venue_publisher
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._backoff = Backoff(rng, settings.backoff_base_s, settings.backoff_cap_s, settings.healthy_s)
        self._dial_slot = dial_slot
        self._pause_dials = pause_dials
        self._locate = locate
        self._running: list[_Running] = []
        self._wake = asyncio.Event()
        self._open_gap: OpenGap | None = None
        self._started_us = 0
        self._restart = restart  # None once the gap that it finds is published
        self._missed_until_us = 0
        self._restart_task: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None

    def refresh_gauges(self) -> None:
        """Update ``connected`` and ``acks_pending``, the two numbers that are not counted as frames arrive."""
        self.stats.connected = int(any(running.socket.ready for running in self._running))
        self.stats.acks_pending = sum(running.socket.subscription.pending for running in self._running)

    @property
    def alive(self) -> bool:
        """True if everything received so far on the plan's channels is published or covered by a published gap."""
        if self._restart is not None:
            return False
        links = [running.socket for running in self._running]
        return any(socket.ready for socket in links) and not any(socket.draining for socket in links)

    def move_to(self, plan: Connection) -> None:
        """Replace the plan; the socket of the new plan overlaps the present one."""
        self.plan = plan
        for running in self._running:
            self._replace_at(running, 0.0, "replan")

    async def run(self) -> NoReturn:
        """Run until cancelled; a second call after a failure continues with the same state."""
        self._started_us = self._started_us or self._clock()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._serve(group)
        except asyncio.CancelledError:
            self._end_gap(self._clock())  # an open gap is published before the session stops
            raise
        except Exception:
            self._begin_gap(self.stats.last_message_us or self._started_us, "disconnect")
            raise
        finally:
            self._group = None
            self._running.clear()
            self.intake.end_overlap()
            self.refresh_gauges()
        raise AssertionError("a session ends by cancellation or failure alone")

    async def _serve(self, group: asyncio.TaskGroup) -> NoReturn:
        current = self._start(group)
        while True:
            ending = await self._until_due(current)
            if ending is None:
                current = await self._replace(group, current)
            else:
                delay_s = self._handle_loss(current, ending)
                await asyncio.sleep(delay_s)
                current = self._start(group)

    def _start(self, group: asyncio.TaskGroup) -> _Running:
        self.stats.dials += 1
        socket = FeedSocket(
            self.plan,
            self.intake,
            self,
            self._settings.socket,
            self._clock,
            self._dial_slot,
            self._locate,
            self.missing,
        )
        task = group.create_task(socket.run(), name=f"{self.stats.venue} {self.plan.name}")
        task.add_done_callback(lambda _: self._wake.set())
        running = _Running(socket, task, asyncio.get_running_loop().time(), self._rotation_age_s())
        self._running.append(running)
        return running

    def _rotation_age_s(self) -> float:
        if self.plan.max_age_s is None:
            return math.inf
        return self.plan.max_age_s * (self._settings.rotation_share - 0.05 * self._rng.random())

    async def _until_due(self, running: _Running) -> SocketEnd | None:
        """Wait until the socket ends and return how; return None as soon as it is due to be replaced."""
        loop = asyncio.get_running_loop()
        while not running.task.done():
            left_s = running.replace_at_s - loop.time()
            if left_s <= 0:
                return None
            await self._wait(left_s)
        return running.task.result()

    async def _wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(None if math.isinf(timeout_s) else timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _replace(self, group: asyncio.TaskGroup, old: _Running) -> _Running:
        """Open a second socket beside ``old`` and return the one that continues."""
        overlap = self.intake.begin_overlap()
        fresh = self._start(group)
        while not (fresh.socket.ready_us or fresh.task.done() or old.task.done()):
            await self._wait(math.inf)
        if fresh.socket.ready_us:
            await self._await_overlap(fresh, old)
        loop = asyncio.get_running_loop()
        if fresh.task.done():
            delay_s = self._ended(fresh, fresh.task.result())
            old.replace_at_s = loop.time() + delay_s
            self.intake.end_overlap(overlap)
            return old
        if fresh.socket.ready_us:
            await self._retire(old)
        else:
            self._handle_loss(old, old.task.result())
        loop.call_later(self._settings.overlap_s, self.intake.end_overlap, overlap)  # the last copies may arrive now
        return fresh

    async def _await_overlap(self, fresh: _Running, old: _Running) -> None:
        """Keep both sockets for ``overlap_s``, until nothing can arrive on the old one alone."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._settings.overlap_s
        while not (fresh.task.done() or old.task.done()) and loop.time() < until_s:
            await self._wait(until_s - loop.time())

    async def _retire(self, old: _Running) -> None:
        old.socket.retire()
        await asyncio.wait({old.task})
        self.stats.reconnects[old.replace_reason] += 1
        self._running.remove(old)
        log.info("%s %s: replaced the socket without a gap (%s)", self.stats.venue, self.plan.name, old.replace_reason)

    def _handle_loss(self, running: _Running, ending: SocketEnd) -> float:
        """Open a gap, because a socket ended and no other covers its plan; return the delay before the next dial."""
        socket = running.socket
        seen_us = self._started_us
        if socket.ready_us:
            seen_us = ending.unseen_from_us or socket.last_message_us or socket.ready_us
        self._begin_gap(seen_us, GAP_REASON.get(ending.reason, "disconnect"))
        return self._ended(running, ending)

    def _begin_gap(self, from_us: int, reason: GapReason) -> None:
        if self._open_gap is None:
            self._open_gap = OpenGap(from_us, reason, self.plan.symbols)

    def _ended(self, running: _Running, ending: SocketEnd) -> float:
        self.stats.reconnects[ending.reason] += 1
        self.last_end = ending.reason
        self._running.remove(running)
        if ending.reason == "oversized":
            self.intake.reject(Reject(self.stats.venue, "oversized", ending.detail, self._clock()))
        if ending.pause_s and self._pause_dials is not None:
            self._pause_dials(ending.pause_s)
        delay_s = self._backoff.next_delay_s(ending.lived_s, running.socket.last_message_us > 0)
        log.warning(
            "%s %s: %s (%s); dialling again in %.1f s",
            self.stats.venue,
            self.plan.name,
            ending.reason,
            ending.detail,
            max(delay_s, ending.pause_s),
        )
        return delay_s

    # Calls from a socket (see SocketOwner).

    def socket_ready(self, socket: FeedSocket, at_us: int) -> None:
        """Close the open gap, if there is one: the socket receives everything that its plan names."""
        if (
            self._restart is not None
            and self._group is not None
            and (self._restart_task is None or self._restart_task.done())
        ):
            until_us = self._open_gap.from_us if self._open_gap is not None else at_us
            self._missed_until_us = self._missed_until_us or until_us
            self._restart_task = self._group.create_task(self._state_restart_gap(self._restart, self._missed_until_us))
        self._end_gap(at_us)
        self._note_missing(socket.subscription.missing)
        self._wake.set()

    def _note_missing(self, missing: frozenset[Topic]) -> None:
        """Keep the topics that a socket was refused, and log them when they change."""
        if missing and missing != self.missing:
            names = sorted(topic.name for topic in missing)
            log.error(
                "%s %s: the exchange refuses %d topics, the others are subscribed: %s%s",
                self.stats.venue,
                self.plan.name,
                len(names),
                ", ".join(names[:LISTED]),
                ", …" if len(names) > LISTED else "",
            )
        self.missing = missing

    async def _state_restart_gap(self, restart: Restart, until_us: int) -> None:
        """Find and publish the gap between the previous process's last heartbeat and this process's first socket."""
        since = await restart.missed(self.plan.channels, until_us)
        self._restart = None
        if since:
            log.warning(
                "%s %s: no collector ran for %.1f s; a gap of that length is published",
                self.stats.venue,
                self.plan.name,
                (until_us - min(since.values())) / MICROS,
            )
            self._state_gap(since, until_us, "restart", self.plan.symbols)

    def _end_gap(self, to_us: int) -> None:
        unseen, self._open_gap = self._open_gap, None
        if unseen is None:
            return
        self._state_gap(dict.fromkeys(self.plan.channels, unseen.from_us), to_us, unseen.reason, unseen.symbols)

    def _state_gap(self, since: Mapping[Channel, int], to_us: int, reason: GapReason, symbols: tuple[str, ...]) -> None:
        """Count a gap and publish it for each channel, from the channel's time in ``since`` to ``to_us``."""
        self.stats.gaps += 1
        self.stats.gap_us += to_us - min(since.values())
        venue = self.stats.venue
        gaps = [
            Gap(venue, ALL, ALL, to_us, self._clock(), channel, from_us, to_us, reason)
            for channel, from_us in sorted(since.items())
        ]
        self._venue_publisher.announce_gaps(gaps, symbols)

    def socket_refused(self, socket: FeedSocket, refusal: Refusal) -> None:
        """Count and log a refusal; the socket subscribes again without the part that was refused."""
        self.stats.refusals += 1
        log.warning(
            "%s %s: subscription %r refused: %s", self.stats.venue, socket.plan.name, refusal.key, refusal.detail
        )

    def socket_noticed(self, socket: FeedSocket, notice: Notice) -> None:
        """Log a notice; if it announces a disconnect, replace the socket before the exchange closes it.

        A socket younger than ``healthy_s`` is not replaced: an exchange that sends the notice on every new socket would
        otherwise be dialled without end.
        """
        log.warning("%s %s: notice: %s", self.stats.venue, socket.plan.name, notice.detail)
        if notice.reconnect:
            for running in self._running:
                if running.socket is socket:
                    self._replace_at(running, running.started_s + self._settings.healthy_s, "notice")

    def _replace_at(self, running: _Running, at_s: float, reason: EndReason) -> None:
        running.replace_at_s = min(running.replace_at_s, at_s)
        running.replace_reason = reason
        self._wake.set()

    def socket_missed(self, socket: FeedSocket, keys: Sequence[str]) -> None:
        """Count acknowledgements that did not arrive in time."""
        self.stats.acks_missing += len(keys)
