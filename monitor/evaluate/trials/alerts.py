"""What the detector said during a run: every change of phase, and the score from minute to minute."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, Literal, NamedTuple

from monitor.cascade.detector import Detector
from monitor.events import MICROS, AnyEvent, Phase, Side, Signal

BATCH: Final = 10_000
"""Events handed to the detector at once."""
MINUTE_US: Final = 60 * MICROS
REENTRY_US: Final = 30 * MINUTE_US
"""A cascade that comes again this soon says that relief was called too early."""
Trigger = Literal["cascade", "building"]


class Key(NamedTuple):
    """One side of one asset."""

    asset: str
    direction: Side


class Alert(NamedTuple):
    """One alert of a detector or a baseline.

    Attributes:
        asset: or ``MARKET``.
        direction: the side that is said to die.
        at_us: when it was raised.
        until_us: when it was taken back (the phase left, the rule quiet), None where the run ended first.
    """

    asset: str
    direction: Side
    at_us: int
    until_us: int | None = None


class Change(NamedTuple):
    """One change of phase."""

    key: Key
    episode_id: str
    at_us: int
    before: Phase
    after: Phase
    score: float


class Traced(NamedTuple):
    """The score of one second of an episode, for plots."""

    at_us: int
    score: float
    phase: Phase


class Watch:
    """Takes a detector's signals.

    Args:
        trace: whether to keep every signal's score, which plots need.
    """

    def __init__(self, *, trace: bool = False) -> None:
        self.changes: list[Change] = []
        self.minutes: dict[Key, dict[int, float]] = {}  # last score of each minute that had a signal, by minute
        self.trace: dict[Key, list[Traced]] | None = {} if trace else None

    def take(self, signals: Iterable[Signal]) -> None:
        """Take signals in the order in which the detector gave them."""
        for signal in signals:
            key = Key(signal.asset, signal.direction)
            at = signal.event_time_us
            if signal.phase != signal.previous_phase:
                self.changes.append(
                    Change(key, signal.episode_id, at, signal.previous_phase, signal.phase, signal.risk_score)
                )
            minutes = self.minutes.get(key)
            if minutes is None:
                minutes = self.minutes[key] = {}
            minutes[at // MINUTE_US] = signal.risk_score
            if self.trace is not None:
                self.trace.setdefault(key, []).append(Traced(at, signal.risk_score, signal.phase))

    def alerts(self, trigger: Trigger = "cascade") -> list[Alert]:
        """The alerts: every entry of ``cascade``; or every way out of calm, and every further wave."""
        raised: list[Alert] = []
        running: dict[Key, Alert] = {}
        for change in self.changes:
            first = change.before == "calm" or change.after == "cascade"
            rises = change.after == "cascade" if trigger == "cascade" else first and change.after != "calm"
            alert = running.get(change.key)
            if alert is not None and change.after in ("calm", "relief"):
                raised.append(running.pop(change.key)._replace(until_us=change.at_us))
            elif alert is None and rises:
                running[change.key] = Alert(*change.key, change.at_us)
        return in_order([*raised, *running.values()])

    def reliefs(self) -> list[tuple[Key, int, bool]]:
        """Every step from cascade to relief: whose, when, and whether a cascade came again within half an hour."""
        found = []
        following: dict[Key, int] = {}
        for change in reversed(self.changes):
            if change.after == "cascade":
                following[change.key] = change.at_us
            elif change.after == "relief":
                again = following.get(change.key)
                found.append((change.key, change.at_us, again is not None and again - change.at_us <= REENTRY_US))
        return found[::-1]

    def changes_per_episode(self) -> list[int]:
        """How often the phase changed, for each episode that became a cascade."""
        counts: dict[str, int] = {}
        cascades = {change.episode_id for change in self.changes if change.after == "cascade"}
        for change in self.changes:
            counts[change.episode_id] = counts.get(change.episode_id, 0) + 1
        return [count for episode, count in counts.items() if episode in cascades]


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    """By time, then asset and side."""
    return sorted(alerts, key=lambda alert: (alert.at_us, alert.asset, alert.direction))


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep the collector of cycles from running: a detector makes none, and every pass looks at millions of events."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def run(detector: Detector, events: Iterable[AnyEvent], watch: Watch, *, to_the_end: bool = True) -> None:
    """Run a detector over events without any record in between.

    Args:
        detector: decides.
        events: in the order of their arrival.
        watch: takes the signals.
        to_the_end: whether to close the last event's second, which cannot go on afterwards.
    """
    source = iter(events)
    with without_collector():
        while batch := list(islice(source, BATCH)):
            watch.take(detector.apply(batch))
        if to_the_end:
            watch.take(detector.advance(detector.second + 1))


def of_assets(alerts: Sequence[Alert], *, market: bool) -> list[Alert]:
    """Those of the market, or those of its assets."""
    return [alert for alert in alerts if (alert.asset == "MARKET") == market]
