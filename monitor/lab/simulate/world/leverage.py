"""Holds one side's leveraged positions by the price that liquidates them, in a ring of 5 bp bins around the price."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.lab.simulate.book import BIN, LEVERAGE_WEIGHTS, LEVERAGES, MAINTENANCE, MARGIN_SPREAD
from monitor.model.events import Side

Floats = npt.NDArray[np.float64]

RING: Final = 4_096
"""Number of bins: a factor of 7.7 in price. A position still there after a full turn was closed days before."""
TOPPED_UP: Final = 2.0
"""Distance to liquidation over that of the nominal leverage, median: most margin is shared between positions."""
REFERENCE_SIGMA: Final = 0.024
"""Daily standard deviation at which :data:`TOPPED_UP` holds; it grows in proportion with volatility."""
QUANTILES: Final = 400
"""Number of positions that make a leverage's distances."""
FARTHEST: Final = 0.6
"""Largest distance to liquidation; beyond, a position is as good as unlevered."""
NEAREST: Final = 4
"""Smallest distance to liquidation of a new position, bins."""
SEED_ROUNDS: Final = 200
"""Number of openings that make the first book, at prices spread like a day's."""
SWEPT_BINS: Final = 10
"""Distance within which the first book has no positions, bins: the last hours would have liquidated them."""


def kernel(side: Side, sigma_d: float) -> Floats:
    """Return the distribution of new positions by bins from the price, with the usual mix of leverage; it sums to 1."""
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
    read.

    Attributes:
        frontier: bin of the price up to which everything is liquidated: longs at and above it, shorts at and below.
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
        self.cross(self.sign * SWEPT_BINS)
        self.close(1 - target / self.open)  # the swept positions were never part of the open interest

    def add(self, at: int, amount: float) -> None:
        """Open ``amount`` at the price of bin ``at``."""
        self._bins[(self._offsets + at) % RING] += self._kernel * (amount / self._scale)
        self.open += amount
        nearest = at + self.sign * (NEAREST - 1)
        self.frontier = max(self.frontier, nearest) if self.sign < 0 else min(self.frontier, nearest)

    def reaches(self, at: int) -> bool:
        """Return True if the price of bin ``at`` may liquidate a position."""
        return at < self.frontier if self.sign < 0 else at > self.frontier

    def cross(self, at: int) -> float:
        """Remove the positions that the price of bin ``at`` liquidates, and return their amount."""
        bins = np.arange(at, self.frontier) if self.sign < 0 else np.arange(self.frontier + 1, at + 1)
        bins %= RING
        liquidated = float(self._bins[bins].sum()) * self._scale
        self._bins[bins] = 0.0
        self.frontier = at
        self.open -= liquidated
        return liquidated

    def close(self, share: float) -> None:
        """Close ``share`` of every position, as owners do."""
        self._scale *= 1 - share
        self.open *= 1 - share
        if self._scale < 1e-12:  # well before it underflows
            self._bins *= self._scale
            self._scale = 1.0
