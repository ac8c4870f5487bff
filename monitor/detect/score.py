"""Computes the risk score: points of families of evidence, which add up to the score and so explain it.

Every item is a ramp from 0 points to full points in a scale-free unit, so a large and a small asset share thresholds.

Two families carry the score, forced **flow** and the **price**, with weights 40 and 25. They must agree: forced flow
without a move of the price is a wick or a data error, and a move without forced flow is no liquidation cascade.

**Leverage**, **basis**, **contagion** and **context** confirm: they add the points that their evidence gives, up to 12,
4, 15 and 8, and leave the rest to the two families that carry. So a recording without open interest reaches the same
thresholds, and the first poll of it changes nothing by itself. Missing confirmation is no evidence against a cascade:
in falls of 2026 the open interest in coins often rose, and one asset's cascade need not be the market's.

Within flow and price, an item that cannot be observed (no trades are collected, one venue only) leaves its weight to
the other items of its family. Where feeds are down, flow has only the weight of the share that can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from monitor.model.signals import Evidence

FLOW_WEIGHT: Final = 40.0
"""Weight of forced flow in the points that the confirming families leave."""
PRICE_WEIGHT: Final = 25.0
"""Weight of the price in those points."""
FLOW_GATE: Final = 0.3
"""Minimum share of its points that the flow must give (12 of 40); with less the score is capped."""
PRICE_GATE: Final = 0.45
"""Minimum share of its points that the price must give (11 of 25); with less the score is capped."""
DEGRADED_GATE: Final = 0.6
"""Minimum share of its points that the price must give (15 of 25) where less than half of the flow can be seen."""
GATED_SCORE: Final = 49.0
"""Score at which it is capped while the families do not agree: below every threshold that calls a cascade."""
DEGRADED: Final = 0.5
"""Minimum share (0 to 1) of the flow that must be visible for the flow to have its full weight."""
BLIND: Final = 0.1
"""Share (0 to 1) of visible flow below which the flow has no weight: the price decides alone, as the signal shows."""


class Item(NamedTuple):
    """One item of evidence.

    Attributes:
        feature: name of the measure, as signals show it.
        value: measured value, in the feature's unit.
        baseline: normal value, in the same unit.
        strength: distance from normal, in the scale-free unit of the ramp.
        zero: strength up to which it gives no points.
        full: strength from which it gives all its points.
        weight: for flow and price relative to the other items of the family, for the others in points.
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
        """Return its position on the ramp, 0 to 1."""
        up = (self.strength - self.zero) / (self.full - self.zero)
        return up if 0.0 < up < 1.0 else float(up >= 1.0)


class Score(NamedTuple):
    """A score and its evidence, whose contributions add up to it exactly as printed (two decimals).

    Attributes:
        points: the score, 0 to 100.
        evidence: largest contribution first.
        gated: whether the score is capped because flow and price do not agree.
        flow: share (0 to 1) of its points that the flow gave.
        price: share (0 to 1) of its points that the price gave.
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
    """Return the score of one side.

    Args:
        flow: items of the liquidations; without any, the flow gives no points.
        price: items of the price.
        confirming: items of leverage, contagion and context, whose weights are points.
        coverage: share (0 to 1) of the flow that can be seen.
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
    if excess > 0:  # each item is rounded by itself, so their sum may exceed 100 by a few hundredths
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
