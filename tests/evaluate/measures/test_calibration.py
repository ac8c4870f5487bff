from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.evaluate.measures.calibration import calibrate, isotonic, pool, probability
from monitor.evaluate.trials.outcomes import Point

points = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 9)).flatmap(
        lambda pair: st.integers(0, pair[1]).map(lambda events: Point(float(pair[0]), pair[1], events))
    ),
    min_size=1,
    max_size=15,
)


def test_neighbours_in_the_wrong_order_are_pooled() -> None:
    """3 of 4, then 1 of 4 become 4 of 8; what is in order stays."""
    steps = isotonic([Point(10, 4, 0), Point(20, 4, 3), Point(30, 4, 1), Point(40, 4, 4)])
    assert [(step.score, step.probability) for step in steps] == [(10, 0.0), (20, 0.5), (40, 1.0)]
    assert [probability(steps, score) for score in (0, 10, 19, 20, 39, 100)] == [0.0, 0.0, 0.0, 0.5, 0.5, 1.0]


@given(points)
def test_probabilities_never_fall_and_are_the_closest(given_points: list[Point]) -> None:
    """The min-max formula for isotonic regression gives the same."""
    pooled = pool(given_points)
    steps = isotonic(given_points)
    fitted = [probability(steps, point.score) for point in pooled]
    assert fitted == sorted(fitted)
    for place, value in enumerate(fitted):
        best = max(
            min(
                sum(one.events for one in pooled[low:high]) / sum(one.minutes for one in pooled[low:high])
                for high in range(place + 1, len(pooled) + 1)
            )
            for low in range(place + 1)
        )
        assert value == pytest.approx(best)


def test_brier_is_the_mean_square_of_what_was_wrong() -> None:
    """Four minutes at 0.5, half of them events; beside it the base rate's."""
    steps = isotonic([Point(0, 2, 0), Point(80, 2, 1)])
    held = calibrate(steps, [[Point(0, 4, 0), Point(80, 4, 2)]])
    assert held is not None
    assert held.steps == steps
    assert held.brier.value == pytest.approx(4 * 0.25 / 8)
    assert held.base_rate.value == 0.25
    assert held.climate.value == pytest.approx(0.25 * 0.75)
    assert held.skill.value == pytest.approx(1 / 3)
    assert [(row.low, row.minutes, row.stated, row.seen.value) for row in held.rows] == [
        (0, 4, 0.0, 0.0), (75, 4, 0.5, 0.5),
    ]  # fmt: skip


def test_weeks_are_drawn_whole() -> None:
    """Equal weeks leave no doubt; of a good and a bad one either alone may be drawn."""
    steps = isotonic([Point(0, 2, 0), Point(80, 2, 2)])
    week = [Point(0, 90, 0), Point(80, 10, 10)]
    same = calibrate(steps, [week, week])
    assert same is not None
    assert same.skill[:3] == (1.0, 1.0, 1.0)
    differing = calibrate(steps, [week, [Point(0, 90, 10), Point(80, 10, 0)]])
    assert differing is not None
    assert differing.brier[:3] == pytest.approx((0.1, 0.0, 0.2))
    assert differing.rows[1].seen[:3] == pytest.approx((0.5, 0.0, 1.0))
    assert differing.base_rate[:3] == pytest.approx((0.1, 0.1, 0.1))


def test_without_an_event_the_base_rate_cannot_be_beaten() -> None:
    """There is no skill to tell."""
    held = calibrate(isotonic([Point(0, 1, 0)]), [[Point(0, 5, 0)]])
    assert held is not None
    assert (held.brier.value, held.skill.value) == (0.0, None)


def test_nothing_to_hold_is_no_calibration() -> None:
    """Neither without minutes nor without steps."""
    assert calibrate([], [[Point(0, 1, 0)]]) is None
    assert calibrate(isotonic([Point(0, 1, 0)]), []) is None
