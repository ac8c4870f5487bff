"""Whether one asset moves before the others."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final, NamedTuple

import numpy as np

LAGS_S: Final = 30
"""Leads and lags of up to this many seconds."""
MEMORY_S: Final = 600.0
"""Time constant of the correlation: ten minutes."""


class Found(NamedTuple):
    """The lag with the largest correlation; ``lag_s`` is positive where the leader moves first."""

    lag_s: int
    correlation: float


class Lead:
    """F9 ``btc_lead``: lag of the largest cross-correlation of the leader's one-second returns with the others' mean.

    Unit: seconds, positive where the leader is first; report only. Source: exponentially weighted over ten minutes, a
    ring of thirty lags either way. Typical: 0 to 2 s; shocks reach all coins within the same seconds.

    Example:
        >>> import random
        >>> generator, lead, before = random.Random(4), Lead(), [0.0] * 3
        >>> for _ in range(900):
        ...     before.append(generator.gauss(0.0, 1e-4))
        ...     lead.second(before[-1], 0.8 * before[-4] + generator.gauss(0.0, 2e-5))
        >>> lead.found().lag_s, round(lead.found().correlation, 1)
        (3, 1.0)
    """

    __slots__ = ("_leader", "_others", "_products", "_squares")

    _FADE: Final = math.exp(-1.0 / MEMORY_S)

    def __init__(self) -> None:
        self._leader: deque[float] = deque([0.0] * (LAGS_S + 1), LAGS_S + 1)  # newest first
        self._others: deque[float] = deque([0.0] * (LAGS_S + 1), LAGS_S + 1)
        self._products = np.zeros(2 * LAGS_S + 1)  # by lag, from the others leading to the leader leading
        self._squares = [0.0, 0.0]

    def second(self, leader: float, others: float) -> None:
        """Take a second's returns."""
        self._leader.appendleft(leader)
        self._others.appendleft(others)
        self._products *= self._FADE
        self._products[LAGS_S:] += others * np.array(self._leader)
        self._products[:LAGS_S] += leader * np.array(self._others)[:0:-1]
        self._squares = [self._FADE * self._squares[0] + leader**2, self._FADE * self._squares[1] + others**2]

    def found(self) -> Found:
        """The lag and its correlation; no lag where nothing moved."""
        scale = math.sqrt(self._squares[0] * self._squares[1])
        if scale == 0.0:
            return Found(0, 0.0)
        best = int(np.argmax(self._products))
        return Found(best - LAGS_S, float(self._products[best]) / scale)

    def state(self) -> list[Any]:
        """What a snapshot keeps."""
        return [list(self._leader), list(self._others), self._products.tolist(), self._squares]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        leader, others, products, self._squares = state
        self._leader, self._others = deque(leader, LAGS_S + 1), deque(others, LAGS_S + 1)
        self._products = np.array(products)
