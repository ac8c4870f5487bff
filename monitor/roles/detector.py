"""Role ``detector``: a member of the consumer group that shares out the assets, and one of them the market.

Partition N of all market topics is one share of the work; whoever holds the summaries' only partition judges the
market. A rebalance leaves alone the shares that stay where they were.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

import uvloop

from monitor.bus.kafka.connection import KafkaConnection, verify
from monitor.bus.kafka.partitioner import Partitioner
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.ports import Partition
from monitor.bus.topics import CASCADE_STATE, LIQUIDATIONS, MARKET_TOPICS, REJECTS, SIGNALS, SNAPSHOTS, SUMMARIES
from monitor.deliver.dashboard.site import page_routes, sample
from monitor.deliver.dashboard.state import Source
from monitor.deliver.http import Check, HttpServer, routes
from monitor.deliver.loop_health import Pulse
from monitor.deliver.metrics.monitor import MonitorMetrics, Snapshot
from monitor.detect.detector import ahead_view, market_view
from monitor.detect.scope import Scope
from monitor.detect.view import AheadView, DetectorView
from monitor.model.events import MARKET
from monitor.roles.asset_shard import AssetShare
from monitor.roles.clock import SteadyClock, monotonic_us
from monitor.roles.market_shard import MarketShare
from monitor.roles.shard_owner import RECLAIM_BEATS, Counters, Place, Worker
from monitor.roles.time_check import time_check
from monitor.roles.unreadable import Unreadable
from monitor.settings import Settings

log = logging.getLogger(__name__)

POLL_S: Final = 0.25
"""How long to wait for records before looking again; records themselves wake the reader at once."""
STOP_S: Final = 15.0
"""How long the last transactions may take: orchestrators kill after 30 s or more."""


def run(settings: Settings) -> int:
    """Detect until cancelled; what ``cascade-monitor run`` does with role ``detector``."""
    uvloop.run(_watch(settings))
    return 0


async def _watch(settings: Settings) -> None:
    async with detecting(settings) as url:
        log.info("detecting as a member of %s; metrics at %s/metrics", settings.bus.kafka.group, url)
        await asyncio.Event().wait()


class Member:
    """This process in the group: its shares, and the records on their way to them."""

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        kafka = settings.bus.kafka
        self.counters = Counters()
        self.workers: dict[str, Worker] = {}
        self._settings = settings.detector
        self.unreadable = Unreadable(clock)
        self._connection = KafkaConnection.from_settings(kafka)
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._by_input: dict[Partition, Worker] = {}
        self.subscriber = KafkaSubscriber(
            self._connection,
            (*MARKET_TOPICS, SUMMARIES),
            group=kafka.group,
            instance=kafka.instance_id,
            session_timeout_ms=round(kafka.session_timeout_s * 1000),
            on_assigned=self._assigned,
            on_reject=self.unreadable,
        )
        reclaim_s = RECLAIM_BEATS * kafka.session_timeout_s / 4
        self._place = Place(self._connection, kafka.group, self.subscriber, clock, kafka.snapshot_s, reclaim_s)

    async def run(self) -> None:
        """Work until cancelled; then every share is kept and given back.

        Raises:
            OperatorError: Kafka cannot be used as it is, or a share cannot be restored.
        """
        try:
            await verify(self._connection, (SIGNALS, CASCADE_STATE, SNAPSHOTS, SUMMARIES, REJECTS), "Write")
            async with asyncio.TaskGroup() as group:
                self._group = group
                try:
                    await self.subscriber.start()
                    await self._read()
                finally:
                    self._group = None
                    await self._give_back()
        finally:
            await self.subscriber.close()

    async def _read(self) -> None:
        while True:
            for batch in await self.subscriber.poll(POLL_S):
                worker = self._by_input.get(batch.partition)
                if worker is not None:
                    worker.put(batch)

    async def _give_back(self) -> None:
        for worker in self.workers.values():
            worker.stop()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=STOP_S)
        for task in self._tasks.values():
            task.cancel()

    async def _assigned(self, partitions: frozenset[Partition]) -> None:
        """Leave shares that are another's now, go on with those that stay, and take up new ones."""
        if self._group is None:
            return
        wanted = self._shares(partitions)
        for name in self.workers.keys() - wanted.keys():
            del self.workers[name]
            self._tasks.pop(name).cancel()
        for name, inputs in wanted.items():
            worker = self.workers.get(name)
            if worker is None:
                worker = self.workers[name] = self._worker(name, inputs)
                self._tasks[name] = self._group.create_task(worker.run(), name=name)
            worker.attach()
        self._by_input = {each: worker for worker in self.workers.values() for each in worker.inputs}
        log.info("shares of this member: %s", ", ".join(sorted(wanted)) or "none, the others do it all")

    def _shares(self, partitions: Iterable[Partition]) -> dict[str, frozenset[Partition]]:
        shares = {}
        for topic, number in partitions:
            if topic == LIQUIDATIONS.name:
                shares[f"assets-{number}"] = frozenset(Partition(each.name, number) for each in MARKET_TOPICS)
            elif topic == SUMMARIES.name:
                shares["market"] = frozenset([Partition(topic, number)])
        return shares

    def _worker(self, name: str, inputs: frozenset[Partition]) -> Worker:
        number = min(each.partition for each in inputs)
        settings, count = self._settings, self._connection.partitions
        if name == "market":
            home = Partitioner(count).partition(MARKET)
            return Worker(
                name, inputs, home,
                lambda parts, emitted: MarketShare.restore(parts, settings, count, home, emitted),
                self._place, self.counters,
            )  # fmt: skip
        return Worker(
            name, inputs, number,
            lambda parts, emitted: AssetShare.restore(number, parts, settings, emitted),
            self._place, self.counters,
        )  # fmt: skip

    def view(self) -> DetectorView:
        """The shares of this member, as a detector's view."""
        shares = [worker.share for worker in self.workers.values() if worker.share is not None]
        detectors = [share.detector for share in shares if isinstance(share, AssetShare)]
        views = [detector.view() for detector in detectors]
        markets = [share for share in shares if isinstance(share, MarketShare)]
        quarantines = [*(each.quarantine for each in detectors), *(each.quarantine for each in markets)]
        duplicates: dict[str, int] = {}
        late: dict[str, int] = {}
        for view in views:
            for into, found in ((duplicates, view.duplicates_by_venue), (late, view.late_by_venue)):
                for venue, count in found.items():
                    into[venue] = into.get(venue, 0) + count
        return DetectorView(
            [each for share in shares for each in share.views()],
            dict(self.counters.signals_by_phase),
            sum(view.liquidations for view in views),
            (sum(view.liquidated_usd[0] for view in views), sum(view.liquidated_usd[1] for view in views)),
            duplicates, late,
            sorted({venue for view in views for venue in view.venues_in_gap}),
            min((view.second for view in views), default=0),
            next((market_view(each.market, each.closed) for each in markets), None),
            sorted(
                [name for view in views for name in view.quarantined]
                + [name for each in markets for name in each.quarantine.active(each.closed)]
            ),
            sum(each.faults for each in quarantines),
            sum(each.passed_over for each in quarantines),
            self.gap_ratios(),
            self.ahead(),
            sum((Counter(view.excluded) for view in views), Counter()),
        )  # fmt: skip

    def ahead(self) -> AheadView:
        """Return what the shares of this member did not believe."""
        shares = [worker.share for worker in self.workers.values()]
        assets = [share for share in shares if isinstance(share, AssetShare)]
        watermarks = [watermark for share in assets for watermark in share.watermarks()]
        return ahead_view(watermarks, sum(share.detector.steps_back for share in assets))

    def scopes(self) -> list[Scope]:
        """The assets of the shares of this member, and the market if it judges it."""
        found: list[Scope] = []
        for worker in self.workers.values():
            if isinstance(worker.share, AssetShare):
                found += worker.share.detector.scopes()
            elif isinstance(worker.share, MarketShare):
                found.append(worker.share.market)
        return found

    def second(self) -> int:
        """The last second that every share of assets reached; 0 without shares."""
        shares = [worker.share for worker in self.workers.values()]
        return min((share.detector.second for share in shares if isinstance(share, AssetShare)), default=0)

    def gap_ratios(self) -> dict[tuple[str, str], float]:
        """By venue and window the share that is missing because of a gap; every share sees the same gaps."""
        found: dict[tuple[str, str], float] = {}
        for worker in self.workers.values():
            if isinstance(worker.share, AssetShare):
                detector = worker.share.detector
                for key, ratio in detector.holes.ratios(detector.second).items():
                    found[key] = max(ratio, found.get(key, 0.0))
        return found

    def kept_us(self) -> int:
        """When the share that waited longest was last kept; 0 without shares."""
        return min((worker.kept_us for worker in self.workers.values() if worker.share is not None), default=0)

    def passed_over(self) -> int:
        """How often another version told the market something, where this member judges it."""
        shares = [worker.share for worker in self.workers.values()]
        return sum(share.passed_over for share in shares if isinstance(share, MarketShare))

    def ready(self) -> Check:
        """Whether every share is restored."""
        restored = sum(worker.share is not None for worker in self.workers.values())
        return Check("shares", restored == len(self.workers), f"{restored} of {len(self.workers)} shares restored")


@asynccontextmanager
async def detecting(settings: Settings, clock: Callable[[], int] | None = None) -> AsyncIterator[str]:
    """A detector at work while the context lasts; gives its address.

    Raises:
        OperatorError: Kafka cannot be used as it is.
        OSError: the metrics port is taken.
    """
    clock = clock or SteadyClock()
    member = Member(settings, clock)
    pulse = Pulse(monotonic_us)
    delivery = settings.delivery

    def snapshot() -> Snapshot:
        return Snapshot(
            member.view(), member.counters.latency, lag=member.subscriber.lags(), loop_lag_s=pulse.lag_s,
            state_saved_us=member.kept_us(), summaries_passed_over=member.passed_over(),
            records_unreadable=member.unreadable.count,
            records_lost=dict.fromkeys(member.subscriber.assignment(), 0) | member.subscriber.lost,
            offset_resets=dict.fromkeys(member.subscriber.assignment(), 0) | member.subscriber.resets,
        )  # fmt: skip

    def time() -> Check:
        return time_check(member.second(), member.ahead(), clock(), settings.detector.arrival.tolerance_seconds)

    metrics = MonitorMetrics(lambda: pulse.ask(snapshot), (), delivery.assets, delivery.max_assets)
    table = routes(metrics.exposition, lambda: pulse.alive, lambda: [pulse.ask(member.ready), pulse.ask(time)])
    page = Source(member.scopes, member.second, list, clock, member.gap_ratios)
    if delivery.page:
        table |= page_routes(lambda: pulse.ask(page.state))
    with HttpServer(delivery.host, delivery.port, table) as server:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(member.run()), group.create_task(pulse.run())]
            tasks += [group.create_task(sample(page))] if delivery.page else []
            try:
                yield server.url
            finally:
                for task in tasks:
                    task.cancel()
                    await asyncio.wait([task])
