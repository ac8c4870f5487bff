"""Runs all connections of one venue: planned by its adapter, dialled one by one, each restarted independently."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from monitor.bus.ports import Publisher
from monitor.collect.connection.dial_limit import DialLimit
from monitor.collect.connection.session import Session, SessionSettings
from monitor.collect.fleet_stats import FleetStats
from monitor.collect.pipeline.intake import OnFrame
from monitor.collect.pipeline.overload import OverloadSwitch, TradeMode
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.trade_bars import BAR_US
from monitor.collect.pipeline.venue_publisher import OnEvent, VenuePublisher
from monitor.collect.quality.feed_health import FeedHealth
from monitor.collect.rest.client import RestClient, locator
from monitor.collect.rest.jobs import RestJobs, RestJobsSettings
from monitor.collect.restart import Predecessors, Restart
from monitor.collect.stats import SessionStats, total
from monitor.exchanges.adapter import Adapter, Connection
from monitor.exchanges.memory import Memory
from monitor.model.backoff import Backoff, kept_going
from monitor.model.events import ALL, MICROS, Channel, Heartbeat

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Holds the settings of one venue's collection.

    Attributes:
        session: timeouts and limits of each connection.
        trades: ``each`` publishes single trades, ``bars`` bars of 100 ms; under overload bars are used in any case.
        calm_s: seconds for which the bus must have had room before single trades are published again.
        dial_interval_s: shortest interval between two dials, seconds; the strictest known limit is Binance's, 300 in
            five minutes.
        heartbeat_s: interval of the heartbeats of channels that are alive, seconds.
        rest_jobs: what to fetch by REST.
        rejects_per_s, rejects_burst: rate limit of published rejects; all are counted.
    """

    session: SessionSettings = field(default_factory=SessionSettings)
    trades: TradeMode = "each"
    calm_s: float = 30.0
    dial_interval_s: float = 1.0
    heartbeat_s: float = 1.0
    rest_jobs: RestJobsSettings = field(default_factory=RestJobsSettings)
    rejects_per_s: float = 5.0
    rejects_burst: int = 50


async def wait_until(due_us: int, clock: Callable[[], int]) -> None:
    """Sleep until ``clock`` returns at least ``due_us``, microseconds.

    Event loops round timeouts to milliseconds (uvloop), so one sleep can end up to 0.5 ms early. A heartbeat of that
    time would belong to the previous second, and that second would be known to be complete one interval later.
    """
    while (left_us := due_us - clock()) > 0:  # noqa: ASYNC110  # there is no event to wait for but the time
        await asyncio.sleep(left_us / MICROS)


class Fleet:
    """Runs the sessions of one venue.

    Args:
        adapter: the venue's adapter.
        symbols: symbols to subscribe.
        channels: channels to subscribe.
        publisher: the bus.
        settings: timeouts, limits and modes.
        clock: returns the machine's time in microseconds.
        rng: source of all jitter.
        ws_url: address that replaces the exchange's own (simulations).
        on_frame: receives every frame before it is parsed.
        on_event: receives every gap and heartbeat, and every event that was fetched by REST.
        rest: the venue's REST client; None makes no REST request.
        predecessors: the last heartbeats of collectors that ran before; None publishes no gap for a restart.
    """

    def __init__(
        self,
        adapter: Adapter,
        symbols: Sequence[str],
        channels: Iterable[Channel],
        publisher: Publisher,
        settings: FleetSettings,
        *,
        clock: Callable[[], int],
        rng: random.Random,
        ws_url: str | None = None,
        on_frame: OnFrame | None = None,
        on_event: OnEvent | None = None,
        rest: RestClient | None = None,
        predecessors: Predecessors | None = None,
    ) -> None:
        self.venue = adapter.venue
        self._adapter = adapter
        self._symbols = tuple(symbols)
        self._channels = tuple(channels)
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._ws_url = ws_url
        self._on_frame = on_frame
        self._switch = OverloadSwitch(settings.trades, settings.calm_s, self.venue)
        gate = RejectGate(settings.rejects_per_s, settings.rejects_burst)
        self.venue_publisher = VenuePublisher(publisher, self._switch, gate, clock, on_event)
        self._feed_health = FeedHealth(self.venue, adapter.known_keys)
        self._memory = Memory()
        self._rest = rest
        self._rest_jobs: RestJobs | None = None
        if rest is not None:
            self._rest_jobs = RestJobs(
                rest, adapter, symbols, self._channels, self.venue_publisher, clock, settings.rest_jobs, self._memory
            )
            self.venue_publisher.on_gap = self._rest_jobs.gap_published
        self._dial_slot = DialLimit(settings.dial_interval_s)
        self._stats: dict[str, SessionStats] = {}
        self._unplanned: dict[str, SessionStats] = {}  # counters of connections that the present plan does not have
        self._sessions: dict[str, Session] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._predecessors = predecessors
        self._restart: Restart | None = None  # set only while the first sessions start

    async def run(self) -> None:
        """Collect until cancelled; then close the sockets and publish the open bars."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if self._predecessors is not None:
                    self._restart = Restart(self.venue, self._predecessors, self._clock)
                self._reconcile(group)
                self._restart = self._predecessors = None
                group.create_task(self._beat(), name=f"{self.venue} heartbeat")
                group.create_task(self._flush_bars(), name=f"{self.venue} bars")
                if self._rest_jobs is not None:
                    group.create_task(self._rest_jobs.run(), name=f"{self.venue} rest")
        finally:
            self._group = None
            self._sessions.clear()
            self._tasks.clear()
            self.venue_publisher.flush()

    def update(self, adapter: Adapter, symbols: Sequence[str]) -> None:
        """Use newer instruments and other symbols; connections with an unchanged plan are not touched."""
        self._adapter = adapter
        self._symbols = tuple(symbols)
        if self._rest_jobs is not None:
            self._rest_jobs.update(adapter, symbols)
        if self._group is not None:
            self._reconcile(self._group)

    def _reconcile(self, group: asyncio.TaskGroup) -> None:
        """Start, move and stop sessions so that they match the adapter's plans."""
        plans = self._adapter.connections(self._symbols, self._channels, self._ws_url)
        wanted = {plan.name: plan for plan in plans}
        for name in self._sessions.keys() - wanted.keys():
            del self._sessions[name]
            self._tasks.pop(name).cancel()
            self._unplanned[name] = self._stats.pop(name)
        for name, plan in wanted.items():
            session = self._sessions.get(name)
            if session is None:
                self._launch(group, plan)
                continue
            session.intake.adapter = self._adapter
            if session.plan != plan:
                session.move_to(plan)
        log.info("%s: %d symbols on %d connections", self.venue, len(self._symbols), len(plans))

    def _launch(self, group: asyncio.TaskGroup, plan: Connection) -> None:
        stats = self._unplanned.pop(plan.name, None) or self._stats.get(plan.name)
        stats = self._stats[plan.name] = stats or SessionStats(self.venue, plan.name)
        session = Session(
            plan,
            self._adapter,
            self.venue_publisher,
            self._settings.session,
            clock=self._clock,
            rng=self._rng,
            stats=stats,
            dial_slot=self._dial_slot,
            pause_dials=self._dial_slot.pause,
            locate=locator(self._adapter, self._rest),
            on_frame=self._on_frame,
            feed_health=self._feed_health,
            memory=self._memory,
            restart=self._restart,
        )
        self._sessions[plan.name] = session
        task = group.create_task(self._supervise(session), name=f"{self.venue} {plan.name}")
        self._tasks[plan.name] = task

    async def _supervise(self, session: Session) -> None:
        """Restart a session that raises, which is a bug, and log it; the other sessions continue."""
        limits = self._settings.session
        backoff = Backoff(self._rng, limits.backoff_base_s, limits.backoff_cap_s, limits.healthy_s)

        def failed(error: Exception) -> None:
            session.stats.crashes += 1
            log.error("%s %s: the session failed; restarting it", self.venue, session.plan.name, exc_info=error)

        await kept_going(session.run, backoff, failed)

    async def _beat(self) -> None:
        # A heartbeat right after each whole second lets the detector close that second without delay.
        interval_us = round(self._settings.heartbeat_s * MICROS)
        while True:
            await wait_until(self._clock() // interval_us * interval_us + interval_us, self._clock)
            alive = self.alive_channels()
            self._report_health()
            if alive:
                self.venue_publisher.flush()  # a heartbeat states that all is published, so open bars must go out first
                now_us = self._clock()
                self.venue_publisher.announce(
                    [Heartbeat(self.venue, ALL, ALL, now_us, now_us, channel) for channel in alive]
                )

    def _report_health(self) -> None:
        """Report the state of each connection to the feed's health checks."""
        now_us = self._clock()
        for name, session in self._sessions.items():
            self._feed_health.connection(name, session.alive, session.last_end, now_us)
        self._feed_health.forget(set(self._sessions))
        self._feed_health.tick(now_us)

    def alive_channels(self) -> list[Channel]:
        """Return the channels that are alive on all connections that carry them."""
        sessions = self._sessions.values()
        carried = {channel for session in sessions for channel in session.plan.channels}
        dead = {channel for session in sessions if not session.alive for channel in session.plan.channels}
        return sorted(carried - dead)

    async def _flush_bars(self) -> None:
        while True:
            await asyncio.sleep(BAR_US / MICROS)
            self.venue_publisher.flush_ended()

    def stats(self) -> FleetStats:
        """Return the state and the counts of the venue's collection.

        A connection that is no longer planned is left out, because it would appear as down for ever; its counts remain
        in the total, because a counter must not fall.
        """
        for session in self._sessions.values():
            session.refresh_gauges()
        connections = list(self._stats.values())
        whole = total(self.venue, [*connections, *self._unplanned.values()])
        connected = whole.connected = sum(part.connected for part in connections)
        whole.acks_pending = sum(part.acks_pending for part in connections)
        rest_jobs = self._rest_jobs.stats() if self._rest_jobs is not None else None
        if rest_jobs is not None:
            whole.add(rest_jobs.events)
            whole.connected = connected  # REST is not a socket
        switch = self._switch
        return FleetStats(
            venue=self.venue,
            connections=connections,
            total=whole,
            folding=switch.folding,
            switched_to_bars=switch.to_bars,
            switched_to_each=switch.to_each,
            rejects_suppressed=self.venue_publisher.gate.suppressed,
            rest_jobs=rest_jobs,
            feed_health=self._feed_health.stats(),
            symbols=len(self._symbols),
            topics_missing=self._topics_missing(),
        )

    def _topics_missing(self) -> dict[str, int]:
        """Return the number of refused topics by channel; channels without any count zero."""
        counts = dict.fromkeys(self._channels, 0) | {"": 0}
        for session in self._sessions.values():
            for topic in session.missing:
                counts[topic.channel] = counts.get(topic.channel, 0) + 1
        return counts
