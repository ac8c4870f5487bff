"""Turns scores into probabilities by isotonic regression and checks them: reliability table and Brier's score."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
import numpy as np

from monitor.lab.evaluate.markets.tape import Integers
from monitor.lab.evaluate.measures import intervals
from monitor.lab.evaluate.measures.intervals import Estimate
from monitor.lab.evaluate.trials.outcomes import ScoreCount

SCORE_CLASSES: Final = (0.0, 20.0, 35.0, 50.0, 60.0, 75.0, 90.0, 100.1)
"""Limits of the classes of the reliability table; they are the limits of the phases."""


class Step(msgspec.Struct, frozen=True):
    """One step of the calibration: ``probability`` holds from ``score`` on."""

    score: float
    probability: float


class Row(msgspec.Struct, frozen=True):
    """One class of the reliability table: the mean stated probability, and the share of minutes with an event."""

    low: float
    high: float
    minutes: int
    stated: float
    seen: Estimate


class Calibration(msgspec.Struct, frozen=True):
    """The quality of probabilities on other data than those they were made from.

    Attributes:
        steps: the probabilities that the train markets gave.
        brier: mean squared difference of the probability and what happened (0 or 1).
        climate: the same for always stating the base rate of these very data, which no forecast can know.
        skill: by how much Brier's score is below ``climate``, as a share of it; 1 is perfect, 0 no better than the base
            rate.
        base_rate: share of minutes in or just before an event.
        rows: reliability by class of score.
    """

    steps: list[Step]
    brier: Estimate
    climate: Estimate
    skill: Estimate
    base_rate: Estimate
    rows: list[Row]


def merge_equal_scores(points: Sequence[ScoreCount]) -> list[ScoreCount]:
    """Return one count for each score, by score."""
    sums: dict[float, list[int]] = {}
    for point in points:
        kept = sums.setdefault(point.score, [0, 0])
        kept[0] += point.minutes
        kept[1] += point.events
    return [ScoreCount(score, *sums[score]) for score in sorted(sums)]


def isotonic(points: Sequence[ScoreCount]) -> list[Step]:
    """Return the closest probabilities, in squares, that never fall as the score rises.

    Pool adjacent violators (R. E. Barlow et al., Statistical Inference under Order Restrictions, 1972): neighbours in
    the wrong order become one block with their common mean, until none are.

    Example:
        >>> isotonic([ScoreCount(10, 4, 0), ScoreCount(20, 4, 3), ScoreCount(30, 4, 1), ScoreCount(40, 4, 4)])
        [Step(score=10, probability=0.0), Step(score=20, probability=0.5), Step(score=40, probability=1.0)]
    """
    blocks: list[list[float]] = []  # of each block: first score, minutes, events
    for point in merge_equal_scores(points):
        blocks.append([point.score, point.minutes, point.events])
        while len(blocks) > 1 and blocks[-2][2] * blocks[-1][1] >= blocks[-1][2] * blocks[-2][1]:
            _, minutes, events = blocks.pop()
            blocks[-1][1] += minutes
            blocks[-1][2] += events
    return [Step(score, events / minutes) for score, minutes, events in blocks]


def probability_of(steps: Sequence[Step], score: float) -> float:
    """Return the probability of a score; below the first step it is the first step's."""
    place = bisect_right([step.score for step in steps], score) - 1
    return steps[max(0, place)].probability


def calibrate(steps: Sequence[Step], blocks: Sequence[Sequence[ScoreCount]]) -> Calibration | None:
    """Compare probabilities with what happened; None without counts or without steps.

    Args:
        steps: probabilities from the train markets.
        blocks: counts of the test markets, in blocks that are drawn whole: calendar weeks, with all assets.
    """
    if not steps or not any(point.minutes for points in blocks for point in points):
        return None
    weights = intervals.resamples(len(blocks))
    parts = [[_sums(steps, points, low, high) for points in blocks] for low, high in pairwise(SCORE_CLASSES)]
    minutes, events, _, squares = np.array(parts, np.float64).sum(axis=0).T
    brier, base = intervals.ratio(weights, squares, minutes), intervals.ratio(weights, events, minutes)
    rates = intervals.ratios(weights, events, minutes)
    drawn = rates * (1 - rates)
    value = (base.value or 0.0) * (1 - (base.value or 0.0))
    drawn[drawn == 0] = np.nan
    skill = intervals.difference(
        np.ones(len(drawn)),
        intervals.ratios(weights, squares, minutes) / drawn,
        1 - (brier.value or 0.0) / value if value else None,
    )
    climate = intervals.difference(drawn, 0 * drawn, value)
    rows = [_row(low, high, weights, part) for (low, high), part in zip(pairwise(SCORE_CLASSES), parts, strict=True)]
    return Calibration(
        steps=list(steps),
        brier=brier,
        climate=climate,
        skill=skill,
        base_rate=base,
        rows=[row for row in rows if row.minutes],
    )


class _Sums(NamedTuple):
    """Sums over the minutes of one class and block: minutes, those with an event, probabilities, squared errors."""

    minutes: float
    events: float
    stated: float
    squares: float


def _sums(steps: Sequence[Step], points: Sequence[ScoreCount], low: float, high: float) -> _Sums:
    mine = [(point, probability_of(steps, point.score)) for point in points if low <= point.score < high]
    return _Sums(
        sum(point.minutes for point, _ in mine),
        sum(point.events for point, _ in mine),
        sum(point.minutes * stated for point, stated in mine),
        sum(point.events * (1 - stated) ** 2 + (point.minutes - point.events) * stated**2 for point, stated in mine),
    )


def _row(low: float, high: float, weights: Integers, part: Sequence[_Sums]) -> Row:
    minutes, events, stated, _ = np.array(part, np.float64).T
    total = float(minutes.sum())
    seen = intervals.ratio(weights, events, minutes)
    return Row(low, high, round(total), float(stated.sum()) / total if total else 0.0, seen)
