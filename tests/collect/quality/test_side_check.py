"""The side check on the simulated exchanges' own frames, read rightly and the wrong way round."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec
import pytest

from monitor.collect.connection.socket import stamped
from monitor.collect.quality.side_check import ALARM, MOST_WAITING, SideCheck
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.registry import ADAPTERS
from monitor.lab.simulate.arena import DIALECTS
from monitor.lab.simulate.listings import ASSETS
from monitor.lab.simulate.market import Market
from monitor.lab.simulate.scenario import Phase, Scenario
from monitor.model.events import MICROS, AnyEvent, Liquidation, MarkPrice, Side
from tests.exchanges.dialects import PENDING, dialect_of
from tests.exchanges.dialects.base import Dialect, Frame

START_US = 1_764_000_000 * MICROS
STORM = Scenario(
    "storm",
    (
        Phase("long cascade", 100, push=-0.16, noise=4, activity=0.1),
        Phase("short squeeze", 100, push=0.18, noise=4, activity=0.1),
    ),
)
VENUES = tuple(dialect.venue for dialect in DIALECTS)


@cache
def storm() -> dict[str, list[AnyEvent]]:
    """Liquidations and mark prices of the simulated exchanges, as their adapters read them."""
    market = Market(STORM, 3, START_US)
    market.begin(START_US)
    exchanges = [dialect(ASSETS, market.quotes(), START_US) for dialect in DIALECTS]
    adapters = {}
    for dialect in exchanges:
        sizes = {}
        for listing in dialect.listings.values():
            page = listing.symbol, listing.asset, listing.units
            sizes[listing.symbol] = Instrument(*page, float(listing.contract_size), "base")
        adapters[dialect.venue] = ADAPTERS[dialect.venue](sizes)
    events: dict[str, list[AnyEvent]] = {venue: [] for venue in VENUES}
    while not market.progress.done:
        step = market.step()
        for dialect in exchanges:
            for outgoing in dialect.frames_for(step._replace(prints=[])):
                for message in adapters[dialect.venue].parse(outgoing.frame, step.end_us):
                    if isinstance(message, Liquidation | MarkPrice):
                        events[dialect.venue].append(message)
    return events


def inverted(events: list[AnyEvent]) -> Iterator[AnyEvent]:
    """As an adapter reads them that takes the one side for the other."""
    for event in events:
        if isinstance(event, Liquidation):
            yield msgspec.structs.replace(event, side="short" if event.side == "long" else "long")
        else:
            yield event


def fed(events: Iterator[AnyEvent] | list[AnyEvent], check: SideCheck | None = None) -> SideCheck:
    """A check that has seen these events."""
    check = check or SideCheck()
    for event in events:
        if isinstance(event, Liquidation):
            check.liquidation(event)
        elif isinstance(event, MarkPrice):
            check.mark(event)
    return check


@pytest.mark.xdist_group("storm")
@pytest.mark.parametrize("venue", VENUES)
def test_an_honest_feed_is_never_suspect(venue: str) -> None:
    """Through a cascade and a squeeze the evidence against an adapter that reads rightly stays far from an alarm."""
    check = SideCheck()
    worst = 0.0
    for event in storm()[venue]:
        fed([event], check)
        worst = max(worst, check.evidence)
    assert check.agreed > 10 * check.disagreed
    assert worst < ALARM / 3


@pytest.mark.xdist_group("storm")
@pytest.mark.parametrize("venue", VENUES)
def test_an_inverted_feed_is_found_within_a_storm(venue: str) -> None:
    """Any of the exchanges' adapters with its sides exchanged raises the alarm, and a corrected one ends it."""
    check = fed(inverted(storm()[venue]))
    assert check.stats().suspect
    later = 3600 * MICROS
    for _ in range(3):
        fed(
            [msgspec.structs.replace(event, event_time_us=event.event_time_us + later) for event in storm()[venue]],
            check,
        )
        later += 3600 * MICROS
    assert not check.stats().suspect


def sockets(venue: str) -> list[Dialect]:
    """The exchange's part on each of the adapter's sockets for one symbol, after the subscription."""
    dialect = dialect_of(venue)
    plans = ADAPTERS[venue](dialect.instruments).connections(dialect.symbols[:1], dialect.channels)
    return [dialect(plan) for plan in plans]


def waves(venue: str) -> list[AnyEvent]:
    """Six minutes of falling and rising prices with the deaths that belong to them, in the exchange's own frames."""
    adapter = ADAPTERS[venue](dialect_of(venue).instruments)
    events: list[AnyEvent] = []
    venue_memory = Memory()
    played = [(dialect, venue_memory.for_new_socket()) for dialect in sockets(venue)]
    for dialect, memory in played:
        for request in dialect.plan.requests:
            for frame in dialect.acks(stamped(request.frame, START_US)):
                adapter.parse(frame.encode() if isinstance(frame, str) else frame, 0, memory)
    for second in range(360):
        falls = second // 60 % 2 == 0
        number = 400 - second % 60 if falls else 340 + second % 60
        for dialect, memory in played:
            frames: list[Frame] = []
            time_ms = START_US // 1000 + second * 1000
            if "mark_price" in dialect.plan.channels:
                frames.append(dialect.mark(number, time_ms))
            if "liquidations" in dialect.plan.channels and 5 < second % 60 < 55:
                frames.append(dialect.liquidation(number, time_ms, "long" if falls else "short"))
            for frame in frames:
                content = frame.encode() if isinstance(frame, str) else frame
                messages = adapter.parse(content, START_US + 1_000_000 * second, memory)
                events += [event for event in messages if isinstance(event, Liquidation | MarkPrice)]
    return events


SHOWING = [
    venue
    for venue in sorted({venue for venue, adapter in ADAPTERS.items() if not adapter.closed} - PENDING)
    if {"liquidations", "mark_price"} <= {c for d in sockets(venue) for c in d.plan.channels}
]


@pytest.mark.parametrize("venue", sorted(SHOWING))
def test_any_exchange_read_the_wrong_way_round_is_found(venue: str) -> None:
    """On every exchange's own frames the adapter as it is agrees with its mark prices, and inverted it is suspect."""
    honest, wrong = fed(waves(venue)), fed(inverted(waves(venue)))
    assert (honest.disagreed, honest.suspect) == (0, False)
    assert honest.agreed > 20
    assert wrong.suspect


def mark(second: float, price: float, symbol: str = "A") -> MarkPrice:
    """A mark price."""
    time_us = round(second * MICROS)
    return MarkPrice("v", symbol, "A", time_us, time_us, price)


def death(second: float, side: Side, symbol: str = "A") -> Liquidation:
    """A liquidation."""
    time_us = round(second * MICROS)
    return Liquidation("v", symbol, "A", time_us, time_us, side, 1.0, "complete", f"{second}{side}")


def falling(start_s: int, seconds: int, deaths: list[Liquidation]) -> list[AnyEvent]:
    """A price that falls by 0.1 % each second, with liquidations among its mark_prices by time."""
    mark_prices: list[AnyEvent] = [
        mark(second, 100.0 * 0.999 ** (second - start_s)) for second in range(start_s, start_s + seconds)
    ]
    return sorted([*mark_prices, *deaths], key=lambda event: event.event_time_us)


def test_a_block_is_one_vote_however_many_die_in_it() -> None:
    """A thousand liquidations in ten seconds move together: their majority counts once."""
    deaths = [death(110 + number / 1000, "short") for number in range(1000)] + [death(112, "long"), death(125, "long")]
    check = fed(falling(100, 60, deaths) + falling(200, 30, [death(210, "long")]))
    assert (check.agreed, check.disagreed) == (1, 1)


def test_without_a_move_or_a_price_there_is_no_vote() -> None:
    """A price that stands still, one that was not seen before, and another symbol's give no vote."""
    flat = [mark(second, 100.0) for second in range(40)]
    check = fed([*flat, death(20, "long"), death(20, "long", "B"), *[mark(second, 100.0) for second in range(40, 80)]])
    fed([death(1000, "long"), mark(1001, 50.0), mark(1010, 40.0), mark(1040, 40.0)], check)
    assert check.stats() == (0, 0, 0.0, False)


def test_what_waits_is_bounded() -> None:
    """Liquidations without any mark price do not fill memory."""
    check = fed([death(number, "long") for number in range(MOST_WAITING + 5)])
    assert len(check._waiting) == MOST_WAITING
