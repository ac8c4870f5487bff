"""Matches alerts with labels: which event each alert found, and what the other alerts were."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from monitor.lab.evaluate.markets.tape import AssetSide
from monitor.lab.evaluate.markets.truth import Label
from monitor.lab.evaluate.trials.alerts import Alert
from monitor.model.events import MICROS

BEFORE_US: Final = 15 * 60 * MICROS
"""Time before an event's onset from which on an alert belongs to it, microseconds."""
AFTER_US: Final = 10 * 60 * MICROS
"""Time after an event's end until which an alert belongs to it, microseconds."""

Verdict = Literal["found", "repeat", "near_miss", "decoy", "false"]
"""The kind of an alert: ``repeat`` is a further alert in an event already found, ``false`` a clean false alarm."""


class MatchedEvent(NamedTuple):
    """One event and the alert that found it; ``carried`` if none did and an older alert was active at its onset."""

    label: Label
    alert: Alert | None
    carried: bool


class JudgedAlert(NamedTuple):
    """One alert and its verdict."""

    alert: Alert
    verdict: Verdict


class Match(NamedTuple):
    """All events and all alerts of one market."""

    events: list[MatchedEvent]
    alerts: list[JudgedAlert]


def match_alerts(alerts: Sequence[Alert], labels: Sequence[Label]) -> Match:
    """Match alerts with events of the same asset and side, at most one each way.

    In the order of time each alert takes the event with the nearest onset: an alert four hours into one event and a
    minute into the next has found the next.
    """
    events, judged = [], []
    by_key: dict[AssetSide, tuple[list[Alert], list[Label]]] = {}
    for alert in alerts:
        by_key.setdefault(AssetSide(alert.asset, alert.direction), ([], []))[0].append(alert)
    for label in labels:
        by_key.setdefault(AssetSide(label.asset, label.direction), ([], []))[1].append(label)
    for key in sorted(by_key):
        found, verdicts = _match_side(*by_key[key])
        events += found
        judged += verdicts
    return Match(
        sorted(events, key=lambda one: (one.label.onset_us, one.label.asset, one.label.direction)),
        sorted(judged, key=lambda one: one.alert[:3]),
    )


def _match_side(alerts: Sequence[Alert], labels: Sequence[Label]) -> tuple[list[MatchedEvent], list[JudgedAlert]]:
    sought = sorted((label for label in labels if label.is_sought), key=lambda label: label.onset_us)
    others = [label for label in labels if not label.is_sought]
    taken: dict[int, Alert] = {}
    judged = []
    for alert in sorted(alerts, key=lambda one: one.at_us):
        near = [place for place, label in enumerate(sought) if is_near(alert.at_us, label)]
        free = [place for place in near if place not in taken]
        if free:
            at_us = alert.at_us
            taken[min(free, key=lambda place: abs(sought[place].onset_us - at_us))] = alert
            judged.append(JudgedAlert(alert, "found"))
        else:
            judged.append(JudgedAlert(alert, "repeat" if near else _verdict_outside(alert, others)))
    found = [
        MatchedEvent(
            label, taken.get(place), place not in taken and any(_is_active(alert, label.onset_us) for alert in alerts)
        )
        for place, label in enumerate(sought)
    ]
    return found, judged


def is_near(at_us: int, label: Label) -> bool:
    """Return True if an alert at this time belongs to the label."""
    return label.onset_us - BEFORE_US <= at_us <= label.end_us + AFTER_US


def _is_active(alert: Alert, at_us: int) -> bool:
    """Return True if an alert was raised before a time and had not ended."""
    return alert.at_us <= at_us and (alert.until_us is None or at_us < alert.until_us)


def _verdict_outside(alert: Alert, labels: Sequence[Label]) -> Verdict:
    kinds = {label.type for label in labels if is_near(alert.at_us, label)}
    if "near_miss" in kinds:
        return "near_miss"
    return "decoy" if "decoy" in kinds else "false"


def second_waves(labels: Sequence[Label], within_us: int = 24 * 3_600 * MICROS) -> set[Label]:
    """Return the events that began within a day of the onset of another one of the same asset."""
    waves = set()
    by_asset: dict[str, list[Label]] = {}
    for label in labels:
        if label.is_sought:
            by_asset.setdefault(label.asset, []).append(label)
    for mine in by_asset.values():
        onsets = sorted(label.onset_us for label in mine)
        for label in mine:
            place = bisect_left(onsets, label.onset_us)
            if place and label.onset_us - onsets[place - 1] < within_us:
                waves.add(label)
    return waves
