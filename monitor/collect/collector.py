"""Collects every watched venue: load its instruments, run its fleet, and keep the instruments up to date."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from monitor.bus.ports import Publisher
from monitor.collect.fleet import Fleet, FleetSettings
from monitor.collect.fleet_stats import FleetStats
from monitor.collect.pipeline.intake import OnFrame
from monitor.collect.pipeline.venue_publisher import OnEvent
from monitor.collect.rest.client import Rest
from monitor.collect.restart import Predecessors
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.instrument import Instrument
from monitor.model.backoff import Backoff
from monitor.model.errors import OperatorError
from monitor.model.events import Channel

log = logging.getLogger(__name__)

LOG_INTERVAL_S: Final = 60.0
"""Shortest interval between two log lines on the same venue's instruments, seconds."""


Instruments = Mapping[str, Instrument]


@dataclass(frozen=True, slots=True)
class WatchedVenue:
    """Describes one venue as configured.

    Attributes:
        adapter: its adapter class.
        symbols: the venue's own symbols, or ``all`` that trade.
        channels: channels to subscribe.
        ws_url, rest_url: addresses that replace the exchange's own.
        accounts: accounts whose fills are read as liquidations too.
    """

    adapter: type[Adapter]
    symbols: Literal["all"] | tuple[str, ...]
    channels: tuple[Channel, ...]
    ws_url: str | None = None
    rest_url: str | None = None
    accounts: tuple[str, ...] = ()

    def adapter_with(self, instruments: Instruments) -> Adapter:
        """Return the venue's adapter with these instruments."""
        adapter = self.adapter(instruments)
        adapter.accounts = self.accounts
        return adapter


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """Holds what to collect and how.

    Attributes:
        venues: the venues.
        fleet: settings of each venue's collection.
        refresh_s: interval at which instruments are reloaded, seconds; venues list and delist a few symbols a day.
        retry_base_s, retry_cap_s: first and longest wait after a failed load of instruments, seconds.
    """

    venues: tuple[WatchedVenue, ...]
    fleet: FleetSettings = field(default_factory=FleetSettings)
    refresh_s: float = 3600.0
    retry_base_s: float = 2.0
    retry_cap_s: float = 300.0


LoadInstruments = Callable[[type[Adapter], str | None], Awaitable[Instruments]]
"""``await load(adapter, rest_url)`` returns a venue's instruments by symbol, all quoted in US dollars.

:meth:`monitor.collect.rest.instruments.InstrumentStore.load` implements it. Raises ``OSError`` when neither the venue
nor the cache has them.
"""


class VenueStats(NamedTuple):
    """The state of one venue; its fleet is None until instruments are loaded."""

    venue: str
    fleet: FleetStats | None


class InstrumentChanges(NamedTuple):
    """Symbols that a refresh added, removed and changed."""

    added: list[str]
    removed: list[str]
    changed: list[str]


def changes(before: Instruments, after: Instruments) -> InstrumentChanges:
    """Return the difference of two instrument tables."""
    return InstrumentChanges(
        sorted(after.keys() - before.keys()),
        sorted(before.keys() - after.keys()),
        sorted(symbol for symbol in after.keys() & before.keys() if after[symbol] != before[symbol]),
    )


def resolve_symbols(venue: WatchedVenue, instruments: Instruments) -> list[str]:
    """Return the configured symbols that trade, sorted so that plans are stable.

    Configured symbols that do not trade are logged and left out.

    Raises:
        OperatorError: no symbol is left.
    """
    trading = {symbol for symbol, instrument in instruments.items() if instrument.trading}
    name = venue.adapter.venue
    if venue.symbols == "all":
        selected = trading
    else:
        selected = trading.intersection(venue.symbols)
        absent = sorted(set(venue.symbols) - selected)
        if absent:
            log.error("%s: left out, because they are not traded against US dollars there: %s", name, ", ".join(absent))
    if not selected:
        raise OperatorError(f"{name}: none of the configured symbols is traded there; check venues.{name}.symbols")
    return sorted(selected)


class _Collected:
    """Holds one venue's state while it is collected."""

    def __init__(self, venue: WatchedVenue) -> None:
        self.venue = venue
        self.fleet: Fleet | None = None
        self.instruments: Instruments = {}
        self.symbols: list[str] = []

    def stats(self) -> VenueStats:
        """Return the venue's state."""
        fleet = self.fleet.stats() if self.fleet is not None else None
        return VenueStats(self.venue.adapter.venue, fleet)


class Collector:
    """Collects all venues; it has no state, so several may run side by side and readers deduplicate by event id.

    Args:
        settings: what to collect and how.
        publisher: the bus; the caller closes it.
        load: loads a venue's instruments.
        clock: returns the machine's time in microseconds.
        rng: source of all jitter.
        on_frame: receives every frame before it is parsed; a recorder's ``frame``.
        on_event: receives every event that no frame holds; a recorder's ``event``.
        rest: REST clients within the rate limits that ``load`` shares; None requests nothing but instruments.
        predecessors: the last heartbeats of collectors that ran before; None publishes no gap for a restart.
    """

    def __init__(
        self,
        settings: CollectorSettings,
        publisher: Publisher,
        load: LoadInstruments,
        *,
        clock: Callable[[], int],
        rng: random.Random,
        on_frame: OnFrame | None = None,
        on_event: OnEvent | None = None,
        rest: Rest | None = None,
        predecessors: Predecessors | None = None,
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._load = load
        self._clock = clock
        self._rng = rng
        self._on_frame = on_frame
        self._on_event = on_event
        self._rest = rest
        self._predecessors = predecessors
        self._collected = [_Collected(venue) for venue in settings.venues]

    async def run(self) -> None:
        """Collect until cancelled; a venue that cannot be loaded or trades nothing does not delay or end the others."""
        async with self._rest or nullcontext(), asyncio.TaskGroup() as group:
            for collected in self._collected:
                group.create_task(self._collect(collected), name=f"collect {collected.venue.adapter.venue}")

    def stats(self) -> list[VenueStats]:
        """Return the state of every venue."""
        return [collected.stats() for collected in self._collected]

    async def _collect(self, collected: _Collected) -> None:
        venue = collected.venue
        collected.instruments, collected.symbols = await self._tradable(collected)
        rest = self._rest.client(venue.adapter, venue.rest_url) if self._rest is not None else None
        fleet = Fleet(
            venue.adapter_with(collected.instruments),
            collected.symbols,
            venue.channels,
            self._publisher,
            self._settings.fleet,
            clock=self._clock,
            rng=self._rng,
            ws_url=venue.ws_url,
            on_frame=self._on_frame,
            on_event=self._on_event,
            rest=rest,
            predecessors=self._predecessors,
        )
        collected.fleet = fleet
        async with asyncio.TaskGroup() as group:
            group.create_task(fleet.run())
            group.create_task(self._keep_fresh(collected, fleet))

    async def _tradable(self, collected: _Collected) -> tuple[Instruments, list[str]]:
        """Return the instruments and the symbols that trade, as soon as there is one.

        In maintenance an exchange lists every symbol as halted, and its delisted symbols may be listed again.
        """
        settings = self._settings
        backoff = Backoff(self._rng, settings.retry_base_s, settings.retry_cap_s, 0.0)
        while True:
            instruments = await self._loaded(collected)
            try:
                return instruments, resolve_symbols(collected.venue, instruments)
            except OperatorError as error:
                delay_s = backoff.next_delay_s(0.0, delivered=False)
                log.error("%s; next attempt in %.0f s", error, delay_s)  # noqa: TRY400  # complete without a traceback
                await asyncio.sleep(delay_s)

    async def _loaded(self, collected: _Collected) -> Instruments:
        """Load the venue's instruments, with retries until it succeeds."""
        settings, venue = self._settings, collected.venue
        backoff = Backoff(self._rng, settings.retry_base_s, settings.retry_cap_s, 0.0)
        name, waited_s = venue.adapter.venue, math.inf
        while True:
            try:
                return await self._load(venue.adapter, venue.rest_url)
            except OSError as error:
                delay_s = backoff.next_delay_s(0.0, delivered=False)
                # An outage of an hour is one line a minute and venue, also where attempts follow faster.
                level = logging.ERROR if waited_s >= LOG_INTERVAL_S else logging.DEBUG
                log.log(level, "%s: instruments cannot be loaded (%s); next attempt in %.0f s", name, error, delay_s)
                waited_s = delay_s if level == logging.ERROR else waited_s + delay_s
                await asyncio.sleep(delay_s)

    async def _keep_fresh(self, collected: _Collected, fleet: Fleet) -> None:
        """Reload the instruments at each interval; subscribe new symbols and drop delisted ones."""
        while True:
            await asyncio.sleep(self._settings.refresh_s)
            instruments = await self._loaded(collected)
            difference = changes(collected.instruments, instruments)
            if not any(difference):
                continue
            name = collected.venue.adapter.venue
            log.info("%s: instruments added %s, removed %s, changed %s", name, *difference)
            try:
                symbols = resolve_symbols(collected.venue, instruments)
            except OperatorError as error:
                log.error("%s; keeping the previous symbols", error)  # noqa: TRY400  # complete without a traceback
                continue
            collected.instruments, collected.symbols = instruments, symbols
            fleet.update(collected.venue.adapter_with(instruments), symbols)
