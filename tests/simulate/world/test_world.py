from __future__ import annotations

from itertools import pairwise

import pytest

from monitor.events import MICROS, AnyEvent, Liquidation
from monitor.recording import event_fault
from monitor.simulate.world.settings import WorldSettings
from monitor.simulate.world.world import World

SETTINGS = WorldSettings(seed=3, days=1, assets=2, throttle="none", outages=False)


@pytest.fixture(scope="module")
def world() -> World:
    return World(SETTINGS)


@pytest.fixture(scope="module")
def events(world: World) -> list[AnyEvent]:
    return [event for chunk in world.events() for event in chunk]


def test_every_event_could_be_true_and_comes_in_order(events: list[AnyEvent]) -> None:
    """No event that a recording would reject, none before the one that arrived before it."""
    assert not [event for event in events if event_fault(event)]
    assert all(one.receive_time_us <= other.receive_time_us for one, other in pairwise(events))


def test_complete_feeds_add_up_to_the_true_minutes(world: World, events: list[AnyEvent]) -> None:
    """Where every venue shows everything, the records of each minute are its truth to the micro-dollar."""
    seen: dict[tuple[int, str, str], int] = {}
    for event in events:
        if isinstance(event, Liquidation):
            key = (event.event_time_us // (60 * MICROS) * 60 * MICROS, event.asset, event.side)
            seen[key] = seen.get(key, 0) + round(event.notional_usd * MICROS)
    assert seen == {(one.minute_us, one.asset, one.side): one.micro_usd for one in world.minutes()}
