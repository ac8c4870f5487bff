"""What one detector made of one market, small enough to be handed from process to process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from monitor.evaluate.markets.exposure import Exposure, week_of, weeks
from monitor.evaluate.markets.tape import Forced
from monitor.evaluate.markets.truth import MARKET, Label
from monitor.evaluate.trials.alerts import Alert, Key, Watch
from monitor.evaluate.trials.matching import BEFORE_US, Found, Judged, match, second_waves
from monitor.events import MICROS, SIDES

MINUTE_US: Final = 60 * MICROS
AHEAD_MIN: Final = 15
"""The probability that is calibrated is that of an event running now or beginning within this long, minutes."""
NO_SIGNAL: Final = 0.0
"""The score of a minute without a signal: the detector publishes none while an asset is calm."""


class Point(NamedTuple):
    """Minutes with one score: how many, and how many of them were in or just before an event."""

    score: float
    minutes: int
    events: int


class Hit(msgspec.Struct, frozen=True):
    """One event and what became of it.

    Attributes:
        label: the event.
        at_us: when its alert came, None if none did.
        carried: no alert of its own, but an older one was still up.
        wave: it began within a day of another one of the asset.
        printed: share of its forced notional that had been printed when the alert came.
        relief_printed: the same when relief was called first.
    """

    label: Label
    at_us: int | None
    carried: bool
    wave: bool
    printed: float | None = None
    relief_printed: float | None = None


class Outcome(msgspec.Struct, frozen=True):
    """A detector's events and alerts in one market; ``reliefs`` says of each whether a cascade came right again."""

    exposure: Exposure
    hits: list[Hit]
    alarms: list[Judged]
    reliefs: list[bool] = []
    changes: list[int] = []


def judge(
    alerts: Sequence[Alert],
    labels: Sequence[Label],
    exposure: Exposure,
    forced: Mapping[Key, Forced],
    watch: Watch | None = None,
) -> Outcome:
    """Hold alerts against labels.

    Args:
        alerts: of the detector; those of assets that have no labels count as well.
        labels: of the same market.
        exposure: what was watched.
        forced: what was closed by force, for the share that had been printed.
        watch: the detector's own record, for its reliefs; rules have none.
    """
    matched = match(alerts, labels)
    waves = second_waves(labels)
    reliefs = watch.reliefs() if watch is not None else []
    watched = set(exposure.assets)
    by_key: dict[Key, list[int]] = {}
    for key, at_us, _ in reliefs:
        by_key.setdefault(key, []).append(at_us)
    return Outcome(
        exposure,
        [_hit(found, found.label in waves, forced, by_key) for found in matched.events],
        matched.alerts,
        [again for key, _, again in reliefs if key.asset in watched],
        watch.changes_per_episode() if watch is not None else [],
    )


def _hit(found: Found, wave: bool, forced: Mapping[Key, Forced], reliefs: Mapping[Key, Sequence[int]]) -> Hit:
    label, alert = found.label, found.alert
    if alert is None:
        return Hit(label, None, found.carried, wave)
    key = Key(label.asset, label.direction)
    later = [at_us for at_us in reliefs.get(key, ()) if at_us >= alert.at_us]
    mine = forced.get(key)
    if mine is None:
        return Hit(label, alert.at_us, False, wave)
    relief = later[0] if later else None
    return Hit(
        label, alert.at_us, False, wave, printed(mine, label, alert.at_us),
        None if relief is None else printed(mine, label, relief),
    )  # fmt: skip


def printed(forced: Forced, label: Label, at_us: int) -> float | None:
    """Share of an event's forced notional that had come when an alert did; None where none of it is known."""
    start_us = label.onset_us - BEFORE_US
    total = forced.usd(start_us, label.end_us + 1)
    return forced.usd(start_us, min(at_us, label.end_us) + 1) / total if total else None


def points(watch: Watch, labels: Sequence[Label], exposure: Exposure) -> dict[str, list[Point]]:
    """For each score how many watched minutes of assets' sides had it, and in how many an event ran or was near.

    By calendar week. Scores are rounded to whole points, so that a week comes to a hundred rows.
    """
    counts: dict[str, dict[float, list[int]]] = {}
    for asset, spans in exposure.watched.items():
        for first_us, last_us in spans:
            parts = weeks(first_us // MINUTE_US * MINUTE_US, last_us // MINUTE_US * MINUTE_US + MINUTE_US)
            for start_us, end_us in parts:
                week = counts.setdefault(week_of(start_us), {})
                _count(week, watch, labels, asset, start_us // MINUTE_US, end_us // MINUTE_US - 1)
    return {
        week: [Point(score, *by_score[score]) for score in sorted(by_score)]
        for week, by_score in sorted(counts.items())
    }


def _count(
    counts: dict[float, list[int]], watch: Watch, labels: Sequence[Label], asset: str, first: int, last: int
) -> None:
    """Add an asset's minutes from ``first`` to ``last``: how many had each score, and how many of them an event."""
    for side in SIDES:
        near = _near(labels, Key(asset, side), first, last)
        scores = {
            minute: float(round(score))
            for minute, score in watch.minutes.get(Key(asset, side), {}).items()
            if first <= minute <= last
        }
        for minute, score in scores.items():
            kept = counts.setdefault(score, [0, 0])
            kept[0] += 1
            kept[1] += minute in near
        calm = counts.setdefault(NO_SIGNAL, [0, 0])
        calm[0] += last - first + 1 - len(scores)
        calm[1] += len(near - scores.keys())


def _near(labels: Sequence[Label], key: Key, first: int, last: int) -> set[int]:
    """Minutes in which an event of this side runs or begins within :data:`AHEAD_MIN`."""
    near: set[int] = set()
    for label in labels:
        if label.sought and (label.asset, label.direction) == key and key.asset != MARKET:
            start, end = label.onset_us // MINUTE_US - AHEAD_MIN, label.end_us // MINUTE_US
            near.update(range(max(first, start), min(last, end) + 1))
    return near
