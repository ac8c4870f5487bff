"""How loaded an asset is."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cascade.fragility import LEAST_SAMPLES, SLOT_S, Fragility, Ranked

WEEK = LEAST_SAMPLES


def watched(hours: int = WEEK) -> Fragility:
    """A fragility of an asset whose readings wander without a trend."""
    fragility = Fragility()
    for hour in range(1, hours + 1):
        fragility.minute(SLOT_S * hour, coins=1_000.0 + hour % 7, funding=1e-4 * (hour % 5), variance=0.8 + hour % 3)
    return fragility


def test_an_asset_that_is_loaded_as_never_before_is_fragile_on_the_side_that_pays() -> None:
    """Most coins, highest funding, least variance: 1 for longs; for shorts the funding speaks against it."""
    fragility = watched()
    fragility.minute(SLOT_S * (WEEK + 1), coins=2_000.0, funding=5e-3, variance=0.1)
    assert fragility.of("long") == 1.0
    assert fragility.of("short") == pytest.approx(2 / 3)


def test_readings_stand_for_their_hour() -> None:
    """What a crash does within the hour changes nothing; an hour without any reading keeps the last one."""
    fragility = watched()
    second = SLOT_S * (WEEK + 1)
    fragility.minute(second, coins=2_000.0, funding=5e-3, variance=0.1)
    fragility.minute(second + 1_800, coins=1.0, funding=-5e-3, variance=9.0)
    fragility.minute(second + SLOT_S, coins=None, funding=None, variance=None)
    assert fragility.of("long") == 1.0
    fragility.minute(second + SLOT_S + 60, coins=1.0, funding=-5e-3, variance=9.0)
    assert fragility.of("long") == 0.0


def test_less_than_a_week_or_one_reading_alone_says_nothing() -> None:
    """None rather than a guess."""
    assert watched(WEEK - 1).sides == (None, None)
    alone = Fragility()
    for hour in range(1, 2 * WEEK):
        alone.minute(SLOT_S * hour, coins=float(hour), funding=None, variance=None)
    assert alone.sides == (None, None)


def test_it_goes_on_after_a_restart() -> None:
    """Through MessagePack, both end in the same state."""
    fragility, other = watched(), Fragility()
    other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(fragility.state())))
    for each in (fragility, other):
        each.minute(SLOT_S * (WEEK + 1), coins=1_003.0, funding=2e-4, variance=None)
    assert other.sides == fragility.sides != (None, None)
    assert other.state() == fragility.state()


@given(st.lists(st.floats(-1e9, 1e9), min_size=WEEK, max_size=WEEK + 30), st.floats(-1e9, 1e9))
def test_a_rank_is_that_of_a_sorted_list(values: list[float], value: float) -> None:
    """Against a slow reference."""
    ranked = Ranked()
    for hour, each in enumerate(values):
        ranked.add(SLOT_S * hour, each)
    below = sum(1 for each in values if each < value)
    ties = sum(1 for each in values if each == value)
    assert ranked.of(value) == pytest.approx((below + ties / 2) / len(values))
