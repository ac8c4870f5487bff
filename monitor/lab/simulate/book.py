"""Holds one side's leveraged positions of one asset by the price at which each is liquidated."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.model.events import Side

LEVERAGES: Final = np.array([3.0, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0])
LEVERAGE_WEIGHTS: Final = np.array([0.30, 0.27, 0.25, 0.10, 0.05, 0.02, 0.01])
MAINTENANCE: Final = 0.004
"""Maintenance margin rate of BTC's first tier; also the distance from liquidation to bankruptcy."""
MARGIN_SPREAD: Final = 0.3
"""Log-normal spread of the distance to liquidation within one leverage, as margins and ages differ."""
BIN: Final = 5e-4
"""Width of a bin of log price: 5 basis points."""
REACH: Final = 1.0
"""Log price from the start to either edge of the grid, far beyond any scenario."""

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
        """Return the lots of all open positions."""
        return self.opened - self.closed - self.liquidated

    @property
    def lots_by_bin(self) -> Bins:
        """Return a copy of the grid, lowest price first."""
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
        """Remove and return the positions liquidated at ``log_price``: (log price of liquidation, lots)."""
        frontier = self._bin(log_price)
        first = max(0, frontier) if self.side == "long" else 0
        reached = self._lots[first:] if self.side == "long" else self._lots[: max(0, frontier + 1)]
        dead = np.flatnonzero(reached)
        crossed = [(self._origin + (first + int(at)) * BIN, int(reached[at])) for at in dead]
        reached[dead] = 0
        self.liquidated += sum(lots for _, lots in crossed)
        return crossed

    def take(self, lots: int) -> int:
        """Liquidate up to ``lots`` of the positions nearest to liquidation and return their number."""
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
        """Close about ``share`` of every bin, as owners do, and return the lots closed."""
        leaving = np.floor(self._lots * share + rng.random()).astype(np.int64)
        np.minimum(leaving, self._lots, out=leaving)
        self._lots -= leaving
        closed = int(leaving.sum())
        self.closed += closed
        return closed
