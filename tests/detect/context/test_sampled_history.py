"""Samples thinned out with age."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.context.sampled_history import SPILL, Sample, SampledHistory

SAMPLES = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 9)), max_size=60)


@given(SAMPLES, st.integers(0, 6_000))
def test_a_lookup_finds_the_first_sample_of_a_slot(samples: list[tuple[int, int]], second: int) -> None:
    """In whatever order samples come: the newest not after the second among the first ones of each slot."""
    trail = SampledHistory(100, 10_000)
    for at, value in samples:
        trail.add(at, float(value), value)
    kept: dict[int, tuple[int, int]] = {}
    for at, value in samples:
        if at < kept.get(at // 100, (10_000, 0))[0]:
            kept[at // 100] = (at, value)
    before = [each for each in kept.values() if each[0] <= second]
    expected = max(before, default=None)
    assert trail.at(second) == (Sample(expected[0], float(expected[1]), expected[1]) if expected else None)


def test_what_is_past_its_time_is_forgotten() -> None:
    """No more is kept than the length and a spill, however long it goes on."""
    trail = SampledHistory(10, 1_000)
    for second in range(0, 100_000, 10):
        trail.add(second, 1.0, second)
    assert 100 <= len(trail) <= 103 + SPILL
    assert trail.at(99_990 - 1_000) == Sample(98_990, 1.0, 98_990)


def test_a_trail_restored_is_the_same() -> None:
    """Every column comes back, over what was there."""
    trail, other = SampledHistory(10, 1_000), SampledHistory(10, 1_000)
    for second in (5, 15, 4_000_000_000):
        trail.add(second, 0.1 * second, -second)
        other.add(7, 1.0, 1)
    other.load(trail.state())
    assert other.state() == trail.state()
    assert other.at(4_000_000_000) == Sample(4_000_000_000, 4e8, -4_000_000_000)
