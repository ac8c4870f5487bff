from __future__ import annotations

import pytest

from monitor.lab.evaluate.markets.labels import ASSUMED_SIGMA, daily_sigma, label_episodes
from monitor.lab.evaluate.markets.truth import Label
from monitor.model.events import MICROS, AnyEvent
from tests.lab.evaluate.tapes import START, fall, forced, interest, mark, tape

FALL = 3 * 3_600
COINS = [interest(second, 1e6) for second in range(0, 6 * 3_600, 300)]
"""100 million USD of open interest that does not change: 20 bp are 200,000 USD."""


def seconds(us: int) -> int:
    return us // MICROS - START


def found(events: list[AnyEvent]) -> list[Label]:
    return label_episodes(tape(events))


def test_a_fall_with_forced_flow_is_an_event() -> None:
    """6 % in ten minutes is 2 standard deviations: severity 2, with its times to the second."""
    flow = [forced(FALL + second, 100_000.0) for second in range(60, 600, 10)]
    (label,) = found([*fall(), *flow, *COINS])
    assert (label.type, label.direction, label.severity) == ("event", "long", 2)
    assert label.drawdown_pct == pytest.approx(6.0)
    assert label.untested == ()
    assert label.forced_usd == 5.4e6
    assert seconds(label.onset_us) == FALL + 60  # the first order; every five minutes bring half of the fall
    assert seconds(label.peak_us) == FALL + 110  # the first second whose minute is full: six orders
    assert seconds(label.extreme_us) == FALL + 600
    assert seconds(label.end_us) == FALL + 600  # the last orders end before the low does


def test_a_rise_is_the_shorts() -> None:
    """A rise is labelled by the same rule for shorts."""
    prices = [mark(seconds(one.event_time_us), 1e4 / one.mark_price) for one in fall()]
    flow = [forced(FALL + second, 100_000.0, "short") for second in range(60, 600, 10)]
    (label,) = found([*prices, *flow, *COINS])
    assert (label.type, label.direction, label.severity) == ("event", "short", 2)
    assert label.drawdown_pct == pytest.approx(100.0 * (1 / 0.94 - 1), abs=1e-4)


def test_a_fall_of_coins_is_enough() -> None:
    """Open interest that falls by 2 % within two hours makes an event without any forced order."""
    coins = [interest(second, 1e6 if second < FALL + 300 else 9.7e5) for second in range(0, 6 * 3_600, 300)]
    (label,) = found([*fall(), *coins])
    assert (label.type, label.untested) == ("event", ("forced flow",))
    assert label.forced_usd == 0.0


def test_a_fall_without_forced_flow_is_a_hard_negative() -> None:
    """A fall is a hard negative where both legs could be tested and showed no forced closing."""
    (label,) = found([*fall(), *COINS, forced(60, 1_000.0)])
    assert label.type == "hard_negative"
    assert not label.is_sought


def test_a_fall_of_which_only_the_price_is_known_is_a_candidate() -> None:
    """A fall is a candidate where only the price is known, and the label names the untested legs."""
    (label,) = found([*fall(drop=0.10)])
    assert (label.type, label.severity, label.untested) == ("candidate", 3, ("forced flow", "open interest"))
    assert seconds(label.onset_us) == FALL + 160 - 300  # 160 s bring a quarter; without flow, five minutes before that


def test_half_a_standard_deviation_is_a_near_miss() -> None:
    """Half a standard deviation is a near-miss, as are 5 bp of forced flow without a fall; both at once are one."""
    (shallow,) = found([*fall(drop=0.018), *COINS, forced(60, 1_000.0)])
    assert (shallow.type, shallow.severity) == ("near_miss", 0)
    (flow,) = found([*fall(drop=0.0), *COINS, forced(FALL, 60_000.0)])
    assert flow.type == "near_miss"


def test_intervals_less_than_an_hour_apart_are_one() -> None:
    """Two falls half an hour apart are one episode, three hours apart two."""

    def twice(gap: int) -> list[Label]:
        second = FALL + 600 + 3_600 + gap  # the first one's hour is over, then the gap
        prices = [
            mark(
                at, 100.0 - 6.0 * min(1.0, max(0.0, (at - FALL) / 600)) - 6.0 * min(1.0, max(0.0, (at - second) / 600))
            )
            for at in range(0, 12 * 3_600, 10)
        ]
        return [one for one in found([*prices]) if one.is_sought]

    assert len(twice(1_800)) == 1
    assert len(twice(3 * 3_600)) == 2


def test_a_slow_fall_begins_where_a_quarter_of_it_is_done() -> None:
    """A grind of which no five minutes bring a quarter begins where a quarter is done."""
    (label,) = [one for one in found([*fall(length=3_600)]) if one.is_sought]
    assert seconds(label.onset_us) == pytest.approx(FALL + 900, abs=40)


def test_sigma_needs_three_days() -> None:
    """Days of known returns give their median; fewer give the assumed one."""

    def days(count: int) -> list[AnyEvent]:
        return [mark(300 * step, 100.0 * (1.001 if step % 2 else 1.0)) for step in range(288 * count)]

    assert daily_sigma(tape(days(2))) == ASSUMED_SIGMA
    assert daily_sigma(tape(days(5))) == pytest.approx(0.001 * 288**0.5, rel=1e-2)
