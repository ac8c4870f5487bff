"""Pace, levels, holders, funding, implied volatility, turnover and takers' variance, each by itself."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from monitor.detect.context.funding_basis import LEAST_SAMPLES, SLOT_S, FundingBasis
from monitor.detect.context.holders import Holding, profit
from monitor.detect.context.implied_volatility import ImpliedVolatility
from monitor.detect.context.levels import Level
from monitor.detect.context.open_interest import OpenInterest
from monitor.detect.context.pace import MONTH_HOURS, WEEK_HOURS, WatchedHours, pace_of
from monitor.detect.context.taker_variance import LEAST_MINUTES, TakerVariance
from monitor.detect.context.turnover import Turnover, implied_ratio
from monitor.model.events import MICROS, MarkPrice
from tests.detect.stored import stored

STRATEGY = Holding(
    holder="Strategy", asset="BTC", quantity=712_647, average_cost_usd=76_037, as_of=date(2026, 2, 2), source="filing"
)

# Pace


def test_the_pace_was_already_slowing() -> None:
    """BTC longs of early February 2026: 237 M in a day, 2.16 B in a week, 4.4 B in a month."""
    pace = pace_of(237e6, 2.16e9, 4.4e9, 1.0, 1.0)
    ratios = (pace.day_to_week, pace.day_to_rest_of_week, pace.week_to_month, pace.week_to_rest_of_month)
    assert [round(ratio or 0.0, 2) for ratio in ratios] == [0.77, 0.74, 2.10, 3.17]


def test_a_pace_needs_the_longer_window_whole() -> None:
    """Until a week and a month were seen, or where they are empty, there is no ratio."""
    assert pace_of(1.0, 7.0, 7.0, 1.0, 0.3)[:4] == (1.0, 1.0, None, None)
    assert pace_of(1.0, 1.0, 1.0, 0.9, 0.3)[:4] == (None, None, None, None)
    assert pace_of(0.0, 0.0, 0.0, 1.0, 1.0)[:4] == (None, None, None, None)


def test_hours_without_anything_are_not_covered() -> None:
    """The hour that is running counts, silence does not, and a month of it forgets all."""
    watched = WatchedHours()
    for hour in (1_000, 1_000, 1_001, 1_003):
        watched.add(3_600 * hour + 17)
    assert watched.share(4) == 0.75
    watched.load(stored(watched.state()))
    watched.advance(3_600 * 1_005)
    assert watched.share(4) == 0.25
    assert watched.share(WEEK_HOURS) == 3 / WEEK_HOURS
    watched.advance(3_600 * (1_003 + MONTH_HOURS))
    assert watched.share(MONTH_HOURS) == 0.0


# Levels


def test_both_levels_of_the_report_are_broken_and_stale() -> None:
    """At 65,640 neither 75,000 nor 70,000 supports anything: -12.5 % and -6.2 %."""
    for price, distance in ((75_000.0, -0.125), (70_000.0, -0.062)):
        level = Level(price)
        level.update(1, 65_640.0, 0.005, 0.024)
        assert (level.broken, level.state, round(level.distance, 3)) == (True, "stale", distance)
        assert level.broken_at is None  # it was not seen to break


def test_a_level_breaks_after_a_minute_below_it() -> None:
    """59 seconds below, or a way back, leave it tested; a minute breaks it; a day later it is stale."""
    level = Level(100.0)
    seen = []
    for second, price in ((0, 101.0), (1, 99.8), (60, 99.8), (61, 100.1), (62, 99.8), (121, 99.8), (122, 99.8)):
        level.update(second, price, 0.004, 0.024)
        seen.append(level.state)
    assert seen == ["above", "testing", "testing", "testing", "testing", "testing", "broken"]
    for second in (122 + 86_399, 122 + 86_400):
        level.update(second, 99.8, 0.004, 0.024)
        seen.append(level.state)
    assert seen[-2:] == ["broken", "stale"]


def test_a_level_is_won_back_after_a_minute_above_it() -> None:
    """As long as it took to break, and no broken time remains; a restart midway changes nothing."""
    level = Level(100.0)
    for second, price in ((0, 99.0), (10, 100.5)):
        level.update(second, price, 0.004, 0.024)
    assert level.state == "broken"
    level = Level.restore(stored(level.snapshot()))
    level.update(70, 100.5, 0.004, 0.024)
    assert (level.state, level.broken, level.broken_at) == ("above", False, None)


# Holders


def test_the_holders_loss_is_that_of_the_live_price() -> None:
    """712,647 BTC at 76,037: 0.9 B down at 74,774, and 7.41 B at 65,640."""
    assert [round(profit(STRATEGY, price, 0.024).pnl_usd / 1e9, 2) for price in (74_774, 65_640)] == [-0.9, -7.41]
    assert profit(STRATEGY, 76_037.01, 0.024).pnl_usd == 7_126.47
    made = profit(STRATEGY.model_copy(update={"equity_usd": 1e10}), 65_640, 0.024)
    assert made.equity_ratio == pytest.approx(-0.7409, abs=1e-4)
    assert (round(made.distance, 3), round(made.sigmas, 1)) == (-0.137, -5.7)


def test_a_holding_needs_a_cost() -> None:
    """A cost of nothing is refused."""
    with pytest.raises(ValidationError, match="average_cost_usd"):
        Holding(holder="X", asset="BTC", quantity=1, average_cost_usd=0, as_of=date(2026, 1, 1), source="y")


# Funding and basis


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


# Implied volatility


def test_a_days_rise_of_the_index_is_surprising() -> None:
    """37 to 44 within a day is, a fall is not; another venue's index is another."""
    index = ImpliedVolatility()
    assert index.level(0) is None
    index.add("deribit", 1_000, 37.0)
    assert (index.level(1_000), index.change_24h(1_000), index.surprise(1_000)) == (37.0, None, 0.0)
    index.learn_minute(1_000)
    index.add("okx", 87_400, 99.0)
    index.add("deribit", 87_400, 44.0)
    assert (index.level(87_400), index.change_24h(87_400)) == (44.0, 7.0)
    assert round(index.surprise(87_400), 1) == 2.2
    again = ImpliedVolatility()
    again.load(stored(index.state()))
    index.learn_minute(87_400)
    again.learn_minute(87_400)
    assert again.state() == index.state()
    assert index.level(87_400 + 3_601) is None
    index.add("deribit", 90_000, 30.0)
    assert index.surprise(90_000) == 0.0
    index.add("deribit", 87_401, 31.0)  # late
    assert index.level(90_000) == 30.0


# Turnover


def test_open_interest_cannot_change_by_more_than_was_traded() -> None:
    """A venue that says so is suspect; one that was not watched for fifteen minutes running is not."""
    interest, turnover = OpenInterest(), Turnover()
    for minute in range(16):
        for venue in ("true", "false", "new"):
            coins = 90.0 if minute == 15 and venue != "true" else 100.0
            interest.add(venue, "X", 60 * minute, coins, 10.0 * coins)
        turnover.minute(minute, {"true": 1_000_000, "false": 1_000_000})
    turnover.minute(15, {"new": 1})
    turnover.judge(interest, 900)
    assert list(turnover.suspects) == ["false"]
    again = Turnover()
    again.load(stored(turnover.state()))
    assert again.suspects == ("false",)
    again.judge(interest, 900)
    assert again.state() == turnover.state()
    turnover.minute(15, {"false": 100_000_000})
    turnover.judge(interest, 900)
    assert not turnover.suspects


def test_nothing_closed_or_reported_has_no_ratio() -> None:
    """What open interest implies is held against what was reported, if there was any of either."""
    assert [implied_ratio(2.0, 1.0), implied_ratio(0.0, 1.0), implied_ratio(1.0, 0.0)] == [2.0, None, None]


# Takers


def test_the_takers_variance_needs_a_day() -> None:
    """Absent before, a minute counts once, and a restart changes nothing."""
    variance = TakerVariance()
    for minute in range(LEAST_MINUTES - 1):
        variance.minute(minute, float(minute % 2))
        variance.minute(minute, 1e9)
    assert variance.ratio is None
    again = TakerVariance()
    again.load(stored(variance.state()))
    for each in (variance, again):
        each.minute(LEAST_MINUTES, 0.0)
    assert again.ratio == variance.ratio
    assert variance.ratio == pytest.approx(1.0, abs=0.02)
