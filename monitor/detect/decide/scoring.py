"""The score of one side, from the evidence of its scope and of what surrounds it."""

from __future__ import annotations

from monitor.detect.decide import evidence
from monitor.detect.decide.facts import Facts
from monitor.detect.decide.surroundings import StandIn, Surroundings
from monitor.detect.score import NOTHING, Item, Score, score
from monitor.model.events import Side


def score_side(facts: Facts, side: Side, surprises: dict[str, float], surroundings: Surroundings) -> Score:
    """Return the score of a side.

    Args:
        facts: what is known of the scope.
        side: the liquidated side.
        surprises: surprise of each judged window of its liquidations, decades; empty below the floor.
        surroundings: gives the evidence from outside of the scope.
    """
    price_items = evidence.price_items(facts.price, side, is_price_only=facts.is_price_only)
    if facts.is_price_only:
        return _score_price_only(facts, side, surprises, price_items, surroundings)
    if not surprises and not any(item.share for item in price_items):
        return NOTHING
    flow_items = _flow_items(facts, side, surprises, surroundings)
    return score(flow_items, price_items, surroundings.confirming_items(side), coverage=facts.seen_share)


def _score_price_only(
    facts: Facts, side: Side, surprises: dict[str, float], price_items: list[Item], surroundings: Surroundings
) -> Score:
    """Return the score of the price alone or with evidence that stands in for the flow, whichever is higher."""
    confirming = surroundings.confirming_items(side)
    stand_ins = surroundings.stand_ins(confirming)
    if not facts.flow.fine:
        hourly = _flow_items(facts, side, surprises, surroundings)
        stand_ins = [StandIn(flow=hourly, confirming=confirming), *stand_ins]
    alone = score([], price_items, confirming, coverage=facts.seen_share)
    both = [score(each.flow, price_items, each.confirming) for each in stand_ins if each.flow]
    return max([alone, *both], key=lambda scored: scored.points)


def _flow_items(facts: Facts, side: Side, surprises: dict[str, float], surroundings: Surroundings) -> list[Item]:
    if not surprises:
        return []
    items = evidence.flow_items(facts.flow, side, surprises, facts.traits.breadth_feature)
    return [*items, *surroundings.flow_items(side)]
