"""Only watched time counts: these recordings have two stretches with a hole of twenty months between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.evaluate.markets.cases import Simulated
from monitor.lab.evaluate.markets.exposure import Exposure, duration_us, exposure_of, split_by_week, week_of
from monitor.lab.evaluate.markets.tape import AssetSide, Tapes
from monitor.lab.evaluate.measures import folds, thresholds
from monitor.lab.evaluate.measures.figures import Blocks, compute_figures
from monitor.lab.evaluate.trials.alerts import Alert, SignalLog
from monitor.lab.evaluate.trials.outcomes import ScoreCount, count_scores, judge
from monitor.lab.evaluate.trials.robustness import chance_recall, judge_foreign_alerts, move_alerts
from monitor.model.events import MICROS, AnyEvent, Liquidation, MarkPrice, OpenInterest
from tests.lab.evaluate.tapes import START, forced, label, mark, unbroken

DAY = 86_400
HOUR = 3_600


def hourly(first_day: int, last_day: int, asset: str) -> list[AnyEvent]:
    return [mark(second, 1.0, asset) for second in range(first_day * DAY, last_day * DAY + 1, HOUR)]


def exposure(events: list[AnyEvent], *assets: str) -> Exposure:
    collected = Tapes()
    collected.add(sorted(events, key=lambda event: event.receive_time_us))
    return exposure_of("w", assets, collected, {tape.asset: tape for tape in collected})


def us(day: float) -> int:
    return START * MICROS + round(day * DAY) * MICROS


def alert(day: float, asset: str = "BTC") -> Alert:
    return Alert(asset, "long", us(day))


HOLED = exposure([*hourly(0, 3, "BTC"), *hourly(598, 602, "BTC"), *hourly(599, 602, "ETH")], "BTC", "ETH")


def test_a_hole_is_not_watched() -> None:
    """BTC is watched for 3 and 4 days and ETH for 3, ten asset-days of the 602 from first to last event."""
    assert HOLED.watched == {"BTC": ((us(0), us(3)), (us(598), us(602))), "ETH": ((us(599), us(602)),)}
    assert HOLED.market == HOLED.watched["BTC"]
    assert (HOLED.first_us, HOLED.last_us) == (us(0), us(602))
    assert HOLED.months == pytest.approx(10 / 30)


def test_rates_are_of_watched_time() -> None:
    """One false alarm in a third of an asset-month is a rate of three a month, also for a baseline's budget."""
    made = judge([alert(2)], [], HOLED, {})
    shown = compute_figures("d", [made], Blocks([HOLED], [[]]))
    assert shown.months == pytest.approx(10 / 30)
    assert shown.false.value == pytest.approx(3.0)
    assert shown.drawn.value == pytest.approx(3.0)
    assert thresholds.false_alert_rate([made]) == pytest.approx(3.0)


def test_weeks_within_a_hole_make_no_block() -> None:
    """Five blocks of asset and week hold the watched days; the 85 weeks of the hole make none."""
    days = {block[1:]: months * 30 for block, months in Blocks([HOLED], [[]]).months.items()}
    assert days == {
        ("2023-W46", "BTC"): pytest.approx(3),
        ("2025-W27", "BTC"): pytest.approx(2),
        ("2025-W28", "BTC"): pytest.approx(2),
        ("2025-W27", "ETH"): pytest.approx(1),
        ("2025-W28", "ETH"): pytest.approx(2),
    }


def test_points_are_of_watched_minutes() -> None:
    """Minutes of both sides count while watched; a score or the end of a label within the hole counts nowhere."""
    log = SignalLog()
    log.score_by_minute = {AssetSide("BTC", "long"): {us(1) // MICROS // 60: 70.0, us(300) // MICROS // 60: 70.0}}
    counted = count_scores(log, [label(3 * DAY - 60, 300 * DAY)], HOLED)
    assert counted == {
        "2023-W46": [
            ScoreCount(0.0, 2 * 4_321 - 1, 17),
            ScoreCount(70.0, 1, 0),
        ],  # 15 minutes before the onset, and 2 of it
        "2025-W27": [ScoreCount(0.0, 2 * (2_880 + 1_440), 0)],
        "2025-W28": [ScoreCount(0.0, 2 * (2_881 + 2_881), 0)],
    }


def test_a_part_of_an_exposure_has_what_was_watched_then() -> None:
    """Clipping keeps half of the second stretch and drops an outcome that lies in the hole."""
    made = judge([alert(2), alert(600)], [], HOLED, {})
    (late,) = folds.clip_outcomes([made], us(100), us(600))
    assert late.exposure.months == pytest.approx((2 + 1) / 30)
    assert folds.clip_outcomes([made], us(100), us(500)) == []
    (early,) = folds.clip_outcomes([made], 0, us(100))
    assert early.exposure.watched["ETH"] == ()
    assert early.exposure.months == pytest.approx(3 / 30)


def test_alerts_are_moved_within_watched_time() -> None:
    """Alerts move over the hole, and from an asset's last day to its first."""
    later = move_alerts([alert(2), alert(601, "ETH"), alert(2, "XRP")], HOLED, HOLED, 2 * DAY * MICROS)
    assert {one.asset: one.at_us for one in later} == {"BTC": us(599), "ETH": us(600), "XRP": us(599)}
    lent = judge_foreign_alerts(
        [alert(4)], unbroken("other", ("BTC",), us(0), us(9)), [label(599 * DAY, 599 * DAY + 60)], HOLED
    )
    assert [result.at_us for result in lent.results] == [us(599)]


def test_chance_is_that_of_watched_time() -> None:
    """A day of alerts in ten watched ones finds a tenth of events; ETH's three days are too few for an estimate."""
    ten = exposure([*hourly(0, 5, "BTC"), *hourly(600, 605, "BTC")], "BTC")
    alerts = [alert(1 + minute / 1_440) for minute in range(0, 1_440, 10)]
    events = [label(second, second + 600) for day in (0, 600) for second in range(day * DAY, (day + 5) * DAY, HOUR)]
    assert chance_recall(alerts, events, ten) == pytest.approx(0.1, rel=0.2)
    assert chance_recall(alerts, events, HOLED) is None


@given(st.sampled_from(("BTC", "ETH", "XRP")), st.integers(-(10**13), 10**13))
def test_watched_time_and_time_are_each_others_inverse(asset: str, watched_us: int) -> None:
    """Watched time converts to a time outside the hole and back."""
    at_us = HOLED.at(asset, watched_us)
    assert any(first_us <= at_us < last_us for first_us, last_us in HOLED.spans(asset))
    assert HOLED.since(asset, at_us) == watched_us % duration_us(HOLED.spans(asset))


def test_an_asset_is_watched_from_the_markets_edge_on() -> None:
    """An asset is watched from the market's edge if its prices begin within six hours, else from its first price."""
    events = [*hourly(0, 1, "BTC"), mark(5 * HOUR, 1.0, "ETH"), mark(7 * HOUR, 1.0, "SOL"), mark(8 * HOUR, 1.0, "SOL")]
    known = exposure([*events, mark(20 * HOUR, 1.0, "ETH"), mark(21 * HOUR, 1.0, "ETH")], "BTC", "ETH", "SOL")
    assert known.watched == {
        "BTC": ((us(0), us(1)),),
        "ETH": ((us(0), us(0) + 5 * HOUR * MICROS), (us(0) + 20 * HOUR * MICROS, us(1))),
        "SOL": ((us(0) + 7 * HOUR * MICROS, us(0) + 8 * HOUR * MICROS),),
    }
    lone = exposure([*hourly(0, 1, "BTC"), mark(12 * HOUR, 1.0, "ETH")], "BTC", "ETH")
    assert lone.watched["ETH"] == ()


def test_an_asset_without_prices_is_watched_with_the_market() -> None:
    """An asset that only the truth names is watched while events of any asset come."""
    orders: list[AnyEvent] = [forced(second, 1e6) for second in (0, HOUR, 400 * DAY, 400 * DAY + HOUR)]
    known = exposure(orders, "BTC", "ETH")
    hours = ((us(0), us(0) + HOUR * MICROS), (us(400), us(400) + HOUR * MICROS))
    assert known == Exposure("w", {"BTC": hours, "ETH": hours}, hours)
    for always_zero in (exposure([], "BTC"), exposure([mark(0, 1.0)], "BTC")):
        assert always_zero.months == 0.0
        assert always_zero.at("BTC", 5) == always_zero.first_us == always_zero.last_us


def test_a_simulated_market_is_watched_throughout() -> None:
    """A simulated market has no holes: every asset is watched from the first event to the last."""
    events = Simulated(3, 0.02, 2).load().events
    times = [event.receive_time_us for event in events if isinstance(event, MarkPrice | Liquidation | OpenInterest)]
    known = exposure(events, *sorted({event.asset for event in events}))
    assert known == unbroken("w", known.assets, min(times), max(times))
    assert len(known.assets) == 2


def test_weeks_begin_on_mondays() -> None:
    """A time is split at Mondays; first and last week may be shorter, and an empty time has no week."""
    monday = 1_700_438_400
    spans = list(split_by_week((monday - DAY) * MICROS, (monday + 8 * DAY) * MICROS))
    assert [(end - start) // (DAY * MICROS) for start, end in spans] == [1, 7, 1]
    assert spans[1][0] == monday * MICROS
    assert list(split_by_week(5, 5)) == []
    assert week_of(monday * MICROS) == "2023-W47"
