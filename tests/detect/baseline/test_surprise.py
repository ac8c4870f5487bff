"""Decades of surprise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.baseline.surprise import HALF_LIFE, LOWEST, PRIOR_WEIGHT, Surprise
from tests.detect.stored import stored

values = st.floats(0.0, 1e9)
observed = st.lists(st.tuples(values, st.integers(1, 5_000)), max_size=20)


@given(observed, values, values)
def test_a_larger_value_is_no_less_surprising(learned: list[tuple[float, int]], one: float, other: float) -> None:
    """Surprise never falls as the value rises, and is never negative."""
    surprise = Surprise(1.5, 2.2)
    for value, times in learned:
        surprise.observe(value, times)
    low, high = surprise.of(min(one, other)), surprise.of(max(one, other))
    assert 0.0 <= low <= high


@given(observed, values)
def test_a_restored_one_is_as_surprised(learned: list[tuple[float, int]], value: float) -> None:
    """A snapshot through MessagePack gives the same surprise to the last bit, and learns on alike."""
    surprise, other = Surprise(1.5, 2.2), Surprise(1.5, 2.2)
    for seen, times in learned:
        surprise.observe(seen, times)
    other.load(stored(surprise.state()))
    assert other.of(value) == surprise.of(value)
    surprise.observe(value)
    other.observe(value)
    assert other.of(value) == surprise.of(value)


@given(st.integers(1, 3_000), values)
def test_many_minutes_at_once_equal_one_by_one(times: int, value: float) -> None:
    """Observing a value so many times is the same in one call and in many."""
    at_once, one_by_one = Surprise(1.5, 2.2), Surprise(1.5, 2.2)
    for surprise in (at_once, one_by_one):
        surprise.observe(4.0)
    at_once.observe(value, times)
    for _ in range(times):
        one_by_one.observe(value)
    for probe in (0.5, 3.0, value, 1e4):
        assert math.isclose(at_once.of(probe), one_by_one.of(probe), rel_tol=1e-9, abs_tol=1e-9)


def test_unobserved_it_is_the_prior() -> None:
    """Without experience the Pareto tail speaks: (x / scale) to the power of the tail."""
    assert math.isclose(Surprise(2.0, 3.0).of(200.0), 6.0)


def test_experience_is_what_was_counted() -> None:
    """A value seen in one of a hundred minutes is about two decades surprising once the prior weighs little."""
    surprise = Surprise(1e-3, 50.0)  # a prior that gives large values nothing
    for minute in range(20_000):
        surprise.observe(30.0 if minute % 100 == 0 else 0.5)
    total = sum(2.0 ** (-age / HALF_LIFE) for age in range(20_000))
    assert math.isclose(surprise.of(30.0), -math.log10(0.01 * total / (PRIOR_WEIGHT + total)), abs_tol=2e-3)


def test_it_forgets_with_its_half_life() -> None:
    """After as many minutes as the half-life says, a minute of then weighs half of one of now."""
    surprise = Surprise(1e-3, 50.0)
    surprise.observe(30.0)
    surprise.observe(0.0, HALF_LIFE)
    weight = 10.0 ** -surprise.of(30.0)
    total = sum(2.0 ** (-age / HALF_LIFE) for age in range(HALF_LIFE + 1))
    assert math.isclose(weight * (PRIOR_WEIGHT + total), 0.5, rel_tol=1e-6)


def test_years_of_minutes_lose_nothing() -> None:
    """The growing weights are brought down before a float loses by them, without a change of what was learned."""
    surprise = Surprise(1.5, 2.2)
    for _ in range(60):
        surprise.observe(3.0, HALF_LIFE)
    state = surprise.state()
    assert state.unit <= 1e12
    assert len(state.bins) == 1
    assert math.isclose(state.counts[0], state.total)
    assert surprise.of(3.0) < 0.1 < surprise.of(30.0)


@pytest.mark.parametrize("value", [0.0, LOWEST / 2, LOWEST])
def test_nothing_is_no_surprise(value: float) -> None:
    """What is as low as the lowest bin is no surprise, whatever was learned."""
    surprise = Surprise(1.5, 2.2)
    surprise.observe(value)
    assert surprise.of(value) == 0.0


def test_a_prior_with_a_least_share_is_never_outweighed() -> None:
    """What nobody has seen is as surprising after two months as after two days of quiet, and not so without."""
    steady, fading = Surprise(1.0, 4.5, 1_000.0, least=0.5), Surprise(1.0, 4.5, 1_000.0)
    early = []
    for surprise in (steady, fading):
        surprise.observe(0.5, 2_880)
        early.append(surprise.of(8.0))
        surprise.observe(0.5, 60 * 1_440)
    assert steady.of(8.0) == pytest.approx(early[0], abs=1e-9)
    assert fading.of(8.0) > early[1] + 1.0
