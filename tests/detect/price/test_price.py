"""One price over all venues, its moves and their normal."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.flow.windows import WINDOWS
from monitor.detect.price.daily_volatility import LOWEST_VOLATILITY
from monitor.detect.price.price import FRESH_S, PRIOR_RETURNS, Price
from tests.detect.scenarios import START
from tests.detect.stored import stored

WINDOW_NAMES = ("5m", "1h", "24h")


def price() -> Price:
    """A price with 3 % assumed volatility of a day."""
    return Price(0.03, WINDOW_NAMES, "5m")


def follow(target: Price, marks: dict[int, float], until: int, *, learn: bool = False) -> None:
    """Close every second from :data:`START` with one venue's marks."""
    for second in range(START, START + until + 1):
        if second - START in marks:
            target.mark("bybit", second, marks[second - START])
        target.close(second, learn)


def test_without_a_mark_there_is_no_price() -> None:
    """Closing a second changes nothing, and no move is seen."""
    empty = price()
    empty.close(START, learn=True)
    assert (empty.last, empty.second, empty.move("5m", "long"), empty.move("5m", "short")) == (None, 0, 0.0, 0.0)


def test_the_price_is_the_median_of_fresh_marks() -> None:
    """One venue's odd mark moves nothing, and a venue that stopped ten minutes ago has no say."""
    shown = price()
    for venue, value in (("a", 100.0), ("b", 101.0), ("c", 55.0)):
        shown.mark(venue, START, value)
    shown.close(START, learn=True)
    assert shown.last == 100.0
    shown.mark("a", START + FRESH_S, 90.0)
    shown.close(START + FRESH_S, learn=True)
    assert (shown.last, shown.second) == (90.0, START + FRESH_S)


def test_an_older_mark_of_a_venue_changes_nothing() -> None:
    """What a reconnect delivers late must not replace what is newer."""
    shown = price()
    shown.mark("a", START + 5, 100.0)
    shown.mark("a", START + 4, 50.0)
    shown.close(START + 5, learn=True)
    assert shown.last == 100.0


def test_moves_are_from_the_windows_extremes() -> None:
    """Longs lose from the high, shorts from the low; after five minutes the high has left the short window."""
    shown = price()
    follow(shown, {0: 100.0, 10: 102.0, 20: 96.9}, 20)
    assert math.isclose(shown.move("5m", "long"), 0.05)
    assert shown.move("5m", "short") == 0.0
    assert (shown.reference("long"), shown.reference("short")) == (102.0, 96.9)
    follow(shown, {311: 97.0}, 311)
    assert shown.move("5m", "long") == 0.0
    assert math.isclose(shown.move("1h", "long"), 1 - 97.0 / 102.0)
    assert math.isclose(shown.move("1h", "short"), 97.0 / 96.9 - 1)


def test_a_window_shorter_than_the_time_since_the_last_price_shows_no_move() -> None:
    """Eleven seconds after the last price the ten-second window is still, is judged anew, and the others go on."""
    shown = Price(0.03, ("10s", "1h"), "10s", followed=("1m",))
    follow(shown, {0: 100.0, 5: 95.0}, 15)
    assert math.isclose(shown.move("10s", "long"), 0.05)
    assert (shown.judged["long"].window, shown.judged["long"].fast_surprise > 0) == ("10s", True)
    follow(shown, {0: 100.0, 5: 95.0}, 16)
    assert shown.move("10s", "long") == 0.0
    assert (shown.judged["long"].window, shown.judged["long"].fast_surprise) == ("1h", 0.0)
    assert [math.isclose(shown.move(window, "long"), 0.05) for window in ("1m", "1h")] == [True, True]


def test_moves_are_judged_in_deviations_of_their_window() -> None:
    """Five minutes move by the day's volatility times the root of their share of it; the worst window counts."""
    shown = price()
    follow(shown, {0: 100.0, 10: 99.0}, 10)
    normal = 0.03 * math.sqrt(300 / 86_400 * shown.shape.factor(START // 3_600))
    assert math.isclose(shown.normal_move("5m"), normal)
    assert math.isclose(shown.deviations("5m", "long"), 0.01 / normal)
    judged = shown.judged["long"]
    assert judged.window == "5m"
    assert math.isclose(judged.surprise, 4.5 * math.log10(0.01 / normal))
    assert judged.fast_surprise == judged.surprise
    assert shown.judged["short"].surprise == 0.0


def test_realised_volatility_is_of_ten_second_returns() -> None:
    """Two moves of 1 % in five minutes against the normal, the running step counted, all gone after five minutes."""
    shown = price()
    follow(shown, {0: 100.0, 25: 101.0, 57: 100.0}, 57)
    normal = shown.normal_move("5m")
    step = math.log(1.01)
    assert math.isclose(shown.volatility_ratio(), math.sqrt(2 * step * step) / normal)
    follow(shown, {}, 300 + 19)
    assert math.isclose(shown.volatility_ratio(), math.sqrt(2 * step * step) / normal)
    follow(shown, {}, 300 + 20)
    assert math.isclose(shown.volatility_ratio(), step / normal)
    follow(shown, {}, 300 + 50)
    assert shown.volatility_ratio() == 0.0


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(90.0, 110.0)), min_size=1, max_size=20))
def test_sleeping_between_marks_makes_no_difference(plan: list[tuple[int, float]]) -> None:
    """Closing only the seconds with marks judges as closing every second does."""
    marks, at = {}, 0
    for ticks, value in plan:
        at += ticks
        marks[at] = value
    awake, asleep = price(), price()
    follow(awake, marks, at)
    for second, value in marks.items():
        asleep.mark("bybit", START + second, value)
        asleep.close(START + second, learn=False)
    assert awake.judged == asleep.judged
    assert math.isclose(awake.volatility_ratio(), asleep.volatility_ratio(), abs_tol=1e-9)


def test_volatility_is_learned_from_five_minute_returns() -> None:
    """The assumed one weighs as much as half a day of returns; a return beyond five sigma is cut."""
    shown = price()
    variance = 0.03**2 * 300 / 86_400
    follow(shown, {0: 100.0, 300: 100.1}, 300, learn=True)
    factor = Price(0.03, WINDOW_NAMES, "5m").shape.factor(START // 3_600)
    learned = variance + (math.log(1.001) ** 2 / factor - variance) / (PRIOR_RETURNS + 1)
    assert math.isclose(shown.variance, learned)
    assert math.isclose(shown.sigma, math.sqrt(learned * 288))
    follow(shown, {600: 50.0}, 600, learn=True)
    assert math.isclose(shown.variance, learned + 24 * learned / (PRIOR_RETURNS + 2))


def test_nothing_is_learned_while_frozen_or_over_a_days_gap() -> None:
    """A cascade's returns and the jump over an outage teach no volatility; the next return starts anew."""
    shown = price()
    variance = shown.variance
    follow(shown, {0: 100.0, 300: 90.0}, 300, learn=False)
    assert shown.variance == variance
    shown.mark("bybit", START + 100_000, 50.0)
    shown.close(START + 100_000, learn=True)
    assert shown.variance == variance
    shown.mark("bybit", START + 100_300, 50.0)
    shown.close(START + 100_300, learn=True)
    assert shown.variance < variance


def test_a_pegged_coin_keeps_the_least_volatility() -> None:
    """Returns of nothing bring the volatility down to its floor and no further."""
    shown = price()
    for number in range(20_000):
        shown.mark("bybit", START + 300 * number, 1.0)
        shown.close(START + 300 * number, learn=True)
    assert shown.sigma == LOWEST_VOLATILITY


def test_quiet_minutes_teach_what_moves_are_normal() -> None:
    """A move seen in every minute is no surprise."""
    shown = price()
    follow(shown, {0: 100.0, 10: 99.5}, 10)
    before = shown.judged["long"].surprise
    for _ in range(50_000):
        shown.learn_minute(START + 59)
    shown.mark("bybit", START + 11, 99.5)
    shown.close(START + 11, learn=True)
    assert shown.judged["long"].surprise < 0.5 < before


@pytest.mark.parametrize("names", [WINDOW_NAMES, ("5m", "4h")])
def test_a_restored_price_goes_on(names: tuple[str, ...]) -> None:
    """A snapshot through MessagePack goes on the same; a window that was not judged starts at the last price."""
    shown, other = price(), Price(0.03, names, "5m")
    follow(shown, {0: 100.0, 10: 99.0, 25: 98.0}, 33)
    other.load(stored(shown.state()))
    for one in (shown, other):
        one.mark("bybit", START + 40, 97.0)
        one.close(START + 40, learn=True)
    assert other.volatility_ratio() == shown.volatility_ratio()
    assert other.judged["long"].fast_surprise == shown.judged["long"].fast_surprise
    if names == WINDOW_NAMES:
        assert other.state() == shown.state()
    else:
        assert math.isclose(other.move("4h", "long"), 1 - 97.0 / 98.0)


def test_an_empty_price_restores_under_other_windows() -> None:
    """Without any mark there is nothing to start a new window from."""
    other = Price(0.03, ("4h",), "4h")
    other.load(stored(price().state()))
    assert other.last is None
    assert set(other.windows) <= WINDOWS.keys()
