from __future__ import annotations

import numpy as np
import pytest

from monitor.evaluate.trials.baselines import (
    OFF,
    PRICE,
    RULES,
    Course,
    Rule,
    crossings,
    day_score,
    fixed_dollars,
    price_drop,
    tiered_dollars,
    usual_sigma,
)
from monitor.events import MICROS
from tests.evaluate.tapes import START, fall, forced, mark, tape

FIRST, LAST = START * MICROS, (START + 6 * 3_600) * MICROS


def rule(name: str) -> Rule:
    return next(rule for rule in RULES if rule.name == name)


def test_price_drop_is_in_standard_deviations_of_its_window() -> None:
    """6 % within ten minutes: an hour's standard deviation is a day's 3 % over the root of 24."""
    values = price_drop(tape(fall()), "long", FIRST, LAST)
    drop = -np.log(0.94)
    assert values[3 * 3_600] == 0.0
    five_minutes = np.log(1 - 0.03) - np.log(1 - 0.06)
    expected = max(drop / (0.03 / 24**0.5), five_minutes / (0.03 / 288**0.5), drop / 0.03)
    assert values[3 * 3_600 + 600] == pytest.approx(expected, rel=1e-6)
    assert price_drop(tape(fall()), "short", FIRST, LAST).max() == 0.0


def test_without_a_price_it_says_nothing() -> None:
    """A tape of forced orders alone."""
    assert not price_drop(tape([forced(60, 1e6)]), "long", FIRST, LAST).any()


def test_usual_sigma_is_that_of_the_days_before() -> None:
    """Assumed in the first day, then measured; a day's own moves do not count on it."""
    steps = np.cumsum(np.tile([0.001, -0.001], 288 * 3 // 2))
    sigma = usual_sigma(np.repeat(steps, 300)[: 3 * 86_400])
    assert sigma[0] == sigma[86_399] == 0.03
    assert sigma[86_400] == pytest.approx(0.001 * 288**0.5, rel=1e-2)


def test_dollars_are_those_of_the_last_minute_or_half_of_it() -> None:
    """An order counts from the end of its second, for as long as the window; by the asset's tier."""
    one = tape([mark(0, 100.0), forced(100, 4e6), mark(21_600, 100.0)])
    minute, tiers = fixed_dollars(one, "long", FIRST, LAST), tiered_dollars(one, "long", FIRST, LAST)
    assert np.flatnonzero(minute).tolist() == list(range(100, 160))
    assert np.flatnonzero(tiers).tolist() == list(range(100, 130))
    assert (minute[100], tiers[100]) == (4e6, 2.0)
    assert not fixed_dollars(one, "short", FIRST, LAST).any()


def test_the_day_score_is_zero_for_dust() -> None:
    """30,000 USD after a day of nothing is a surprise and no cascade; a million is both."""
    values = day_score(
        tape([mark(0, 1.0), forced(100, 3e4), forced(9_000, 1e6), mark(21_600, 1.0)]), "long", FIRST, LAST
    )
    assert values[100] == 0.0
    assert values[9_000] > 10


def test_a_crossing_is_one_alert_until_half_an_hour_below() -> None:
    """Two peaks twenty minutes apart are one, two an hour apart are two."""
    values = np.zeros(9_000)
    values[[100, 1_300, 6_000]] = 5.0
    alerts = crossings(Course(FIRST, values), "BTC", "long", 5.0)
    assert [(one.at_us // MICROS - START, (one.until_us or 0) // MICROS - START) for one in alerts] == [
        (100, 1_300 + 1_800), (6_000, 6_000 + 1_800),
    ]  # fmt: skip
    assert crossings(Course(FIRST, values), "BTC", "long", 5.1) == []


def test_a_rule_alerts_on_events_and_one_never_does() -> None:
    """Events in, alerts out; a tape without prices is watched as well."""
    (alert,) = rule("fixed dollars").alerts(tape([forced(100, 4e6)]), FIRST, LAST, 1e6)
    assert (alert.asset, alert.direction, alert.at_us) == ("BTC", "long", (START + 100) * MICROS)
    (drop,) = rule(PRICE).alerts(tape(fall()), FIRST, LAST, 5.0)
    assert drop.direction == "long"
    assert rule(OFF).alerts(tape([*fall(), forced(100, 4e9)]), FIRST, LAST, 1.0) == []
