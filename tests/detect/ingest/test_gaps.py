"""Stated gaps against a slow count of missing seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.ingest.gaps import KEPT_S, MOST, WINDOWS_S, Holes
from monitor.model.events import MICROS, Channel, Gap

NOW = 1_790_000_000


def gap(from_s: int, to_s: int, *, backfilled: bool = False, channel: Channel = "liquidations") -> Gap:
    """A gap of okx between two seconds."""
    from_us, to_us = from_s * MICROS, to_s * MICROS
    return Gap("okx", "*", "*", to_us, to_us, channel, from_us, to_us, "restart", backfilled)


@given(st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 900)), max_size=8))
def test_the_missing_share_counts_each_second_once(found: list[tuple[int, int]]) -> None:
    """However gaps overlap, the share of a window is that of the seconds that are in any of them."""
    holes = Holes()
    missing: set[int] = set()
    for ago, lasted in sorted(found, reverse=True):
        start = NOW - ago - lasted
        holes.take(gap(start, start + lasted), NOW)
        missing.update(range(start, start + lasted))
    for window, seconds in WINDOWS_S.items():
        expected = sum(NOW - seconds < second <= NOW for second in missing) / seconds
        assert holes.ratio("okx", window, NOW) == pytest.approx(expected)
    assert bool(holes.venues(NOW)) == any(second > NOW - 300 for second in missing)


def test_a_gap_from_the_future_ends_when_it_arrives() -> None:
    """A gap that claims to last on is over with the second in which it was stated."""
    holes = Holes()
    holes.take(gap(NOW - 10, NOW + 10**6), NOW)
    assert holes.ends() == {"okx": NOW}
    holes.take(gap(NOW - 10, NOW + 10**6, backfilled=True), NOW + 60)
    assert holes.ends() == {}


def test_other_channels_are_no_matter_of_the_windows() -> None:
    """Windows hold liquidations alone."""
    holes = Holes()
    holes.take(gap(NOW - 10, NOW, channel="trades"), NOW)
    assert holes.ratios(NOW) == {}


def test_gaps_are_bounded_in_number_and_age() -> None:
    """The oldest go first, and none is kept for more than a day after it was over."""
    holes = Holes()
    for number in range(MOST + 5):
        holes.take(gap(NOW + 2 * number, NOW + 2 * number + 1), NOW + 2 * number + 1)
    assert len(holes.state()["okx"]) == MOST
    later = NOW + KEPT_S + 4 * MOST
    holes.take(gap(later - 1, later), later)
    assert holes.state()["okx"] == [((later - 1) * MICROS, later * MICROS)]


def test_a_step_back_forgets_what_lies_in_the_future() -> None:
    """A gap that a wrong clock stated ends with the present, one that begins later is gone."""
    holes = Holes()
    for from_s, to_s, venue in ((60, 90, "okx"), (5_000, 5_010, "bybit")):
        holes.take(Gap(venue, "*", "*", 0, 0, "liquidations", from_s * MICROS, to_s * MICROS, "restart"), 6_000)
    holes.step_back(79)
    assert holes.state() == {"okx": [(60 * MICROS, 80 * MICROS)]}
