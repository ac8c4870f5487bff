"""Assets whose records cannot be applied: set aside for a while, so that one fault stops nothing else.

A record that raises while it is applied, or a second that raises while it is closed, leaves an asset's state half
changed. The asset is then quarantined: its state is dropped, its records are counted and passed over, and after
:data:`LENGTH_S` of market time its next record makes it anew, with nothing learned. The market is one such name too.

Everything here is a function of the input: replay, a restarted detector and every member of the group quarantine the
same asset in the same second, and the record goes to the rejects' topic once.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

import msgspec

from monitor.detect.decide.signal import episode_id
from monitor.detect.scope import Scope
from monitor.model.events import (
    MICROS,
    SAMPLE_BYTES,
    SIDES,
    Event,
    Reject,
)
from monitor.model.signals import SideTotals, Signal, SignalCoverage
from monitor.model.summary import EpisodeSummary

log = logging.getLogger(__name__)

LENGTH_S: Final = 600
"""Seconds of market time that a quarantine lasts: a record that comes again and again costs ten minutes each time, and
an asset is never blind for longer by one record."""
NOTE: Final = "quarantine: a record could not be applied, so the episode is no longer followed; it may go on"
"""Note of the signal that ends an episode of what is quarantined."""
STEPPED_BACK: Final = (
    "time stepped back: a clock that was wrong had been believed, so the episode is no longer followed"
)
"""Note of the signal that ends an episode of what a step back in time dropped."""
DETAIL_CHARS: Final = 200
"""An error's text is cut to this many characters."""


class QuarantinedError(Exception):
    """The asset of a record is in quarantine, so the record is passed over."""


class Unapplied(NamedTuple):
    """One fault: the second in which it came, and what is published of it."""

    second: int
    reject: Reject


class QuarantineState(msgspec.Struct):
    """Everything that :class:`Quarantine` remembers.

    Attributes:
        until: by name the second from which on its next record makes it anew.
        passed_over: number of records that were dropped.
        faults: number of faults.
        finished: by name the episodes before the fault.
        ended: signals that end episodes and were not taken yet.
        pending: faults that were not taken yet.
    """

    until: dict[str, int]
    passed_over: int
    faults: int
    finished: dict[str, list[EpisodeSummary]]
    ended: list[Signal]
    pending: list[Unapplied]


class Quarantine:
    """Names in quarantine, and the faults that led to it.

    Attributes:
        until: by name the second from which on its next record makes it anew; kept until that record comes.
        passed_over: records that were dropped because their asset was in quarantine.
        faults: how often anything could not be applied or closed.
        finished: by name the episodes before the fault; the next state of that name goes on with them.
    """

    def __init__(self) -> None:
        self.until: dict[str, int] = {}
        self.passed_over = 0
        self.faults = 0
        self.finished: dict[str, list[EpisodeSummary]] = {}
        self._ended: list[Signal] = []
        self._pending: list[Unapplied] = []

    def admit(self, name: str, second: int) -> None:
        """Let a name without state have a new one.

        Raises:
            QuarantinedError: not yet.
        """
        until = self.until.get(name)
        if until is None:
            return
        if second < until:
            raise QuarantinedError(name)
        del self.until[name]
        log.warning("%s: quarantine over; it starts anew with nothing learned", name)

    def begin(self, scope: Scope | None, name: str, second: int, error: Exception, event: Event | None = None) -> None:
        """Put a name into quarantine for what it raised, and end its episodes.

        Args:
            scope: its state, which is dropped; None where it could not even be made.
            name: the asset, or the market.
            second: the current second.
            error: what was raised.
            event: the record that was applied; None where a second was closed.
        """
        self.until[name] = second + LENGTH_S
        self.faults += 1
        if scope is not None:
            self.finished[name] = scope.state.finished
            self._ended += ended(scope, second)
        what = f"a {type(event).__name__} of {event.venue} {event.symbol}" if event is not None else "closing a second"
        reason = f"{type(error).__name__}: {error}"[:DETAIL_CHARS]
        detail = f"{name}: {what} failed at second {second}: {reason}"
        received_us = second * MICROS if event is None else event.receive_time_us
        venue = "detector" if event is None else event.venue
        self._pending.append(Unapplied(second, Reject(venue, "not_applicable", detail, received_us, _sample(event))))
        log.error("%s; %s is in quarantine for %d s of market time", detail, name, LENGTH_S, exc_info=error)

    def step_back(self, second: int) -> None:
        """Let no quarantine last longer from ``second`` than one does, because time stepped back to it."""
        self.until = {name: min(until, second + LENGTH_S) for name, until in self.until.items()}

    def active(self, second: int) -> list[str]:
        """Return the names in quarantine as of a second, sorted."""
        return sorted(name for name, until in self.until.items() if second < until)

    @property
    def ends(self) -> bool:
        """True if :meth:`take_ended` has anything."""
        return bool(self._ended)

    def take_ended(self) -> list[Signal]:
        """Return the signals that end episodes of what was quarantined since the last call."""
        signals, self._ended = self._ended, []
        return signals

    def take(self, before: int | None = None) -> list[Unapplied]:
        """Return the faults since the last call, those of the seconds before ``before`` alone if it is given."""
        ready = [each for each in self._pending if before is None or each.second < before]
        self._pending = [each for each in self._pending if each not in ready]
        return ready

    def state(self) -> QuarantineState:
        """Return what a snapshot stores."""
        return QuarantineState(
            until=self.until,
            passed_over=self.passed_over,
            faults=self.faults,
            finished=self.finished,
            ended=self._ended,
            pending=self._pending,
        )

    def load(self, state: QuarantineState) -> None:
        """Restore what :meth:`state` returned."""
        self.until, self.passed_over, self.faults = state.until, state.passed_over, state.faults
        self.finished, self._ended, self._pending = state.finished, state.ended, state.pending


def ended(scope: Scope, second: int, note: str = NOTE) -> list[Signal]:
    """Return the signals that end the running episodes of a scope, made of its phases alone: the rest may be broken."""
    return [
        Signal(
            episode_id=episode_id(scope.name, side, state.episode.started),
            revision=state.episode.revision + 1,
            asset=scope.name,
            phase="calm",
            previous_phase=state.phase,
            direction=side,
            risk_score=0.0,
            event_time_us=(second + 1) * MICROS,
            emitted_time_us=0,
            started_us=(state.episode.started + 1) * MICROS,
            price=None,
            drawdown_pct=0.0,
            liquidated_usd=SideTotals(0.0, 0.0),
            windows={},
            evidence=[],
            coverage=SignalCoverage([], [], 0.0),
            notes=[note],
            wave=state.episode.waves,
        )
        for side, state in ((side, phases.state) for side, phases in zip(SIDES, scope.phases, strict=True))
        if state.episode is not None and state.phase != "calm"
    ]


def _sample(event: Event | None) -> bytes:
    if event is None:
        return b""
    try:
        return msgspec.json.encode(event)[:SAMPLE_BYTES]
    except (msgspec.MsgspecError, OverflowError, TypeError, ValueError):
        return repr(event).encode(errors="replace")[:SAMPLE_BYTES]  # what no JSON can hold is shown as Python has it
