"""Counts observations, such as latencies and ages, in the buckets of a Prometheus histogram."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple


class Histogram(NamedTuple):
    """Counts of observations by bucket, for display.

    Attributes:
        bounds: upper bounds of the buckets, inclusive and ascending.
        counts: number of observations in each bucket; the last count is of those above all bounds.
        sum: sum of all observations, in the unit of the bounds.
    """

    bounds: Sequence[float]
    counts: Sequence[int]
    sum: float


class BucketCounter:
    """Counts observations as they are made; a negative one, which a clock that is behind causes, is counted as 0.

    Args:
        bounds: upper bounds of the buckets (inclusive), ascending. Integers keep the sum exact.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum: float = 0

    def observe(self, value: float) -> None:
        """Put one observation into its bucket."""
        self.counts[bisect_left(self.bounds, value)] += 1
        if value > 0:
            self.sum += value

    def add(self, other: BucketCounter) -> None:
        """Add the counts of another counter with the same bounds."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum

    def histogram(self, unit: float = 1) -> Histogram:
        """Return a copy of the counts, with bounds and sum divided by ``unit``."""
        return Histogram([bound / unit for bound in self.bounds], list(self.counts), self.sum / unit)
