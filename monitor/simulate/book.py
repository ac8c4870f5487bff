"""One side's leveraged positions of one asset, kept by the price at which each is liquidated."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.events import Side

LEVERAGES: Final = np.array([3.0, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0])
LEVERAGE_WEIGHTS: Final = np.array([0.30, 0.27, 0.25, 0.10, 0.05, 0.02, 0.01])
MAINTENANCE: Final = 0.004
"""Maintenance margin rate of the first tier of BTC; also how far bankruptcy lies beyond liquidation."""
MARGIN_SPREAD: Final = 0.3
"""Log-normal spread of the distance to liquidation within one leverage: margin is topped up and positions are old."""
BIN: Final = 5e-4
"""Log price of a bin: 5 bp."""
REACH: Final = 1.0
"""Log price from the start to either edge of the grid, far out of any story's way."""

Bins = npt.NDArray[np.int64]


class LeverageBook:
    """Lots by liquidation price.

    ``opened == open + closed + liquidated`` always holds, in whole lots.
    """

    def __init__(self, side: Side, log_price: float) -> None:
        self.side = side
        self.opened = 0
        self.closed = 0
        self.liquidated = 0
        self._origin = log_price - REACH
        self._lots: Bins = np.zeros(round(2 * REACH / BIN) + 1, dtype=np.int64)

    @property
    def open(self) -> int:
        """Lots of all open positions."""
        return self.opened - self.closed - self.liquidated

    @property
    def lots_by_bin(self) -> Bins:
        """A copy of the grid, lowest price first."""
        return self._lots.copy()

    def _bin(self, log_price: float) -> int:
        return math.floor((log_price - self._origin) / BIN)

    def add(self, log_price: float, lots: int, rng: np.random.Generator) -> None:
        """Open ``lots`` at ``log_price`` with the usual mix of leverage."""
        distance = (1 / LEVERAGES - MAINTENANCE) * np.exp(MARGIN_SPREAD * rng.standard_normal(len(LEVERAGES)))
        signed = -np.minimum(distance, 0.6) if self.side == "long" else distance
        bins = np.floor((log_price + np.log1p(signed) - self._origin) / BIN).astype(np.int64)
        np.clip(bins, 0, len(self._lots) - 1, out=bins)
        np.add.at(self._lots, bins, rng.multinomial(lots, LEVERAGE_WEIGHTS))
        self.opened += lots

    def cross(self, log_price: float) -> list[tuple[float, int]]:
        """Take out every position that dies at ``log_price``: (log price of its liquidation, lots), nearest last."""
        frontier = self._bin(log_price)
        first = max(0, frontier) if self.side == "long" else 0
        reached = self._lots[first:] if self.side == "long" else self._lots[: max(0, frontier + 1)]
        dead = np.flatnonzero(reached)
        crossed = [(self._origin + (first + int(at)) * BIN, int(reached[at])) for at in dead]
        reached[dead] = 0
        self.liquidated += sum(lots for _, lots in crossed)
        return crossed

    def take(self, lots: int) -> int:
        """Take out up to ``lots`` from the positions nearest to liquidation; returns how many there were."""
        wanted = lots
        occupied = np.flatnonzero(self._lots)
        for at in occupied[::-1] if self.side == "long" else occupied:
            taken = min(wanted, int(self._lots[at]))
            self._lots[at] -= taken
            wanted -= taken
            if wanted == 0:
                break
        self.liquidated += lots - wanted
        return lots - wanted

    def retire(self, share: float, rng: np.random.Generator) -> int:
        """Close about ``share`` of every bin by its owners' own will; returns the lots closed."""
        leaving = np.floor(self._lots * share + rng.random()).astype(np.int64)
        np.minimum(leaving, self._lots, out=leaving)
        self._lots -= leaving
        closed = int(leaving.sum())
        self.closed += closed
        return closed
