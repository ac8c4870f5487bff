"""Runs role ``all``: collector, detector and delivery in one process on the in-memory bus."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import NamedTuple

import uvloop

from monitor.bus.memory import MemoryBus
from monitor.bus.ports import Partition
from monitor.bus.topics import MARKET_TOPICS, SIGNALS
from monitor.collect.restart import Predecessors
from monitor.deliver.dashboard.state import Source
from monitor.deliver.http import Check, visibility_check
from monitor.deliver.metrics.monitor import Snapshot
from monitor.deliver.paging.notifier import Notifier
from monitor.deliver.signal_lines import SignalLines
from monitor.detect.detector import Detector
from monitor.detect.overview import ahead_view
from monitor.model.errors import OperatorError
from monitor.model.signals import Signal
from monitor.model.visibility import MonitorVisibility, visibility
from monitor.roles import state_file
from monitor.roles.clock import SteadyClock
from monitor.roles.collector import Collecting, collecting
from monitor.roles.decider import Decider
from monitor.roles.journal import Journal
from monitor.roles.notifier import faults, local_notifiers, run_local
from monitor.roles.serving import serving
from monitor.roles.time_check import time_check
from monitor.settings import Settings
from monitor.storage.kept_file import read_state
from monitor.storage.side_output import SideOutput
from monitor.storage.state_losses import StateLosses

log = logging.getLogger(__name__)


class Monitor(NamedTuple):
    """The parts of a running monitor, as :func:`monitoring` yields them."""

    bus: MemoryBus
    detector: Detector
    decider: Decider
    collecting: Collecting
    url: str


def run(settings: Settings) -> int:
    """Run role ``all`` until cancelled, for ``cascade-monitor run``."""
    uvloop.run(_watch(settings))
    return 0


async def _watch(settings: Settings) -> None:
    async with monitoring(settings) as monitor:
        log.info("watching %s; metrics at %s/metrics", ", ".join(settings.enabled_venues), monitor.url)
        await asyncio.Event().wait()


@asynccontextmanager
async def monitoring(
    settings: Settings, detector: Detector | None = None, clock: Callable[[], int] | None = None
) -> AsyncIterator[Monitor]:
    """Run all parts of role ``all`` while the context lasts; yield them.

    Args:
        settings: the settings; ``bus.kind`` must be ``memory``.
        detector: a detector with its baselines; by default that of the state file, or a new one.
        clock: returns the machine's time in microseconds; by default the wall clock without its short steps.

    Raises:
        OperatorError: the settings do not fit this role, or the state file cannot be used.
        OSError: the metrics port is in use.
    """
    if settings.bus.kind != "memory":
        raise OperatorError("role all needs bus.kind memory; with kafka run the roles collector, detector and notifier")
    clock = clock or SteadyClock()
    path = settings.delivery.state_file
    journal: Journal | None = None
    pending: list[Signal] = []
    losses = StateLosses(clock, refuses=settings.delivery.damaged_state == "refuse")
    if detector is None:
        detector = state_file.load(path, settings.detector, losses)
        if path is not None:
            journal = Journal(path)
            pending = journal.restore(detector, read_state(path))
    bus = MemoryBus(settings.bus.memory.high_water)
    publisher = bus.publisher()
    decider = Decider(
        detector,
        subscriber=bus.subscriber(MARKET_TOPICS),
        publisher=publisher,
        clock=clock,
        path=path,
        journal=journal,
        sync_s=settings.delivery.journal_sync_s,
        pending=pending,
    )
    async with AsyncExitStack() as stack:
        if journal is not None:
            stack.callback(journal.close)
        at_work = stack.enter_context(collecting(settings, publisher, clock, _predecessors(detector)))
        lines = None
        if settings.delivery.signals_output is not None:
            lines = SignalLines(bus.subscriber([SIGNALS]), settings.delivery.signals_output)
        paged = SideOutput("notifier_state")
        stack.callback(paged.close)
        notifiers = local_notifiers(
            settings.notifier, bus, detector, clock, paged, losses=losses, proxy=settings.network.proxy_url
        )
        outputs = [
            decider.output,
            *([decider.journal_output] if journal else []),
            *([lines.output] if lines else []),
            *([paged] if notifiers else []),
        ]
        parts = _Parts(bus, decider, at_work, notifiers, clock, outputs, losses, clock())
        url = await stack.enter_async_context(
            serving(
                settings.delivery,
                snapshot=parts.snapshot,
                checks=parts.checks,
                work=[
                    at_work.collector.run,
                    decider.run,
                    *([lines.run] if lines else []),
                    *(partial(run_local, notifier, random.Random()) for notifier in notifiers),  # noqa: S311  # jitter
                ],
                venues=settings.enabled_venues,
                dashboard=_dashboard(detector, at_work, clock, parts.visibility),
            )
        )
        yield Monitor(bus, detector, decider, at_work, url)


def _predecessors(detector: Detector) -> Predecessors:
    """Return the last heartbeats that the detector applied; later events were lost with the process."""
    last = {venue: dict(found) for venue, found in detector.feeds.beats.items()}

    async def beats(venue: str) -> Mapping[str, int]:
        return last.get(venue, {})

    return Predecessors(beats, alone=True)


class _Parts(NamedTuple):
    """Holds the parts of the process that its metrics and its health check read."""

    bus: MemoryBus
    decider: Decider
    at_work: Collecting
    notifiers: Sequence[Notifier]
    clock: Callable[[], int]
    outputs: Sequence[SideOutput]
    losses: StateLosses
    started_us: int

    def visibility(self) -> MonitorVisibility:
        """Return how much of the configured venues can be seen."""
        return visibility(self.at_work.contacts(), self.clock(), self.started_us)

    def snapshot(self) -> Snapshot:
        """Return the state that a scrape shows."""
        return Snapshot(
            detector=self.decider.detector.view(),
            decision_latency=self.decider.latency,
            fleets=self.at_work.fleets(),
            lag={Partition("memory", 0): self.bus.waiting},
            bus=self.bus.stats(),
            instruments_age_s=self.at_work.instruments_age_s(self.clock()),
            notifiers=[notifier.stats() for notifier in self.notifiers],
            state_saved_us=self.decider.saved_us,
            instruments_failures=self.at_work.store.failures,
            outputs=[*self.at_work.outputs(), *(output.stats() for output in self.outputs)],
            state_lost=self.losses.view(),
            visibility=self.visibility(),
        )

    def checks(self) -> list[Check]:
        """Check the state file, the feeds, visibility, the decided time and, where there are any, the notifiers."""
        seen = visibility_check(self.visibility())
        checks = [_state_check(self.decider), self.at_work.feeds(), seen, self._time()]
        if self.notifiers:
            checks.append(faults([notifier.stats() for notifier in self.notifiers]))
        return checks

    def _time(self) -> Check:
        detector = self.decider.detector
        ahead = ahead_view([detector.watermark], detector.steps_back)
        return time_check(detector.second, ahead, self.clock(), detector.settings.arrival.tolerance_seconds)


def _dashboard(
    detector: Detector, at_work: Collecting, clock: Callable[[], int], seen: Callable[[], MonitorVisibility]
) -> Source:
    return Source(
        detector.monitored,
        lambda: detector.second,
        at_work.fleets,
        clock,
        gap_ratios=lambda: detector.feeds.holes.ratios(detector.second),
        visibility=seen,
    )


def _state_check(decider: Decider) -> Check:
    """Check that the last save succeeded; a later save makes up for an earlier failure."""
    state = decider.output.stats()
    return Check("state", not state.failing, f"cannot be saved: {state.reason}" if state.failing else "saved")
