"""The score of one side."""

from __future__ import annotations

from monitor.detect.decide.evidence import flow_surprises
from monitor.detect.decide.scoring import score_side
from monitor.detect.decide.surroundings import StandIn
from monitor.detect.score import NOTHING, Item
from tests.detect.decide.made import Isolated, closed_scope, facts_of

FELL = (100.0,) * 30 + (97.0,)
FULL = Item("gone", 1.0, 0.0, 1.0, 0.0, 1.0, 20.0)
"""Evidence that gives all of its points."""


def test_a_side_with_neither_flow_nor_move_scores_nothing() -> None:
    """What only confirms is not even computed."""

    class Costly(Isolated):
        def confirming_items(self, side: str) -> list[Item]:
            raise AssertionError("computed though nothing is to confirm")

    assert score_side(closed_scope(prices=(100.0, 100.0)).facts(), "long", {}, Costly()) is NOTHING


def test_flow_and_price_are_scored_together() -> None:
    """Both families give points, and what confirms takes its own."""
    facts = closed_scope(usd=20e6, orders=50, prices=FELL).facts()
    surprises = flow_surprises(facts.flow, "long", Isolated().limit)
    found = score_side(facts, "long", surprises, Isolated())
    assert found.flow > 0.3
    assert found.price > 0.45
    confirmed = score_side(facts, "long", surprises, Isolated(confirming=[FULL._replace(weight=6.0)]))
    assert [each.contribution for each in confirmed.evidence if each.feature == FULL.feature] == [6.0]


def test_where_nothing_is_seen_a_stand_in_counts_if_it_gives_more() -> None:
    """The price alone, or with what stands in for the flow, whichever is higher."""
    facts = facts_of(closed_scope(prices=FELL), seen_share=0.0)
    alone = score_side(facts, "long", {}, Isolated())
    assert alone.flow == 0.0
    helped = score_side(facts, "long", {}, Isolated(instead=[StandIn(flow=[FULL], confirming=[])]))
    assert (helped.flow, helped.points > alone.points) == (1.0, True)
    empty = FULL._replace(strength=0.0)
    assert score_side(facts, "long", {}, Isolated(instead=[StandIn(flow=[empty], confirming=[])])) == alone
