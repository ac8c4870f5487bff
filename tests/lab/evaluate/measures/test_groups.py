from __future__ import annotations

import msgspec

from monitor.lab.evaluate.markets.truth import Label
from monitor.lab.evaluate.measures.figures import Blocks
from monitor.lab.evaluate.measures.groups import Count, group_by_kind
from monitor.lab.evaluate.trials.alerts import Alert
from monitor.lab.evaluate.trials.outcomes import judge
from monitor.model.events import MICROS
from tests.lab.evaluate.tapes import START, label, unbroken

DAY = 86_400
MONTH = unbroken("w", ("BTC",), START * MICROS, (START + 30 * DAY) * MICROS)


def event(day: int, kind: str, severity: int) -> Label:
    return msgspec.structs.replace(label(day * DAY, day * DAY + 600, severity=severity), kind=kind)


def test_each_kind_has_its_own_recall_and_delay() -> None:
    """Flash cascades and grinds have recalls and delays of their own."""
    labels = [event(1, "flash", 2), event(5, "flash", 3), event(9, "grind", 2)]
    alerts = [Alert("BTC", "long", (START + day * DAY + late) * MICROS) for day, late in ((1, 5), (9, 60))]
    made = judge(alerts, labels, MONTH, {})
    everything, flash, grind = group_by_kind([made], Blocks([MONTH], [labels]))
    assert (everything.kind, everything.count, everything.delay.value) == ("all", Count(2, 3), 32.5)
    assert everything.by_severity == {"1": Count(0, 0), "2": Count(2, 2), "3": Count(0, 1)}
    assert (flash.kind, flash.count, flash.delay.value, flash.recall.value) == ("flash", Count(1, 2), 5.0, 0.5)
    assert (grind.kind, grind.by_severity["2"], grind.delay.value) == ("grind", Count(1, 1), 60.0)


def test_an_alert_is_held_against_the_time_at_which_the_exact_rule_held() -> None:
    """The share alerted before the exact rule held leaves out events without such a time."""
    met = [msgspec.structs.replace(event(day, "flash", 1), met_us=(START + day * DAY + 20) * MICROS) for day in (1, 5)]
    labels = [*met, event(9, "flash", 1)]
    alerts = [Alert("BTC", "long", (START + day * DAY + late) * MICROS) for day, late in ((1, 5), (5, 30), (9, 1))]
    (row,) = group_by_kind([judge(alerts, labels, MONTH, {})], Blocks([MONTH], [labels]))
    assert (row.met.value, row.before_met.value, row.before_met.n) == (20.0, 0.5, 2)


def test_a_delay_is_measured_from_the_flow_as_well() -> None:
    """The delay from the flow's onset leaves out events without such a time."""
    labels = [
        msgspec.structs.replace(event(1, "grind", 1), flow_onset_us=(START + DAY + 40) * MICROS),
        event(9, "flash", 1),
    ]
    alerts = [Alert("BTC", "long", (START + day * DAY + 60) * MICROS) for day in (1, 9)]
    row, *_ = group_by_kind([judge(alerts, labels, MONTH, {})], Blocks([MONTH], [labels]))
    assert (row.delay.value, row.flow_delay.value, row.flow_delay.n) == (60.0, 20.0, 1)


def test_one_kind_alone_is_all() -> None:
    """A single kind makes no row beside the one of all events."""
    made = judge([], [event(1, "rule", 1)], MONTH, {})
    assert [row.kind for row in group_by_kind([made], Blocks([MONTH], [[event(1, "rule", 1)]]))] == ["all"]
