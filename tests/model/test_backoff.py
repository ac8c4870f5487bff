from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.backoff import Backoff, Waits


@given(st.floats(0.001, 100.0), st.floats(1.0, 1000.0), st.integers(0, 40), st.floats(0.0, 1.0))
def test_waits_follow_the_rule_written_out(first_s: float, times: float, failures: int, jitter: float) -> None:
    """Return the expected wait: doubled for each failure, limited, then reduced by up to half by the jitter."""
    longest_s = first_s * times
    nominal = first_s
    for _ in range(failures):
        nominal = min(longest_s, 2 * nominal)
    wait_s = Waits(first_s, longest_s).after(failures, jitter)
    assert nominal / 2 <= wait_s <= nominal
    assert wait_s == pytest.approx(nominal / 2 + jitter * nominal / 2)


def test_delay_doubles_up_to_the_cap() -> None:
    """Each failure doubles the nominal delay; the jitter takes at most half of it."""
    backoff = Backoff(random.Random(1), 0.5, 60.0, 30.0)
    delays = [backoff.next_delay_s(0.0, delivered=False) for _ in range(12)]
    nominal = [min(60.0, 0.5 * 2**n) for n in range(12)]
    assert all(want / 2 <= delay <= want for delay, want in zip(delays, nominal, strict=True))


def test_only_a_socket_that_lived_and_delivered_resets_it() -> None:
    """A socket that was open long without data, or briefly with data, does not reset the count of failures."""
    backoff = Backoff(random.Random(1), 1.0, 60.0, 30.0)
    for lived_s, delivered in ((0.0, False), (100.0, False), (29.0, True)):
        backoff.next_delay_s(lived_s, delivered)
    assert backoff.failures == 3
    assert backoff.next_delay_s(30.0, delivered=True) <= 1.0
    assert backoff.failures == 1


@given(st.integers(0, 2**32), st.integers(1, 2000))
def test_delay_is_never_above_the_cap_nor_zero(seed: int, failures: int) -> None:
    """After any number of failures the wait is between half of the first wait and the longest one."""
    backoff = Backoff(random.Random(seed), 0.5, 60.0, 30.0)
    backoff.failures = failures
    assert 0.25 <= backoff.next_delay_s(0.0, delivered=True) <= 60.0
