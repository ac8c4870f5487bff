"""Open interest taken apart."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.detect.context.open_interest import (
    FRESH_S,
    INTEREST_WINDOWS,
    LONGEST_S,
    TIERS,
    Change,
    OpenInterest,
    joined,
)
from tests.budget import examples

DAY = 86_400
NOW = 1_770_000_000
MONTH = INTEREST_WINDOWS["30d"]


def told(*samples: tuple[int, float, float], venue: str = "okx") -> OpenInterest:
    """One venue's samples: seconds from NOW, coins, price."""
    interest = OpenInterest()
    for at, coins, price in samples:
        interest.add(venue, "X", NOW + at, coins, coins * price)
    return interest


def change_of(interest: OpenInterest, window: str = "30d") -> Change:
    change = interest.change(window, NOW)
    assert change is not None
    return change


@given(
    st.lists(
        st.tuples(
            st.floats(1.0, 1e7), st.floats(1.0, 1e7), st.floats(0.01, 2e4), st.floats(0.01, 2e4)
        ),  # within MOST_USD
        min_size=1,
        max_size=6,
    )
)
def test_the_parts_add_up(series: list[tuple[float, float, float, float]]) -> None:
    """Simple and logarithmic parts and the coins do to 1e-9, of an asset and of the market."""
    parts = []
    for coins_then, coins_now, price_then, price_now in series:
        interest = told((-MONTH, 1e6 + coins_then, price_then), (0, 1e6 + coins_now, price_now))
        change = change_of(interest)
        assert change.constant_price == pytest.approx((1e6 + coins_now) / (1e6 + coins_then) - 1, abs=1e-9)
        assert change.coins == pytest.approx(coins_now - coins_then, abs=1e-6)
        parts.append(change)
    market = joined(parts)
    assert market is not None
    for change in (*parts, market):
        assert abs(change.usd - (change.constant_price + change.price_effect)) < 1e-9 * max(1.0, abs(change.usd))
        logs = [math.log(a / b) for a, b in ((change.now, change.then), (change.constant, change.then))]
        assert abs(logs[0] - logs[1] - math.log(change.now / change.constant)) < 1e-9
        assert change.price_share == pytest.approx((logs[0] - logs[1]) / logs[0] if logs[0] else 0.0)
        assert change.price == pytest.approx(change.now / change.constant - 1)
    constant = sum((1e6 + now) * price for _, now, price, _ in series)
    then = sum((1e6 + before) * price for before, _, price, _ in series)
    assert market.constant_price == pytest.approx(constant / then - 1, abs=1e-9)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["okx", "bybit"]),
        st.one_of(st.integers(-40, 0), st.integers(-800, 0)),  # five-minute steps before now
        st.integers(1, 1_000),
    ),
    max_size=50,
)


@given(EVENTS, st.sampled_from(list(INTEREST_WINDOWS)))
@hypothesis_settings(max_examples=examples(60, 1200))
def test_changes_are_those_of_a_slow_reference(events: list[tuple[str, int, int]], window: str) -> None:
    """Of all samples in any order: only venues known and fresh at both ends count, and the far end is as of then."""
    interest = OpenInterest()
    for venue, step, coins in events:
        interest.add(venue, "X", NOW + 300 * step, coins, 10.0 * coins)
    then = now = present = 0
    for venue in ("okx", "bybit"):
        samples: dict[int, int] = {}
        spacing = last = newest = 0
        for name, step, coins in events:
            if name == venue:
                at = NOW + 300 * step
                samples.setdefault(at, coins)
                if at >= last:
                    newest = coins
                if at > last:
                    spacing, last = at - last if last else 0, at
        patience = min(LONGEST_S, max(FRESH_S, 2 * spacing))
        if not samples or NOW - last > patience:
            continue
        present += newest
        before = _as_of(samples, last, INTEREST_WINDOWS[window], patience)
        if before is not None:
            then, now = then + samples[before], now + newest
    found = interest.change(window, NOW)
    if not then or 2 * now < present:
        assert found is None
    else:
        assert found is not None
        assert (found.then, found.now, found.present) == (10**7 * then, 10**7 * now, 10**7 * present)


def _as_of(samples: dict[int, int], last: int, length_s: int, patience: int) -> int | None:
    slot_s = next(slot_s for slot_s, longest in TIERS if length_s <= longest)
    slots: dict[int, int] = {}
    for at in sorted(samples, reverse=True):
        slots[at // slot_s] = at
    edge = last - length_s + slot_s // 2
    before = max((at for at in slots.values() if at <= edge), default=None)
    reach = max(2 * slot_s, min(patience, length_s + slot_s))
    return before if before is not None and edge - before <= reach and before < last else None


def test_a_venue_that_comes_or_goes_is_no_change() -> None:
    """A third venue that appears and one that falls silent leave the change to those that were there throughout."""
    interest = told((-DAY, 100.0, 10.0), (0, 110.0, 10.0))
    interest.add("gone", "X", NOW - DAY, 500.0, 5_000.0)
    interest.add("new", "X", NOW, 90.0, 900.0)
    change = change_of(interest, "24h")
    assert (change.usd, change.constant_price, change.price_effect, change.coins) == (0.1, 0.1, 0.0, 10.0)
    assert change.covered == 0.55
    assert (interest.usd(NOW), interest.coins(NOW)) == (2_000.0, 200.0)
    assert interest.by_venue(NOW) == {"okx": 1_100.0, "new": 900.0}


def test_too_small_a_part_says_nothing_of_the_whole() -> None:
    """Where half of today's open interest was not there then, there is no change to tell."""
    interest = told((-DAY, 100.0, 10.0), (0, 110.0, 10.0))
    interest.add("new", "X", NOW, 120.0, 1_200.0)
    assert interest.change("24h", NOW) is None
    assert joined([]) is None


def test_symbols_of_one_venue_are_added_up() -> None:
    """Two contracts of a venue are two series, not one that replaces the other."""
    interest = told((0, 100.0, 10.0))
    interest.add("okx", "Y", NOW - 60, 50.0, 500.0)
    assert (interest.usd(NOW), interest.age_s(NOW)) == (1_500.0, 60)
    assert (interest.weight("okx", "Y"), interest.weight("okx", "Z")) == (500.0, 0.0)


def test_what_is_stale_does_not_count() -> None:
    """Ten minutes after the last sample, or twice the usual distance, a series is silent."""
    interest = told((-FRESH_S - 1, 100.0, 10.0))
    assert (interest.usd(NOW), interest.coins(NOW), interest.age_s(NOW)) == (None, None, None)
    hourly = told((-7_000, 100.0, 10.0), (-3_400, 90.0, 10.0))
    assert hourly.usd(NOW) == 900.0
    assert hourly.change("5m", NOW) is None  # no sample within it
    assert hourly.usd(NOW + 3_801) is None


def test_history_does_not_disturb_the_present() -> None:
    """Thirty days of old samples that arrive afterwards fill the long windows and leave the level as it was."""
    interest = told((-60, 95.0, 60.0), (0, 95.0, 60.0))
    assert interest.change("30d", NOW) is None
    for day in range(31, 0, -1):
        interest.add("okx", "X", NOW - day * DAY, 100.0, 100.0 * 80.0)
    assert (interest.usd(NOW), interest.age_s(NOW)) == (5_700.0, 0)
    for window in ("7d", "30d"):
        change = change_of(interest, window)
        assert [change.constant_price, change.usd] == pytest.approx([-0.05, -0.2875])
    interest.add("okx", "X", NOW - 40 * DAY, 1.0, 1.0)  # older than any window
    assert change_of(interest).constant_price == pytest.approx(-0.05)


@given(EVENTS, st.integers(0, 50))
@hypothesis_settings(max_examples=examples(10, 200))
def test_restored_at_any_point_is_undisturbed(events: list[tuple[str, int, int]], cut: int) -> None:
    """A copy that was saved and loaded midway ends up the same."""
    straight, restored = OpenInterest(), OpenInterest()
    for number, (venue, step, coins) in enumerate(events):
        if number == cut:
            restored.load(straight.state())
        for each in (straight,) if number < cut else (straight, restored):
            each.add(venue, "X", NOW + 300 * step, coins, 10.0 * coins)
    if cut < len(events):
        assert restored.state() == straight.state()


# Published figures, checked: section 0.1 of the detection notes


def test_most_of_the_fall_of_leverage_was_price() -> None:
    """Seven symbols of Binance, 30 days to 2026-02-02: -28.3 % in USD and -9.7 % at constant prices; two thirds price.

    The published drop of 34 % in thirty days is the same but for the provider.
    """
    change = change_of(told((-MONTH, 1_000_000.0, 80_000.0), (0, 903_000.0, 80_000.0 * 0.717 / 0.903)))
    assert (round(change.usd, 3), round(change.constant_price, 3)) == (-0.283, -0.097)
    assert round(change.price_effect, 3) == -0.186
    assert 0.64 < change.price_effect / change.usd < 0.70
    assert 0.64 < change.price_share < 0.70
    later = change_of(told((-MONTH, 1_000_000.0, 90_000.0), (0, 950_000.0, 90_000.0 * 0.554 / 0.95)))
    assert (round(later.usd, 3), round(later.constant_price, 3)) == (-0.446, -0.05)


def test_halved_dollars_were_few_coins() -> None:
    """94.12 to 44.22 billion USD from October 2025 to February 2026 is -53 %, and -7 % of the coins."""
    change = change_of(told((-MONTH, 750_000.0, 94.12e9 / 750_000), (0, 695_600.0, 44.22e9 / 695_600)))
    assert (round(change.usd, 2), round(change.constant_price, 2)) == (-0.53, -0.07)
    assert round(change.coins) == -54_400


def test_more_coins_cannot_leave_than_were_there() -> None:
    """744,000 BTC "left" in a month where 100,000 were open: what fell by 7 % lost 7,000."""
    change = change_of(told((-MONTH, 100_000.0, 90_000.0), (0, 93_000.0, 76_000.0)), "30d")
    assert change.coins == -7_000.0
    assert round(change.constant_price, 3) == -0.07
    assert change_of(told((-MONTH, 100.0, 1.0), (0, 100.0, 1.0))).price_share == 0.0


def test_a_daily_fall_of_a_few_percent() -> None:
    """590.9 to 564.9 billion is -4.4 %."""
    change = change_of(told((-DAY, 590.9, 1e9), (0, 564.9, 1e9)), "24h")
    assert round(change.usd, 3) == -0.044


def test_nothing_then_is_no_base() -> None:
    """A change from zero is not a ratio."""
    assert told((-DAY, 0.0, 1.0), (0, 5.0, 1.0)).change("24h", NOW) is None
    emptied = change_of(told((-DAY, 5.0, 1.0), (0, 0.0, 1.0)), "24h")
    assert (emptied.usd, emptied.constant_price, emptied.price, emptied.covered) == (-1.0, -1.0, 0.0, 0.0)
    assert emptied.price_share == 0.0
