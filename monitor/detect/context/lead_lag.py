"""Lead of one asset's returns over those of all others, seconds."""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

import msgspec
import numpy as np

LAGS_S: Final = 30
"""Longest lead or lag that is measured, seconds."""
MEMORY_S: Final = 600.0
"""Time constant of the correlation: ten minutes."""


class Found(NamedTuple):
    """The lag with the largest correlation; ``lag_s`` is positive where the leader moves first."""

    lag_s: int
    correlation: float


class LeadLagState(msgspec.Struct, array_like=True):
    """Everything that :class:`LeadLag` remembers.

    Attributes:
        prices: the last price by asset.
        second: the second of the last price.
        now: returns within that second: the leader's, and the sum of the others'.
        moved: the last second before it with a return.
        leader: returns of the leader, newest first.
        others: mean returns of the others, newest first.
        products: weighted products by lag, from the others leading to the leader leading.
        squares: weighted squares of the leader's and of the others' returns.
    """

    prices: dict[str, float]
    second: int
    now: list[float]
    moved: int
    leader: list[float]
    others: list[float]
    products: list[float]
    squares: list[float]


class LeadLag:
    """Lag of the largest cross-correlation of the leader's one-second returns with the mean of the others'.

    Unit: seconds, positive where the leader moves first; it never decides. The correlation is exponentially weighted
    over ten minutes, with thirty lags either way; all other assets have the same weight. Typical: 0 to 2 s; shocks
    reach all coins within the same seconds. A price costs one look-up, and a second without a return costs nothing.
    The running second is not included.

    Example:
        >>> import random
        >>> generator, lead, btc, path = random.Random(4), LeadLag(), 100.0, []
        >>> for second in range(1, 900):
        ...     path.append(btc)
        ...     btc *= 1 + generator.gauss(0.0, 1e-4)
        ...     lead.price(second, "BTC", btc, leads=True)
        ...     lead.price(second, "SOL", path[max(0, second - 3)] / 10, leads=False)
        >>> lead.found().lag_s, round(lead.found().correlation, 1)
        (3, 1.0)
    """

    __slots__ = ("_leader", "_moved", "_now", "_others", "_prices", "_products", "_second", "_squares")

    _FADE: Final = math.exp(-1.0 / MEMORY_S)

    def __init__(self) -> None:
        self._prices: dict[str, float] = {}
        self._second = 0  # the second of the last price
        self._now = [0.0, 0.0]  # its returns: the leader's, the others' sum
        self._moved = 0  # the last second before it with a return
        self._leader: deque[float] = deque([0.0] * (LAGS_S + 1), LAGS_S + 1)  # newest first
        self._others: deque[float] = deque([0.0] * (LAGS_S + 1), LAGS_S + 1)
        self._products = np.zeros(2 * LAGS_S + 1)  # by lag, from the others leading to the leader leading
        self._squares = [0.0, 0.0]

    def price(self, second: int, asset: str, price: float, *, leads: bool) -> None:
        """Take an asset's price as of the end of a second; seconds come in order, those left out had no return."""
        if second != self._second:
            self._close()
            self._second = second
        before = self._prices.get(asset)
        self._prices[asset] = price
        if before is not None and price != before:
            self._now[0 if leads else 1] += math.log(price / before)

    def _close(self) -> None:
        """Take the returns of the second that ended."""
        leader, others = self._now
        if leader or others:
            self._now = [0.0, 0.0]
            self._take(self._second, leader, others / max(1, len(self._prices) - 1))

    def _take(self, second: int, leader: float, others: float) -> None:
        elapsed, self._moved = second - self._moved, second
        still = [0.0] * min(LAGS_S, elapsed - 1)
        self._leader.extendleft((*still, leader))
        self._others.extendleft((*still, others))
        fade = self._FADE**elapsed
        self._products *= fade
        if others:
            self._products[LAGS_S:] += others * np.array(self._leader)
        if leader:
            self._products[:LAGS_S] += leader * np.array(self._others)[:0:-1]
        self._squares = [fade * self._squares[0] + leader**2, fade * self._squares[1] + others**2]

    def found(self) -> Found:
        """Return the lag and its correlation; zeros where no price moved."""
        scale = math.sqrt(self._squares[0] * self._squares[1])
        if scale == 0.0:
            return Found(0, 0.0)
        best = int(np.argmax(self._products))
        return Found(best - LAGS_S, float(self._products[best]) / scale)

    def state(self) -> LeadLagState:
        """Return what a snapshot stores."""
        return LeadLagState(
            prices=self._prices,
            second=self._second,
            now=self._now,
            moved=self._moved,
            leader=list(self._leader),
            others=list(self._others),
            products=self._products.tolist(),
            squares=self._squares,
        )

    def load(self, state: LeadLagState) -> None:
        """Restore what :meth:`state` returned."""
        self._prices, self._second, self._now, self._moved = state.prices, state.second, state.now, state.moved
        self._leader, self._others = deque(state.leader, LAGS_S + 1), deque(state.others, LAGS_S + 1)
        self._products, self._squares = np.array(state.products), state.squares
