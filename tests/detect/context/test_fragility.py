"""How loaded an asset is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.asset import Asset
from monitor.detect.context.fragility import LEAST_SAMPLES, SLOT_S, WATCH_S, Fragility, Ranked
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.settings import DetectorSettings
from monitor.model.sides import BySide
from monitor.model.signals import Signal
from tests.detect.scenarios import START, mark
from tests.detect.stored import stored

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
    other.load(stored(fragility.state()))
    for each in (fragility, other):
        each.minute(SLOT_S * (WEEK + 1), coins=1_003.0, funding=2e-4, variance=None)
    assert other.sides == fragility.sides != (None, None)
    assert other.state() == fragility.state()


def test_a_broken_level_primes_longs_and_a_jump_of_volatility_either_side() -> None:
    """Only while the side is fragile, for an hour, and a jump counts from when it began."""
    fragility, at = watched(), SLOT_S * (WEEK + 1)
    assert fragility.watch_since("long", at, at) == 0
    fragility.minute(at, coins=2_000.0, funding=5e-3, variance=0.1)
    assert fragility.watch_since("long", at + 60, 0) == 0
    assert fragility.watch_since("long", at + 60, at + 30) == at + 30
    assert fragility.watch_since("long", at + 30 + WATCH_S, at + 30) == 0
    assert fragility.watch_since("short", at + 60, at + 30) == 0
    fragility.minute(at + SLOT_S, coins=2_001.0, funding=-5e-3, variance=0.1)
    for second, decades in ((at, 3.5), (at + 60, 2.9), (at + SLOT_S, 3.1), (at + SLOT_S + 60, 4.0)):
        fragility.note_jump(second, decades)
    assert fragility.watch_since("short", at + SLOT_S + 120, 0) == at + SLOT_S
    assert fragility.watch_since("long", at + SLOT_S + 120, at + SLOT_S) == 0


def test_a_fragile_asset_whose_level_breaks_builds_and_says_why() -> None:
    """Without liquidations the evidence is `fragility`, of no points; the market hears nothing and learning goes on."""
    asset = Asset("BTC", DetectorSettings(levels={"BTC": (100.0,)}))
    for hour in range(WEEK + 2):
        wandering = WEEK - hour % 7 if hour <= WEEK else 2.0 * WEEK
        asset.context.fragility.minute(
            START - SLOT_S * (WEEK + 1 - hour), coins=1_000.0 + wandering, funding=wandering / 1e6, variance=None
        )
    signals: list[Signal] = []
    for second in range(START, START + 300):
        asset.open(second)
        asset.mark_price(mark(second, 101.0 if second < START + 30 else 99.5))
        signals += asset.close(second, NO_FEEDS)
        told = asset.summary()
        assert told is not None
        assert told.phases == BySide("calm", "calm")
    turned = [signal for signal in signals if signal.phase != signal.previous_phase]
    assert [(signal.phase, signal.direction) for signal in turned] == [("building", "long")]
    *scored, evidence = turned[0].evidence
    assert (evidence.feature, evidence.value, evidence.contribution) == ("fragility", 1.0, 0.0)
    assert sum(item.contribution for item in scored) == turned[0].risk_score < 35
    assert asset.scope.state.frozen_since == 0
    assert asset.leading()[:2] == ("long", "building")
    asset.scope.phases.short.state.phase = "relief"  # an ending episode is more than a watched side
    assert asset.leading()[:2] == ("short", "relief")


@given(st.lists(st.floats(-1e9, 1e9), min_size=WEEK, max_size=WEEK + 30), st.floats(-1e9, 1e9))
def test_a_rank_is_that_of_a_sorted_list(values: list[float], value: float) -> None:
    """Against a slow reference."""
    ranked = Ranked()
    for hour, each in enumerate(values):
        ranked.add(SLOT_S * hour, each)
    below = sum(1 for each in values if each < value)
    ties = sum(1 for each in values if each == value)
    assert ranked.of(value) == pytest.approx((below + ties / 2) / len(values))
