from __future__ import annotations

import numpy as np
import pytest

from monitor.lab.evaluate.markets.tape import Tape
from monitor.lab.evaluate.trials.alerts import Alert
from monitor.lab.evaluate.trials.baselines import (
    ALWAYS_OFF,
    PRICE_ONLY,
    RULES,
    Rule,
    StatisticSeries,
    alerts_above,
    day_z_score,
    fixed_dollars,
    price_drop,
    tiered_dollars,
    usual_sigma,
)
from monitor.model.events import MICROS
from tests.lab.evaluate.tapes import START, fall, forced, mark, tape

FIRST, LAST = START * MICROS, (START + 6 * 3_600) * MICROS


def rule(name: str) -> Rule:
    return next(rule for rule in RULES if rule.name == name)


def alerts_of(one: Rule, course: Tape, first_us: int, last_us: int, threshold: float) -> list[Alert]:
    """Return the alerts of a baseline on a tape at one threshold."""
    return [
        alert
        for side, stretches in one.series(course, first_us, last_us).items()
        for series in stretches
        for alert in alerts_above(series, course.asset, side, threshold)
    ]


def test_price_drop_is_in_standard_deviations_of_its_window() -> None:
    """A drop of 6 % in ten minutes is in standard deviations of an hour, a day's 3 % over the root of 24."""
    values = price_drop(tape(fall()), "long", FIRST, LAST)
    drop = -np.log(0.94)
    assert values[3 * 3_600] == 0.0
    five_minutes = np.log(1 - 0.03) - np.log(1 - 0.06)
    expected = max(drop / (0.03 / 24**0.5), five_minutes / (0.03 / 288**0.5), drop / 0.03)
    assert values[3 * 3_600 + 600] == pytest.approx(expected, rel=1e-6)
    assert price_drop(tape(fall()), "short", FIRST, LAST).max() == 0.0


def test_without_a_price_the_drop_is_zero() -> None:
    """A tape of forced orders alone has a price drop of zero."""
    assert not price_drop(tape([forced(60, 1e6)]), "long", FIRST, LAST).any()


def test_usual_sigma_is_that_of_the_days_before() -> None:
    """Volatility is assumed on the first day and then that of the days before; today's moves do not count."""
    steps = np.cumsum(np.tile([0.001, -0.001], 288 * 3 // 2))
    sigma = usual_sigma(np.repeat(steps, 300)[: 3 * 86_400])
    assert sigma[0] == sigma[86_399] == 0.03
    assert sigma[86_400] == pytest.approx(0.001 * 288**0.5, rel=1e-2)


def test_dollars_are_those_of_the_last_minute_or_half_of_it() -> None:
    """An order counts from the end of its second for as long as the window."""
    one = tape([mark(0, 100.0), forced(100, 4e6), mark(21_600, 100.0)])
    minute, tiers = fixed_dollars(one, "long", FIRST, LAST), tiered_dollars(one, "long", FIRST, LAST)
    assert np.flatnonzero(minute).tolist() == list(range(100, 160))
    assert np.flatnonzero(tiers).tolist() == list(range(100, 130))
    assert (minute[100], tiers[100]) == (4e6, 2.0)
    assert not fixed_dollars(one, "short", FIRST, LAST).any()


def test_the_z_score_is_zero_below_its_floor() -> None:
    """30,000 USD after a quiet day have a z-score of zero, a million has a high one."""
    values = day_z_score(
        tape([mark(0, 1.0), forced(100, 3e4), forced(9_000, 1e6), mark(21_600, 1.0)]), "long", FIRST, LAST
    )
    assert values[100] == 0.0
    assert values[9_000] > 10


def test_a_crossing_is_one_alert_until_half_an_hour_below() -> None:
    """Two peaks twenty minutes apart are one alert, an hour apart two."""
    values = np.zeros(9_000)
    values[[100, 1_300, 6_000]] = 5.0
    alerts = alerts_above(StatisticSeries(FIRST, values), "BTC", "long", 5.0)
    assert [(one.at_us // MICROS - START, (one.until_us or 0) // MICROS - START) for one in alerts] == [
        (100, 1_300 + 1_800),
        (6_000, 6_000 + 1_800),
    ]
    assert alerts_above(StatisticSeries(FIRST, values), "BTC", "long", 5.1) == []


def test_a_rule_alerts_on_events_and_one_never_does() -> None:
    """Rules alert on events, also without prices; the rule that is always off never does."""
    (alert,) = alerts_of(rule("fixed dollars"), tape([forced(100, 4e6)]), FIRST, LAST, 1e6)
    assert (alert.asset, alert.direction, alert.at_us) == ("BTC", "long", (START + 100) * MICROS)
    (drop,) = alerts_of(rule(PRICE_ONLY), tape(fall()), FIRST, LAST, 5.0)
    assert drop.direction == "long"
    assert alerts_of(rule(ALWAYS_OFF), tape([*fall(), forced(100, 4e9)]), FIRST, LAST, 1.0) == []
