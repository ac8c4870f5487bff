"""Scores to probabilities: isotonic regression, the reliability table, Brier's score."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from monitor.evaluate.outcomes import Point

EDGES: Final = (0.0, 20.0, 35.0, 50.0, 60.0, 75.0, 90.0, 100.1)
"""Classes of the reliability table: the phases' own limits."""


class Step(msgspec.Struct, frozen=True):
    """From this score on the probability is ``probability``."""

    score: float
    probability: float


class Row(msgspec.Struct, frozen=True):
    """One class of the reliability table; ``stated`` and ``seen`` are mean probability and share of events."""

    low: float
    high: float
    minutes: int
    stated: float
    seen: float


class Calibration(msgspec.Struct, frozen=True):
    """How well probabilities hold on other data; ``climate`` is Brier's score of always saying the base rate."""

    brier: float
    climate: float
    base_rate: float
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


def calibrate(steps: Sequence[Step], points: Sequence[Point]) -> Calibration | None:
    """Hold probabilities against what happened; None without points or without steps."""
    pooled = pool(points)
    minutes = sum(point.minutes for point in pooled)
    if not minutes or not steps:
        return None
    base = sum(point.events for point in pooled) / minutes
    brier = climate = 0.0
    for point in pooled:
        stated = probability(steps, point.score)
        calm = point.minutes - point.events
        brier += point.events * (1 - stated) ** 2 + calm * stated**2
        climate += point.events * (1 - base) ** 2 + calm * base**2
    rows = [_row(steps, pooled, low, high) for low, high in pairwise(EDGES)]
    return Calibration(brier / minutes, climate / minutes, base, [row for row in rows if row.minutes])


def _row(steps: Sequence[Step], points: Sequence[Point], low: float, high: float) -> Row:
    mine = [point for point in points if low <= point.score < high]
    minutes = sum(point.minutes for point in mine)
    if not minutes:
        return Row(low, high, 0, 0.0, 0.0)
    stated = sum(point.minutes * probability(steps, point.score) for point in mine) / minutes
    return Row(low, high, minutes, stated, sum(point.events for point in mine) / minutes)
