"""Evidence of liquidations and of the price."""

from __future__ import annotations

import pytest

from monitor.detect.decide import evidence
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.score import Item
from monitor.model.events import MICROS
from tests.detect.decide.made import Isolated, closed_scope, made_scope
from tests.detect.scenarios import START

AROUND = Isolated()


def by_feature(items: list[Item]) -> dict[str, Item]:
    """The items by their names."""
    return {item.feature: item for item in items}


@pytest.mark.parametrize(("usd", "is_above"), [(49_999.0, False), (50_000.0, True)])
def test_a_side_is_scored_from_the_floor_on(usd: float, is_above: bool) -> None:
    """Five minutes must hold 50,000 USD; the other side has none of it."""
    flow = closed_scope(usd=usd).flow
    assert evidence.is_above_floor(flow, "long") == is_above
    assert bool(evidence.flow_surprises(flow, "long", AROUND.limit)) == is_above
    assert not evidence.is_above_floor(flow, "short")


@pytest.mark.parametrize(("usd", "is_above"), [(199_999.0, False), (200_000.0, True)])
def test_hourly_totals_are_judged_over_the_hour_alone(usd: float, is_above: bool) -> None:
    """They need four times the floor, and only the hour's surprise is known."""
    scope = made_scope()
    scope.flow.windows.advance(START)
    scope.add_liquidation("bybit", "long", START, round(usd * MICROS), 1, complete=False, aggregated=True)
    scope.close(START, NO_FEEDS, AROUND)
    assert list(evidence.flow_surprises(scope.flow, "long", AROUND.limit)) == (
        [evidence.COARSE_WINDOW] if is_above else []
    )


@pytest.mark.parametrize(("orders", "strength"), [(9, 0.0), (10, 1.0)])
def test_one_side_of_few_orders_is_chance(orders: int, strength: float) -> None:
    """All of nine orders on one side say nothing, all of ten do."""
    flow = closed_scope(usd=1e6, orders=orders).flow
    surprises = evidence.flow_surprises(flow, "long", AROUND.limit)
    item = by_feature(evidence.flow_items(flow, "long", surprises, "venues_stressed"))["one_sided_share_5m"]
    assert (item.value, item.strength) == (1.0, strength)


def test_breadth_needs_more_than_one_source() -> None:
    """With a second source the number of stressed ones is an item, under the name that the scope gives it."""
    scope = closed_scope(usd=1e6)
    surprises = evidence.flow_surprises(scope.flow, "long", AROUND.limit)
    assert "coins" not in by_feature(evidence.flow_items(scope.flow, "long", surprises, "coins"))
    scope.add_liquidation("okx", "long", START, 10**12, 1, complete=True, aggregated=False)
    scope.close(START, NO_FEEDS, AROUND)
    surprises = evidence.flow_surprises(scope.flow, "long", AROUND.limit)
    assert by_feature(evidence.flow_items(scope.flow, "long", surprises, "coins"))["coins"].value == 2.0


def test_nothing_is_measured_without_a_price_or_above_no_floor() -> None:
    """A scope that nothing happened to has no evidence at all, and is not stressed."""
    scope = closed_scope()
    assert evidence.price_items(scope.price, "long", is_price_only=False) == []
    assert evidence.flow_items(scope.flow, "long", {}, "venues_stressed") == []
    assert not evidence.is_stressed(scope.price, "long", {})


def test_the_price_alone_is_measured_over_the_hour() -> None:
    """Where liquidations can be seen the most surprising window counts, else the hour's move."""
    price = closed_scope(prices=(100.0, 97.0)).price
    seen, alone = (evidence.price_items(price, "long", is_price_only=each)[0] for each in (False, True))
    assert seen.feature == "move_10s"
    assert alone.feature == "move_1h"
    assert seen.value == alone.value == pytest.approx(0.03)


def test_a_side_is_stressed_by_its_flow_or_by_the_price() -> None:
    """Three decades of either are enough."""
    scope = closed_scope(prices=(100.0, 97.0))
    assert evidence.is_stressed(scope.price, "long", {})
    assert not evidence.is_stressed(scope.price, "short", {"1m": 2.9})
    assert evidence.is_stressed(scope.price, "short", {"10s": 0.1, "1m": 3.0})
