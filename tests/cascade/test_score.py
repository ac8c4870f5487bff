"""The score and its explanation."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cascade.score import FLOW_GATE, GATED_SCORE, PRICE_GATE, Item, Score, score


def item(strength: float, weight: float, feature: str = "feature") -> Item:
    """An item whose ramp goes from 0 to 1."""
    return Item(feature, strength, 0.0, strength, 0.0, 1.0, weight)


shares = st.floats(-0.5, 1.5)
flows = st.lists(shares, max_size=4).map(
    lambda found: [item(share, weight, f"flow{weight}") for share, weight in zip(found, (20, 5, 7, 8), strict=False)]
)
prices = st.lists(shares, max_size=2).map(
    lambda found: [item(share, weight, f"price{weight}") for share, weight in zip(found, (16, 5), strict=False)]
)


def printed(scored: Score) -> Decimal:
    """The sum of the contributions as they are printed."""
    return sum((Decimal(repr(evidence.contribution)) for evidence in scored.evidence), Decimal(0))


@given(flows, prices)
def test_contributions_add_up_to_the_score_as_printed(flow: list[Item], price: list[Item]) -> None:
    """The printed decimals sum to the printed score exactly, the gate's deduction included, largest first."""
    scored = score(flow, price)
    assert printed(scored) == Decimal(repr(scored.points))
    assert 0 <= scored.points <= 100
    contributions = [evidence.contribution for evidence in scored.evidence]
    assert contributions == sorted(contributions, reverse=True)


@given(flows, prices)
def test_both_families_must_agree(flow: list[Item], price: list[Item]) -> None:
    """Above the gated score each family gave its least; a gated score is exactly the cap and names the gate."""
    scored = score(flow, price)
    by_family = {
        family: sum(found.contribution for found in scored.evidence if found.feature.startswith(family))
        for family in ("flow", "price")
    }
    assert abs(scored.flow_points - by_family["flow"]) < 1e-6
    gate = [found for found in scored.evidence if found.feature == "two_family_gate"]
    if scored.points > GATED_SCORE:
        assert by_family["flow"] >= FLOW_GATE - 1e-6
        assert by_family["price"] >= PRICE_GATE - 1e-6
    assert scored.gated == bool(gate)
    if scored.gated:
        assert scored.points == GATED_SCORE
        assert abs(gate[0].value - sum(by_family.values())) < 0.01


@given(flows, prices, st.integers(0, 5), st.floats(0.0, 1.0))
def test_more_of_any_item_never_lowers_the_score(flow: list[Item], price: list[Item], at: int, more: float) -> None:
    """The score does not fall when one item's strength rises and nothing else changes."""
    before = score(flow, price).points
    items = [*flow, *price]
    if not items:
        assert before == 0.0
        return
    at %= len(items)
    items[at] = items[at]._replace(strength=items[at].strength + more)
    assert score(items[: len(flow)], items[len(flow) :]).points >= before


def test_full_families_give_all_points() -> None:
    """66 points of liquidations and 34 of the price make 100."""
    scored = score([item(1.0, 20), item(1.0, 5), item(1.0, 7), item(1.0, 8)], [item(1.0, 16), item(1.0, 5)])
    assert (scored.points, scored.flow_points, scored.gated) == (100.0, 66.0, False)


def test_flow_alone_is_capped() -> None:
    """All liquidations and no move of the price stay at 49, with the deduction in the evidence."""
    scored = score([item(1.0, 20)], [item(0.0, 16)])
    assert (scored.points, scored.gated) == (49.0, True)
    assert scored.evidence[-1].feature == "two_family_gate"
    assert scored.evidence[-1].contribution == -17.0


def test_a_price_alone_cannot_build() -> None:
    """A crash without liquidations stays below building's 35 points."""
    assert score([], [item(9.0, 16), item(9.0, 5)]).points == 34.0


def test_what_cannot_be_observed_leaves_its_weight_to_the_others() -> None:
    """Half of the only item is half of the family."""
    assert score([item(0.5, 20)], []).points == 33.0
    assert score([item(0.5, 20), item(0.5, 5)], []).points == 33.0


@pytest.mark.parametrize(("strength", "share"), [(2.0, 0.0), (3.0, 0.0), (4.5, 0.5), (6.0, 1.0), (99.0, 1.0)])
def test_a_ramp_is_linear_between_its_ends(strength: float, share: float) -> None:
    """Nothing up to ``zero``, everything from ``full`` on."""
    assert Item("f", 0.0, 0.0, strength, 3.0, 6.0, 1.0).share == share
