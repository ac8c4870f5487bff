"""Runs the robustness matrix of one market, which shows what is lost when the input gets worse, and the placebos.

A degradation sets in an hour before an event and lasts until it is over: the detector is restored to its state of that
time and gets the rest degraded. So it has learned from intact data, as on duty, and a row costs hours instead of
months. The matrix does not show what a degradation costs in calm times. :func:`run_whole` does, for what may be missing
for good: a whole run from the first event on, in which the missing part was never learned either.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, NamedTuple

from monitor.detect.detector import Detector
from monitor.detect.settings import DetectorSettings
from monitor.lab.evaluate.markets.exposure import Exposure, duration_us
from monitor.lab.evaluate.markets.truth import Label
from monitor.lab.evaluate.trials import matrix
from monitor.lab.evaluate.trials.alerts import (
    Alert,
    SignalLog,
    Trigger,
    run_detector,
    select_alerts,
    sort_alerts,
)
from monitor.lab.evaluate.trials.matching import AFTER_US
from monitor.lab.evaluate.trials.outcomes import Outcome, Reference, judge
from monitor.lab.simulate.faults import arrival_us
from monitor.model.events import MICROS, AnyEvent

DAY_US: Final = 86_400 * MICROS
BEFORE_US: Final = 3_600 * MICROS
"""Time before an event at which a degradation sets in, microseconds."""
UNDEGRADED: Final = "nothing degraded"
CHANCE_SHIFTS: Final = 20
"""Number of random shifts in time whose mean recall is what chance finds."""
AFTER_SPIKE_US: Final = 300 * MICROS
"""An alert within this time after a bad price counts as raised by it, microseconds."""


class EventSpan(NamedTuple):
    """The events of a list from index ``first`` to before ``last``, around labels that overlap."""

    first: int
    last: int


class Checkpoint(NamedTuple):
    """A span and the detector's state before it."""

    span: EventSpan
    snapshot: bytes


def episode_spans(events: Sequence[AnyEvent], labels: Sequence[Label]) -> list[EventSpan]:
    """Return the spans from an hour before each event until ten minutes after it; overlapping ones are one."""
    spans: list[tuple[int, int]] = []
    for label in sorted((label for label in labels if label.is_sought), key=lambda label: label.onset_us):
        start, end = label.onset_us - BEFORE_US, label.end_us + AFTER_US
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return [
        EventSpan(bisect_left(events, start, key=arrival_us), bisect_left(events, end + 1, key=arrival_us))
        for start, end in spans
    ]


def run_with_checkpoints(
    detector: Detector, events: Sequence[AnyEvent], log: SignalLog, spans: Sequence[EventSpan]
) -> list[Checkpoint]:
    """Run over all events and return the detector's state before each span."""
    checkpoints, done = [], 0
    for span in spans:
        run_detector(detector, events[done : span.first], log, to_the_end=False)
        checkpoints.append(Checkpoint(span, detector.snapshot()))
        done = span.first
    run_detector(detector, events[done:], log)
    return checkpoints


def run_degraded(
    events: Sequence[AnyEvent],
    checkpoints: Sequence[Checkpoint],
    rows: Sequence[matrix.Degradation],
    settings: DetectorSettings,
    trigger: Trigger,
    reference: Reference,
) -> tuple[dict[str, Outcome], int | None]:
    """Return the outcome near events of each row, and the number of alerts that bad prices alone raised.

    The number is None where the matrix has no row of bad prices.
    """
    outcomes: dict[str, Outcome] = {}
    raised: dict[str, list[Alert]] = {}
    for row in (matrix.Degradation(UNDEGRADED, iter), *rows):
        alerts: list[Alert] = []
        for span, snapshot in checkpoints:
            log = SignalLog()
            run_detector(Detector.restore(snapshot, settings), row.apply(events[span.first : span.last]), log)
            alerts += select_alerts(log.alerts(trigger), market=False)
        raised[row.name] = sort_alerts(alerts)
        outcomes[row.name] = judge(raised[row.name], *reference)
    if matrix.BAD_PRICES not in raised:
        return outcomes, None
    caused = alerts_after_spikes(raised[matrix.BAD_PRICES]) - alerts_after_spikes(raised[UNDEGRADED])
    return outcomes, len(caused)


def run_whole(
    events: Sequence[AnyEvent], settings: DetectorSettings, trigger: Trigger, reference: Reference
) -> dict[str, Outcome]:
    """Return the outcome of a whole run without each venue, and of one with throttled feeds alone, by row."""
    outcomes = {}
    for row in matrix.loss_degradations(matrix.find_feeds(events)):
        log = SignalLog()
        run_detector(Detector(settings), row.apply(events), log)
        outcomes[row.name] = judge(select_alerts(log.alerts(trigger), market=False), *reference, log)
    return outcomes


def alerts_after_spikes(alerts: Iterable[Alert]) -> set[tuple[str, str, int]]:
    """Return the alerts within five minutes of a bad price, by asset, side and period of the price."""
    return {
        (alert.asset, alert.direction, alert.at_us // (matrix.SPIKE_EVERY_S * MICROS))
        for alert in alerts
        if (alert.at_us // MICROS - matrix.SPIKE_OFFSET_S) % matrix.SPIKE_EVERY_S * MICROS < AFTER_SPIKE_US
    }


def placebo_outcomes(
    alerts: Sequence[Alert], labels: Sequence[Label], exposure: Exposure
) -> tuple[dict[str, Outcome], float | None]:
    """Return the outcomes of alerts that carry no information, and the recall of alerts at random times.

    One placebo moves alerts to another asset, the other to another day.
    """
    assets = exposure.assets
    others = dict(zip(assets, (*assets[1:], *assets[:1]), strict=True))
    shuffled = [alert._replace(asset=others[alert.asset]) for alert in alerts if alert.asset in others]
    found = {
        "assets shuffled": judge(shuffled, labels, exposure, {}),
        "24 h later": judge(move_alerts(alerts, exposure, exposure, DAY_US), labels, exposure, {}),
    }
    return found, chance_recall(alerts, labels, exposure)


def chance_recall(alerts: Sequence[Alert], labels: Sequence[Label], exposure: Exposure) -> float | None:
    """Return the mean recall of the alerts at random times, days away.

    None without events, or where an asset was watched for four days or less.
    """
    shortest_us = min((duration_us(exposure.spans(asset)) for asset in exposure.assets), default=0)
    if shortest_us <= 4 * DAY_US:
        return None
    random = Random(exposure.world)  # noqa: S311 - the same shifts each time
    found = events = 0
    for _ in range(CHANCE_SHIFTS):
        by_us = random.randrange(2 * DAY_US, shortest_us - 2 * DAY_US)
        results = judge(move_alerts(alerts, exposure, exposure, by_us), labels, exposure, {}).results
        found += sum(result.at_us is not None for result in results)
        events += len(results)
    return found / events if events else None


def judge_foreign_alerts(
    alerts: Sequence[Alert], other: Exposure, labels: Sequence[Label], exposure: Exposure
) -> Outcome:
    """Judge the alerts of another market at the same time after its beginning; neither market knows the other."""
    return judge(move_alerts(alerts, other, exposure, 0), labels, exposure, {})


def move_alerts(alerts: Sequence[Alert], source: Exposure, target: Exposure, by_us: int) -> list[Alert]:
    """Return alerts of one market moved into another, later by ``by_us`` of their asset's watched time.

    No alert falls into a hole; those beyond the end come in at the beginning.
    """
    return sort_alerts(
        alert._replace(at_us=target.at(alert.asset, source.since(alert.asset, alert.at_us) + by_us), until_us=None)
        for alert in alerts
    )
