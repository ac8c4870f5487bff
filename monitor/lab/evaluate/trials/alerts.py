"""Runs a detector over events and records its alerts, changes of phase, and score by minute."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, Literal, NamedTuple

from monitor.detect.detector import Detector
from monitor.lab.evaluate.markets.tape import AssetSide
from monitor.model.events import (
    MARKET,
    MICROS,
    AnyEvent,
    Side,
)
from monitor.model.signals import Phase, Signal

BATCH: Final = 10_000
"""Number of events handed to the detector at once."""
MINUTE_US: Final = 60 * MICROS
REENTRY_US: Final = 30 * MINUTE_US
"""A cascade that comes again within this time after relief shows that relief was called too early, microseconds."""
Trigger = Literal["cascade", "building"]


class Alert(NamedTuple):
    """One alert of a detector or a baseline.

    Attributes:
        asset: canonical base asset, or ``MARKET``.
        direction: side whose positions are liquidated.
        at_us: time at which it was raised.
        until_us: time at which it ended (the phase was left, the rule was quiet); None where the run ended first.
    """

    asset: str
    direction: Side
    at_us: int
    until_us: int | None = None


class PhaseChange(NamedTuple):
    """One change of phase of a side of an asset."""

    key: AssetSide
    episode_id: str
    at_us: int
    before: Phase
    after: Phase
    score: float


class Relief(NamedTuple):
    """One change of phase from cascade to relief.

    Attributes:
        key: the side of the asset.
        at_us: time of the change.
        was_early: True if the side was in a cascade again within half an hour.
    """

    key: AssetSide
    at_us: int
    was_early: bool


class ScoredSecond(NamedTuple):
    """The score of one second of an episode, for plots."""

    at_us: int
    score: float
    phase: Phase


class SignalLog:
    """Records a detector's signals.

    Args:
        trace: True to keep every signal's score, which plots need.

    Attributes:
        changes: changes of phase in their order.
        score_by_minute: by side of an asset, the last score of each minute that had a signal.
        trace: by side of an asset every signal's score, or None.
    """

    def __init__(self, *, trace: bool = False) -> None:
        self.changes: list[PhaseChange] = []
        self.score_by_minute: dict[AssetSide, dict[int, float]] = {}
        self.trace: dict[AssetSide, list[ScoredSecond]] | None = {} if trace else None

    def add(self, signals: Iterable[Signal]) -> None:
        """Add signals in the order in which the detector gave them."""
        for signal in signals:
            key = AssetSide(signal.asset, signal.direction)
            at = signal.event_time_us
            if signal.phase != signal.previous_phase:
                self.changes.append(
                    PhaseChange(
                        key=key,
                        episode_id=signal.episode_id,
                        at_us=at,
                        before=signal.previous_phase,
                        after=signal.phase,
                        score=signal.risk_score,
                    )
                )
            scores = self.score_by_minute.get(key)
            if scores is None:
                scores = self.score_by_minute[key] = {}
            scores[at // MINUTE_US] = signal.risk_score
            if self.trace is not None:
                self.trace.setdefault(key, []).append(ScoredSecond(at, signal.risk_score, signal.phase))

    def alerts(self, trigger: Trigger = "cascade") -> list[Alert]:
        """Return the alerts: every entry of ``cascade``, or every exit from calm and every further wave."""
        raised: list[Alert] = []
        running: dict[AssetSide, Alert] = {}
        for change in self.changes:
            first = change.before == "calm" or change.after == "cascade"
            rises = change.after == "cascade" if trigger == "cascade" else first and change.after != "calm"
            alert = running.get(change.key)
            if alert is not None and change.after in ("calm", "relief"):
                raised.append(running.pop(change.key)._replace(until_us=change.at_us))
            elif alert is None and rises:
                running[change.key] = Alert(*change.key, change.at_us)
        return sort_alerts([*raised, *running.values()])

    def reliefs(self) -> list[Relief]:
        """Return every change from cascade to relief, by time."""
        found = []
        following: dict[AssetSide, int] = {}
        for change in reversed(self.changes):
            if change.after == "cascade":
                following[change.key] = change.at_us
            elif change.after == "relief":
                again = following.get(change.key)
                was_early = again is not None and again - change.at_us <= REENTRY_US
                found.append(Relief(change.key, change.at_us, was_early))
        return found[::-1]

    def changes_per_episode(self) -> list[int]:
        """Return the number of changes of phase of each episode that became a cascade."""
        counts: dict[str, int] = {}
        cascades = {change.episode_id for change in self.changes if change.after == "cascade"}
        for change in self.changes:
            counts[change.episode_id] = counts.get(change.episode_id, 0) + 1
        return [count for episode, count in counts.items() if episode in cascades]


def sort_alerts(alerts: Iterable[Alert]) -> list[Alert]:
    """Return alerts by time, then asset and side."""
    return sorted(alerts, key=lambda alert: (alert.at_us, alert.asset, alert.direction))


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Pause Python's cycle collector during the block.

    A detector makes no cycles, and every pass would look at millions of events.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def run_detector(detector: Detector, events: Iterable[AnyEvent], log: SignalLog, *, to_the_end: bool = True) -> None:
    """Run a detector over events and record its signals.

    Args:
        detector: detector to run.
        events: events in the order of their arrival.
        log: records the signals.
        to_the_end: True to close the last event's second, after which the run cannot be continued.
    """
    source = iter(events)
    with garbage_collection_paused():
        while batch := list(islice(source, BATCH)):
            log.add(detector.apply(batch))
        if to_the_end:
            log.add(detector.advance(detector.second + 1))


def select_alerts(alerts: Sequence[Alert], *, market: bool) -> list[Alert]:
    """Return the alerts of the market as a whole, or those of its assets."""
    return [alert for alert in alerts if (alert.asset == MARKET) == market]
