from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.evaluate.measures.calibration import calibrate, isotonic, merge_equal_scores, probability_of
from monitor.lab.evaluate.trials.outcomes import ScoreCount

points = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 9)).flatmap(
        lambda pair: st.integers(0, pair[1]).map(lambda events: ScoreCount(float(pair[0]), pair[1], events))
    ),
    min_size=1,
    max_size=15,
)


def test_neighbours_in_the_wrong_order_are_pooled() -> None:
    """3 of 4 followed by 1 of 4 become 4 of 8; scores in order stay."""
    steps = isotonic([ScoreCount(10, 4, 0), ScoreCount(20, 4, 3), ScoreCount(30, 4, 1), ScoreCount(40, 4, 4)])
    assert [(step.score, step.probability) for step in steps] == [(10, 0.0), (20, 0.5), (40, 1.0)]
    assert [probability_of(steps, score) for score in (0, 10, 19, 20, 39, 100)] == [0.0, 0.0, 0.0, 0.5, 0.5, 1.0]


@given(points)
def test_probabilities_never_fall_and_are_the_closest(given_points: list[ScoreCount]) -> None:
    """The min-max formula for isotonic regression gives the same probabilities."""
    pooled = merge_equal_scores(given_points)
    steps = isotonic(given_points)
    fitted = [probability_of(steps, point.score) for point in pooled]
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
    """Brier's score is the mean squared error, here of four minutes at 0.5 of which half are events."""
    steps = isotonic([ScoreCount(0, 2, 0), ScoreCount(80, 2, 1)])
    held = calibrate(steps, [[ScoreCount(0, 4, 0), ScoreCount(80, 4, 2)]])
    assert held is not None
    assert held.steps == steps
    assert held.brier.value == pytest.approx(4 * 0.25 / 8)
    assert held.base_rate.value == 0.25
    assert held.climate.value == pytest.approx(0.25 * 0.75)
    assert held.skill.value == pytest.approx(1 / 3)
    assert [(row.low, row.minutes, row.stated, row.seen.value) for row in held.rows] == [
        (0, 4, 0.0, 0.0),
        (75, 4, 0.5, 0.5),
    ]


def test_weeks_are_drawn_whole() -> None:
    """Equal weeks give an interval of zero width; a good and a bad one give one that holds either alone."""
    steps = isotonic([ScoreCount(0, 2, 0), ScoreCount(80, 2, 2)])
    week = [ScoreCount(0, 90, 0), ScoreCount(80, 10, 10)]
    same = calibrate(steps, [week, week])
    assert same is not None
    assert same.skill[:3] == (1.0, 1.0, 1.0)
    differing = calibrate(steps, [week, [ScoreCount(0, 90, 10), ScoreCount(80, 10, 0)]])
    assert differing is not None
    assert differing.brier[:3] == pytest.approx((0.1, 0.0, 0.2))
    assert differing.rows[1].seen[:3] == pytest.approx((0.5, 0.0, 1.0))
    assert differing.base_rate[:3] == pytest.approx((0.1, 0.1, 0.1))


def test_without_an_event_the_base_rate_cannot_be_beaten() -> None:
    """Without an event the skill is unknown."""
    held = calibrate(isotonic([ScoreCount(0, 1, 0)]), [[ScoreCount(0, 5, 0)]])
    assert held is not None
    assert (held.brier.value, held.skill.value) == (0.0, None)


def test_nothing_to_hold_is_no_calibration() -> None:
    """Without minutes or without steps there is no calibration."""
    assert calibrate([], [[ScoreCount(0, 1, 0)]]) is None
    assert calibrate(isotonic([ScoreCount(0, 1, 0)]), []) is None
