"""Models the impact of forced orders on the price: it grows as the book thins, fades, and is absorbed in part."""

from __future__ import annotations

import math
from typing import Final

IMPACT: Final = 0.16
"""Log price per daily volume of forced orders sold into a full order book."""
TRANSIENT_S: Final = 30.0
"""Time constant of the half of the impact that fades soon, seconds (60 s in simulated months)."""
LASTING_S: Final = 9_000.0
"""Time constant of the other half of the impact, seconds: 2.5 hours."""
BACKSTOP_MAX: Final = 0.65
"""Largest share of the flow that the insurance fund takes."""
BACKSTOP_HALF_BP: Final = 3.0
"""Flow at which the insurance fund takes half of its largest share, basis points of daily volume a second."""
SHOCK_S: Final = 10.0
"""Length of the mean against which a move is measured that thins the book, seconds."""
MIN_DEPTH: Final = 0.3
"""Smallest share of its depth to which the order book thins."""
THINNING_S: Final = 2.0
"""Time constant with which depth goes, seconds."""
RECOVERY_S: Final = 60.0
"""Time constant with which depth comes back, seconds (400 s in simulated months; 90 s of demo need it faster)."""


def backstop_share(forced_of_adv_per_s: float) -> float:
    """Return the share of a forced flow that never reaches the order book; the flow is in daily volumes a second."""
    basis_points = forced_of_adv_per_s * 1e4
    return BACKSTOP_MAX * basis_points / (basis_points + BACKSTOP_HALF_BP)


class Impact:
    """Computes the endogenous part of one asset's log price."""

    def __init__(self, volatility: float, log_price: float) -> None:
        self.depth = 1.0
        self._calm_move = volatility * math.sqrt(SHOCK_S)
        self._mean = log_price
        self._transient = 0.0
        self._lasting = 0.0

    @property
    def log_price(self) -> float:
        """Return by how much forced orders have moved the log price so far."""
        return self._transient + self._lasting

    def push(self, of_adv: float) -> None:
        """Apply forced orders on the book, as a fraction of daily volume; negative for sells."""
        move = IMPACT * of_adv / self.depth
        self._transient += move / 2
        self._lasting += move / 2

    def relax(self, log_price: float, seconds: float) -> None:
        """Let ``seconds`` pass with the asset at ``log_price``."""
        self._transient *= math.exp(-seconds / TRANSIENT_S)
        self._lasting *= math.exp(-seconds / LASTING_S)
        self._mean += (log_price - self._mean) * -math.expm1(-seconds / SHOCK_S)
        surprise = abs(log_price - self._mean) / self._calm_move
        target = max(MIN_DEPTH, min(1.0, 3 / surprise)) if surprise > 3 else 1.0
        constant = THINNING_S if target < self.depth else RECOVERY_S
        self.depth += (target - self.depth) * -math.expm1(-seconds / constant)
