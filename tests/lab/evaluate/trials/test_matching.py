from __future__ import annotations

from monitor.lab.evaluate.markets.truth import Label
from monitor.lab.evaluate.trials.alerts import Alert
from monitor.lab.evaluate.trials.matching import match_alerts, second_waves
from monitor.model.events import MICROS, Side
from tests.lab.evaluate.tapes import START, label

HOUR = 3_600


def alert(second: int, until: int | None = None, asset: str = "BTC", direction: Side = "long") -> Alert:
    return Alert(asset, direction, (START + second) * MICROS, None if until is None else (START + until) * MICROS)


def verdicts(alerts: list[Alert], labels: list[Label]) -> list[str]:
    return [one.verdict for one in match_alerts(alerts, labels).alerts]


def test_an_alert_counts_from_fifteen_minutes_before_to_ten_after() -> None:
    """Both ends of the matching window belong to the event."""
    event = label(HOUR, HOUR + 600)
    for second, verdict in (
        (HOUR - 901, "false"),
        (HOUR - 900, "found"),
        (HOUR + 1_200, "found"),
        (HOUR + 1_201, "false"),
    ):
        assert verdicts([alert(second)], [event]) == [verdict]


def test_an_event_is_found_once() -> None:
    """Further alerts within an event are repeats; the first one gives the delay."""
    matched = match_alerts([alert(HOUR + 9), alert(HOUR + 5)], [label(HOUR, 2 * HOUR)])
    assert [one.verdict for one in matched.alerts] == ["found", "repeat"]
    (event,) = matched.events
    assert event.alert == alert(HOUR + 5)


def test_side_and_asset_must_agree() -> None:
    """A squeeze is not found by an alert of longs."""
    event = label(HOUR, HOUR + 600)
    assert verdicts([alert(HOUR, direction="short"), alert(HOUR, asset="ETH")], [event]) == ["false", "false"]


def test_one_alert_finds_one_event_the_one_that_began_nearest() -> None:
    """An alert within two events finds the one with the nearer onset, the next alert the other."""
    first, second = label(HOUR, 2 * HOUR), label(HOUR + 3_000, 3 * HOUR)
    for second_of_alert, found in ((HOUR + 1_400, [True, False]), (HOUR + 2_800, [False, True])):
        matched = match_alerts([alert(second_of_alert)], [first, second])
        assert [one.alert is not None for one in matched.events] == found
    matched = match_alerts([alert(HOUR + 2_900), alert(HOUR + 3_100)], [first, second])
    assert [one.alert is not None for one in matched.events] == [True, True]


def test_an_event_during_an_older_alert_is_carried() -> None:
    """An event without an alert of its own is carried if an older alert was active at its onset."""
    event = label(5 * HOUR, 6 * HOUR)
    for until, carried in ((None, True), (5 * HOUR + 1, True), (5 * HOUR, False)):
        (found,) = match_alerts([alert(HOUR, until)], [event]).events
        assert (found.alert, found.carried) == (None, carried)
    (found,) = match_alerts([alert(5 * HOUR - 60)], [event]).events
    assert (found.alert is not None, found.carried) == (True, False)


def test_near_misses_and_decoys_are_told_apart_from_clean_false_alarms() -> None:
    """An alert on a near-miss is no false alarm; one on a decoy or a hard negative is."""
    labels = [
        label(HOUR, 2 * HOUR, kind="near_miss"),
        label(4 * HOUR, 5 * HOUR, kind="decoy"),
        label(8 * HOUR, 9 * HOUR, kind="hard_negative"),
    ]
    alerts = [alert(HOUR), alert(4 * HOUR), alert(8 * HOUR), alert(20 * HOUR)]
    assert verdicts(alerts, labels) == ["near_miss", "decoy", "false", "false"]


def test_a_second_wave_begins_within_a_day_of_another_event_of_the_asset() -> None:
    """A second wave follows an event of the same asset on any side within a day."""
    first, again, late = label(0, 600), label(23 * HOUR, 24 * HOUR, direction="short"), label(60 * HOUR, 61 * HOUR)
    assert second_waves([first, again, late, label(HOUR, 2 * HOUR, asset="ETH")]) == {again}
