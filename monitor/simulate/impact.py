"""What forced orders do to the price: impact that grows as the order book thins, fades, and is part absorbed."""

from __future__ import annotations

import math
from typing import Final

IMPACT: Final = 0.16
"""Log price per daily volume of forced orders sold into a full order book."""
TRANSIENT_S: Final = 30.0
"""Time constant of the half of the impact that comes back soon (the full model: 60 s)."""
LASTING_S: Final = 9_000.0
"""Time constant of the other half: 2.5 hours."""
BACKSTOP_MAX: Final = 0.65
BACKSTOP_HALF_BP: Final = 3.0
"""The insurance fund takes up to 65 % of the flow, half of that at 3 bp of daily volume a second."""
SHOCK_S: Final = 10.0
"""The move that thins the book is measured against a mean of about this length."""
THIN: Final = 0.3
"""The book never falls below this share of its depth."""
THINNING_S: Final = 2.0
RECOVERY_S: Final = 60.0
"""Depth goes in seconds and comes back in a minute (the full model: 400 s; a story of 90 s needs it faster)."""


def backstop_share(forced_of_adv_per_s: float) -> float:
    """Share of a forced flow, given as a fraction of daily volume a second, that never reaches the order book."""
    basis_points = forced_of_adv_per_s * 1e4
    return BACKSTOP_MAX * basis_points / (basis_points + BACKSTOP_HALF_BP)


class Impact:
    """The endogenous part of one asset's log price."""

    def __init__(self, volatility: float, log_price: float) -> None:
        self.depth = 1.0
        self._calm_move = volatility * math.sqrt(SHOCK_S)
        self._mean = log_price
        self._transient = 0.0
        self._lasting = 0.0

    @property
    def log_price(self) -> float:
        """What forced orders have moved the log price by so far."""
        return self._transient + self._lasting

    def push(self, of_adv: float) -> None:
        """Take forced orders on the book, as a fraction of daily volume; negative for sells."""
        move = IMPACT * of_adv / self.depth
        self._transient += move / 2
        self._lasting += move / 2

    def relax(self, log_price: float, seconds: float) -> None:
        """Let ``seconds`` pass with the asset at ``log_price``."""
        self._transient *= math.exp(-seconds / TRANSIENT_S)
        self._lasting *= math.exp(-seconds / LASTING_S)
        self._mean += (log_price - self._mean) * -math.expm1(-seconds / SHOCK_S)
        surprise = abs(log_price - self._mean) / self._calm_move
        target = max(THIN, min(1.0, 3 / surprise)) if surprise > 3 else 1.0
        constant = THINNING_S if target < self.depth else RECOVERY_S
        self.depth += (target - self.depth) * -math.expm1(-seconds / constant)
