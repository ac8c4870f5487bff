"""The risk score: points of families that explain themselves.

Every item is a ramp from 0 points to full points in a scale-free unit, so a large and a small asset share thresholds.
Points add up to the score, so they are its explanation.

Two families carry the score, forced **flow** and the **price**, 40 to 25. They must agree: forced flow without a move
of the price is a wick or a data error, a move without forced flow is no liquidation cascade.

**Leverage**, **basis**, **contagion** and **context** confirm: what they claim they add, up to 12, 4, 15 and 8, and
what they do not claim is left to the two that carry. So a recording without open interest reaches the same thresholds,
and a first poll of it changes nothing until it says something. Their silence is no evidence: in falls of 2026 the open
interest in coins often rose, and one asset's cascade need not be the market's.

Within flow and price, an item that cannot be observed (no trades are collected, one venue only) leaves its weight to
the other items of its family. Where feeds are down, flow counts for the share of it that can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from monitor.model.signals import Evidence

FLOW_WEIGHT: Final = 40.0
PRICE_WEIGHT: Final = 25.0
"""Points of the two families that carry the score; the 35 that the others do not claim are theirs as 40 to 25."""
FLOW_GATE: Final = 0.3
PRICE_GATE: Final = 0.45
"""Share of its own points that each must give (12 of 40, 11 of 25), or the score is capped ..."""
DEGRADED_GATE: Final = 0.6
"""... the price's more (15 of 25) where less than half of the flow can be seen ..."""
GATED_SCORE: Final = 49.0
"""... here, below every threshold that calls a cascade."""
DEGRADED: Final = 0.5
"""Share of the flow that must be observable for it to have its full weight ..."""
BLIND: Final = 0.1
"""... and below which it has none: the price decides alone, and the signal says so."""


class Item(NamedTuple):
    """One thing that was measured.

    Attributes:
        feature: its name, as desks see it.
        value: what was measured, in the feature's unit.
        baseline: what is normal for it, in the same unit.
        strength: how far from normal it is, in the scale-free unit of the ramp.
        zero: strength up to which it gives nothing.
        full: strength from which on it gives all its weight.
        weight: of flow and price relative to the other items of the family, of the others in points.
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
        up = (self.strength - self.zero) / (self.full - self.zero)
        return up if 0.0 < up < 1.0 else float(up >= 1.0)


class Score(NamedTuple):
    """A score and what it is made of; the contributions add up to it exactly as printed (two decimals).

    ``flow`` and ``price`` say how much of its own points each family gave, 0 to 1. ``gated`` says that they did not
    agree.
    """

    points: float
    evidence: list[Evidence]
    gated: bool
    flow: float
    price: float


NOTHING: Final = Score(0.0, [], False, 0.0, 0.0)


def score(
    flow: Sequence[Item], price: Sequence[Item], confirming: Sequence[Item] = (), *, coverage: float = 1.0
) -> Score:
    """The score of one side.

    Args:
        flow: items of the liquidations; none give nothing.
        price: items of the price.
        confirming: items of leverage, contagion and context, their weights being points.
        coverage: share of the flow that can be seen, 0 to 1.
    """
    evidence: list[Evidence] = []
    claimed = _add(confirming, 1.0, evidence)
    degraded = coverage < DEGRADED
    seen = 0.0 if coverage < BLIND else coverage if degraded else 1.0
    flow_points = (100.0 - claimed) * FLOW_WEIGHT * seen / (FLOW_WEIGHT * seen + PRICE_WEIGHT)
    price_points = 100.0 - claimed - flow_points
    flow_share, price_share = _share(flow), _share(price)
    points = claimed + _carry(flow, flow_points, evidence) + _carry(price, price_points, evidence)
    agreed = price_share >= DEGRADED_GATE if degraded else flow_share >= FLOW_GATE and price_share >= PRICE_GATE
    gated = points > GATED_SCORE and not agreed
    if gated:
        evidence.append(Evidence("two_family_gate", round(points, 2), GATED_SCORE, round(GATED_SCORE - points, 2)))
        points = GATED_SCORE
    excess = round(points - 100.0, 2)
    if excess > 0:  # each item is rounded by itself: together they may be a hundredth too many
        largest = max(evidence, key=lambda item: item.contribution)
        largest.contribution = round(largest.contribution - excess, 2)
        points = 100.0
    evidence.sort(key=lambda item: (-item.contribution, item.feature))
    return Score(round(points, 2), evidence, gated, flow_share, price_share)


def _share(items: Sequence[Item]) -> float:
    weight = sum(item.weight for item in items)
    return sum(item.weight * item.share for item in items) / weight if weight else 0.0


def _carry(items: Sequence[Item], total: float, evidence: list[Evidence]) -> float:
    weight = sum(item.weight for item in items)
    return _add(items, total / weight, evidence) if weight else 0.0


def _add(items: Sequence[Item], points_each: float, evidence: list[Evidence]) -> float:
    points = 0.0
    for item in items:
        contribution = round(points_each * item.weight * item.share, 2)
        evidence.append(Evidence(item.feature, round(item.value, 6), round(item.baseline, 6), contribution))
        points += contribution
    return points
