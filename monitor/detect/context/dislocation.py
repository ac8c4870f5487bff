"""Distance of perpetuals from their index and from one another: a sign of stress that no venue gives alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

import msgspec

from monitor.detect.baseline.surprise import Surprise, SurpriseState
from monitor.model.events import SIDES, Side

FRESH_S: Final = 120
"""Age in seconds up to which a venue's basis counts: an older one beside a new one would look like dispersion."""
LEAST_BASES: Final = 2
"""Minimum number of venues for a basis: with one, a single venue would decide."""
LEAST_SPREAD: Final = 3
"""Minimum number of venues for a dispersion: with two, a single venue would decide."""
STRESS_ZERO: Final = 3.0
"""Surprise in decades up to which stress gives no points."""
STRESS_FULL: Final = 5.0
"""Surprise in decades from which stress gives all its points."""
STRESS_WEIGHT: Final = 4.0
"""Points that stress gives at most."""
NORMAL_BP: Final = 5.0
"""Basis points at which the Pareto tail of the prior begins, of basis and of dispersion."""
TAIL: Final = 4.5
"""Exponent of that tail, as steep as that of the price's moves."""
PRIOR_WEIGHT: Final = 2880.0
"""Weight of the prior in observations: a day, each of whose minutes shows both sides."""
PRIOR_LEAST: Final = 0.5
"""Minimum weight of the prior as a share of all observations, as for the price's moves."""


class Stress(NamedTuple):
    """The more surprising of basis and dispersion: the feature's name, its value (bp) and its surprise (decades)."""

    feature: str
    bp: float
    surprise: float


class DislocationState(msgspec.Struct, array_like=True):
    """Everything that :class:`Dislocation` remembers: the distributions of basis and of dispersion."""

    basis: SurpriseState
    dispersion: SurpriseState


class Dislocation:
    """Basis against the liquidated side, and dispersion of the venues' bases, robust to a single wrong venue.

    Basis is ``(mark - index) / index`` by venue. Liquidated longs push it below zero, liquidated shorts above, so the
    lower median over venues in that direction counts. Dispersion is the range without the venue that widens it most.
    So one venue's price, however wrong, gives nothing. Unit: basis points, and decades of surprise over the quiet
    minutes of the asset. Typical: a few basis points; on 2025-10-10 perpetuals stood far below spot.

    Example:
        >>> dislocation = Dislocation()
        >>> for _ in range(1440):
        ...     dislocation.learn_minute([-2.0, 1.0, 3.0])
        >>> stress = dislocation.against("long", [-80.0, -70.0, -60.0])
        >>> stress.feature, stress.bp, round(stress.surprise, 1)
        ('basis_bp', 70.0, 5.5)
        >>> dislocation.against("short", [-80.0, -70.0, -60.0])[:2]
        ('basis_dispersion_bp', 10.0)
        >>> dislocation.against("long", [-2_000.0, 1.0, 3.0]).surprise < 1
        True
        >>> dislocation.against("long", [-2_000.0])
    """

    __slots__ = ("_basis", "_dispersion")

    def __init__(self) -> None:
        self._basis = Surprise(NORMAL_BP, TAIL, PRIOR_WEIGHT, PRIOR_LEAST)
        self._dispersion = Surprise(NORMAL_BP, TAIL, PRIOR_WEIGHT / len(SIDES), PRIOR_LEAST)

    def against(self, side: Side, bases_bp: Collection[float]) -> Stress | None:
        """Return how surprising the venues' bases are if ``side`` is liquidated; None where too few venues have one."""
        if len(bases_bp) < LEAST_BASES:
            return None
        ordered = sorted(bases_bp)
        basis = adverse(side, ordered)
        found = Stress("basis_bp", basis, self._basis.of(basis))
        spread = dispersion(ordered)
        if spread is not None and (surprise := self._dispersion.of(spread)) > found.surprise:
            return Stress("basis_dispersion_bp", spread, surprise)
        return found

    def learn_minute(self, bases_bp: Collection[float]) -> None:
        """Learn the bases of a quiet minute."""
        if len(bases_bp) < LEAST_BASES:
            return
        ordered = sorted(bases_bp)
        for side in SIDES:
            self._basis.observe(adverse(side, ordered))
        spread = dispersion(ordered)
        if spread is not None:
            self._dispersion.observe(spread)

    def state(self) -> DislocationState:
        """Return what a snapshot stores."""
        return DislocationState(basis=self._basis.state(), dispersion=self._dispersion.state())

    def load(self, state: DislocationState) -> None:
        """Restore what :meth:`state` returned."""
        self._basis.load(state.basis)
        self._dispersion.load(state.dispersion)


def adverse(side: Side, ordered: list[float]) -> float:
    """Return the lower median of how far marks are below (``long``) or above the index; of two venues the smaller."""
    if side == "long":
        return max(0.0, -ordered[len(ordered) // 2])
    return max(0.0, ordered[(len(ordered) - 1) // 2])


def dispersion(ordered: list[float]) -> float | None:
    """Return the range without the venue that widens it most; None for fewer than three venues."""
    if len(ordered) < LEAST_SPREAD:
        return None
    return min(ordered[-1] - ordered[1], ordered[-2] - ordered[0])
