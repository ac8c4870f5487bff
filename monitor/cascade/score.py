"""The risk score: points of two families that explain themselves.

Every item is a ramp from 0 points to full points in a scale-free unit, so a large and a small asset share thresholds.
Points add up to the score, so they are its explanation. An item that cannot be observed (no trades are collected, one
venue only) neither helps nor hurts: its weight goes to the other items of its family.

Two families must agree: forced flow without a move of the price is a wick or a data error, a move without forced flow
is no liquidation cascade.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from monitor.events import Evidence

FLOW_POINTS: Final = 66.0
PRICE_POINTS: Final = 34.0
"""Points of each family, of 100: 40 to 25 in the design, whose other families are not collected yet, moved a little
so that a price alone cannot reach the 35 points of building."""
FLOW_GATE: Final = 20.0
PRICE_GATE: Final = 8.0
"""Points that each family must give (12 of 40 and 6 of 25), or the score is capped ..."""
GATED_SCORE: Final = 49.0
"""... here, below every threshold that calls a cascade."""


class Item(NamedTuple):
    """One thing that was measured.

    Attributes:
        feature: its name, as desks see it.
        value: what was measured, in the feature's unit.
        baseline: what is normal for it, in the same unit.
        strength: how far from normal it is, in the scale-free unit of the ramp.
        zero: strength up to which it gives nothing.
        full: strength from which on it gives all its weight.
        weight: relative to the other items of its family.
    """

    feature: str
    value: float
    baseline: float
    strength: float
    zero: float
    full: float
    weight: float

    @property
    def share(self) -> float:
        """0 to 1: how far up the ramp it is."""
        return min(1.0, max(0.0, (self.strength - self.zero) / (self.full - self.zero)))


class Score(NamedTuple):
    """A score and what it is made of; the contributions add up to it exactly as printed (two decimals).

    ``flow_points`` is the part of the liquidations alone; ``gated`` says that the families did not agree.
    """

    points: float
    evidence: list[Evidence]
    gated: bool
    flow_points: float


NOTHING: Final = Score(0.0, [], False, 0.0)


def score(flow: Sequence[Item], price: Sequence[Item]) -> Score:
    """The score of one side from the items of both families; a family without items gives nothing."""
    evidence: list[Evidence] = []
    flow_points = _family(flow, FLOW_POINTS, evidence)
    price_points = _family(price, PRICE_POINTS, evidence)
    points = flow_points + price_points
    gated = points > GATED_SCORE and (flow_points < FLOW_GATE or price_points < PRICE_GATE)
    if gated:
        evidence.append(Evidence("two_family_gate", round(points, 2), GATED_SCORE, round(GATED_SCORE - points, 2)))
        points = GATED_SCORE
    evidence.sort(key=lambda item: (-item.contribution, item.feature))
    return Score(round(points, 2), evidence, gated, round(flow_points, 2))


def _family(items: Sequence[Item], total: float, evidence: list[Evidence]) -> float:
    weight = sum(item.weight for item in items)
    points = 0.0
    for item in items:
        contribution = round(total * item.weight * item.share / weight, 2)
        evidence.append(Evidence(item.feature, round(item.value, 6), round(item.baseline, 6), contribution))
        points += contribution
    return points
