"""From settings to a collector at work, with its instrument store and recorder."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from monitor.adapters.fleet import FleetSettings
from monitor.adapters.instruments import InstrumentStore
from monitor.adapters.link import LinkSettings
from monitor.adapters.registry import adapter_named
from monitor.adapters.session import SessionSettings
from monitor.bus.ports import Publisher
from monitor.delivery.http import Check, feeds_check
from monitor.recording import Recorder
from monitor.runtime.collector import Collector, CollectorSettings, WatchedVenue
from monitor.settings import Settings


class Collecting(NamedTuple):
    """A collector and what belongs to it."""

    collector: Collector
    store: InstrumentStore

    def instruments_age_s(self, now_us: int) -> dict[str, float]:
        """Age of the contract data by venue."""
        return {venue: table.age_s(now_us) for venue, table in self.store.tables.items()}

    def feeds(self) -> Check:
        """Whether any venue is connected, and which are not."""
        connected = {
            venue.venue: venue.fleet is not None and bool(venue.fleet.total.connected)
            for venue in self.collector.stats()
        }
        return feeds_check(connected)


def watched_venues(settings: Settings) -> tuple[WatchedVenue, ...]:
    """The venues that the settings enable."""
    return tuple(
        WatchedVenue(adapter_named(name), venue.symbols, venue.channels, venue.ws_url, venue.rest_url)
        for name, venue in settings.enabled_venues.items()
    )


@contextmanager
def collecting(settings: Settings, publisher: Publisher, clock: Callable[[], int]) -> Iterator[Collecting]:
    """A collector as configured; the recorder, if one is configured, is closed at the end."""
    path = settings.collector.record_path
    recorder = None
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        recorder = Recorder(path)
    try:
        store = InstrumentStore(
            settings.collector.instruments_cache, clock, on_body=recorder.instruments if recorder else None
        )
        session = SessionSettings(link=LinkSettings(max_frame_bytes=settings.collector.max_frame_bytes))
        fleet = FleetSettings(session=session, trades=settings.collector.trades)
        collector = Collector(
            CollectorSettings(watched_venues(settings), fleet),
            publisher,
            store.load,
            clock=clock,
            rng=random.Random(),  # noqa: S311  # jitter that keeps collectors from dialling in step
            on_frame=recorder.frame if recorder else None,
            on_event=recorder.event if recorder else None,
        )
        yield Collecting(collector, store)
    finally:
        if recorder is not None:
            recorder.close()
