"""Alerts held against labels: which event each one found, and what the others were (section 4.3)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from monitor.evaluate.markets.truth import Label
from monitor.evaluate.trials.alerts import Alert, Key
from monitor.events import MICROS

BEFORE_US: Final = 15 * 60 * MICROS
AFTER_US: Final = 10 * 60 * MICROS
"""An alert belongs to an event from this long before its onset until this long after its end."""

Verdict = Literal["found", "repeat", "near_miss", "decoy", "false"]


class Found(NamedTuple):
    """One event and the alert that found it; ``carried`` where none did and an older alert was still up then."""

    label: Label
    alert: Alert | None
    carried: bool


class Judged(NamedTuple):
    """One alert and what it was: ``repeat`` is one more within an event that had been found already."""

    alert: Alert
    verdict: Verdict


class Match(NamedTuple):
    """All events and all alerts of one market."""

    events: list[Found]
    alerts: list[Judged]


def match(alerts: Sequence[Alert], labels: Sequence[Label]) -> Match:
    """Match alerts to events of the same asset and side, at most one each way.

    In the order of time each alert takes the event with the nearest onset: what came four hours into one event and a
    minute into the next has found the next.
    """
    events, judged = [], []
    by_key: dict[Key, tuple[list[Alert], list[Label]]] = {}
    for alert in alerts:
        by_key.setdefault(Key(alert.asset, alert.direction), ([], []))[0].append(alert)
    for label in labels:
        by_key.setdefault(Key(label.asset, label.direction), ([], []))[1].append(label)
    for key in sorted(by_key):
        found, verdicts = _match_side(*by_key[key])
        events += found
        judged += verdicts
    return Match(
        sorted(events, key=lambda one: (one.label.onset_us, one.label.asset, one.label.direction)),
        sorted(judged, key=lambda one: one.alert[:3]),
    )


def _match_side(alerts: Sequence[Alert], labels: Sequence[Label]) -> tuple[list[Found], list[Judged]]:
    sought = sorted((label for label in labels if label.sought), key=lambda label: label.onset_us)
    others = [label for label in labels if not label.sought]
    taken: dict[int, Alert] = {}
    judged = []
    for alert in sorted(alerts, key=lambda one: one.at_us):
        near = [place for place, label in enumerate(sought) if within(alert.at_us, label)]
        free = [place for place in near if place not in taken]
        if free:
            at_us = alert.at_us
            taken[min(free, key=lambda place: abs(sought[place].onset_us - at_us))] = alert
            judged.append(Judged(alert, "found"))
        else:
            judged.append(Judged(alert, "repeat" if near else _other(alert, others)))
    found = [
        Found(label, taken.get(place), place not in taken and any(_up(alert, label.onset_us) for alert in alerts))
        for place, label in enumerate(sought)
    ]
    return found, judged


def within(at_us: int, label: Label) -> bool:
    """Whether an alert at this time belongs to the label."""
    return label.onset_us - BEFORE_US <= at_us <= label.end_us + AFTER_US


def _up(alert: Alert, at_us: int) -> bool:
    return alert.at_us <= at_us and (alert.until_us is None or at_us < alert.until_us)


def _other(alert: Alert, labels: Sequence[Label]) -> Verdict:
    kinds = {label.type for label in labels if within(alert.at_us, label)}
    if "near_miss" in kinds:
        return "near_miss"
    return "decoy" if "decoy" in kinds else "false"


def second_waves(labels: Sequence[Label], within_us: int = 24 * 3_600 * MICROS) -> set[Label]:
    """Events that began within a day of the onset of another one of the same asset."""
    waves = set()
    by_asset: dict[str, list[Label]] = {}
    for label in labels:
        if label.sought:
            by_asset.setdefault(label.asset, []).append(label)
    for mine in by_asset.values():
        onsets = sorted(label.onset_us for label in mine)
        for label in mine:
            place = bisect_left(onsets, label.onset_us)
            if place and label.onset_us - onsets[place - 1] < within_us:
                waves.add(label)
    return waves
