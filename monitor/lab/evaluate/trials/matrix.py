"""Lists the rows of the robustness matrix: each way in which the input of a detector is made worse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from monitor.lab.simulate import faults
from monitor.lab.simulate.faults import Events
from monitor.model.events import MICROS, AnyEvent, Coverage, Liquidation

LOSS_PERCENTS: Final = (1, 5, 20)
"""Percentages of all messages that are lost, one row each."""
INTEREST_DELAY_S: Final = 900
"""Delay of open interest, seconds."""
VENUE_SHIFT_US: Final = 2 * MICROS
"""Shift of one venue's clock in either direction, microseconds."""
SKEW_US: Final = MICROS // 2
"""Shift of all venues' clocks together, microseconds."""
BAD_PRICES: Final = "bad prices of one venue"
SPIKE_EVERY_S: Final = 3_600
SPIKE_OFFSET_S: Final = 600
SPIKE_S: Final = 10
"""One venue's mark prices are wrong for ten seconds once an hour, from ten minutes past on."""
SPIKE_FACTOR: Final = 0.7
"""Wrong mark prices are 30 % too low."""


Fault = Callable[[Events], Iterator[AnyEvent]]


class Degradation(NamedTuple):
    """One row: its name in the tables, and the fault that it injects into a stream."""

    name: str
    apply: Fault


class Feeds(NamedTuple):
    """The venues that report liquidations; those of ``complete`` report all of them."""

    venues: tuple[str, ...]
    complete: tuple[str, ...]


def find_feeds(events: Events) -> Feeds:
    """Return the venues that report liquidations in a stream, by name."""
    coverage: dict[str, set[Coverage]] = {}
    for event in events:
        if type(event) is Liquidation:
            coverage.setdefault(event.venue, set()).add(event.coverage)
    venues = tuple(sorted(coverage))
    return Feeds(venues, tuple(venue for venue in venues if "complete" in coverage[venue]))


def all_degradations(feeds: Feeds) -> list[Degradation]:
    """Return every row of the matrix for a market with these feeds."""
    first = feeds.venues[:1]
    rows: tuple[tuple[str, Fault], ...] = (
        ("all feeds: latest a second", partial(faults.throttle, convention="latest_per_second")),
        ("all feeds: largest a second", partial(faults.throttle, convention="largest_per_second")),
        *((f"{percent} % of messages lost", partial(faults.lose, percent=percent)) for percent in LOSS_PERCENTS),
        ("venues freeze 5 to 60 s, then burst", faults.freeze),
        ("every message twice", faults.duplicate),
        ("one venue 2 s behind", partial(faults.shift_clock, venues=first, by_us=-VENUE_SHIFT_US)),
        ("one venue 2 s ahead", partial(faults.shift_clock, venues=first, by_us=VENUE_SHIFT_US)),
        ("clock skew of 500 ms", partial(faults.shift_clock, venues=feeds.venues, by_us=SKEW_US)),
        ("open interest 15 min old", partial(faults.delay_open_interest, by_us=INTEREST_DELAY_S * MICROS)),
        (BAD_PRICES, partial(faults.misprice, venues=first, factor=SPIKE_FACTOR, is_wrong_at=is_spiking)),
    )
    return [*loss_degradations(feeds), *(Degradation(name, apply) for name, apply in rows)]


def loss_degradations(feeds: Feeds) -> list[Degradation]:
    """Return the rows of what may be missing for good: each venue, and every feed that reports all liquidations."""
    return [
        *(Degradation(f"without {venue}", partial(faults.drop_venues, venues=(venue,))) for venue in feeds.venues),
        Degradation("only throttled feeds", partial(faults.drop_liquidations, venues=feeds.complete)),
    ]


def is_spiking(at_us: int) -> bool:
    """Return True while the prices of row :data:`BAD_PRICES` are wrong."""
    return (at_us // MICROS - SPIKE_OFFSET_S) % SPIKE_EVERY_S < SPIKE_S
