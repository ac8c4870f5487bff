"""Builds a collector from settings, with its instrument store and recorder, and runs role ``collector`` on Kafka."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import uvloop

from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.heartbeats import LastHeartbeats
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.kafka.topic_watch import TopicWatch
from monitor.bus.ports import Partition, Publisher
from monitor.bus.topics import MARKET_TOPICS, REJECTS
from monitor.collect.collector import Collector, CollectorSettings, WatchedVenue
from monitor.collect.connection.session import SessionSettings
from monitor.collect.connection.socket import SocketSettings
from monitor.collect.fleet import FleetSettings
from monitor.collect.fleet_stats import FleetStats
from monitor.collect.recording import Recorder
from monitor.collect.rest.client import Rest
from monitor.collect.rest.instruments import InstrumentStore
from monitor.collect.rest.jobs import RestJobsSettings
from monitor.collect.restart import Predecessors
from monitor.deliver.http import Check, feeds_check
from monitor.deliver.metrics.monitor import Snapshot
from monitor.exchanges.registry import adapter_named
from monitor.model.visibility import Contact
from monitor.roles.clock import SteadyClock
from monitor.roles.serving import serving
from monitor.roles.topics_check import topics_check
from monitor.settings import Settings
from monitor.storage.side_output import OutputStats, SideOutput

log = logging.getLogger(__name__)

STALLED_S: Final = 20.0
"""Wait for a batch's confirmation after which the collector is not ready, seconds; brokers fail over within ten."""


class Collecting(NamedTuple):
    """A collector, its instrument store and its recorder."""

    collector: Collector
    store: InstrumentStore
    recording: SideOutput | None = None

    def outputs(self) -> list[OutputStats]:
        """Return the state of the outputs that write in threads of their own."""
        found = [self.store.output, *([self.recording] if self.recording else [])]
        return [output.stats() for output in found]

    def fleets(self) -> list[FleetStats]:
        """Return the connections' counts of each venue whose fleet has started."""
        return [venue.fleet for venue in self.collector.stats() if venue.fleet is not None]

    def instruments_age_s(self, now_us: int) -> dict[str, float]:
        """Return the age of the instrument table by venue, seconds."""
        return {venue: table.age_s(now_us) for venue, table in self.store.tables.items()}

    def contacts(self) -> list[Contact]:
        """Return the contact with each configured venue."""
        fleets = {venue.venue: venue.fleet for venue in self.collector.stats()}
        return [
            Contact(venue, False, 0)
            if fleet is None
            else Contact(venue, bool(fleet.total.connected), fleet.total.last_message_us)
            for venue, fleet in fleets.items()
        ]

    def feeds(self) -> Check:
        """Check that at least one venue is connected, and name those that are not."""
        connected = {
            venue.venue: venue.fleet is not None and bool(venue.fleet.total.connected)
            for venue in self.collector.stats()
        }
        return feeds_check(connected)


def watched_venues(settings: Settings) -> tuple[WatchedVenue, ...]:
    """Return the venues that the settings enable."""
    return tuple(
        WatchedVenue(adapter_named(name), venue.symbols, venue.channels, venue.ws_url, venue.rest_url, venue.accounts)
        for name, venue in settings.enabled_venues.items()
    )


@contextmanager
def collecting(
    settings: Settings, publisher: Publisher, clock: Callable[[], int], predecessors: Predecessors | None = None
) -> Iterator[Collecting]:
    """Yield a collector as configured; close its recorder, if one is configured, at the end.

    Args:
        settings: the settings.
        publisher: the bus; the caller closes it.
        clock: returns the machine's time in microseconds.
        predecessors: the last heartbeats of collectors that ran before.
    """
    if settings.collector.trades == "bars" and settings.bus.kind == "kafka":
        log.warning("collector.trades is bars: if a second collector runs for the same venue, trades count twice")
    path = settings.collector.record_path
    recording = SideOutput("recording") if path else None
    recorder = Recorder(path, recording) if path else None
    store = None
    try:
        proxy = settings.network.proxy_url
        rest = Rest(proxy=proxy)
        tap = recorder.instruments if recorder else None
        store = InstrumentStore(settings.collector.instruments_cache, clock, tap, rest)
        limits = settings.collector
        socket = SocketSettings(max_frame_bytes=limits.max_frame_bytes, hold_s=limits.hold_s, proxy=proxy)
        session = SessionSettings(socket=socket)
        rest_jobs = RestJobsSettings(history=settings.collector.history, backfill=settings.collector.backfill)
        fleet = FleetSettings(session=session, trades=settings.collector.trades, rest_jobs=rest_jobs)
        collector = Collector(
            CollectorSettings(watched_venues(settings), fleet),
            publisher,
            store.load,
            clock=clock,
            rng=random.Random(),  # noqa: S311  # jitter, so that collectors do not dial at the same time
            on_frame=recorder.frame if recorder else None,
            on_event=recorder.event if recorder else None,
            rest=rest,
            predecessors=predecessors,
        )
        yield Collecting(collector, store, recording)
    finally:
        if store is not None:
            store.output.close()
        if recorder is not None:
            recorder.close()


def run(settings: Settings) -> int:
    """Run role ``collector`` until cancelled, for ``cascade-monitor run``."""
    uvloop.run(_collect(settings, SteadyClock()))
    return 0


async def _collect(settings: Settings, clock: Callable[[], int]) -> None:
    kafka, delivery = settings.bus.kafka, settings.delivery
    connection = KafkaConnection.from_settings(kafka)
    publisher = KafkaPublisher(connection, (*MARKET_TOPICS, REJECTS), clock=clock, high_water=kafka.high_water)
    await publisher.start()
    watch = TopicWatch(connection, (*MARKET_TOPICS, REJECTS))
    try:
        last = LastHeartbeats(connection, settings.enabled_venues)
        with collecting(settings, publisher, clock, Predecessors(last.of, alone=False)) as at_work:
            async with serving(
                delivery,
                snapshot=lambda: _snapshot(at_work, publisher, clock)._replace(topics_missing=len(watch.missing)),
                checks=lambda: [at_work.feeds(), bus_check(*publisher.oldest()), topics_check(watch.trouble())],
                work=[at_work.collector.run, publisher.watch, watch.run],
                venues=settings.enabled_venues,
            ) as url:
                log.info("collecting %s; metrics at %s/metrics", ", ".join(settings.enabled_venues), url)
                await asyncio.Event().wait()
    finally:
        await publisher.close()


def bus_check(partition: str, waiting_s: float) -> Check:
    """Check that the brokers confirm what is published: until then the exchanges look quiet to every reader."""
    if waiting_s > STALLED_S:
        return Check(
            "bus", False, f"Kafka has not confirmed a batch of {partition} for {waiting_s:.0f} s: check the brokers"
        )
    return Check("bus", True, "batches are confirmed")


def _snapshot(at_work: Collecting, publisher: KafkaPublisher, clock: Callable[[], int]) -> Snapshot:
    return Snapshot(
        fleets=at_work.fleets(),
        lag={Partition("kafka", 0): publisher.stats().waiting},
        bus=publisher.stats(),
        bus_oldest_s=publisher.oldest()[1],
        instruments_age_s=at_work.instruments_age_s(clock()),
        instruments_failures=at_work.store.failures,
        outputs=at_work.outputs(),
    )
