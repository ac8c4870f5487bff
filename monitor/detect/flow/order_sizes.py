"""Learns the size distribution of single forced orders from seconds that show them all."""

from __future__ import annotations

import math
from typing import Final

import msgspec

KNOWN: Final = 30
"""Minimum orders for the distribution to be used: the mean's logarithm is then known to about 0.4."""
MEMORY: Final = 2_000
"""Length of the memory, in orders: a week of a calm symbol, an hour of a busy one."""
PRIOR_SPREAD: Final = 1.8
"""Assumed standard deviation of an order's logarithm until it is measured; 1.8 in calm recordings."""
LARGEST_SPREAD: Final = 2.2
"""Upper bound of that deviation: above it the mean depends on orders too large to have been observed."""


class MarksState(msgspec.Struct, array_like=True):
    """Everything that :class:`Marks` remembers: the orders' number, and mean and variance of their logarithm."""

    count: int
    mean: float
    variance: float


class Marks:
    """Estimates a lognormal distribution of order sizes, one order at a time.

    Unit: USD. Typical: median of 2,000 USD and a spread of 1.8 (a mean of five medians) on BTC.

    Example:
        >>> import random
        >>> generator, marks = random.Random(1), Marks()
        >>> for _ in range(2_000):
        ...     marks.learn(generator.lognormvariate(math.log(2_000), 1.5))
        >>> marks.known, round(marks.mean, -2), round(marks.beyond(2_000), 2)
        (True, 6000.0, 0.49)
    """

    __slots__ = ("_count", "_mean", "_variance")

    def __init__(self) -> None:
        self._count = 0
        self._mean = 0.0  # of the logarithm
        self._variance = PRIOR_SPREAD**2

    @property
    def known(self) -> bool:
        """Return True if enough orders were observed."""
        return self._count >= KNOWN

    @property
    def mean(self) -> float:
        """Return the mean order, USD."""
        return math.exp(self._mean + self._sigma**2 / 2)

    @property
    def spread(self) -> float:
        """Return the variance of an order over its squared mean."""
        return math.expm1(self._sigma**2)

    @property
    def uncertainty(self) -> float:
        """Return the variance of the estimated mean over its square."""
        return (self._variance + self._variance**2 / 2) / min(self._count or 1, MEMORY)

    @property
    def _sigma(self) -> float:
        return min(LARGEST_SPREAD, math.sqrt(self._variance))

    def learn(self, usd: float) -> None:
        """Learn the size, USD, of an order of a second that hides none."""
        if usd <= 0:
            return
        self._count += 1
        gain = max(1.0 / self._count, 1.0 / MEMORY)
        away = math.log(usd) - self._mean
        self._mean += gain * away
        # The prior counts as KNOWN orders, so that the first few do not make a narrow distribution.
        pull = max(1.0 / (self._count + KNOWN), 1.0 / MEMORY)
        self._variance += pull * (away * away * (1.0 - gain) - self._variance) if self._count > 1 else 0.0

    def beyond(self, usd: float) -> float:
        """Return the share of orders that are larger, 1 - F."""
        if self._count == 0 or usd <= 0:
            return 1.0
        return 0.5 * math.erfc((math.log(usd) - self._mean) / (self._sigma * math.sqrt(2.0)))

    def moment(self, power: int, usd: float) -> float:
        """Return ``E[mark ** power; mark < usd]``: what orders below a size add to the mean, or to the mean square."""
        if self._count == 0 or usd <= 0:
            return 0.0
        sigma = self._sigma
        whole = math.exp(power * self._mean + power**2 * sigma**2 / 2)
        return whole * 0.5 * math.erfc(-(math.log(usd) - self._mean - power * sigma**2) / (sigma * math.sqrt(2.0)))

    def state(self) -> MarksState:
        """Return what a snapshot stores."""
        return MarksState(count=self._count, mean=self._mean, variance=self._variance)

    @classmethod
    def restore(cls, kept: MarksState) -> Marks:
        """Return the distribution of a decoded :class:`MarksState`."""
        self = cls()
        self._count, self._mean, self._variance = kept.count, kept.mean, kept.variance
        return self
