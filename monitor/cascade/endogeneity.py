"""How much of the forced flow looks set off by itself: diagnostics that never trigger anything.

A branching ratio near one is what a regime shift alone shows: on a Poisson stream with a burst from outside (true ratio
0) these estimators return 0.9, as they do when the true one is 0.15 within the burst. So they are exported and have no
weight in the score.
"""

from __future__ import annotations

import math
from typing import Any, Final

STEP_S: Final = 10
"""Orders are counted in steps of this many seconds."""
MEMORY_S: Final = 300.0
"""Time constant of the mean and the variance."""
KERNEL_MEMORY_S: Final = 1_800.0
"""Time constant of the kernel's regression."""
LEAST_ORDERS: Final = 50.0
"""Fewer orders within the memory say nothing."""


class CountRatio:
    """F18 ``n_hb``: ``1 - sqrt(mean / variance)`` of the orders in ten seconds (Hardiman and Bouchaud 2014).

    Unit: dimensionless, 0 to 1. Typical: 0 for independent orders, 0.87 for a stationary Hawkes process of 0.9, and 0.9
    for any burst. Feeds of one report a second show less.

    Example:
        >>> import random
        >>> generator, ratio = random.Random(1), CountRatio()
        >>> for _ in range(360):
        ...     ratio.step(sum(generator.random() < 0.01 for _ in range(1_000)))
        >>> ratio.value is not None and ratio.value < 0.3
        True
        >>> for orders in (400, 300, 200, 100):
        ...     ratio.step(orders)
        >>> ratio.value is not None and ratio.value > 0.8
        True
    """

    __slots__ = ("_mean", "_steps", "_variance")

    _GAIN: Final = -math.expm1(-STEP_S / MEMORY_S)

    def __init__(self) -> None:
        self._mean = 0.0
        self._variance = 0.0
        self._steps = 0

    def step(self, orders: int) -> None:
        """Take the orders of ten seconds."""
        self._steps += 1
        gain = max(self._GAIN, 1.0 / self._steps)
        away = orders - self._mean
        self._mean += gain * away
        self._variance = (1.0 - gain) * (self._variance + gain * away * away)

    @property
    def value(self) -> float | None:
        """The ratio, None where there are too few orders to tell."""
        if self._mean * MEMORY_S / STEP_S < LEAST_ORDERS:
            return None
        return max(0.0, 1.0 - math.sqrt(self._mean / self._variance)) if self._variance > self._mean else 0.0

    def state(self) -> list[float]:
        """What a snapshot keeps."""
        return [self._mean, self._variance, self._steps]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self._mean, self._variance, self._steps = state


class KernelRatio:
    """F19 ``n_exp``: branching ratio of a Hawkes process with an exponential kernel of half a minute.

    The expected orders of a step are ``mu + n E``, ``E`` being the exponentially weighted orders before it, so ``n`` is
    the slope of a regression, here exponentially weighted over half an hour. To be fed with venues that report
    everything: fits on censored counts are biased. Unit: dimensionless, 0 to 1. Typical: see :class:`CountRatio`.

    Example:
        >>> import random
        >>> generator, ratio = random.Random(3), KernelRatio()
        >>> for _ in range(2_000):
        ...     ratio.step(sum(generator.random() < 0.01 for _ in range(200)))
        >>> ratio.value is not None and ratio.value < 0.5
        True
        >>> for orders in (20, 60, 90, 120, 100, 70, 50, 30, 20, 10):
        ...     ratio.step(orders)
        >>> ratio.value is not None and ratio.value > 0.8
        True
    """

    __slots__ = ("_excited", "_sums")

    _DECAY: Final = math.exp(-STEP_S / 30.0)
    _FADE: Final = math.exp(-STEP_S / KERNEL_MEMORY_S)

    def __init__(self) -> None:
        self._excited = 0.0
        self._sums = [0.0] * 5  # weights, E, orders, E * E, E * orders

    def step(self, orders: int) -> None:
        """Take the orders of ten seconds."""
        excited = self._excited
        seen = (1.0, excited, orders, excited * excited, excited * orders)
        self._sums = [self._FADE * kept + new for kept, new in zip(self._sums, seen, strict=True)]
        self._excited = self._DECAY * excited + (1.0 - self._DECAY) * orders

    @property
    def value(self) -> float | None:
        """The ratio, None where there are too few orders to tell."""
        weight, excited, orders, squares, products = self._sums
        spread = weight * squares - excited * excited
        if orders < LEAST_ORDERS or spread <= 0.0:
            return None
        return min(1.0, max(0.0, (weight * products - excited * orders) / spread))

    def state(self) -> list[Any]:
        """What a snapshot keeps."""
        return [self._excited, self._sums]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self._excited, self._sums = state
