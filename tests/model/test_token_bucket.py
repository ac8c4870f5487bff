from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.token_bucket import ROUNDING, TokenBucket


@given(
    rate=st.integers(1, 50),
    size=st.integers(1, 40),
    steps=st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 40)), max_size=60),
)
def test_amounts_pass_as_in_an_exact_reference(rate: int, size: int, steps: list[tuple[int, int]]) -> None:
    """A caller that takes whatever is held gets the same amounts as one that computes with fractions."""
    bucket = TokenBucket(rate, size)
    held, now = Fraction(size), 0
    for pause, wanted in steps:
        amount = min(wanted, size)
        now += pause
        held = min(Fraction(size), held + Fraction(pause * rate, 1_000))
        wait_s = bucket.wait_s(now / 1_000, amount)
        assert wait_s == pytest.approx(float(max(Fraction(0), (amount - held) / rate)), abs=2 * ROUNDING)
        if wait_s == 0.0:
            held -= amount
            bucket.take(amount)


@given(rate=st.floats(0.01, 1e4), size=st.floats(1.0, 1e4), share=st.floats(0.01, 1.0))
def test_the_wait_is_enough_and_no_longer_than_needed(rate: float, size: float, share: float) -> None:
    """After the wait the amount is held; a hundredth before its end it is not."""
    bucket = TokenBucket(rate, size)
    bucket.take(size)
    amount = max(share * size, 100 * ROUNDING)
    wait_s = bucket.wait_s(0.0, amount)
    assert bucket.wait_s(0.98 * wait_s, amount) > 0.0
    assert bucket.wait_s(wait_s, amount) == 0.0


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.1, 3.0)), min_size=1, max_size=40))
def test_reservations_keep_their_order_and_the_rate(callers: list[tuple[float, float]]) -> None:
    """Whatever is reserved is due in the order of the callers, and by any time no more than burst and rate allow."""
    bucket = TokenBucket(2.0, 3.0)
    now_s = due_before_s = reserved = 0.0
    for pause_s, amount in callers:
        now_s += pause_s
        due_s = now_s + bucket.reserve_s(now_s, amount)
        reserved += amount
        assert due_s >= due_before_s - 1e-6
        assert reserved <= 3.0 + 2.0 * due_s + 1e-5
        due_before_s = due_s


def test_a_clock_that_steps_back_refills_nothing() -> None:
    """A step back gives nothing, and from there on the bucket refills as before."""
    bucket = TokenBucket(1.0, 1.0)
    assert bucket.reserve_s(10.0) == 0.0
    assert bucket.wait_s(5.0) == 1.0
    assert bucket.wait_s(5.5) == 0.5
    assert bucket.wait_s(6.0) == 0.0


def test_what_is_never_held_is_waited_for_for_ever() -> None:
    """More than the size, or anything from an empty bucket without a rate, is never held."""
    assert TokenBucket(5.0, 1.0).wait_s(0.0, 2.0) == math.inf
    assert TokenBucket(0.0, 0.0).wait_s(1e9) == math.inf
    assert TokenBucket(0.0, 1.0).reserve_s(0.0) == 0.0
