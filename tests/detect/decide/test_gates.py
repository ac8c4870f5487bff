"""The conditions besides the score."""

from __future__ import annotations

import pytest

from monitor.detect.decide import gates
from monitor.detect.score import NOTHING
from tests.detect.decide.made import Isolated, closed_scope, facts_of

STILL = (100.0,) * 3
FELL = (100.0,) * 30 + (97.0,)
"""3 % within a second, after half a minute of calm."""


def test_a_side_without_a_move_is_quiet_whatever_was_liquidated() -> None:
    """It is judged once the price moves, or where there is no price beside liquidations."""
    still, fallen, unknown = closed_scope(prices=STILL), closed_scope(prices=FELL), closed_scope()
    assert gates.is_quiet(still.price, "long", has_flow=True, is_price_only=False)
    assert not gates.is_quiet(fallen.price, "long", has_flow=False, is_price_only=False)
    assert not gates.is_quiet(unknown.price, "long", has_flow=True, is_price_only=False)
    assert gates.is_quiet(unknown.price, "long", has_flow=False, is_price_only=False)


def test_volatility_beside_liquidations_is_not_quiet() -> None:
    """A rise of 3 % moves against shorts; longs are judged for its volatility if any were liquidated."""
    risen = closed_scope(prices=(100.0,) * 30 + (103.0,)).price
    assert gates.is_quiet(risen, "long", has_flow=False, is_price_only=False)
    assert not gates.is_quiet(risen, "long", has_flow=True, is_price_only=False)


@pytest.mark.parametrize(("points", "later"), [(20.9, False), (21.0, True)])
def test_a_score_may_rise_to_building_within_its_margin(points: float, later: bool) -> None:
    """35 points begin an episode, 14 may still come; where the price decides alone none can."""
    facts = closed_scope(usd=1e6).facts()
    assert gates.may_build_later(facts, points, gates.RISE) == later
    assert not gates.may_build_later(facts._replace(seen_share=0.0), 99.0, gates.RISE)


@pytest.mark.parametrize(("usd", "is_enough"), [(249_999.0, False), (250_000.0, True)])
def test_where_no_size_is_known_dollars_decide(usd: float, is_enough: bool) -> None:
    """250,000 USD of an asset, four times as much of the market."""
    assert gates.is_enough_for_asset(closed_scope(usd=usd).facts(), "long", 1.0) == is_enough
    market = closed_scope(usd=4 * usd, scale=4.0).facts()
    assert gates.is_enough_for_market(market, "long") == is_enough


def test_less_is_enough_within_seconds_and_with_the_price() -> None:
    """40 basis points in ten seconds do with 0.9 of the price's points, 120 in 15 minutes with any."""
    sudden = closed_scope(usd=4e6, interest_usd=1e9).facts()
    assert gates.is_enough_for_asset(sudden, "long", 0.9)
    assert not gates.is_enough_for_asset(sudden, "long", 0.89)
    assert gates.is_enough_for_asset(closed_scope(usd=12e6, interest_usd=1e9).facts(), "long", 0.45)
    assert not gates.is_enough_for_asset(closed_scope(usd=9_000.0, interest_usd=1e4).facts(), "long", 1.0)


@pytest.mark.parametrize(("usd", "is_enough"), [(149_999.0, False), (150_000.0, True)])
def test_the_market_needs_a_part_of_all_open_interest(usd: float, is_enough: bool) -> None:
    """1.5 basis points of a billion USD."""
    facts = closed_scope(usd=usd, interest_usd=1e9, scale=4.0).facts()
    assert gates.is_enough_for_market(facts, "long") == is_enough


def test_a_lost_feed_lowers_what_the_windows_must_hold() -> None:
    """With half of the flow seen, half of the dollars are the same part; without any open interest none are."""
    scope = closed_scope(usd=5e5, interest_usd=1e9)
    assert not gates.holds(facts_of(scope), "long", {"5m": 10.0})
    assert gates.holds(facts_of(scope, seen_share=0.5), "long", {"5m": 10.0})
    assert not gates.holds(facts_of(scope, seen_share=0.0), "long", {"5m": 10.0})
    assert not gates.holds(closed_scope(usd=5e9).facts(), "long", {"5m": 10.0})


def test_a_price_that_only_comes_back_is_a_rebound() -> None:
    """After the other side's episode, while the price decides alone, unless the move is a severe one."""
    scope = closed_scope(prices=FELL)
    alone = facts_of(scope, seen_share=0.0)
    assert gates.is_rebound(alone, "long", is_other_in_episode=True)
    assert not gates.is_rebound(alone, "long", is_other_in_episode=False)
    assert not gates.is_rebound(facts_of(scope), "long", is_other_in_episode=True)
    severe = facts_of(closed_scope(prices=(100.0, 94.0)), seen_share=0.0)
    assert not gates.is_rebound(severe, "long", is_other_in_episode=True)


@pytest.mark.parametrize(("orders", "enough", "meets"), [(9, True, False), (10, True, True), (10, False, False)])
def test_a_cascade_needs_orders_and_dollars(orders: int, enough: bool, meets: bool) -> None:
    """Ten orders, and what is enough for the scope's size."""
    facts = closed_scope(usd=1e6, orders=orders).facts()
    assert gates.meets_floors(facts, "long", NOTHING, Isolated(enough=enough), is_rushing=False) == meets


def test_a_rush_meets_the_floors_by_itself_and_a_saturated_feed_shows_few_orders() -> None:
    """Few orders do where the price rushes, or where a feed is at its limit."""
    scope = closed_scope(usd=1e6)
    assert not gates.meets_floors(scope.facts(), "long", NOTHING, Isolated(), is_rushing=False)
    assert gates.meets_floors(scope.facts(), "long", NOTHING, Isolated(enough=False), is_rushing=True)
    scope.corrected.saturation = gates.SATURATED
    assert gates.meets_floors(scope.facts(), "long", NOTHING, Isolated(), is_rushing=False)


def test_whether_a_cascade_may_be_called_is_computed_only_where_it_matters() -> None:
    """It is costly for the market, so a low score does not ask for it."""

    class Costly(Isolated):
        def may_cascade(self, *_: object) -> bool:
            raise AssertionError("computed though no score calls a cascade")

    facts = closed_scope(usd=1e6, prices=STILL).facts()
    seen = gates.observe(facts, "long", NOTHING, {}, Costly(), is_other_in_episode=False)
    assert not seen.allowed
    high = NOTHING._replace(points=60.0)
    assert gates.observe(facts, "long", high, {}, Isolated(), is_other_in_episode=False).allowed
    assert not gates.observe(facts, "long", high, {}, Isolated(allowed=False), is_other_in_episode=False).allowed


def test_an_observation_is_directed() -> None:
    """Prices are negated for longs, so that a larger one is further along on either side."""
    facts = closed_scope(prices=FELL).facts()
    long, short = (
        gates.observe(facts, side, NOTHING, {}, Isolated(watched=7), is_other_in_episode=False)
        for side in ("long", "short")
    )
    assert (long.price, long.reference, short.price, short.reference) == (-97.0, -100.0, 97.0, 97.0)
    assert long.watch_since == short.watch_since == 7
    assert long.second == facts.second
