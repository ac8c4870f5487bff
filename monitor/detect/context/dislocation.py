"""How far perpetuals stand from their index, and from one another, as a sign of stress that no venue gives alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from monitor.detect.baseline.surprise import Surprise
from monitor.model.events import SIDES, Side

FRESH_S: Final = 120
"""A venue's basis counts for this long, seconds: an older one beside a new one would look like dispersion."""
LEAST_BASES: Final = 2
LEAST_SPREAD: Final = 3
"""Venues of which a basis and a spread are told: with one fewer, a single venue would decide."""
STRESS_ZERO: Final = 3.0
STRESS_FULL: Final = 5.0
STRESS_WEIGHT: Final = 4.0
"""Decades between which it goes from no points to all, and how many those are."""
NORMAL_BP: Final = 5.0
TAIL: Final = 4.5
"""Prior of either, basis points: a Pareto tail from a few of them on, as steep as that of the price's moves."""
PRIOR_WEIGHT: Final = 2880.0
"""Observations that the prior is worth: a day, whose minutes show both sides."""
PRIOR_LEAST: Final = 0.5
"""The prior never weighs less than this share of what was seen, as that of the price's moves."""


class Stress(NamedTuple):
    """The more surprising of the two: the feature's name, its value in basis points, its surprise in decades."""

    feature: str
    bp: float
    surprise: float


class Dislocation:
    """Basis against the side that dies, and dispersion of the venues' bases (F17 of the detection notes), robustly.

    Basis is ``(mark - index) / index`` by venue. Longs that are sold push it below zero, shorts above, so what counts
    is the lower median over venues in that direction. Dispersion is the range of all but the venue that stretches it
    most. So one venue's price, however mad, gives nothing. Unit: basis points, and decades of surprise over the quiet
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
        """How surprising the venues' bases are when ``side`` dies; None where too few venues say anything."""
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
        """Learn what a quiet minute shows."""
        if len(bases_bp) < LEAST_BASES:
            return
        ordered = sorted(bases_bp)
        for side in SIDES:
            self._basis.observe(adverse(side, ordered))
        spread = dispersion(ordered)
        if spread is not None:
            self._dispersion.observe(spread)

    def state(self) -> list[object]:
        """What a snapshot keeps."""
        return [self._basis.state(), self._dispersion.state()]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self._basis.load(state[0])
        self._dispersion.load(state[1])


def adverse(side: Side, ordered: list[float]) -> float:
    """Lower median of how far the index is undercut (``long``) or exceeded; of two venues the one that says less."""
    if side == "long":
        return max(0.0, -ordered[len(ordered) // 2])
    return max(0.0, ordered[(len(ordered) - 1) // 2])


def dispersion(ordered: list[float]) -> float | None:
    """Range without the venue that stretches it most; None of fewer than three."""
    if len(ordered) < LEAST_SPREAD:
        return None
    return min(ordered[-1] - ordered[1], ordered[-2] - ordered[0])
