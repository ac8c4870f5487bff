"""The robustness matrix of one market (section 4.4): what is lost when the input gets worse, and placebos.

A degradation sets in an hour before an event and lasts until it is over: the detector is put back to the state that it
had then, and sees the rest degraded. So it meets a loss as it would live, with what it learned before, and a row costs
hours instead of months. What a degradation costs in calm is therefore not in the matrix. :func:`whole` is the honest
variant for what may be missing for good: a run of its own from the first event on, which never learned it either.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from monitor.cascade.detector import Detector
from monitor.cascade.settings import DetectorSettings
from monitor.evaluate.markets.exposure import Exposure, length
from monitor.evaluate.markets.tape import Forced
from monitor.evaluate.markets.truth import Label
from monitor.evaluate.trials import matrix
from monitor.evaluate.trials.alerts import Alert, Key, Trigger, Watch, in_order, of_assets, run
from monitor.evaluate.trials.matching import AFTER_US
from monitor.evaluate.trials.outcomes import Outcome, judge
from monitor.events import MICROS, AnyEvent
from monitor.simulate.faults import arrival_us

DAY_US: Final = 86_400 * MICROS
BEFORE_US: Final = 3_600 * MICROS
PLAIN: Final = "nothing degraded"
CHANCE_SHIFTS: Final = 20
"""Random shifts in time whose mean recall is what chance finds."""
AFTER_SPIKE_US: Final = 300 * MICROS


class Stretch(NamedTuple):
    """Events of a list from ``first`` to before ``last``, around labels that overlap."""

    first: int
    last: int


class Stop(NamedTuple):
    """A stretch and the detector's state before it."""

    stretch: Stretch
    snapshot: bytes


def stretches(events: Sequence[AnyEvent], labels: Sequence[Label]) -> list[Stretch]:
    """Where events are: an hour before each until ten minutes after it, overlapping ones as one."""
    spans: list[tuple[int, int]] = []
    for label in sorted((label for label in labels if label.sought), key=lambda label: label.onset_us):
        start, end = label.onset_us - BEFORE_US, label.end_us + AFTER_US
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return [
        Stretch(bisect_left(events, start, key=arrival_us), bisect_left(events, end + 1, key=arrival_us))
        for start, end in spans
    ]


def run_with_stops(
    detector: Detector, events: Sequence[AnyEvent], watch: Watch, around: Sequence[Stretch]
) -> list[Stop]:  # fmt: skip
    """Run over all events, and keep the state before each stretch."""
    stops, done = [], 0
    for stretch in around:
        run(detector, events[done : stretch.first], watch, to_the_end=False)
        stops.append(Stop(stretch, detector.snapshot()))
        done = stretch.first
    run(detector, events[done:], watch)
    return stops


def degraded(
    events: Sequence[AnyEvent], stops: Sequence[Stop], rows: Sequence[matrix.Degradation],
    settings: DetectorSettings, trigger: Trigger,
    labels: Sequence[Label], exposure: Exposure, forced: Mapping[Key, Forced],
) -> tuple[dict[str, Outcome], int | None]:  # fmt: skip
    """The outcome within the stretches by row of the matrix, and how many alerts mad prices alone raised, if asked."""
    outcomes: dict[str, Outcome] = {}
    raised: dict[str, list[Alert]] = {}
    for row in (matrix.Degradation(PLAIN, iter), *rows):
        alerts: list[Alert] = []
        for stop in stops:
            watch = Watch()
            detector = Detector.restore(stop.snapshot, settings)
            run(detector, row.apply(events[stop.stretch.first : stop.stretch.last]), watch)
            alerts += of_assets(watch.alerts(trigger), market=False)
        raised[row.name] = in_order(alerts)
        outcomes[row.name] = judge(raised[row.name], labels, exposure, forced)
    if matrix.BAD_PRICES not in raised:
        return outcomes, None
    return outcomes, len(after_spikes(raised[matrix.BAD_PRICES]) - after_spikes(raised[PLAIN]))


def whole(
    events: Sequence[AnyEvent], settings: DetectorSettings, trigger: Trigger,
    labels: Sequence[Label], exposure: Exposure, forced: Mapping[Key, Forced],
) -> dict[str, Outcome]:  # fmt: skip
    """The outcome of whole runs without a venue, and with throttled feeds alone: one detector's run a row."""
    outcomes = {}
    for row in matrix.loss_degradations(matrix.find_feeds(events)):
        watch = Watch()
        run(Detector(settings), row.apply(events), watch)
        outcomes[row.name] = judge(of_assets(watch.alerts(trigger), market=False), labels, exposure, forced, watch)
    return outcomes


def after_spikes(alerts: Iterable[Alert]) -> set[tuple[str, str, int]]:
    """Alerts within five minutes of a mad price, by asset, side and the price's period."""
    return {
        (alert.asset, alert.direction, alert.at_us // (matrix.SPIKE_EVERY_S * MICROS))
        for alert in alerts
        if (alert.at_us // MICROS - matrix.SPIKE_OFFSET_S) % matrix.SPIKE_EVERY_S * MICROS < AFTER_SPIKE_US
    }


def placebos(
    alerts: Sequence[Alert], labels: Sequence[Label], exposure: Exposure
) -> tuple[dict[str, Outcome], float | None]:  # fmt: skip
    """Alerts that cannot know anything: another asset's, another day's; and what alerts at random times find."""
    assets = exposure.assets
    others = dict(zip(assets, (*assets[1:], *assets[:1]), strict=True))
    shuffled = [alert._replace(asset=others[alert.asset]) for alert in alerts if alert.asset in others]
    found = {
        "assets shuffled": judge(shuffled, labels, exposure, {}),
        "24 h later": judge(moved(alerts, exposure, exposure, DAY_US), labels, exposure, {}),
    }
    return found, chance(alerts, labels, exposure)


def chance(alerts: Sequence[Alert], labels: Sequence[Label], exposure: Exposure) -> float | None:
    """Mean recall of the alerts at random times, days away; None where an asset was watched for no longer than that.

    And None without events.
    """
    shortest_us = min((length(exposure.spans(asset)) for asset in exposure.assets), default=0)
    if shortest_us <= 4 * DAY_US:
        return None
    random = Random(exposure.world)  # noqa: S311 - the same shifts each time
    found = events = 0
    for _ in range(CHANCE_SHIFTS):
        by_us = random.randrange(2 * DAY_US, shortest_us - 2 * DAY_US)
        hits = judge(moved(alerts, exposure, exposure, by_us), labels, exposure, {}).hits
        found += sum(hit.at_us is not None for hit in hits)
        events += len(hits)
    return found / events if events else None


def exchanged(alerts: Sequence[Alert], other: Exposure, labels: Sequence[Label], exposure: Exposure) -> Outcome:
    """A market's events with the alerts of another one, as long after its beginning: neither knows of the other."""
    return judge(moved(alerts, other, exposure, 0), labels, exposure, {})


def moved(alerts: Sequence[Alert], source: Exposure, target: Exposure, by_us: int) -> list[Alert]:
    """Alerts of one market in the other, so much later in the watched time of their asset: none falls into a hole.

    Those beyond the end come in at the beginning.
    """
    return in_order(
        alert._replace(at_us=target.at(alert.asset, source.since(alert.asset, alert.at_us) + by_us), until_us=None)
        for alert in alerts
    )
