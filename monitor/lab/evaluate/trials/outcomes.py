"""Judges the alerts of one detector on one market; the outcome is small enough to be sent between processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from monitor.lab.evaluate.markets.exposure import Exposure, split_by_week, week_of
from monitor.lab.evaluate.markets.tape import AssetSide, Forced
from monitor.lab.evaluate.markets.truth import Label
from monitor.lab.evaluate.trials.alerts import Alert, SignalLog
from monitor.lab.evaluate.trials.matching import BEFORE_US, JudgedAlert, MatchedEvent, match_alerts, second_waves
from monitor.model.events import MARKET, MICROS, SIDES

MINUTE_US: Final = 60 * MICROS
AHEAD_MIN: Final = 15
"""The calibrated probability is that of an event running now or beginning within this many minutes."""
NO_SIGNAL: Final = 0.0
"""Score of a minute without a signal: the detector publishes none while an asset is calm."""


class ScoreCount(NamedTuple):
    """Number of minutes with one score, and how many of them were in or just before an event."""

    score: float
    minutes: int
    events: int


class EventResult(msgspec.Struct, frozen=True):
    """One event and how it was found.

    Attributes:
        label: the event.
        at_us: time of its alert; None if it was missed.
        carried: True if it has no alert of its own but an older one was active.
        wave: True if it began within a day of another event of the asset.
        printed: share of its forced notional that had been executed when the alert came.
        relief_printed: the same at the first relief.
    """

    label: Label
    at_us: int | None
    carried: bool
    wave: bool
    printed: float | None = None
    relief_printed: float | None = None


class Reference(NamedTuple):
    """The data by which alerts of one market are judged: labels, exposure and forced orders."""

    labels: Sequence[Label]
    exposure: Exposure
    forced: Mapping[AssetSide, Forced]


class Outcome(msgspec.Struct, frozen=True):
    """A detector's events and alerts in one market; ``reliefs`` has True for each relief that was called too early."""

    exposure: Exposure
    results: list[EventResult]
    alarms: list[JudgedAlert]
    reliefs: list[bool] = []
    changes: list[int] = []


def judge(
    alerts: Sequence[Alert],
    labels: Sequence[Label],
    exposure: Exposure,
    forced: Mapping[AssetSide, Forced],
    log: SignalLog | None = None,
) -> Outcome:
    """Match alerts with labels and return the outcome.

    Args:
        alerts: alerts of the detector; those of assets without labels count as well.
        labels: labels of the same market.
        exposure: what was watched.
        forced: forced orders, for the share that had been executed.
        log: the detector's own record, for its reliefs; baselines have none.
    """
    matched = match_alerts(alerts, labels)
    waves = second_waves(labels)
    reliefs = log.reliefs() if log is not None else []
    watched = set(exposure.assets)
    by_key: dict[AssetSide, list[int]] = {}
    for key, at_us, _ in reliefs:
        by_key.setdefault(key, []).append(at_us)
    return Outcome(
        exposure,
        [_hit(found, found.label in waves, forced, by_key) for found in matched.events],
        matched.alerts,
        [again for key, _, again in reliefs if key.asset in watched],
        log.changes_per_episode() if log is not None else [],
    )


def _hit(
    found: MatchedEvent, wave: bool, forced: Mapping[AssetSide, Forced], reliefs: Mapping[AssetSide, Sequence[int]]
) -> EventResult:
    label, alert = found.label, found.alert
    if alert is None:
        return EventResult(label, None, found.carried, wave)
    key = AssetSide(label.asset, label.direction)
    later = [at_us for at_us in reliefs.get(key, ()) if at_us >= alert.at_us]
    mine = forced.get(key)
    if mine is None:
        return EventResult(label, alert.at_us, False, wave)
    relief = later[0] if later else None
    return EventResult(
        label=label,
        at_us=alert.at_us,
        carried=False,
        wave=wave,
        printed=printed_share(mine, label, alert.at_us),
        relief_printed=None if relief is None else printed_share(mine, label, relief),
    )


def printed_share(forced: Forced, label: Label, at_us: int) -> float | None:
    """Return the share of an event's forced notional that had been executed by a time; None without any."""
    start_us = label.onset_us - BEFORE_US
    total = forced.usd(start_us, label.end_us + 1)
    return forced.usd(start_us, min(at_us, label.end_us) + 1) / total if total else None


def count_scores(log: SignalLog, labels: Sequence[Label], exposure: Exposure) -> dict[str, list[ScoreCount]]:
    """Return by calendar week how many watched minutes had each score, and in how many an event ran or was near.

    Scores are rounded to whole points, so that a week has a hundred rows at most.
    """
    counts: dict[str, dict[float, list[int]]] = {}
    for asset, spans in exposure.watched.items():
        for first_us, last_us in spans:
            parts = split_by_week(first_us // MINUTE_US * MINUTE_US, last_us // MINUTE_US * MINUTE_US + MINUTE_US)
            for start_us, end_us in parts:
                week = counts.setdefault(week_of(start_us), {})
                _count(week, log, labels, asset, first=start_us // MINUTE_US, last=end_us // MINUTE_US - 1)
    return {
        week: [ScoreCount(score, *by_score[score]) for score in sorted(by_score)]
        for week, by_score in sorted(counts.items())
    }


def _count(
    counts: dict[float, list[int]], log: SignalLog, labels: Sequence[Label], asset: str, *, first: int, last: int
) -> None:
    """Add an asset's minutes from ``first`` to ``last`` to the counts by score."""
    for side in SIDES:
        near = _near(labels, AssetSide(asset, side), first, last)
        scores = {
            minute: float(round(score))
            for minute, score in log.score_by_minute.get(AssetSide(asset, side), {}).items()
            if first <= minute <= last
        }
        for minute, score in scores.items():
            kept = counts.setdefault(score, [0, 0])
            kept[0] += 1
            kept[1] += minute in near
        calm = counts.setdefault(NO_SIGNAL, [0, 0])
        calm[0] += last - first + 1 - len(scores)
        calm[1] += len(near - scores.keys())


def _near(labels: Sequence[Label], key: AssetSide, first: int, last: int) -> set[int]:
    """Return the minutes in which an event of this side runs or begins within :data:`AHEAD_MIN`."""
    near: set[int] = set()
    for label in labels:
        if label.is_sought and (label.asset, label.direction) == key and key.asset != MARKET:
            start, end = label.onset_us // MINUTE_US - AHEAD_MIN, label.end_us // MINUTE_US
            near.update(range(max(first, start), min(last, end) + 1))
    return near
