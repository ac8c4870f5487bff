from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

import pytest

from monitor.bus.memory import MemoryBus
from monitor.collect.collector import (
    Collector,
    CollectorSettings,
    WatchedVenue,
    changes,
    resolve_symbols,
)
from monitor.collect.fleet import FleetSettings
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.instrument import Instrument
from monitor.model.errors import OperatorError
from monitor.model.events import Trade
from tests.collect.exchange import FAST, Exchange, LoopbackAdapter, Reader, by_symbol, now_us

QUICK = FleetSettings(session=FAST, dial_interval_s=0.0, heartbeat_s=0.05)


class OtherAdapter(LoopbackAdapter):
    """A second venue."""

    venue: ClassVar[str] = "other-venue"


def instrument(symbol: str, *, trading: bool = True, size: float = 1.0) -> Instrument:
    """An instrument of the test venue."""
    return Instrument(symbol, symbol, 1, size, "base", trading)


def table(*symbols: str) -> dict[str, Instrument]:
    """Trading instruments."""
    return {symbol: instrument(symbol) for symbol in symbols}


class Listings:
    """Loads the tables that the test sets; an exception among them is raised."""

    def __init__(self, *answers: Mapping[str, Instrument] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str | None]] = []

    async def load(self, adapter: type[Adapter], rest_url: str | None) -> Mapping[str, Instrument]:
        """The next answer; the last one stays."""
        self.asked.append((adapter.venue, rest_url))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def watched(url: str, symbols: tuple[str, ...] | None = None, adapter: type[Adapter] = LoopbackAdapter) -> WatchedVenue:
    """A venue at ``url``."""
    return WatchedVenue(adapter, symbols or "all", ("trades",), ws_url=url, rest_url="http://rest")


@contextlib.asynccontextmanager
async def running(
    listings: Listings, *venues: WatchedVenue, refresh_s: float = 3600.0
) -> AsyncIterator[tuple[Collector, Reader]]:
    """A collector that runs while the block does."""
    bus = MemoryBus()
    reader = Reader(bus)
    settings = CollectorSettings(venues, QUICK, refresh_s=refresh_s, retry_base_s=0.02, retry_cap_s=0.05)
    collector = Collector(settings, bus.publisher(), listings.load, clock=now_us, rng=random.Random(5))
    task = asyncio.create_task(collector.run())
    try:
        yield collector, reader
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def traded(reader: Reader) -> set[str]:
    """The symbols whose trades arrived."""
    return {trade.symbol for trade in reader.of(Trade)}


async def test_all_trading_symbols_are_collected() -> None:
    """``all`` is every instrument that trades; the loader gets the configured address."""
    listings = Listings(table("A", "B") | {"C": instrument("C", trading=False)})
    async with Exchange(by_symbol) as exchange, running(listings, watched(exchange.url)) as (collector, reader):
        await reader.until(lambda: traded(reader) == {"A", "B"})
        (stats,) = collector.stats()
        assert stats.fleet is not None
        assert stats.fleet.total.connected == 2
        assert stats.fleet.symbols == 2
    assert listings.asked == [("test-venue", "http://rest")]


async def test_venue_without_instruments_does_not_keep_the_others_waiting(caplog: pytest.LogCaptureFixture) -> None:
    """A venue whose instruments cannot be loaded does not delay the other, and is logged once a minute at most."""
    listings = Listings(OSError("no route to host"), table("A"))

    failed: list[str] = []

    async def load(adapter: type[Adapter], rest_url: str | None) -> Mapping[str, Instrument]:
        if adapter is OtherAdapter:
            failed.append(adapter.venue)
            raise OSError("no route to host")
        return table("A")

    listings.load = load  # type: ignore[method-assign]
    async with Exchange(by_symbol) as exchange:
        venues = watched(exchange.url), watched(exchange.url, adapter=OtherAdapter)
        async with running(listings, *venues) as (collector, reader):
            await reader.until(lambda: traded(reader) == {"A"})
            await reader.until(lambda: len(failed) >= 3)
            assert collector.stats()[1].fleet is None
    assert caplog.text.count("other-venue: instruments cannot be loaded (no route to host)") == 1


async def test_instruments_that_come_late_start_the_venue() -> None:
    """After failures the first table that loads starts the fleet."""
    listings = Listings(OSError("HTTP 503"), TimeoutError("no answer"), table("A"))
    async with Exchange(by_symbol) as exchange, running(listings, watched(exchange.url)) as (_, reader):
        await reader.until(lambda: traded(reader) == {"A"})
        assert len(listings.asked) == 3


async def test_refresh_subscribes_new_symbols(caplog: pytest.LogCaptureFixture) -> None:
    """A symbol listed later is collected without touching the rest, and the difference is logged."""
    listings = Listings(table("A"), table("A"), table("A", "B"))
    with caplog.at_level(logging.INFO):
        async with (
            Exchange(by_symbol) as exchange,
            running(listings, watched(exchange.url), refresh_s=0.05) as (collector, reader),
        ):
            await reader.until(lambda: traded(reader) == {"A", "B"})
            stats = collector.stats()[0]
            assert stats.fleet is not None
            assert [part.dials for part in stats.fleet.connections] == [1, 1]
    assert "instruments added ['B'], removed [], changed []" in caplog.text


async def test_refresh_that_leaves_nothing_is_not_followed(caplog: pytest.LogCaptureFixture) -> None:
    """A table without any of the symbols is taken for an exchange's mistake: the old one is kept."""
    listings = Listings(table("A"), table("B"))
    async with (
        Exchange(by_symbol) as exchange,
        running(listings, watched(exchange.url, ("A",)), refresh_s=0.05) as (collector, reader),
    ):
        await reader.until(lambda: "keeping the previous symbols" in caplog.text)
        before = len(reader.of(Trade))
        await reader.until(lambda: len(reader.of(Trade)) > before)
        fleet = collector.stats()[0].fleet
        assert fleet is not None
        assert fleet.symbols == 1


async def test_a_venue_in_maintenance_is_retried(caplog: pytest.LogCaptureFixture) -> None:
    """An exchange on which nothing trades at the start is logged with the key to check, and collected later."""
    halted = {"A": instrument("A", trading=False)}
    async with (
        Exchange(by_symbol) as exchange,
        running(Listings(halted, table("B"), table("A")), watched(exchange.url, ("A",))) as (_, reader),
    ):
        await reader.until(lambda: traded(reader) == {"A"})
    assert caplog.text.count("check venues.test-venue.symbols; next attempt in") == 2


def test_symbols_of_which_none_trades_are_an_operators_error() -> None:
    """A configuration without any symbol that trades names the key to correct."""
    with pytest.raises(OperatorError, match=r"venues\.test-venue\.symbols"):
        resolve_symbols(watched("", ("NOPE",)), table("A"))


def test_named_symbols_that_do_not_trade_are_left_out_aloud(caplog: pytest.LogCaptureFixture) -> None:
    """Misspelt and halted symbols are named in the log; the others are watched, in a stable order."""
    instruments = table("B", "A") | {"H": instrument("H", trading=False)}
    assert resolve_symbols(watched("", ("B", "A", "H", "TYPO")), instruments) == ["A", "B"]
    assert "left out, because they are not traded against US dollars there: H, TYPO" in caplog.text


def test_changes_name_what_differs() -> None:
    """Added, removed and changed symbols are distinguished."""
    before = table("A", "B", "C")
    after = table("B", "D") | {"C": instrument("C", size=10.0)}
    assert changes(before, after) == (["D"], ["A"], ["C"])
