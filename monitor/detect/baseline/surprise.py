"""Measures how surprising a value is, in decades: 3 is once in a thousand minutes, 6 once in a million.

A z-score assumes a normal distribution, which neither returns nor liquidations have. The estimator here is a histogram
of quiet minutes on a logarithmic scale, mixed with a Pareto tail that decides where nothing was observed yet.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np

LOWEST: Final = 1e-2
"""Values below this count as zero."""
RATIO: Final = 1.2
"""Ratio of a bin's edges: a surprise is exact to log10(1.2) tail exponents, about 0.2 decades."""
BINS: Final = 96
"""Number of bins. LOWEST * RATIO ** BINS is 4e5, beyond any ratio observed so far (226 on 2025-10-10)."""
HIGHEST: Final = 1e30
"""Values above this count as this: the prior's tail beyond it underflows."""
HALF_LIFE: Final = 30 * 24 * 60
"""Half-life of an observation, in observations (minutes): thirty days."""
PRIOR_WEIGHT: Final = 1440.0
"""Weight of the prior, in observations (minutes): a day."""
MOST_TIMES: Final = 500 * HALF_LIFE
"""Observations at once after which nothing of those before is left: more (40 years) would leave a float's range."""
_GROWTH: Final = 2.0 ** (1.0 / HALF_LIFE)
_FADE: Final = 2.0 ** (-1.0 / HALF_LIFE)
_LOG_RATIO: Final = math.log(RATIO)


class SurpriseState(msgspec.Struct, array_like=True):
    """Everything that :class:`Surprise` remembers.

    Attributes:
        bins: numbers of the bins that are not empty.
        counts: their weights.
        total: weight of all observations, also of those below the lowest bin.
        unit: weight of the next observation.
    """

    bins: list[int]
    counts: list[float]
    total: float
    unit: float


class Surprise:
    """Estimates ``u(x) = -log10 P(X >= x)`` from the observations and a Pareto prior.

    The prior is ``P(X >= x) = min(1, (x / scale) ** -tail)``. Each :meth:`observe` is one quiet minute.

    Args:
        scale: where the prior's tail begins, in the unit of the value.
        tail: the prior's exponent; a larger one makes the same value more surprising.
        weight: weight of the prior, in observations (minutes).
        least: minimum weight of the prior as a share of all observations, so that the same value stays as surprising in
            the second month as in the first week: quiet minutes exclude what became an episode, so their tail alone is
            too thin.

    Example:
        >>> drop = Surprise(scale=1.0, tail=3.5)
        >>> round(drop.of(10.0), 2)
        3.5
        >>> for _ in range(10_000):
        ...     drop.observe(0.5)
        >>> round(drop.of(10.0), 2)
        4.37
    """

    __slots__ = ("_counts", "_tails", "_total", "_unit", "least", "scale", "tail", "weight")

    def __init__(self, scale: float, tail: float, weight: float = PRIOR_WEIGHT, least: float = 0.0) -> None:
        self.scale = scale
        self.weight = weight
        self.least = least
        self.tail = tail
        self._counts = np.zeros(BINS)
        self._total = 0.0
        self._unit = 1.0  # weight of the next observation: growing it is the same as fading all before it
        self._tails: list[float] | None = None

    def observe(self, value: float, times: int = 1) -> None:
        """Learn ``value`` as the observation of ``times`` quiet minutes."""
        times = min(times, MOST_TIMES)
        self._unit *= _GROWTH**times
        weight = self._unit * (1.0 - _FADE**times) / (1.0 - _FADE)  # one unit each, the earlier ones faded
        if value >= LOWEST:
            self._counts[self._bin(value)] += weight
        self._total += weight
        self._tails = None
        if self._unit > 1e12:  # keep the weights within what a float adds without loss
            self._counts /= self._unit
            self._total /= self._unit
            self._unit = 1.0

    def of(self, value: float) -> float:
        """Return the surprise of ``value`` in decades, 0 or more."""
        if value <= LOWEST:
            return 0.0
        value = min(value, HIGHEST)
        if self._tails is None:
            self._tails = (np.cumsum(self._counts[::-1])[::-1] / self._unit).tolist()
        seen = self._total / self._unit
        weight = max(self.weight, self.least * seen)
        prior = weight * min(1.0, (value / self.scale) ** -self.tail)
        share = (prior + self._tails[self._bin(value)]) / (weight + seen)
        return max(0.0, -math.log10(share))

    @staticmethod
    def _bin(value: float) -> int:
        return min(BINS - 1, int(math.log(min(value, HIGHEST) / LOWEST) / _LOG_RATIO))

    def state(self) -> SurpriseState:
        """Return what a snapshot stores."""
        bins = np.flatnonzero(self._counts)
        return SurpriseState(bins=bins.tolist(), counts=self._counts[bins].tolist(), total=self._total, unit=self._unit)

    def load(self, kept: SurpriseState) -> None:
        """Restore a decoded :class:`SurpriseState`."""
        self._counts[:] = 0.0
        self._counts[kept.bins] = kept.counts
        self._total, self._unit = kept.total, kept.unit
        self._tails = None
