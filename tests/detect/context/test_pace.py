"""Pace of liquidations, and the hours that were watched."""

from __future__ import annotations

from monitor.detect.context.pace import MONTH_HOURS, WEEK_HOURS, WatchedHours, pace_of
from tests.detect.stored import stored


def test_the_pace_was_already_slowing() -> None:
    """BTC longs of early February 2026: 237 M in a day, 2.16 B in a week, 4.4 B in a month."""
    pace = pace_of(237e6, 2.16e9, 4.4e9, 1.0, 1.0)
    ratios = (pace.day_to_week, pace.day_to_rest_of_week, pace.week_to_month, pace.week_to_rest_of_month)
    assert [round(ratio or 0.0, 2) for ratio in ratios] == [0.77, 0.74, 2.10, 3.17]


def test_a_pace_needs_the_longer_window_whole() -> None:
    """Until a week and a month were seen, or where they are empty, there is no ratio."""
    assert pace_of(1.0, 7.0, 7.0, 1.0, 0.3)[:4] == (1.0, 1.0, None, None)
    assert pace_of(1.0, 1.0, 1.0, 0.9, 0.3)[:4] == (None, None, None, None)
    assert pace_of(0.0, 0.0, 0.0, 1.0, 1.0)[:4] == (None, None, None, None)


def test_hours_without_anything_are_not_covered() -> None:
    """The hour that is running counts, silence does not, and a month of it forgets all."""
    watched = WatchedHours()
    for hour in (1_000, 1_000, 1_001, 1_003):
        watched.add(3_600 * hour + 17)
    assert watched.share(4) == 0.75
    watched.load(stored(watched.state()))
    watched.advance(3_600 * 1_005)
    assert watched.share(4) == 0.25
    assert watched.share(WEEK_HOURS) == 3 / WEEK_HOURS
    watched.advance(3_600 * (1_003 + MONTH_HOURS))
    assert watched.share(MONTH_HOURS) == 0.0
