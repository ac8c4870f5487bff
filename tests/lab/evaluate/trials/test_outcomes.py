from __future__ import annotations

import pytest

from monitor.lab.evaluate.markets.exposure import Exposure, week_of
from monitor.lab.evaluate.markets.tape import AssetSide, Forced
from monitor.lab.evaluate.markets.truth import Label
from monitor.lab.evaluate.measures import folds, thresholds
from monitor.lab.evaluate.measures.figures import Blocks, block_of_event, compute_figures
from monitor.lab.evaluate.trials.alerts import Alert, Relief, SignalLog
from monitor.lab.evaluate.trials.outcomes import Outcome, ScoreCount, count_scores, judge, printed_share
from monitor.lab.evaluate.trials.robustness import chance_recall, judge_foreign_alerts, move_alerts, placebo_outcomes
from monitor.model.events import MICROS
from tests.lab.evaluate.tapes import START, forced, label, mark, tape, unbroken

DAY = 86_400
HOUR = 3_600
MONTH = unbroken("w", ("BTC", "ETH"), START * MICROS, (START + 30 * DAY) * MICROS)


def alert(second: int, asset: str = "BTC") -> Alert:
    return Alert(asset, "long", (START + second) * MICROS, (START + second + HOUR) * MICROS)


def outcome(alerts: list[Alert], labels: list[Label], exposure: Exposure = MONTH) -> Outcome:
    return judge(alerts, labels, exposure, {})


def test_the_printed_share_is_of_what_was_forced_by_then() -> None:
    """A quarter of the forced notional was executed at the alert, and after the end all of it."""
    event = label(HOUR, HOUR + 600)
    orders = [*(forced(HOUR + second, 100.0) for second in (0, 100, 200, 300)), forced(0, 9e9)]
    known = tape(orders).forced("long")
    for second, share in ((HOUR - 1, 0.0), (HOUR, 0.25), (HOUR + 250, 0.75), (HOUR + 9_999, 1.0)):
        assert printed_share(known, event, (START + second) * MICROS) == share
    assert printed_share(tape([mark(0, 1.0)]).forced("long"), event, 0) is None


def known_orders() -> dict[AssetSide, Forced]:
    return {AssetSide("BTC", "long"): tape([forced(HOUR, 100.0), forced(HOUR + 500, 300.0)]).forced("long")}


def test_figures_are_those_that_a_hand_computes() -> None:
    """Figures of three events, two found, with one false alarm, one near-miss and one repeat, are as by hand."""
    labels = [
        label(HOUR, HOUR + 600, severity=3),
        label(HOUR + 20 * HOUR, 22 * HOUR, severity=1),
        label(10 * DAY, 11 * DAY),
        label(15 * DAY, 15 * DAY + 60, kind="near_miss"),
    ]
    alerts = [
        alert(HOUR + 4),
        alert(HOUR + 300),
        alert(21 * HOUR + 10),
        alert(5 * DAY, "ETH"),
        alert(15 * DAY),
    ]
    made = judge(alerts, labels, MONTH, known_orders())
    blocks = Blocks([MONTH], [[result.label for result in made.results]])
    shown = compute_figures("d", [made], blocks)
    assert (shown.events, shown.alerts) == (3, 5)
    assert shown.months == pytest.approx(2.0)
    assert shown.recall.value == pytest.approx(2 / 3)
    assert (shown.severe.value, shown.by_severity["1"].value, shown.by_severity["2"].value) == (0.5, 1.0, 0.0)
    assert shown.precision.value == 0.4
    assert (shown.false_alarms, shown.repeats, shown.decoys, shown.carried) == (1, 1, 0, 0)
    assert shown.false.value == pytest.approx(0.5)
    assert shown.false.low == pytest.approx(0.051 / 2, abs=1e-3)
    assert shown.false.high == pytest.approx(4.744 / 2, abs=1e-3)
    assert shown.near_miss.value == pytest.approx(0.5)
    assert (shown.waves.value, shown.waves.n) == (1.0, 1)  # the second event, 20 h after the first
    assert shown.delay.value == 7.0  # 4 s and 10 s
    assert shown.to_peak.value == pytest.approx((296 + 1_790) / 2)
    assert shown.before_peak.value == 1.0
    assert shown.printed.value == 0.25
    assert shown.changes is None


def test_reliefs_are_judged_by_what_was_executed() -> None:
    """At relief all forced orders were executed, and a cascade right after makes it early."""
    event = label(HOUR, HOUR + 600)
    log = SignalLog()
    log.reliefs = lambda: [Relief(AssetSide("BTC", "long"), (START + HOUR + 550) * MICROS, True)]  # type: ignore[method-assign]
    made = judge([alert(HOUR)], [event], MONTH, known_orders(), log)
    shown = compute_figures("d", [made], Blocks([MONTH], [[event]]))
    assert (shown.relief_printed.value, shown.reentry.value) == (1.0, 1.0)


def test_an_event_of_many_assets_is_one_block() -> None:
    """The events of a market-wide episode are one block; a single asset's event is the asset's."""
    both = [label(0, 600), label(100, 900, asset="ETH")]
    alone = label(9 * DAY, 9 * DAY + 60)
    assert week_of(START * MICROS) == "2023-W46"
    assert block_of_event(MONTH, both[0], both) == ("w", "2023-W46", "MARKET")
    assert block_of_event(MONTH, alone, [*both, alone]) == ("w", "2023-W47", "BTC")


def test_blocks_share_out_the_time_over_calendar_weeks() -> None:
    """The blocks of thirty days touch five or six weeks and sum to a month for each asset."""
    blocks = Blocks([MONTH], [[]])
    assert sum(blocks.months.values()) == pytest.approx(2.0)
    assert len(blocks.months) == 2 * 5
    assert max(blocks.months.values()) == pytest.approx(7 / 30)


def test_points_count_minutes_by_score() -> None:
    """A minute is an event's from a quarter of an hour before its onset; minutes without a signal count as score 0."""
    short = unbroken("w", ("BTC",), START * MICROS, (START + 2 * HOUR) * MICROS)
    log = SignalLog()
    log.score_by_minute = {AssetSide("BTC", "long"): {START // 60 + 50: 61.2, START // 60 + 10: 61.0}}
    counted = count_scores(log, [label(HOUR, HOUR + 59)], short)
    assert counted == {"2023-W46": [ScoreCount(0.0, 2 * 121 - 2, 15), ScoreCount(61.0, 2, 1)]}


def test_points_are_by_calendar_week() -> None:
    """Every minute of a month is in one of its weeks, an event's minutes in its own."""
    counted = count_scores(SignalLog(), [label(9 * DAY, 9 * DAY + 59)], MONTH)
    assert list(counted) == ["2023-W46", "2023-W47", "2023-W48", "2023-W49", "2023-W50"]
    assert sum(point.minutes for week in counted.values() for point in week) == 4 * (30 * 1_440 + 1)
    assert [[point.events for point in week] for week in counted.values()] == [[0], [16], [0], [0], [0]]


def test_a_threshold_keeps_its_budget() -> None:
    """The threshold is the lowest from which on no threshold exceeds the budget."""
    labels = [label(HOUR, HOUR + 600)]
    table = {
        1.0: [outcome([alert(day * DAY) for day in range(1, 9)], labels)],
        2.0: [outcome([alert(HOUR), alert(5 * DAY), alert(6 * DAY)], labels)],
        3.0: [outcome([alert(HOUR)], labels)],
        4.0: [outcome([], labels)],
    }
    assert thresholds.false_alert_rate(table[1.0]) == 4.0
    assert thresholds.lowest_within_budget(table, 1.0) == 2.0
    assert thresholds.lowest_within_budget(table, 4.0) == 1.0
    assert thresholds.lowest_within_budget(table, 0.0) == 3.0
    assert thresholds.lowest_within_budget({1.0: table[1.0]}, 0.0) == 1.0
    assert thresholds.highest_reaching(table, 1.0) == 3.0
    assert thresholds.highest_reaching({4.0: table[4.0]}, 1.0) == 4.0
    assert thresholds.recall_of([outcome([], [])]) is None


def test_a_rule_that_cannot_find_as_much_is_shown_where_it_finds_most() -> None:
    """A rule that cannot reach the recall is shown where it finds most."""
    labels = [label(hour * HOUR, hour * HOUR + 600) for hour in (1, 8, 16)]
    table = {
        1.0: [outcome([alert(-DAY)], labels)],
        2.0: [outcome([alert(HOUR), alert(8 * HOUR)], labels)],
        3.0: [outcome([alert(HOUR)], labels)],
    }
    assert thresholds.highest_reaching(table, 1.0) == 2.0
    assert thresholds.highest_reaching(table, 1 / 3) == 3.0


def test_folds_leave_a_month_between_past_and_test() -> None:
    """Folds of three months begin with the fourth month and leave a month between; a single month has none."""
    year = unbroken("w", ("BTC",), 0, 365 * DAY * MICROS)
    days = [tuple(at // (DAY * MICROS) for at in fold) for fold in folds.make_folds([year])]
    assert days == [(90, 120, 210), (180, 210, 300), (270, 300, 390)]
    assert folds.make_folds([MONTH]) == folds.make_folds([]) == []


def test_an_outcome_is_clipped_by_time() -> None:
    """Events and alerts outside of a time are left out by their onset."""
    made = outcome([alert(HOUR), alert(5 * DAY)], [label(HOUR, HOUR + 600), label(9 * DAY, 9 * DAY + 60)])
    (first,) = folds.clip_outcomes([made], 0, (START + 2 * DAY) * MICROS)
    assert (len(first.results), len(first.alarms)) == (1, 1)
    assert first.exposure.months == pytest.approx(2 * 2 / 30)
    assert folds.clip_outcomes([made], 0, START * MICROS) == []


def test_placebos_find_what_chance_finds() -> None:
    """Alerts of another asset or another day find nothing where there is nothing to find."""
    event = label(HOUR, HOUR + 600)
    degraded, by_chance = placebo_outcomes([alert(HOUR)], [event], MONTH)
    assert {name: results.results[0].at_us for name, results in degraded.items()} == {
        "assets shuffled": None,
        "24 h later": None,
    }
    assert by_chance is not None
    assert by_chance < 0.2
    assert chance_recall([alert(HOUR)], [event], unbroken("w", ("BTC",), 0, DAY)) is None
    assert chance_recall([alert(HOUR)], [], MONTH) is None


def test_another_markets_alerts_are_placed_as_long_after_its_beginning() -> None:
    """Alerts of a market ten years earlier are placed as long after the other one's beginning."""
    other = unbroken("other", ("BTC",), 0, 10 * DAY * MICROS)
    lent = Alert("BTC", "long", HOUR * MICROS)
    made = judge_foreign_alerts([lent], other, [label(HOUR, HOUR + 600)], MONTH)
    assert [result.at_us for result in made.results] == [(START + HOUR) * MICROS]


def test_moved_alerts_wrap_around() -> None:
    """An alert that would leave the market at its end comes in at its beginning."""
    late, early = move_alerts([alert(29 * DAY), alert(0)], MONTH, MONTH, 2 * DAY * MICROS)
    assert [(one.at_us // MICROS - START) // DAY for one in (late, early)] == [1, 2]
