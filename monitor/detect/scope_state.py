"""State of a scope from second to second, as a snapshot holds it."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from monitor.detect.decide.phases import PhaseState
from monitor.detect.decide.signal import Totals
from monitor.detect.flow.corrected_totals import CorrectedState
from monitor.detect.flow.flow import FlowState
from monitor.detect.price.price import PriceState
from monitor.detect.score import NOTHING, Score
from monitor.model.sides import BySide
from monitor.model.summary import EpisodeSummary


class Wake(IntEnum):
    """The second that must be closed next."""

    ASLEEP = 0
    """None until something comes: windows only empty, so no second can raise a score."""
    UNTIL_MINUTE = 1
    """The minute's last one, to learn from it; minutes that are not closed are learned as empty ones."""
    AWAKE = 2
    """The next one: something is new, a score is near a threshold, or a phase lasts."""


class SideState(msgspec.Struct):
    """State of one side of a scope.

    Attributes:
        phases: its phase and its episode.
        score: as of the last closed second.
        stressed_at: the last second in which its liquidations or the price were far from normal.
        before: the scope's totals before the first sign of its episode.
    """

    phases: PhaseState
    score: Score
    stressed_at: int
    before: Totals


class ScopeState(msgspec.Struct):
    """State of a scope besides its flow, its price and what throttled feeds hide.

    Attributes:
        sides: what is remembered of each side.
        second: the last closed second.
        first_second: the first closed second.
        wake: which second must be closed next.
        is_minute_open: whether this minute is no empty one: something came in it, or a judged window held something
            when it began.
        totals: what was liquidated since the start.
        closed_totals: the same without the second that is not closed yet.
        seen_share: share (0 to 1) of the forced flow that could be seen when that was last measured.
        frozen_since: the second since which nothing is learned; 0 while learning goes on.
        disturbed_at: the last second that was no quiet time.
        finished: episodes that ended.
        unseen_since: first second of those in a row in which nothing could be seen; 0 while anything can.
    """

    sides: BySide[SideState]
    second: int
    first_second: int
    wake: Wake
    is_minute_open: bool
    totals: Totals
    closed_totals: Totals
    seen_share: float
    frozen_since: int
    disturbed_at: int
    finished: list[EpisodeSummary]
    unseen_since: int


class ScopeSnapshot(msgspec.Struct):
    """A scope as a snapshot holds it."""

    state: ScopeState
    flow: FlowState
    price: PriceState
    corrected: CorrectedState


def new_state() -> ScopeState:
    """Return the state of a scope that nothing happened to yet."""
    return ScopeState(
        sides=BySide(_new_side(), _new_side()),
        second=0,
        first_second=0,
        wake=Wake.ASLEEP,
        is_minute_open=False,
        totals=Totals(),
        closed_totals=Totals(),
        seen_share=1.0,
        frozen_since=0,
        disturbed_at=0,
        finished=[],
        unseen_since=0,
    )


def _new_side() -> SideState:
    return SideState(phases=PhaseState(), score=NOTHING, stressed_at=0, before=Totals())
