"""Leveraged positions of one side by the price that kills them: a ring of 5 bp bins around the price."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.events import Side
from monitor.simulate.book import BIN, LEVERAGE_WEIGHTS, LEVERAGES, MAINTENANCE, MARGIN_SPREAD

Floats = npt.NDArray[np.float64]

RING: Final = 4_096
"""Bins of the ring: a factor of 7.7 in price. What is still there once the price has gone round closed days ago."""
TOPPED_UP: Final = 2.0
"""Median distance to death over that of the nominal leverage: most margin is shared between positions ..."""
REFERENCE_SIGMA: Final = 0.024
"""... where a day's standard deviation is this; in wilder coins people take less leverage, in proportion."""
QUANTILES: Final = 400
"""Positions that a leverage's distances are made of."""
FARTHEST: Final = 0.6
"""No position dies further away than this; beyond, it is as good as unlevered."""
NEAREST: Final = 4
"""... and none opens nearer to its death than this many bins."""
SEED_ROUNDS: Final = 200
SWEPT: Final = 10
"""The first book was opened at prices spread like a day's, and what the last hours would have killed is gone."""


def kernel(side: Side, sigma_d: float) -> Floats:
    """How new positions lie, by bins from the price, the usual mix of leverage in each; sums to 1."""
    normal = [NormalDist().inv_cdf((step + 0.5) / QUANTILES) for step in range(QUANTILES)]
    topped_up = TOPPED_UP * sigma_d / REFERENCE_SIGMA
    distance = topped_up * (1 / LEVERAGES[:, None] - MAINTENANCE) * np.exp(MARGIN_SPREAD * np.array(normal))
    distance = np.minimum(distance, FARTHEST)
    logs = -np.log1p(-distance) if side == "long" else np.log1p(distance)
    bins = np.maximum(NEAREST, np.floor(logs / BIN).astype(np.int64))
    weights = np.zeros(int(bins.max()) + 1)
    np.add.at(weights, bins, np.broadcast_to(LEVERAGE_WEIGHTS[:, None] / QUANTILES, bins.shape))
    return weights


class LeverageRing:
    """One side's open interest, in units of the asset's usual open interest.

    Closing a share of everything is one multiplication (:meth:`close`): bins are kept as of the start and scaled when
    they are read.

    Attributes:
        frontier: bin of the price up to which everything is dead: longs at and above it, shorts at and below.
        open: sum of all positions.
    """

    def __init__(self, side: Side, target: float, sigma_d: float, rng: np.random.Generator) -> None:
        self.open = 0.0
        self.sign = -1 if side == "long" else 1
        self.frontier = 0
        self._kernel = kernel(side, sigma_d)
        self._offsets = self.sign * np.arange(len(self._kernel))
        self._bins: Floats = np.zeros(RING)
        self._scale = 1.0
        for entry in rng.normal(0.0, 0.8 * sigma_d, SEED_ROUNDS).tolist():
            self.add(math.floor(entry / BIN), target / SEED_ROUNDS)
        self.frontier = -self.sign * (RING // 2 - 1)
        self.cross(self.sign * SWEPT)
        self.close(1 - target / self.open)  # what the sweep took was never there

    def add(self, at: int, amount: float) -> None:
        """Open ``amount`` at the price of bin ``at``."""
        self._bins[(self._offsets + at) % RING] += self._kernel * (amount / self._scale)
        self.open += amount
        nearest = at + self.sign * (NEAREST - 1)
        self.frontier = max(self.frontier, nearest) if self.sign < 0 else min(self.frontier, nearest)

    def reaches(self, at: int) -> bool:
        """Whether the price of bin ``at`` may kill something."""
        return at < self.frontier if self.sign < 0 else at > self.frontier

    def cross(self, at: int) -> float:
        """Take out and return what dies at the price of bin ``at``."""
        bins = np.arange(at, self.frontier) if self.sign < 0 else np.arange(self.frontier + 1, at + 1)
        bins %= RING
        dead = float(self._bins[bins].sum()) * self._scale
        self._bins[bins] = 0.0
        self.frontier = at
        self.open -= dead
        return dead

    def close(self, share: float) -> None:
        """Owners close ``share`` of every position."""
        self._scale *= 1 - share
        self.open *= 1 - share
        if self._scale < 1e-12:  # far from the smallest number
            self._bins *= self._scale
            self._scale = 1.0
