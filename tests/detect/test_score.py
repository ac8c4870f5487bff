"""The score and its explanation."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.score import BLIND, DEGRADED, DEGRADED_GATE, FLOW_GATE, GATED_SCORE, PRICE_GATE, Item, Score, score


def item(strength: float, weight: float, feature: str = "feature") -> Item:
    """An item whose ramp goes from 0 to 1."""
    return Item(feature, strength, 0.0, strength, 0.0, 1.0, weight)


def items(name: str, *weights: float) -> st.SearchStrategy[list[Item]]:
    """Items of any strength, the last ones maybe absent."""
    return st.lists(st.floats(-0.5, 1.5), max_size=len(weights)).map(
        lambda found: [item(share, weight, name) for share, weight in zip(found, weights, strict=False)]
    )


flows, prices, confirmings = items("flow", 20, 5, 7, 8), items("price", 16, 5), items("confirming", 12, 11, 4, 8)
coverages = st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 1.0])
FULL = ([item(1.0, 20), item(1.0, 5), item(1.0, 7), item(1.0, 8)], [item(1.0, 16), item(1.0, 5)])


def printed(scored: Score) -> Decimal:
    """The sum of the contributions as they are printed."""
    return sum((Decimal(repr(evidence.contribution)) for evidence in scored.evidence), Decimal(0))


@given(flows, prices, confirmings, coverages)
def test_contributions_add_up_to_the_score_as_printed(
    flow: list[Item], price: list[Item], confirming: list[Item], coverage: float
) -> None:
    """The printed decimals sum to the printed score exactly, the gate's deduction included, largest first."""
    scored = score(flow, price, confirming, coverage=coverage)
    assert printed(scored) == Decimal(repr(scored.points))
    assert 0 <= scored.points <= 100.05
    contributions = [evidence.contribution for evidence in scored.evidence]
    assert contributions == sorted(contributions, reverse=True)


@given(flows, prices, confirmings, coverages)
def test_both_families_must_agree(flow: list[Item], price: list[Item], confirming: list[Item], coverage: float) -> None:
    """Above the gated score each gave its least, or the price more where feeds are down; else it is exactly the cap."""
    scored = score(flow, price, confirming, coverage=coverage)
    gate = [found for found in scored.evidence if found.feature == "two_family_gate"]
    if scored.points > GATED_SCORE:
        if coverage < DEGRADED:
            assert scored.price >= DEGRADED_GATE
        else:
            assert scored.flow >= FLOW_GATE
            assert scored.price >= PRICE_GATE
    assert scored.gated == bool(gate)
    if scored.gated:
        assert scored.points == GATED_SCORE


@given(flows, prices, confirmings, st.integers(0, 9), st.floats(0.0, 1.0))
def test_more_of_any_item_never_lowers_the_score(
    flow: list[Item], price: list[Item], confirming: list[Item], at: int, more: float
) -> None:
    """The score does not fall when one item's strength rises and nothing else changes, but for rounding."""
    before = score(flow, price, confirming).points
    found = [*flow, *price, *confirming]
    if not found:
        assert before == 0.0
        return
    at %= len(found)
    found[at] = found[at]._replace(strength=found[at].strength + more)
    first, second = len(flow), len(flow) + len(price)
    assert score(found[:first], found[first:second], found[second:]).points >= before - 0.05


def test_full_families_give_all_points() -> None:
    """40 to 25 of 100 where nothing else claims any: 61.54 of the liquidations and 38.46 of the price."""
    scored = score(*FULL)
    assert (scored.points, scored.flow, scored.price, scored.gated) == (100.0, 1.0, 1.0, False)
    assert sum(found.contribution for found in scored.evidence[-2:]) == pytest.approx(4 * 2.42, abs=8)
    assert score(FULL[0], []).evidence[-1].contribution == round(49.0 - 61.54, 2)


def test_what_confirms_takes_from_the_two_and_what_is_silent_leaves_to_them() -> None:
    """Half of both families give 50; 12 points of leverage beside them 56; a leverage that says nothing 50 again."""
    half = ([item(0.5, 20)], [item(0.5, 16)])
    assert score(*half).points == 50.0
    assert score(*half, [item(1.0, 12)]).points == 56.0
    assert score(*half, [item(0.0, 12), item(-3.0, 15)]).points == 50.0
    assert score(*FULL, [item(1.0, 12), item(1.0, 15), item(1.0, 8)]).points == 100.0
    evidence = {found.feature: found.contribution for found in score(*half, [item(1.0, 12, "oi")]).evidence}
    assert evidence["oi"] == 12.0


def test_what_confirms_calls_nothing_alone() -> None:
    """All of leverage, contagion and context without flow and price are 35 points."""
    assert score([], [], [item(1.0, 12), item(1.0, 15), item(1.0, 8)]).points == 35.0


def test_flow_alone_is_capped() -> None:
    """All liquidations and no move of the price stay at 49, with the deduction in the evidence."""
    scored = score([item(1.0, 20)], [item(0.0, 16)])
    assert (scored.points, scored.gated) == (49.0, True)
    assert scored.evidence[-1].feature == "two_family_gate"


def test_a_price_alone_is_far_from_a_cascade() -> None:
    """A crash without liquidations, where they would be seen, has 25 of 65 points."""
    assert score([], [item(9.0, 16), item(9.0, 5)]).points == pytest.approx(38.46)


@pytest.mark.parametrize(
    ("coverage", "points"), [(1.0, 38.46), (0.5, 38.46), (0.4, 60.98), (0.1, 86.21), (0.09, 100.0)]
)
def test_where_feeds_are_down_the_price_weighs_more(coverage: float, points: float) -> None:
    """Flow has the weight of what can be seen of it below half, and none below a tenth."""
    assert score([], [item(1.0, 16)], coverage=coverage).points == pytest.approx(points)
    assert BLIND <= 0.1


def test_what_cannot_be_observed_leaves_its_weight_to_the_others() -> None:
    """Half of the only item is half of the family."""
    assert score([item(0.5, 20)], []).points == pytest.approx(30.77)
    assert score([item(0.5, 20), item(0.5, 5)], []).points == pytest.approx(30.77, abs=0.011)


@pytest.mark.parametrize(("strength", "share"), [(2.0, 0.0), (3.0, 0.0), (4.5, 0.5), (6.0, 1.0), (99.0, 1.0)])
def test_a_ramp_is_linear_between_its_ends(strength: float, share: float) -> None:
    """Nothing up to ``zero``, everything from ``full`` on."""
    assert Item("f", 0.0, 0.0, strength, 3.0, 6.0, 1.0).share == share


def test_rounded_items_never_add_up_to_more_than_a_hundred() -> None:
    """Each is rounded by itself; what is too much is the largest one's, and they still add up to the score."""
    for number, flow_weights in product(range(1, 40), ((20, 5, 7, 8), (20, 20))):
        confirming = [Item(f"c{at}", 1.0, 0.0, 1.0, 0.0, 1.0, number / 7) for at in range(3)]
        flow = [Item(f"f{at}", 9.0, 0.0, 9.0, 3.0, 6.0, weight) for at, weight in enumerate(flow_weights)]
        price = [Item(f"p{at}", 9.0, 0.0, 9.0, 3.0, 6.0, weight) for at, weight in enumerate((16, 5))]
        scored = score(flow, price, confirming)
        assert scored.points <= 100.0
        contributions = [item.contribution for item in scored.evidence]
        assert round(sum(contributions), 2) == scored.points
        assert contributions == sorted(contributions, reverse=True)
