"""Price levels: above, testing, broken, stale."""

from __future__ import annotations

from monitor.detect.context.levels import Level
from tests.detect.stored import stored


def test_both_levels_of_the_report_are_broken_and_stale() -> None:
    """At 65,640 neither 75,000 nor 70,000 supports anything: -12.5 % and -6.2 %."""
    for price, distance in ((75_000.0, -0.125), (70_000.0, -0.062)):
        level = Level(price)
        level.update(1, 65_640.0, 0.005, 0.024)
        assert (level.broken, level.state, round(level.distance, 3)) == (True, "stale", distance)
        assert level.broken_at is None  # it was not seen to break


def test_a_level_breaks_after_a_minute_below_it() -> None:
    """59 seconds below, or a way back, leave it tested; a minute breaks it; a day later it is stale."""
    level = Level(100.0)
    seen = []
    for second, price in ((0, 101.0), (1, 99.8), (60, 99.8), (61, 100.1), (62, 99.8), (121, 99.8), (122, 99.8)):
        level.update(second, price, 0.004, 0.024)
        seen.append(level.state)
    assert seen == ["above", "testing", "testing", "testing", "testing", "testing", "broken"]
    for second in (122 + 86_399, 122 + 86_400):
        level.update(second, 99.8, 0.004, 0.024)
        seen.append(level.state)
    assert seen[-2:] == ["broken", "stale"]


def test_a_level_is_won_back_after_a_minute_above_it() -> None:
    """As long as it took to break, and no broken time remains; a restart midway changes nothing."""
    level = Level(100.0)
    for second, price in ((0, 99.0), (10, 100.5)):
        level.update(second, price, 0.004, 0.024)
    assert level.state == "broken"
    level = Level.restore(stored(level.snapshot()))
    level.update(70, 100.5, 0.004, 0.024)
    assert (level.state, level.broken, level.broken_at) == ("above", False, None)
