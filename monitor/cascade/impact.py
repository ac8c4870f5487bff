"""How far forced flow moves the price."""

from __future__ import annotations

import math
from typing import Any, Final

MEMORY_S: Final = 3_600.0
"""Time constant of the regression."""
LEAST: Final = 6
"""Steps with forced flow before the slope means anything."""


class Impact:
    """F12 ``impact``: slope of the return on the signed forced flow (Kyle's lambda), exponentially weighted, O(1).

    Unit: basis points of price per million USD that buys. Typical: constant while the order book is there; a slope that
    rises means that liquidity withdraws. Least squares through the origin, over steps of ten seconds.

    Example:
        >>> import random
        >>> generator, impact = random.Random(2), Impact()
        >>> for _ in range(500):
        ...     flow = generator.gauss(0.0, 3e6)
        ...     impact.step(2e-10 * flow + generator.gauss(0.0, 1e-5), flow)
        >>> round(impact.slope, 1)
        2.0
    """

    __slots__ = ("_covariance", "_steps", "_variance")

    def __init__(self) -> None:
        self._covariance = 0.0
        self._variance = 0.0
        self._steps = 0

    def step(self, log_return: float, signed_usd: float, seconds: float = 10.0) -> None:
        """Take a step's return and its forced flow, bought minus sold (shorts minus longs that died)."""
        fade = math.exp(-seconds / MEMORY_S)
        millions = signed_usd / 1e6
        self._covariance = fade * self._covariance + 1e4 * log_return * millions
        self._variance = fade * self._variance + millions * millions
        self._steps += signed_usd != 0

    @property
    def slope(self) -> float:
        """Basis points a million USD; 0 before anything was learned."""
        return self._covariance / self._variance if self._steps >= LEAST and self._variance > 0 else 0.0

    def state(self) -> list[float]:
        """What a snapshot keeps."""
        return [self._covariance, self._variance, self._steps]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self._covariance, self._variance, self._steps = state
