"""Drives one connection plan of one adapter for ever: socket after socket, with backoff, gaps and rotation.

dial ──► subscribe ──► read ──► ended ──► gap opens ──► backoff ──► dial …
                         │
                         └── old enough, told to go, or symbols changed ──► a second socket is dialled and
                             subscribed; only when it delivers is the first one closed: no gap, some duplicates
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

from monitor.collect.connection.socket import Ending, Link, LinkSettings, Locate, as_planned, no_wait
from monitor.collect.pipeline.intake import Intake, OnFrame
from monitor.collect.pipeline.outlet import Outlet
from monitor.collect.quality.feed_health import Watch
from monitor.collect.restart import Restart
from monitor.collect.stats import EndReason, SessionStats
from monitor.exchanges.adapter import Adapter, Connection
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Notice, Refusal
from monitor.model.backoff import Backoff
from monitor.model.events import ALL, MICROS, Channel, Gap, GapReason, Reject

log = logging.getLogger(__name__)

GAP_REASON: Final[dict[EndReason, GapReason]] = {
    "stale": "stale", "unanswered": "stale", "overflow": "queue_overflow",
}  # fmt: skip
"""Silence is ``stale``, a full bus ``queue_overflow``, everything else ``disconnect``."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How a session treats its sockets.

    Attributes:
        link: limits of one socket.
        backoff_base_s, backoff_cap_s: first and longest wait before dialling again.
        healthy_s: a socket that lived this long and delivered data resets the backoff; an exchange that bans or
            refuses drops within seconds. Nor is a younger one replaced because the exchange asks for it.
        rotation_share: at which share of the plan's ``max_age_s`` the next socket is dialled, spread by up to a
            twentieth earlier, so that sockets opened together do not rotate together.
        overlap_s: how long both sockets are kept once the new one delivers; the slowest known batching of
            liquidations is one second.
    """

    link: LinkSettings = field(default_factory=LinkSettings)
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 60.0
    healthy_s: float = 30.0
    rotation_share: float = 0.95
    overlap_s: float = 2.0


class Unseen(NamedTuple):
    """A gap that has begun and not ended, and whose events it hides."""

    from_us: int
    reason: GapReason
    symbols: tuple[str, ...]


class _Running:
    """A link with its task and the time at which it should be replaced."""

    __slots__ = ("link", "replace_at_s", "replace_reason", "started_s", "task")

    def __init__(self, link: Link, task: asyncio.Task[Ending], started_s: float, age_s: float) -> None:
        self.link = link
        self.task = task
        self.started_s = started_s
        self.replace_at_s = started_s + age_s
        self.replace_reason: EndReason = "rotation"


class Session:
    """One connection plan, kept alive.

    Args:
        plan: what to carry; :meth:`move_to` changes it without a gap.
        adapter: reads the frames; ``intake.adapter`` may be replaced at any time by one with newer instruments.
        outlet: where the venue's events go.
        settings: timeouts and limits.
        clock: the machine's time in microseconds.
        rng: source of all jitter.
        stats: counters to go on with.
        dial_slot: awaited before every dial, to stay within the venue's connect limit.
        locate: awaited before every dial, for exchanges whose sockets need a fresh address.
        on_frame: sees every frame before it is parsed.
        watch: judges whether the venue's feed can be believed.
        memory: what the venue's frames reported, shared by its sessions; without it the session has one of its own.
        restart: finds what was missed before the first socket; None where the session is no process's first.

    Attributes:
        last_end: why the last socket ended or was replaced, None before.
    """

    def __init__(
        self,
        plan: Connection,
        adapter: Adapter,
        outlet: Outlet,
        settings: SessionSettings,
        *,
        clock: Callable[[], int],
        rng: random.Random,
        stats: SessionStats | None = None,
        dial_slot: Callable[[], Awaitable[None]] = no_wait,
        locate: Locate = as_planned,
        on_frame: OnFrame | None = None,
        watch: Watch | None = None,
        memory: Memory | None = None,
        restart: Restart | None = None,
    ) -> None:
        self.plan = plan
        self.stats = stats or SessionStats(adapter.venue, plan.name)
        self.intake = Intake(adapter, outlet, self.stats, on_frame, watch, memory)
        self.last_end: EndReason | None = None
        self._outlet = outlet
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._backoff = Backoff(rng, settings.backoff_base_s, settings.backoff_cap_s, settings.healthy_s)
        self._dial_slot = dial_slot
        self._locate = locate
        self._running: list[_Running] = []
        self._wake = asyncio.Event()
        self._unseen: Unseen | None = None
        self._started_us = 0
        self._restart = restart  # until what it finds is stated
        self._missed_until_us = 0
        self._looking: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None

    def refresh_gauges(self) -> None:
        """Bring ``connected`` and ``acks_pending`` up to date: the counters of the hot path need no such step."""
        self.stats.connected = int(any(running.link.ready for running in self._running))
        self.stats.acks_pending = sum(running.link.subscription.pending for running in self._running)

    @property
    def alive(self) -> bool:
        """Whether everything that the plan's channels sent so far has been published, or is in a stated gap."""
        if self._restart is not None:
            return False
        links = [running.link for running in self._running]
        return any(link.ready for link in links) and not any(link.draining for link in links)

    def move_to(self, plan: Connection) -> None:
        """Carry another plan: a socket for it overlaps the present one."""
        self.plan = plan
        for running in self._running:
            self._replace_at(running, 0.0, "replan")

    async def run(self) -> NoReturn:
        """Run until cancelled. A second call after a failure goes on where the first one stopped."""
        self._started_us = self._started_us or self._clock()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._serve(group)
        except asyncio.CancelledError:
            self._end_gap(self._clock())  # a gap that is open says so before nobody watches any more
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
                delay_s = self._lost(current, ending)
                await asyncio.sleep(delay_s)
                current = self._start(group)

    def _start(self, group: asyncio.TaskGroup) -> _Running:
        self.stats.dials += 1
        link = Link(self.plan, self.intake, self, self._settings.link, self._clock, self._dial_slot, self._locate)
        task = group.create_task(link.run(), name=f"{self.stats.venue} {self.plan.name}")
        task.add_done_callback(lambda _: self._wake.set())
        running = _Running(link, task, asyncio.get_running_loop().time(), self._rotation_age_s())
        self._running.append(running)
        return running

    def _rotation_age_s(self) -> float:
        if self.plan.max_age_s is None:
            return math.inf
        return self.plan.max_age_s * (self._settings.rotation_share - 0.05 * self._rng.random())

    async def _until_due(self, running: _Running) -> Ending | None:
        """Wait until the link ends, or until it is time to replace it (None)."""
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
        """Bring up a second socket beside ``old``; returns the one to go on with."""
        overlap = self.intake.begin_overlap()
        fresh = self._start(group)
        while not (fresh.link.ready_us or fresh.task.done() or old.task.done()):
            await self._wait(math.inf)
        if fresh.link.ready_us:
            await self._linger(fresh, old)
        loop = asyncio.get_running_loop()
        if fresh.task.done():
            delay_s = self._ended(fresh, fresh.task.result())
            old.replace_at_s = loop.time() + delay_s
            self.intake.end_overlap(overlap)
            return old
        if fresh.link.ready_us:
            await self._retire(old)
        else:
            self._lost(old, old.task.result())
        loop.call_later(self._settings.overlap_s, self.intake.end_overlap, overlap)  # copies may still be under way
        return fresh

    async def _linger(self, fresh: _Running, old: _Running) -> None:
        """Keep both sockets until nothing can be under way on the old one alone."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._settings.overlap_s
        while not (fresh.task.done() or old.task.done()) and loop.time() < until_s:
            await self._wait(until_s - loop.time())

    async def _retire(self, old: _Running) -> None:
        old.link.retire()
        await asyncio.wait({old.task})
        self.stats.reconnects[old.replace_reason] += 1
        self._running.remove(old)
        log.info("%s %s: moved to a fresh socket (%s)", self.stats.venue, self.plan.name, old.replace_reason)

    def _lost(self, running: _Running, ending: Ending) -> float:
        """A socket ended unasked and left nobody watching: open a gap. Returns the delay before the next dial."""
        link = running.link
        seen_us = self._started_us
        if link.ready_us:
            seen_us = ending.unseen_from_us or link.last_message_us or link.ready_us
        self._begin_gap(seen_us, GAP_REASON.get(ending.reason, "disconnect"))
        return self._ended(running, ending)

    def _begin_gap(self, from_us: int, reason: GapReason) -> None:
        if self._unseen is None:
            self._unseen = Unseen(from_us, reason, self.plan.symbols)

    def _ended(self, running: _Running, ending: Ending) -> float:
        self.stats.reconnects[ending.reason] += 1
        self.last_end = ending.reason
        self._running.remove(running)
        if ending.reason == "oversized":
            self.intake.reject(Reject(self.stats.venue, "oversized", ending.detail, self._clock()))
        delay_s = self._backoff.next_delay_s(ending.lived_s, running.link.last_message_us > 0)
        log.warning(
            "%s %s: %s (%s); dialling again in %.1f s",
            self.stats.venue, self.plan.name, ending.reason, ending.detail, delay_s,
        )  # fmt: skip
        return delay_s

    # What a link reports.

    def link_ready(self, link: Link, at_us: int) -> None:
        """A socket sees everything it should: the gap, if there was one, is over."""
        if self._restart is not None and self._group is not None and (self._looking is None or self._looking.done()):
            until_us = self._unseen.from_us if self._unseen is not None else at_us
            self._missed_until_us = self._missed_until_us or until_us
            self._looking = self._group.create_task(self._look_back(self._restart, self._missed_until_us))
        self._end_gap(at_us)
        self._wake.set()

    async def _look_back(self, restart: Restart, until_us: int) -> None:
        """State what nobody saw before this process did."""
        since = await restart.missed(self.plan.channels, until_us)
        self._restart = None
        if since:
            log.warning(
                "%s %s: no collector ran for %.1f s; a gap is stated",
                self.stats.venue, self.plan.name, (until_us - min(since.values())) / MICROS,
            )  # fmt: skip
            self._state_gap(since, until_us, "restart", self.plan.symbols)

    def _end_gap(self, to_us: int) -> None:
        unseen, self._unseen = self._unseen, None
        if unseen is None:
            return
        self._state_gap(dict.fromkeys(self.plan.channels, unseen.from_us), to_us, unseen.reason, unseen.symbols)

    def _state_gap(self, since: Mapping[Channel, int], to_us: int, reason: GapReason, symbols: tuple[str, ...]) -> None:
        """Count and publish a gap of each channel, from its time in ``since`` to ``to_us``."""
        self.stats.gaps += 1
        self.stats.gap_us += to_us - min(since.values())
        venue = self.stats.venue
        gaps = [
            Gap(venue, ALL, ALL, to_us, self._clock(), channel, from_us, to_us, reason)
            for channel, from_us in sorted(since.items())
        ]
        self._outlet.announce_gaps(gaps, symbols)

    def link_refused(self, link: Link, refusal: Refusal) -> None:
        """Count and log; the other subscriptions go on."""
        self.stats.refusals += 1
        log.error("%s %s: refused %r: %s", self.stats.venue, link.plan.name, refusal.key, refusal.detail)

    def link_noticed(self, link: Link, notice: Notice) -> None:
        """Log; where the exchange asks for it, replace the socket before it is cut.

        Not before a socket's healthy age: an exchange that greets every socket so must not be dialled without end.
        """
        log.warning("%s %s: notice: %s", self.stats.venue, link.plan.name, notice.detail)
        if notice.reconnect:
            for running in self._running:
                if running.link is link:
                    self._replace_at(running, running.started_s + self._settings.healthy_s, "notice")

    def _replace_at(self, running: _Running, at_s: float, reason: EndReason) -> None:
        running.replace_at_s = min(running.replace_at_s, at_s)
        running.replace_reason = reason
        self._wake.set()

    def link_missed(self, link: Link, keys: Sequence[str]) -> None:
        """Count acknowledgements that never came."""
        self.stats.acks_missing += len(keys)
