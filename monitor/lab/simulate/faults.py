"""Injects faults into a stream of events: losses, throttles, delays, duplicates, wrong clocks and wrong prices.

Every function takes events in the order of their arrival and yields events in that order; none changes an event in
place. They compose: ``lose(drop_venues(events, ["sim-complete"]), percent=5)``. Nothing is random: which events are hit
depends on the events alone, so the same stream fails in the same way each time. The evaluation's robustness matrix
(:mod:`monitor.lab.evaluate.trials.matrix`) is made of these functions.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal

from msgspec.structs import replace

from monitor.model.events import ALL, MICROS, AnyEvent, Channel, Gap, Liquidation, MarkPrice, OpenInterest

Events = Iterable[AnyEvent]
Convention = Literal["latest_per_second", "largest_per_second"]

FREEZE_EVERY_S: Final = 600
"""Each venue freezes once in every period of this many seconds."""
FREEZE_S: Final = (5, 60)
"""Shortest and longest freeze, seconds; the length depends on a checksum of venue and period."""


def arrival_us(event: AnyEvent) -> int:
    """Return when an event takes effect: its time of receipt, or its event time where that is not recorded."""
    return event.receive_time_us or event.event_time_us


def drop_venues(events: Events, venues: Sequence[str]) -> Iterator[AnyEvent]:
    """Drop every event of some venues, as if they were not watched."""
    return (event for event in events if event.venue not in venues)


def drop_liquidations(events: Events, venues: Sequence[str]) -> Iterator[AnyEvent]:
    """Drop the liquidations of some venues; their prices and open interest stay."""
    return (event for event in events if type(event) is not Liquidation or event.venue not in venues)


def lose(events: Events, percent: int) -> Iterator[AnyEvent]:
    """Lose this percentage of the events, chosen by a checksum of place, venue, symbol and time."""
    for place, event in enumerate(events):
        if zlib.crc32(f"{place} {event.venue} {event.symbol} {event.event_time_us}".encode()) % 100 >= percent:
            yield event


def outage(events: Events, venue: str, from_us: int, to_us: int, channels: Sequence[Channel]) -> Iterator[AnyEvent]:
    """Lose what arrives from a venue in [``from_us``, ``to_us``) and report the gap of each channel at its end."""
    kept = (event for event in events if event.venue != venue or not from_us <= arrival_us(event) < to_us)
    return heapq.merge(kept, gap_events(venue, from_us, to_us, channels), key=arrival_us)


def gap_events(venue: str, from_us: int, to_us: int, channels: Sequence[Channel]) -> list[AnyEvent]:
    """Return the gap events, one a channel, with which a collector reports an outage once it is over."""
    return [
        Gap(
            venue=venue,
            symbol=ALL,
            asset=ALL,
            event_time_us=to_us,
            receive_time_us=to_us,
            channel=channel,
            from_us=from_us,
            to_us=to_us,
            reason="disconnect",
        )
        for channel in channels
    ]


def duplicate(events: Events) -> Iterator[AnyEvent]:
    """Deliver every event twice in a row, as two connections to one feed do."""
    for event in events:
        yield event
        yield event


def shift_clock(events: Events, venues: Sequence[str], by_us: int) -> Iterator[AnyEvent]:
    """Shift the event times of some venues by ``by_us``; their arrival stays."""
    for event in events:
        if event.venue in venues:
            yield replace(event, event_time_us=event.event_time_us + by_us, receive_time_us=arrival_us(event))
        else:
            yield event


def throttle(events: Events, convention: Convention) -> Iterator[AnyEvent]:
    """Show one liquidation per venue, symbol and second of arrival, the latest or the largest, at the second's end.

    Hourly totals (coverage ``aggregated``) pass, because they belong to no single second.
    """
    held: dict[tuple[str, str], Liquidation] = {}
    second = 0
    for event in events:
        now = arrival_us(event) // MICROS
        if now > second:
            yield from _release(held, second, convention)
            second = now
        if type(event) is not Liquidation or event.coverage == "aggregated":
            yield event
            continue
        key = (event.venue, event.symbol)
        kept = held.get(key)
        if kept is None or convention == "latest_per_second" or event.notional_usd > kept.notional_usd:
            held[key] = event
    yield from _release(held, second, convention)


def _release(held: dict[tuple[str, str], Liquidation], second: int, convention: Convention) -> list[AnyEvent]:
    """Empty ``held`` and return its liquidations as a throttled feed sends them at the end of ``second``."""
    released: list[AnyEvent] = [
        replace(event, coverage=convention, receive_time_us=(second + 1) * MICROS - 1)
        for _, event in sorted(held.items())
    ]
    held.clear()
    return released


def freeze(events: Events) -> Iterator[AnyEvent]:
    """Freeze each venue once in :data:`FREEZE_EVERY_S` seconds; what it held back arrives together at the end."""
    return _delay(events, _arrival_after_freeze)


def _arrival_after_freeze(event: AnyEvent) -> int:
    """Return the end of the freeze in which an event arrives, or its own arrival outside of one."""
    at_us = arrival_us(event)
    period = at_us // (FREEZE_EVERY_S * MICROS)
    checksum = zlib.crc32(f"{event.venue} {period}".encode())
    shortest, longest = FREEZE_S
    length = shortest + checksum % (longest - shortest + 1)
    start_us = (period * FREEZE_EVERY_S + (checksum >> 8) % (FREEZE_EVERY_S - longest)) * MICROS
    end_us = start_us + length * MICROS
    return end_us if start_us <= at_us < end_us else at_us


def delay_open_interest(events: Events, by_us: int) -> Iterator[AnyEvent]:
    """Deliver open interest ``by_us`` later; its event time stays."""
    return _delay(events, lambda event: arrival_us(event) + (by_us if type(event) is OpenInterest else 0))


def _delay(events: Events, new_arrival_us: Callable[[AnyEvent], int]) -> Iterator[AnyEvent]:
    """Yield events in the order of their new arrivals, none of which may lie before the old one."""
    waiting: list[tuple[int, int, AnyEvent]] = []
    for place, event in enumerate(events):
        while waiting and waiting[0][0] <= arrival_us(event):
            yield heapq.heappop(waiting)[2]
        at_us = new_arrival_us(event)
        if at_us > arrival_us(event):
            heapq.heappush(waiting, (at_us, place, replace(event, receive_time_us=at_us)))
        else:
            yield event
    while waiting:
        yield heapq.heappop(waiting)[2]


def misprice(
    events: Events, venues: Sequence[str], factor: float, is_wrong_at: Callable[[int], bool]
) -> Iterator[AnyEvent]:
    """Multiply the mark prices of some venues by ``factor`` while ``is_wrong_at(arrival_us)`` holds."""
    for event in events:
        if type(event) is MarkPrice and event.venue in venues and is_wrong_at(arrival_us(event)):
            yield replace(event, mark_price=event.mark_price * factor)
        else:
            yield event
