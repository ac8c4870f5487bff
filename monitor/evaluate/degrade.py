"""What is lost or bent on the way, as transformations of a stream: the rows of the robustness matrix (section 4.4)."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, Literal, NamedTuple

import msgspec

from monitor.events import MICROS, AnyEvent, Coverage, Liquidation, MarkPrice, OpenInterest

Events = Iterable[AnyEvent]
Convention = Literal["latest_per_second", "largest_per_second"]

LOSSES: Final = (1, 5, 20)
"""Percent of all messages that are lost."""
FREEZE_EVERY_S: Final = 600
FREEZE_S: Final = (5, 60)
"""Each venue stands still once in ten minutes, for 5 to 60 seconds, and then sends everything at once."""
STALE_S: Final = 900
SHIFT_US: Final = 2 * MICROS
SKEW_US: Final = MICROS // 2
MAD: Final = "mad prices of one venue"
SPIKE_EVERY_S: Final = 3_600
SPIKE_OFFSET_S: Final = 600
SPIKE_S: Final = 10
SPIKE: Final = 0.7
"""One venue says for ten seconds, once an hour, that everything costs 30 % less."""


class Degradation(NamedTuple):
    """One way to make the input worse."""

    name: str
    apply: Callable[[Events], Iterator[AnyEvent]]


class Feeds(NamedTuple):
    """The venues whose forced orders a recording shows; ``complete`` are those that show all of them."""

    venues: tuple[str, ...]
    complete: tuple[str, ...]


def feeds_of(events: Events) -> Feeds:
    """The venues of a recording."""
    coverage: dict[str, set[Coverage]] = {}
    for event in events:
        if type(event) is Liquidation:
            coverage.setdefault(event.venue, set()).add(event.coverage)
    venues = tuple(sorted(coverage))
    return Feeds(venues, tuple(venue for venue in venues if "complete" in coverage[venue]))


def matrix(feeds: Feeds) -> list[Degradation]:
    """All rows for a recording of these venues."""
    first = feeds.venues[:1]
    return [
        *losses(feeds),
        Degradation("all feeds: latest a second", partial(throttle, convention="latest_per_second")),
        Degradation("all feeds: largest a second", partial(throttle, convention="largest_per_second")),
        *(Degradation(f"{percent} % of messages lost", partial(lose, percent=percent)) for percent in LOSSES),
        Degradation("venues freeze 5 to 60 s, then burst", freeze),
        Degradation("every message twice", repeat),
        Degradation("one venue 2 s behind", partial(shift, venues=first, by_us=-SHIFT_US)),
        Degradation("one venue 2 s ahead", partial(shift, venues=first, by_us=SHIFT_US)),
        Degradation("clock skew of 500 ms", partial(shift, venues=feeds.venues, by_us=SKEW_US)),
        Degradation("open interest 15 min old", partial(delay_interest, by_us=STALE_S * MICROS)),
        Degradation(MAD, partial(spike, venues=first)),
    ]  # fmt: skip


def losses(feeds: Feeds) -> list[Degradation]:
    """What may be missing for good: each venue, and every feed that shows all forced orders."""
    return [
        *(Degradation(f"without {venue}", partial(drop, venues=(venue,))) for venue in feeds.venues),
        Degradation("only throttled feeds", partial(drop_forced, venues=feeds.complete)),
    ]


def arrival(event: AnyEvent) -> int:
    """When an event takes effect."""
    return event.receive_time_us or event.event_time_us


def drop(events: Events, venues: Sequence[str]) -> Iterator[AnyEvent]:
    """Without everything from some venues."""
    return (event for event in events if event.venue not in venues)


def drop_forced(events: Events, venues: Sequence[str]) -> Iterator[AnyEvent]:
    """Without the forced orders of some venues; their prices stay."""
    return (event for event in events if type(event) is not Liquidation or event.venue not in venues)


def lose(events: Events, percent: int) -> Iterator[AnyEvent]:
    """Without so many percent of the events, chosen by a checksum of what they are: the same each time."""
    for place, event in enumerate(events):
        if zlib.crc32(f"{place} {event.venue} {event.symbol} {event.event_time_us}".encode()) % 100 >= percent:
            yield event


def repeat(events: Events) -> Iterator[AnyEvent]:
    """Everything twice."""
    for event in events:
        yield event
        yield event


def shift(events: Events, venues: Sequence[str], by_us: int) -> Iterator[AnyEvent]:
    """The clocks of some venues go wrong: their event times are off, arrival is not."""
    for event in events:
        if event.venue in venues:
            at = arrival(event)
            yield msgspec.structs.replace(event, event_time_us=event.event_time_us + by_us, receive_time_us=at)
        else:
            yield event


def throttle(events: Events, convention: Convention) -> Iterator[AnyEvent]:
    """Every feed of forced orders shows one a second and symbol, at the second's end, the latest or the largest."""
    held: dict[tuple[str, str], Liquidation] = {}
    second = 0
    for event in events:
        now = arrival(event) // MICROS
        if now > second:
            yield from _released(held, second, convention)
            second = now
        if type(event) is not Liquidation or event.coverage == "aggregated":
            yield event
            continue
        key = (event.venue, event.symbol)
        kept = held.get(key)
        if kept is None or convention == "latest_per_second" or event.notional_usd > kept.notional_usd:
            held[key] = event
    yield from _released(held, second, convention)


def _released(held: dict[tuple[str, str], Liquidation], second: int, convention: Convention) -> list[AnyEvent]:
    shown: list[AnyEvent] = [
        msgspec.structs.replace(event, coverage=convention, receive_time_us=(second + 1) * MICROS - 1)
        for _, event in sorted(held.items())
    ]
    held.clear()
    return shown


def freeze(events: Events) -> Iterator[AnyEvent]:
    """Each venue stands still now and then; what it had to say comes all at once."""
    return _late(events, _thaw)


def _thaw(event: AnyEvent) -> int:
    """When an event arrives: at the end of its venue's freeze, if there is one."""
    at = arrival(event)
    period = at // (FREEZE_EVERY_S * MICROS)
    chance = zlib.crc32(f"{event.venue} {period}".encode())
    shortest, longest = FREEZE_S
    length = shortest + chance % (longest - shortest + 1)
    start_us = (period * FREEZE_EVERY_S + (chance >> 8) % (FREEZE_EVERY_S - longest)) * MICROS
    end_us = start_us + length * MICROS
    return end_us if start_us <= at < end_us else at


def delay_interest(events: Events, by_us: int) -> Iterator[AnyEvent]:
    """Open interest arrives late."""
    return _late(events, lambda event: arrival(event) + (by_us if type(event) is OpenInterest else 0))


def _late(events: Events, arrives: Callable[[AnyEvent], int]) -> Iterator[AnyEvent]:
    """Events in the order of their new arrivals, none of which is before the old one."""
    waiting: list[tuple[int, int, AnyEvent]] = []
    for place, event in enumerate(events):
        while waiting and waiting[0][0] <= arrival(event):
            yield heapq.heappop(waiting)[2]
        at = arrives(event)
        if at > arrival(event):
            heapq.heappush(waiting, (at, place, msgspec.structs.replace(event, receive_time_us=at)))
        else:
            yield event
    while waiting:
        yield heapq.heappop(waiting)[2]


def spike(events: Events, venues: Sequence[str]) -> Iterator[AnyEvent]:
    """Some venues' mark prices go mad for a few seconds and come back."""
    for event in events:
        if type(event) is MarkPrice and event.venue in venues and spiking(arrival(event)):
            yield msgspec.structs.replace(event, mark_price=event.mark_price * SPIKE)
        else:
            yield event


def spiking(at_us: int) -> bool:
    """Whether prices are mad then."""
    return (at_us // MICROS - SPIKE_OFFSET_S) % SPIKE_EVERY_S < SPIKE_S
