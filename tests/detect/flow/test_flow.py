"""Liquidated dollars of one scope and what is normal for them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.detect.baseline.surprise import Surprise
from monitor.detect.flow.flow import PRIOR_MINUTES, PRIOR_RATE, SIDE_INDEX, Flow
from monitor.detect.settings import BaselineSettings, DetectorSettings, JudgedSettings
from monitor.model.events import MICROS, SIDES, Side
from tests.budget import examples
from tests.detect.scenarios import START
from tests.detect.stored import stored

FLOOR = 50_000.0


def flow(settings: DetectorSettings | None = None) -> Flow:
    """A flow at :data:`START`."""
    made = Flow(settings or DetectorSettings())
    made.windows.advance(START)
    return made


def add(target: Flow, second: int, usd: float, side: Side = "long", source: str = "bybit", orders: int = 1) -> None:
    """Take USD."""
    target.add(source, side, second, round(usd * MICROS), orders)


def minutes(target: Flow, first: int, amounts: list[float], *, learn: bool = True) -> None:
    """Learn one minute after the other, each with its amount in its last second."""
    for number, usd in enumerate(amounts, START // 60 + first):
        end = 60 * number + 59
        if usd:
            add(target, end, usd)
        target.close(end)
        target.learn(number, learn=learn)


def test_before_anything_came_there_is_nothing() -> None:
    """No source, no dollars, no orders, and the assumed rate."""
    made = flow()
    assert made.largest_source("1m", "long") == ("", 0.0)
    assert (made.usd("1m", "long"), made.orders("1m"), made.by_source("1m")) == (0.0, 0, {})
    assert made.normal("1h", "short") == 60 * PRIOR_RATE * FLOOR * made.factor
    assert made.empty


def test_sums_are_by_source_and_side() -> None:
    """Each source and side has its own sum; the largest source is found per side."""
    made = flow()
    add(made, START, 1_000.5, "long", "bybit")
    add(made, START, 300.25, "long", "okx", orders=3)
    add(made, START, 700.0, "short", "okx")
    made.close(START)
    assert (made.usd("1m", "long"), made.usd("1m", "short"), made.orders("1m")) == (1_300.75, 700.0, 5)
    assert made.largest_source("1m", "long") == ("bybit", 1_000.5)
    assert made.largest_source("1m", "short") == ("okx", 700.0)
    found = made.by_source("1m")
    assert (found["okx"].long, found["okx"].short, found["okx"].count) == (300.25, 700.0, 4)
    made.close(START + 60)
    assert made.by_source("1m") == {}


def test_the_floor_is_on_both_sides_of_a_ratio() -> None:
    """(USD + floor) / (normal + floor), and a limit replaces the sum if it is lower."""
    made = flow()
    add(made, START, 500_000)
    made.close(START)
    normal = PRIOR_RATE * FLOOR * made.factor
    assert math.isclose(made.ratio("1m", "long"), 550_000 / (normal + FLOOR))
    assert math.isclose(made.ratio("1m", "long", 50_000), 100_000 / (normal + FLOOR))
    assert math.isclose(made.ratio("1m", "long", 9e9), 550_000 / (normal + FLOOR))


def test_the_rate_is_a_plain_mean_at_first() -> None:
    """The assumed rate weighs as much as an hour; what was measured, over its hour's factor, is averaged in."""
    made = flow()
    minutes(made, 0, [11_000.0] * 30)
    prior = PRIOR_RATE * FLOOR
    expected = (PRIOR_MINUTES * prior + 30 * 11_000 / made.factor) / (PRIOR_MINUTES + 30)
    assert math.isclose(made.rates[0], expected, rel_tol=1e-12)
    assert math.isclose(made.rates[1], PRIOR_MINUTES * prior / (PRIOR_MINUTES + 30), rel_tol=1e-12)
    assert made.learned_minutes == 30


def test_the_rate_fades_with_its_half_life_later() -> None:
    """After days of learning, an empty day leaves half of the rate."""
    made = flow()
    minutes(made, 0, [11_000.0])
    minutes(made, 10_000, [0.0])
    before = made.rates[0]
    minutes(made, 10_001, [0.0] * 1_440)
    assert math.isclose(made.rates[0], before / 2, rel_tol=1e-9)


def test_a_minute_far_above_normal_is_cut() -> None:
    """No minute counts for more than five times (rate + floor), so one crash does not become normal."""
    made = flow()
    rate = made.rates[0]
    minutes(made, 0, [1e9])
    cut = 5 * (rate * made.factor + FLOOR) / made.factor
    expected = rate + (cut - rate) / (PRIOR_MINUTES + 1)
    assert math.isclose(made.rates[0], expected, rel_tol=1e-12)


def test_nothing_is_learned_while_frozen() -> None:
    """Minutes that only pass leave rates and surprises as they were, and are not made up for."""
    made = flow()
    minutes(made, 0, [1_000.0] * 5)
    rates, surprise = list(made.rates), made.state().surprise
    minutes(made, 5, [1e7] * 5, learn=False)
    assert made.rates == rates
    assert made.state().surprise == surprise
    assert made.learned_minutes == 5


def test_hourly_totals_teach_a_sixtieth_of_them() -> None:
    """What stands for an hour is in the long windows alone, and a minute of it is taken to be a sixtieth."""
    made = flow()
    made.add("coinalyze", "long", START + 3_600, 7_000_000, 3, aggregated=True)
    made.close(START + 3_600)
    made.learn(START // 60 + 60, learn=True)
    assert (made.aggregated, made.fine, made.learned_minutes) == (True, False, 1)
    prior, minute = PRIOR_RATE * FLOOR, 7 / 60 / made.factor
    assert math.isclose(made.rates[0], prior + (minute - prior) / (PRIOR_MINUTES + 1))
    assert (made.usd("1m", "long"), made.usd("24h", "long")) == (0.0, 7.0)


@hypothesis_settings(max_examples=examples(5, 60))
@given(st.integers(1, 5), st.lists(st.integers(1, 2_500), min_size=1, max_size=2))
def test_empty_minutes_at_once_equal_one_by_one(seed: int, gaps: list[int]) -> None:
    """Minutes that a scope slept through, all judged windows empty, teach what they would have one by one."""
    asleep, awake = flow(), flow()
    at = 0
    for gap in gaps:
        for target in (asleep, awake):
            minutes(target, at, [20_000.0 * seed, 0.0, 70_000.0] + [0.0] * 61)
        at += 64
        minutes(awake, at, [0.0] * gap)
        at += gap
    for target in (asleep, awake):
        minutes(target, at, [5_000.0])
    assert asleep.learned_minutes == awake.learned_minutes
    for side in SIDES:
        assert math.isclose(asleep.rates[SIDE_INDEX[side]], awake.rates[SIDE_INDEX[side]], rel_tol=1e-9)
        for window in ("10s", "1m", "5m", "1h"):
            assert math.isclose(
                asleep.surprise(window, side, 1e7), awake.surprise(window, side, 1e7), rel_tol=1e-9, abs_tol=1e-9
            )
    assert asleep.state().source_rates == pytest.approx(awake.state().source_rates, rel=1e-9)


def test_a_single_empty_minute_is_empty() -> None:
    """The one minute slept through before a full one does not count as full too."""
    asleep, awake = flow(), flow()
    minutes(asleep, 0, [9_000.0])
    minutes(asleep, 2, [30_000.0])
    minutes(awake, 0, [9_000.0, 0.0, 30_000.0])
    assert asleep.rates == pytest.approx(awake.rates, rel=1e-12)
    assert asleep.state().source_rates == pytest.approx(awake.state().source_rates, rel=1e-12)


def test_sources_far_above_their_own_normal_are_stressed() -> None:
    """A minute of five times (own rate + a fifth of the floor): one venue's normal is another's stress."""
    made = flow(DetectorSettings(baseline=BaselineSettings(winsor=100)))
    for number in range(2_000):
        end = START + 60 * number + 59
        add(made, end, 40_000, source="large")
        made.close(end)
        made.learn(end // 60, learn=True)
    now = START + 60 * 2_000
    add(made, now, 60_000, source="large")
    add(made, now, 60_000, source="small")
    add(made, now, 49_999, source="tiny")
    made.close(now)
    assert made.stressed_sources("long") == 1
    assert made.stressed_sources("short") == 0


def test_a_restored_flow_under_other_windows_goes_on() -> None:
    """Windows that were judged before keep their experience; new ones start without any."""
    made = flow()
    minutes(made, 0, [60_000.0] * 50)
    settings = DetectorSettings(judged=JudgedSettings(flow_windows=("1m", "15m")))
    other = Flow(settings)
    other.load(stored(made.state()))
    assert other.surprise("1m", "long") == made.surprise("1m", "long")
    assert other.state().surprise[0]["15m"] == Surprise(1.5, 2.2).state()
    assert other.table == made.table
    assert other.surprises("long", lambda _window, _side: None).keys() == {"1m", "15m"}
