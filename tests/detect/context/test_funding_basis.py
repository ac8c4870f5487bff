"""Funding and basis over venues."""

from __future__ import annotations

import pytest

from monitor.detect.context.funding_basis import LEAST_SAMPLES, SLOT_S, FundingBasis
from monitor.model.events import MICROS, MarkPrice
from tests.detect.stored import stored


def mark(second: int, venue: str, *, funding: float | None = None, due: int | None = None) -> MarkPrice:
    """A mark of 100 whose index is 100 too."""
    event = MarkPrice(venue, "X", "BTC", second * MICROS, second * MICROS, 100.0)
    if funding is not None:
        event.funding_rate = funding
        event.index_price = 100.0
    if due is not None:
        event.next_funding_time_us = due * MICROS
    return event


def test_funding_is_weighted_by_open_interest_where_it_is_known() -> None:
    """A venue without any counts for nothing beside one that has some; without any weights the median counts."""
    carry = FundingBasis()
    for venue, funding in (("a", 0.0001), ("b", 0.0003), ("c", 0.0008)):
        carry.mark(mark(1_000, venue, funding=funding))
    weights = {"a": 3.0, "b": 1.0}
    assert carry.funding_8h(1_000, lambda venue, _: weights.get(venue, 0.0)) == pytest.approx(0.00015)
    assert carry.funding_8h(1_000, lambda venue, _: 0.0) == 0.0003
    assert carry.funding_8h(1_600, lambda venue, _: 0.0) is None
    assert carry.basis_bp(1_600) is None
    assert carry.basis_bp(1_599) == (0.0, 0.0)


def test_a_mark_without_funding_keeps_the_last_one() -> None:
    """Some frames carry the price alone; an older frame changes nothing."""
    carry = FundingBasis()
    carry.mark(mark(1_000, "a", funding=0.0001, due=2_000))
    carry.mark(mark(1_500, "a"))
    carry.mark(mark(1_400, "a", funding=0.9))
    assert carry.funding_8h(2_000, lambda *_: 1.0) == 0.0001


def test_the_interval_is_what_two_funding_times_are_apart() -> None:
    """Four hours make twice the rate; a gap of two days says nothing."""
    carry = FundingBasis()
    carry.mark(mark(1_000, "a", funding=0.0001, due=14_400))
    carry.mark(mark(14_401, "a", funding=0.0001, due=28_800))
    assert carry.funding_8h(14_401, lambda *_: 1.0) == 0.0002
    carry.mark(mark(200_000, "a", funding=0.0001, due=216_000))
    assert carry.funding_8h(200_000, lambda *_: 1.0) == 0.0002


def test_funding_is_held_against_thirty_days() -> None:
    """Robust deviations from the median, once a week was seen, and the same after a restart."""
    carry = FundingBasis()
    for slot in range(LEAST_SAMPLES - 1):
        carry.remember(slot * SLOT_S, 0.0001 + 0.00002 * (slot % 2))
        carry.remember(slot * SLOT_S + 60, 0.0001 + 0.00002 * (slot % 2))
    assert carry.funding_z(0.0) is None
    carry.remember(LEAST_SAMPLES * SLOT_S, 0.0001)
    found = carry.funding_z(0.001)
    assert found is not None
    assert 30 < found < 70
    again = FundingBasis()
    again.load(stored(carry.state()))
    assert again.funding_z(0.001) == found
