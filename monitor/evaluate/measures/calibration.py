"""Scores to probabilities: isotonic regression, the reliability table, Brier's score."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
import numpy as np

from monitor.evaluate.markets.tape import Integers
from monitor.evaluate.measures import intervals
from monitor.evaluate.measures.intervals import Estimate
from monitor.evaluate.trials.outcomes import Point

EDGES: Final = (0.0, 20.0, 35.0, 50.0, 60.0, 75.0, 90.0, 100.1)
"""Classes of the reliability table: the phases' own limits."""


class Step(msgspec.Struct, frozen=True):
    """From this score on the probability is ``probability``."""

    score: float
    probability: float


class Row(msgspec.Struct, frozen=True):
    """One class of the reliability table: mean probability that was stated, and share of minutes with an event."""

    low: float
    high: float
    minutes: int
    stated: float
    seen: Estimate


class Calibration(msgspec.Struct, frozen=True):
    """How well probabilities hold on other data.

    Attributes:
        steps: the probabilities, as the train markets gave them.
        brier: mean square of probability less what happened (0 or 1).
        climate: the same of always saying the base rate of these very data, which no forecast can know.
        skill: what Brier's score is below that, as a share of it; 1 is perfect, 0 no better than the base rate.
        base_rate: share of minutes in or just before an event.
        rows: reliability by class of score.
    """

    steps: list[Step]
    brier: Estimate
    climate: Estimate
    skill: Estimate
    base_rate: Estimate
    rows: list[Row]


def pool(points: Sequence[Point]) -> list[Point]:
    """Points of the same score as one, by score."""
    sums: dict[float, list[int]] = {}
    for point in points:
        kept = sums.setdefault(point.score, [0, 0])
        kept[0] += point.minutes
        kept[1] += point.events
    return [Point(score, *sums[score]) for score in sorted(sums)]


def isotonic(points: Sequence[Point]) -> list[Step]:
    """The closest probabilities, in squares, that never fall as the score rises: pool adjacent violators.

    R. E. Barlow et al., Statistical Inference under Order Restrictions (1972): neighbours in the wrong order become
    one block with their common mean, until none are.

    Example:
        >>> isotonic([Point(10, 4, 0), Point(20, 4, 3), Point(30, 4, 1), Point(40, 4, 4)])
        [Step(score=10, probability=0.0), Step(score=20, probability=0.5), Step(score=40, probability=1.0)]
    """
    blocks: list[list[float]] = []  # first score, minutes, events
    for point in pool(points):
        blocks.append([point.score, point.minutes, point.events])
        while len(blocks) > 1 and blocks[-2][2] * blocks[-1][1] >= blocks[-1][2] * blocks[-2][1]:
            _, minutes, events = blocks.pop()
            blocks[-1][1] += minutes
            blocks[-1][2] += events
    return [Step(score, events / minutes) for score, minutes, events in blocks]


def probability(steps: Sequence[Step], score: float) -> float:
    """What the steps say of a score; below the first one, what the first one says."""
    place = bisect_right([step.score for step in steps], score) - 1
    return steps[max(0, place)].probability


def calibrate(steps: Sequence[Step], blocks: Sequence[Sequence[Point]]) -> Calibration | None:
    """Hold probabilities against what happened; None without points or without steps.

    Args:
        steps: from the train markets.
        blocks: the test markets' points, in blocks that are drawn as a whole: calendar weeks, with all assets.
    """
    if not steps or not any(point.minutes for points in blocks for point in points):
        return None
    weights = intervals.resamples(len(blocks))
    parts = [[_sums(steps, points, low, high) for points in blocks] for low, high in pairwise(EDGES)]
    minutes, events, _, squares = np.array(parts, np.float64).sum(axis=0).T
    brier, base = intervals.ratio(weights, squares, minutes), intervals.ratio(weights, events, minutes)
    rates = intervals.ratios(weights, events, minutes)
    drawn = rates * (1 - rates)
    value = (base.value or 0.0) * (1 - (base.value or 0.0))
    drawn[drawn == 0] = np.nan
    skill = intervals.difference(
        np.ones(len(drawn)), intervals.ratios(weights, squares, minutes) / drawn,
        1 - (brier.value or 0.0) / value if value else None,
    )  # fmt: skip
    climate = intervals.difference(drawn, 0 * drawn, value)
    rows = [_row(low, high, weights, part) for (low, high), part in zip(pairwise(EDGES), parts, strict=True)]
    return Calibration(list(steps), brier, climate, skill, base, [row for row in rows if row.minutes])


class _Sums(NamedTuple):
    """Of the minutes of one class and block: how many, with an event, sum of probabilities and of squared errors."""

    minutes: float
    events: float
    stated: float
    squares: float


def _sums(steps: Sequence[Step], points: Sequence[Point], low: float, high: float) -> _Sums:
    mine = [(point, probability(steps, point.score)) for point in points if low <= point.score < high]
    return _Sums(
        sum(point.minutes for point, _ in mine), sum(point.events for point, _ in mine),
        sum(point.minutes * stated for point, stated in mine),
        sum(point.events * (1 - stated) ** 2 + (point.minutes - point.events) * stated**2 for point, stated in mine),
    )  # fmt: skip


def _row(low: float, high: float, weights: Integers, part: Sequence[_Sums]) -> Row:
    minutes, events, stated, _ = np.array(part, np.float64).T
    total = float(minutes.sum())
    seen = intervals.ratio(weights, events, minutes)
    return Row(low, high, round(total), float(stated.sum()) / total if total else 0.0, seen)
