"""A generated cascade as a collector would have published it, without sockets and faster than it happened."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from monitor.bus import codec
from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.topics import MARKET_TOPICS
from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR
from monitor.lab.simulate.history import history
from monitor.lab.simulate.listings import VENUE_SHARES
from monitor.lab.simulate.market import Market
from monitor.lab.simulate.scenario import DEMO
from monitor.model.events import (
    ALL,
    MICROS,
    AnyEvent,
    Heartbeat,
)
from monitor.model.signals import Signal

START_US: Final = 1_790_000_000 * MICROS
CALM_S: Final = 180
"""Enough to know what is normal, as far as a test needs it."""


@cache
def story() -> tuple[AnyEvent, ...]:
    """Calm, a long cascade, relief and a short squeeze of six assets on three venues, with a beat every second."""
    market = Market(DEMO, 1, START_US)
    events = list(history(market, CALM_S))
    market.begin(market.now_us)
    events += history(market, int(DEMO.seconds) + 5)
    return tuple(_with_beats(events))


def _with_beats(events: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
    second = 0
    for event in events:
        now = event.receive_time_us // MICROS
        if second and now > second:
            yield from beats(now)
        second = now
        yield event
    yield from beats(second + 1)


def beats(second: int) -> list[Heartbeat]:
    """One of each venue."""
    at_us = second * MICROS
    return [Heartbeat(venue, ALL, ALL, at_us, at_us, "liquidations") for venue in VENUE_SHARES]


def by_second(events: Iterable[AnyEvent]) -> list[list[AnyEvent]]:
    """The events of each second."""
    found: dict[int, list[AnyEvent]] = defaultdict(list)
    for event in events:
        found[event.receive_time_us // MICROS].append(event)
    return list(found.values())


async def publish(connection: KafkaConnection, events: Iterable[AnyEvent], pace_s: float = 0.0) -> None:
    """Write events as a collector does, second by second, waiting ``pace_s`` after each."""
    publisher = await KafkaPublisher(connection, MARKET_TOPICS).start()
    try:
        for second in by_second(events):
            publisher.write(second)
            if publisher.full:
                await publisher.drain()
            await asyncio.sleep(pace_s)
    finally:
        await publisher.close()


Told = dict[str, list[bytes]]
"""Signals by asset, in order, as bytes without the time of their sending."""


def told(signals: Iterable[Signal]) -> Told:
    """Signals as they are compared. They are read from their bytes first, so that 3 and 3.0 are the same."""
    found: Told = defaultdict(list)
    for signal in signals:
        again = codec.decode("cascade.signals.v1", codec.encode(signal), ())
        assert isinstance(again, Signal)
        again.emitted_time_us = 0
        found[signal.asset].append(codec.encode(again))
    return dict(found)


@cache
def expected() -> Told:
    """What a replay says of the story."""
    detector = Detector(DETECTOR)
    return told(detector.apply(story()))


def differences(have: Told, want: Told) -> list[str]:
    """In few words where two differ."""
    found = []
    for asset in sorted(have.keys() | want.keys()):
        mine, theirs = have.get(asset, []), want.get(asset, [])
        if mine != theirs:
            at = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), "end")
            found.append(f"{asset}: {len(mine)} signals, wanted {len(theirs)}, different from {at} on")
    return found
