from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.pipeline.reject_limit import RejectGate


def test_burst_then_rate() -> None:
    """The burst passes, then what the rate refills; the rest is counted."""
    gate = RejectGate(per_second=2.0, burst=3)
    assert [gate.allows(1_000_000) for _ in range(5)] == [True, True, True, False, False]
    assert gate.allows(1_500_000)
    assert not gate.allows(1_500_001)
    assert gate.suppressed == 3


@given(st.lists(st.integers(0, 10_000_000), max_size=300))
def test_never_more_than_burst_and_rate(times_us: list[int]) -> None:
    """Over any stretch at most the burst and the rate times its length pass, also when the clock steps back."""
    gate = RejectGate(per_second=5.0, burst=10)
    gate.allows(0)
    now_us, furthest_us = 0, 0
    passed = 1
    for time_us in sorted(times_us):
        now_us = time_us
        furthest_us = max(furthest_us, now_us)
        passed += gate.allows(now_us)
    assert passed <= 10 + 5.0 * furthest_us / 1e6
    assert passed + gate.suppressed == len(times_us) + 1


def test_clock_that_steps_back_refills_nothing() -> None:
    """A step back in time gives no tokens."""
    gate = RejectGate(per_second=1.0, burst=1)
    assert gate.allows(10_000_000)
    assert not gate.allows(5_000_000)
