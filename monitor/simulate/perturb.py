"""What can go wrong with a stream of events, as pure functions from one stream to another.

Each takes events in the order of their arrival and yields events in the order of their arrival; none changes an event
that it passes on. They are the rows of the evaluation's robustness matrix (section 4.4 of the detection notes), and
they compose: ``lose(drop_venue(events, "sim-complete"), 0.05, seed=1)``.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import numpy as np
from msgspec.structs import replace

from monitor.events import (
    ALL,
    MICROS,
    AnyEvent,
    Channel,
    Coverage,
    Gap,
    Heartbeat,
    Liquidation,
    MarkPrice,
    OpenInterest,
)

Convention = Literal["latest", "largest"]

_COVERAGE: Final[dict[Convention, Coverage]] = {"latest": "latest_per_second", "largest": "largest_per_second"}


def drop_venue(events: Iterable[AnyEvent], *venues: str) -> Iterator[AnyEvent]:
    """Leave out all that some venues show, as if they were not watched."""
    return (event for event in events if event.venue not in venues)


def drop_complete(events: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
    """Leave out the liquidations of complete feeds; their prices stay."""
    return (event for event in events if not (type(event) is Liquidation and event.coverage == "complete"))


def lose(events: Iterable[AnyEvent], share: float, *, seed: int) -> Iterator[AnyEvent]:
    """Lose ``share`` of the messages at random; gaps and heartbeats are the collector's own and stay."""
    rng = np.random.default_rng(seed)
    return (event for event in events if isinstance(event, Gap | Heartbeat) or rng.random() >= share)


def throttle(events: Iterable[AnyEvent], convention: Convention) -> Iterator[AnyEvent]:
    """Show at most one liquidation of each venue's symbol in a whole second, once the second is over.

    What a feed has left out already stays so: a throttled feed passes as it is, and keeps its own convention.
    """
    return _rescheduled(events, _Throttle(convention))


class _Throttle:
    """Holds back one liquidation by venue, symbol and second of the event; later ones of a second gone are lost."""

    def __init__(self, convention: Convention) -> None:
        self._convention = convention
        self._waiting: dict[tuple[str, str, int], Liquidation] = {}
        self._shown: dict[tuple[str, str], int] = {}

    def __call__(self, event: AnyEvent | None) -> list[AnyEvent]:
        """What is due before ``event`` arrives, and it itself where it is not held back; ``None`` ends the stream."""
        arrived = event.receive_time_us if event is not None else None
        due = [key for key, held in self._waiting.items() if arrived is None or _pushed_us(held) < arrived]
        shown: list[AnyEvent] = [self._show(key) for key in due]
        if event is None:
            return shown
        if type(event) is not Liquidation or event.coverage != "complete":
            return [*shown, event]
        second = event.event_time_us // MICROS
        if second > self._shown.get((event.venue, event.symbol), -1):
            key = (event.venue, event.symbol, second)
            held = self._waiting.get(key)
            if held is None or _outranks(event, held, self._convention):
                self._waiting[key] = event
        return shown

    def _show(self, key: tuple[str, str, int]) -> Liquidation:
        held = self._waiting.pop(key)
        self._shown[key[:2]] = max(key[2], self._shown.get(key[:2], -1))
        return replace(held, coverage=_COVERAGE[self._convention], receive_time_us=_pushed_us(held))


def _pushed_us(held: Liquidation) -> int:
    """When a feed that waits for the end of the second would have delivered it, not before it came itself."""
    return max(held.receive_time_us, (held.event_time_us // MICROS + 1) * MICROS)


def _outranks(one: Liquidation, other: Liquidation, convention: Convention) -> bool:
    if convention == "latest":
        return one.event_time_us >= other.event_time_us
    return one.notional_usd > other.notional_usd


def freeze(events: Iterable[AnyEvent], venue: str, from_us: int, to_us: int) -> Iterator[AnyEvent]:
    """Hold back what arrives from a venue in [``from_us``, ``to_us``), and deliver it all at ``to_us``."""

    def hold(event: AnyEvent) -> AnyEvent:
        held = event.venue == venue and from_us <= event.receive_time_us < to_us
        return replace(event, receive_time_us=to_us) if held else event

    return _mapped(events, hold)


def outage(events: Iterable[AnyEvent], venue: str, from_us: int, to_us: int, *channels: Channel) -> Iterator[AnyEvent]:
    """Lose what arrives from a venue in [``from_us``, ``to_us``), and say so in a gap of each channel at the end."""
    gaps: list[AnyEvent] = [
        Gap(venue, ALL, ALL, to_us, to_us, channel, from_us, to_us, "disconnect") for channel in channels
    ]
    left = (event for event in events if event.venue != venue or not from_us <= event.receive_time_us < to_us)
    return heapq.merge(left, gaps, key=lambda event: event.receive_time_us)


def duplicate(events: Iterable[AnyEvent], share: float, delay_us: int, *, seed: int) -> Iterator[AnyEvent]:
    """Deliver ``share`` of the liquidations a second time, ``delay_us`` later, with the same id."""
    rng = np.random.default_rng(seed)

    def twice(event: AnyEvent | None) -> list[AnyEvent]:
        if event is None:
            return []
        if type(event) is Liquidation and rng.random() < share:
            return [event, replace(event, receive_time_us=event.receive_time_us + delay_us)]
        return [event]

    return _rescheduled(events, twice)


def shift(events: Iterable[AnyEvent], venue: str, by_us: int) -> Iterator[AnyEvent]:
    """Let a venue's clock be off by ``by_us``; when its events arrive stays the same."""
    for event in events:
        if event.venue == venue and not isinstance(event, Gap):
            yield replace(event, event_time_us=event.event_time_us + by_us)
        else:
            yield event


def stale_interest(events: Iterable[AnyEvent], by_us: int) -> Iterator[AnyEvent]:
    """Let open interest arrive ``by_us`` later."""

    def late(event: AnyEvent) -> AnyEvent:
        return replace(event, receive_time_us=event.receive_time_us + by_us) if type(event) is OpenInterest else event

    return _mapped(events, late)


def bad_price(
    events: Iterable[AnyEvent], venue: str, asset: str, from_us: int, to_us: int, factor: float
) -> Iterator[AnyEvent]:
    """Multiply a venue's marks of one asset in [``from_us``, ``to_us``) of event time by ``factor``."""
    for event in events:
        hit = type(event) is MarkPrice and event.venue == venue and event.asset == asset
        if hit and from_us <= event.event_time_us < to_us:
            yield replace(event, mark_price=event.mark_price * factor)  # type: ignore[union-attr]
        else:
            yield event


def _mapped(events: Iterable[AnyEvent], change: Callable[[AnyEvent], AnyEvent]) -> Iterator[AnyEvent]:
    return _rescheduled(events, lambda event: [] if event is None else [change(event)])


def _rescheduled(events: Iterable[AnyEvent], change: Callable[[AnyEvent | None], list[AnyEvent]]) -> Iterator[AnyEvent]:
    """Put what ``change`` makes of each event back in the order of arrival; nothing arrives before it did.

    ``change`` is asked with ``None`` at the end for what it still holds.
    """
    heap: list[tuple[int, int, AnyEvent]] = []
    number = 0
    for event in _ended(events):
        for changed in change(event):
            heapq.heappush(heap, (changed.receive_time_us, number, changed))
            number += 1
        while event is not None and heap and heap[0][0] < event.receive_time_us:
            yield heapq.heappop(heap)[2]
    while heap:
        yield heapq.heappop(heap)[2]


def _ended(events: Iterable[AnyEvent]) -> Iterator[AnyEvent | None]:
    yield from events
    yield None
