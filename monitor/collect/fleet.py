"""All connections of one venue: planned by its adapter, dialled spread out, each kept alive whatever the others do."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from monitor.bus.ports import Publisher
from monitor.collect.connection.dial_limit import DialGate
from monitor.collect.connection.session import Session, SessionSettings
from monitor.collect.fleet_stats import FleetStats
from monitor.collect.pipeline.intake import OnFrame
from monitor.collect.pipeline.outlet import OnEvent, Outlet
from monitor.collect.pipeline.overload import OverloadSwitch, TradeMode
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.trade_bars import BAR_US
from monitor.collect.quality.feed_health import Watch
from monitor.collect.rest.client import RestClient, locator
from monitor.collect.rest.jobs import Asking, AskingSettings
from monitor.collect.restart import Predecessors, Restart
from monitor.collect.stats import SessionStats, total
from monitor.exchanges.adapter import Adapter, Connection
from monitor.exchanges.memory import Memory
from monitor.model.backoff import Backoff, kept_going
from monitor.model.events import ALL, MICROS, Channel, Heartbeat

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """How one venue is collected.

    Attributes:
        session: timeouts and limits of each connection.
        trades: every trade by itself, or 100 ms bars; under overload bars in any case.
        calm_s: how long the bus must have had room before single trades are published again.
        dial_interval_s: at least this between two dials; 300 in five minutes is the strictest known limit (Binance).
        heartbeat_s: how often a channel that is alive says so.
        asking: what is asked for by REST.
        rejects_per_s, rejects_burst: how many rejects are published; all are counted.
    """

    session: SessionSettings = field(default_factory=SessionSettings)
    trades: TradeMode = "each"
    calm_s: float = 30.0
    dial_interval_s: float = 1.0
    heartbeat_s: float = 1.0
    asking: AskingSettings = field(default_factory=AskingSettings)
    rejects_per_s: float = 5.0
    rejects_burst: int = 50


async def wait_until(due_us: int, clock: Callable[[], int]) -> None:
    """Sleep until ``clock`` reads at least ``due_us``, microseconds.

    Loops count whole milliseconds and round them (uvloop), so one sleep can end up to 0.5 ms early. A beat of then
    would belong to the second before, and that second would be known complete a whole beat later.
    """
    while (left_us := due_us - clock()) > 0:  # noqa: ASYNC110 - time sets no event
        await asyncio.sleep(left_us / MICROS)


class Fleet:
    """The sessions of one venue.

    Args:
        adapter: the venue.
        symbols: what to watch.
        channels: what to watch of them.
        publisher: the bus.
        settings: how.
        clock: the machine's time in microseconds.
        rng: source of all jitter.
        ws_url: another address than the exchange's own (simulations).
        on_frame: sees every frame before it is parsed.
        on_event: sees every gap and heartbeat, and every event that came by REST.
        rest: asks by REST; None asks nothing.
        predecessors: what is known of the collectors before this one; None states no gap for a restart.
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
        self.outlet = Outlet(publisher, self._switch, gate, clock, on_event)
        self._watch = Watch(self.venue, adapter.known_keys)
        self._memory = Memory()
        self._rest = rest
        self._asking: Asking | None = None
        if rest is not None:
            self._asking = Asking(
                rest, adapter, symbols, self._channels, self.outlet, clock, settings.asking, self._memory
            )
            self.outlet.on_gap = self._asking.note
        self._dial_slot = DialGate(settings.dial_interval_s)
        self._stats: dict[str, SessionStats] = {}
        self._unplanned: dict[str, SessionStats] = {}  # of connections that the last plan no longer has
        self._sessions: dict[str, Session] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._predecessors = predecessors
        self._restart: Restart | None = None  # while the first sessions are launched

    async def run(self) -> None:
        """Collect until cancelled; then the sockets are closed and the open bars published."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if self._predecessors is not None:
                    self._restart = Restart(self.venue, self._predecessors, self._clock)
                self._reconcile(group)
                self._restart = self._predecessors = None
                group.create_task(self._beat(), name=f"{self.venue} heartbeat")
                group.create_task(self._flush_bars(), name=f"{self.venue} bars")
                if self._asking is not None:
                    group.create_task(self._asking.run(), name=f"{self.venue} rest")
        finally:
            self._group = None
            self._sessions.clear()
            self._tasks.clear()
            self.outlet.flush()

    def update(self, adapter: Adapter, symbols: Sequence[str]) -> None:
        """Go on with newer instruments and other symbols; connections whose plan is the same are not touched."""
        self._adapter = adapter
        self._symbols = tuple(symbols)
        if self._asking is not None:
            self._asking.update(adapter, symbols)
        if self._group is not None:
            self._reconcile(self._group)

    def _reconcile(self, group: asyncio.TaskGroup) -> None:
        """Make the running sessions those that the adapter plans."""
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
            self.outlet,
            self._settings.session,
            clock=self._clock,
            rng=self._rng,
            stats=stats,
            dial_slot=self._dial_slot,
            locate=locator(self._adapter, self._rest),
            on_frame=self._on_frame,
            watch=self._watch,
            memory=self._memory,
            restart=self._restart,
        )
        self._sessions[plan.name] = session
        task = group.create_task(self._supervise(session), name=f"{self.venue} {plan.name}")
        self._tasks[plan.name] = task

    async def _supervise(self, session: Session) -> None:
        """Restart a session that fails by a fault of its own: loudly, and without touching the others."""
        limits = self._settings.session
        backoff = Backoff(self._rng, limits.backoff_base_s, limits.backoff_cap_s, limits.healthy_s)

        def failed(error: Exception) -> None:
            session.stats.crashes += 1
            log.error("%s %s: the session failed; restarting it", self.venue, session.plan.name, exc_info=error)

        await kept_going(session.run, backoff, failed)

    async def _beat(self) -> None:
        # On the clock's whole seconds: whoever decides second by second then knows at once that one is complete.
        interval_us = round(self._settings.heartbeat_s * MICROS)
        while True:
            await wait_until(self._clock() // interval_us * interval_us + interval_us, self._clock)
            alive = self.alive_channels()
            self._look_after()
            if alive:
                self.outlet.flush()  # a beat says that all was published: an open bar must not lag behind it
                now_us = self._clock()
                self.outlet.announce([Heartbeat(self.venue, ALL, ALL, now_us, now_us, channel) for channel in alive])

    def _look_after(self) -> None:
        """Tell the watch how each connection does."""
        now_us = self._clock()
        for name, session in self._sessions.items():
            self._watch.connection(name, session.alive, session.last_end, now_us)
        self._watch.forget(set(self._sessions))
        self._watch.tick(now_us)

    def alive_channels(self) -> list[Channel]:
        """The channels that every connection carrying them sees: one dead shard silences the channel's beat."""
        sessions = self._sessions.values()
        carried = {channel for session in sessions for channel in session.plan.channels}
        dead = {channel for session in sessions if not session.alive for channel in session.plan.channels}
        return sorted(carried - dead)

    async def _flush_bars(self) -> None:
        while True:
            await asyncio.sleep(BAR_US / MICROS)
            self.outlet.flush_ended()

    def stats(self) -> FleetStats:
        """Return what the venue's fleet counts.

        A connection that is no longer planned is left out, because it would count as down for ever; what it counted
        stays in the total, because a counter must not fall.
        """
        for session in self._sessions.values():
            session.refresh_gauges()
        connections = list(self._stats.values())
        whole = total(self.venue, [*connections, *self._unplanned.values()])
        connected = whole.connected = sum(part.connected for part in connections)
        whole.acks_pending = sum(part.acks_pending for part in connections)
        asking = self._asking.stats() if self._asking is not None else None
        if asking is not None:
            whole.add(asking.events)
            whole.connected = connected  # sockets alone
        switch = self._switch
        return FleetStats(
            venue=self.venue,
            connections=connections,
            total=whole,
            folding=switch.folding,
            switched_to_bars=switch.to_bars,
            switched_to_each=switch.to_each,
            rejects_suppressed=self.outlet.gate.suppressed,
            asking=asking,
            watch=self._watch.stats(),
        )
