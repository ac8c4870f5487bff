"""The phases of one side of one asset: calm, building, cascade, relief, with hysteresis in market time.

    calm ──► building ──► cascade ──► relief ──► calm
      └────────────────────►│  ▲         │
                            ▼  └─────────┘ a new wave of the same episode

Upward moves are quick, downward ones slow, so that an episode neither flaps nor ends before it is over: relief needs
both a price that has stopped and forced flow that has slowed. A price has stopped when it came back by a part of its
move, or when it stood still for several times as long: many a crash does not come back.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from monitor.detect.settings import PhaseSettings
from monitor.model.signals import Phase

RECENT_S: Final = 3
"""Seconds that are looked at for a rise of the score."""
RECENT_NEEDED: Final = 2
"""Number of the recent seconds that must agree: one second may be an outlier."""
RENEWED: Final = 0.5
"""Share of the episode's worst minute from which on forced flow in relief is a new wave without a new extreme."""
KNOWN_S: Final = 3_600
"""Where the price decides alone, its hour may hold the last episode's move for this long after calm came, seconds."""
HELD: Final = ("since", "second", "high_since", "low_since", "extreme_at", "relief_since")
"""Times of the state that move along while nothing can be seen, so that no unseen second counts as a quiet one."""
DOWNWARD: Final = frozenset({("building", "calm"), ("cascade", "relief"), ("relief", "calm")})
"""Changes of phase that wait until the phase before has lasted ``min_dwell_seconds``."""


class Observation(NamedTuple):
    """Observation of one side in one closed second, every gate in it.

    Attributes:
        second: the second that closed.
        score: 0 to 100.
        forced: whether liquidations are part of it (or cannot be seen): a day's fall outlasts every cascade, so
            episodes begin and end by these.
        floors_met: whether the cascade's absolute floors hold.
        price: in the direction of the move, so that a larger one is further along: minus the price for longs.
        reference: the same for the best price of the last hour: where the move began.
        move_unit: one hour's standard deviation of the price, USD.
        pace_usd: this side's liquidated USD within the pace window.
        pace_surprise: how surprising that is, decades; 0 where the window is not judged.
        quiet_ratio: its quiet window over the normal one.
        allowed: whether a cascade may be called at all (the market needs breadth or a leader).
        moved: whether the price shows anything of it (or is not known): liquidations alone come every day.
        saturated: whether a feed is at its limit, so that it is unknown whether the pace has slowed.
        watch_since: when a level broke or implied volatility jumped while the side is fragile, for an hour; else 0.
        price_only: whether no liquidations can be seen: then a new extreme must be further off, and is enough.
        rushes: whether the price moves as fast as only a crash does: then one second of a lower score is enough.
    """

    second: int
    score: float
    forced: bool
    floors_met: bool
    price: float | None
    reference: float | None
    move_unit: float
    pace_usd: float
    pace_surprise: float
    quiet_ratio: float
    allowed: bool = True
    saturated: bool = False
    moved: bool = True
    watch_since: int = 0
    price_only: bool = False
    rushes: bool = False


class Episode(msgspec.Struct):
    """One episode from its first sign to the return to calm; times in seconds, 0 where it has not come to that.

    ``unseen`` is the number of its seconds in which nothing could be seen.
    """

    started: int
    cascade: int = 0
    peak: int = 0
    relief: int = 0
    ended: int = 0
    peak_score: float = 0.0
    waves: int = 0
    revision: int = 0
    unseen: int = 0


class PhaseState(msgspec.Struct):
    """Everything that :class:`Phases` remembers; a snapshot holds it as it is."""

    phase: Phase = "calm"
    previous: Phase = "calm"
    since: int = 0
    second: int = 0
    high_since: int = 0  # an episode could begin since this second, 0 when it could not
    low_since: int = 0  # below building's, and liquidations' points below calm's, since this second; 0 when above
    recent: list[tuple[int, float]] = []
    reference: float | None = None  # directed price at the start
    extreme: float | None = None  # furthest directed price of the episode
    extreme_at: int = 0
    worst_pace_usd: float = 0.0
    fast: float = 0.0
    slow: float = 0.0
    relief_since: int = 0  # both ends hold since this second, 0 when they do not
    stopped: bool = False
    slowed: bool = False
    wave_mark: float | None = None  # extreme when relief began
    episode: Episode | None = None
    watched: bool = False  # it builds because the side is fragile, not because anything is liquidated


class Phases:
    """The state machine of one side of one scope.

    Args:
        settings: thresholds and holding times.
        state: the state of an earlier one, for a restart.
    """

    __slots__ = ("_settings", "state")

    def __init__(self, settings: PhaseSettings, state: PhaseState | None = None) -> None:
        self._settings = settings
        self.state = state or PhaseState()

    @property
    def is_in_episode(self) -> bool:
        """Return True if an episode lasts that liquidations (or the price alone) began."""
        return self.episode_phase != "calm"

    @property
    def episode_phase(self) -> Phase:
        """Return the phase of that episode; calm where there is none, also while the side is merely watched."""
        return "calm" if self.state.watched else self.state.phase

    def update(self, seen: Observation) -> bool:
        """Take a closed second and return True if the phase changed. Seconds never go back."""
        state, settings = self.state, self._settings
        self._average(seen)
        state.second = seen.second
        state.recent = [(at, points) for at, points in state.recent if at > seen.second - RECENT_S]
        known = self._is_known_move(seen)
        state.recent.append((seen.second, seen.score if seen.allowed and seen.floors_met and not known else 0.0))
        high = seen.forced and seen.moved and not known and seen.score >= settings.building_score
        state.high_since = (state.high_since or seen.second) if high else 0
        held = seen.forced or (state.watched and seen.watch_since)
        state.low_since = 0 if held else (state.low_since or seen.second)
        state.watched = state.watched and not self._builds(seen)
        if state.episode is not None:
            self._follow(state.episode, seen)
        after = self._next(seen)
        dwelt = seen.second - state.since >= settings.min_dwell_seconds
        if after == state.phase or ((state.phase, after) in DOWNWARD and not dwelt):
            return False
        self._enter(after, seen)
        return True

    def hold(self) -> None:
        """Let a second pass that nobody saw: time stands still for what is running, and nothing changes."""
        state = self.state
        if state.phase == "calm" and not state.high_since:
            return
        for name in HELD:
            at = getattr(state, name)
            setattr(state, name, at + 1 if at else 0)
        state.recent = [(at + 1, points) for at, points in state.recent]
        if state.episode is not None:
            state.episode.unseen += 1

    def _is_known_move(self, seen: Observation) -> bool:
        """Return True if the price decides alone and shows no more than the last episode, which was signalled."""
        state = self.state
        if not seen.price_only or state.phase != "calm" or state.extreme is None or seen.price is None:
            return False
        beyond = seen.price - state.extreme > self._settings.blind_wave_sigma * seen.move_unit
        return not beyond and seen.second - state.since < KNOWN_S

    def _next(self, seen: Observation) -> Phase:
        phase = self.state.phase
        if phase == "calm":
            return self._from_calm(seen)
        if phase == "building":
            return self._from_building(seen)
        if phase == "cascade":
            return self._from_cascade(seen)
        return self._from_relief(seen)

    def _from_calm(self, seen: Observation) -> Phase:
        state, settings = self.state, self._settings
        if self._reached(settings.fast_score) or self._rushed(seen):
            return "cascade"
        # An event from before calm came belongs to the last episode.
        return "building" if self._builds(seen) or seen.watch_since > state.since else "calm"

    def _builds(self, seen: Observation) -> bool:
        """Return True if the score has been high enough for an episode for long enough."""
        since = self.state.high_since
        return bool(since) and seen.second - since >= self._settings.building_seconds

    def _from_building(self, seen: Observation) -> Phase:
        state, settings = self.state, self._settings
        if self._reached(settings.cascade_score) or self._rushed(seen):
            return "cascade"
        if state.low_since and seen.second - max(state.low_since, state.since) >= settings.building_calm_seconds:
            return "calm"
        return "building"

    def _from_cascade(self, seen: Observation) -> Phase:
        state, settings = self.state, self._settings
        state.stopped, state.slowed = self._stopped(seen), self._slowed(seen)
        if not (state.stopped and state.slowed):
            state.relief_since = 0
            return "cascade"
        state.relief_since = state.relief_since or seen.second
        held = seen.second - state.relief_since >= settings.relief_hold_seconds
        return "relief" if held else "cascade"

    def _from_relief(self, seen: Observation) -> Phase:
        state, settings = self.state, self._settings
        if seen.pace_usd >= RENEWED * state.worst_pace_usd > 0 and self._reached(settings.fast_score):
            return "cascade"
        if seen.price is not None and state.wave_mark is not None and seen.allowed and seen.floors_met:
            sigmas = settings.blind_wave_sigma if seen.price_only else settings.wave_sigma
            beyond = seen.price - state.wave_mark > sigmas * seen.move_unit
            if beyond and (seen.price_only or seen.pace_surprise >= settings.wave_surprise):
                return "cascade"
        quiet = bool(state.low_since) and seen.quiet_ratio < 2
        still = seen.second - max(state.extreme_at, state.since) >= settings.relief_calm_seconds
        return "calm" if quiet and still else "relief"

    def _reached(self, threshold: float) -> bool:
        return sum(points >= threshold for _, points in self.state.recent) >= RECENT_NEEDED

    def _rushed(self, seen: Observation) -> bool:
        """Return True if this one second is enough for a cascade."""
        return seen.rushes and seen.allowed and seen.floors_met and seen.score >= self._settings.rush_score

    def _stopped(self, seen: Observation) -> bool:
        """Return True if the price made no new extreme for long enough, and came back or stood still for longer."""
        state, settings = self.state, self._settings
        if seen.price is None or state.extreme is None or state.reference is None or state.episode is None:
            return False
        since_onset = settings.extreme_fraction * (seen.second - state.episode.started)
        wait = min(max(since_onset, settings.extreme_min_seconds), settings.extreme_max_seconds)
        still = seen.second - state.extreme_at
        rebound = settings.rebound * (state.extreme - state.reference)
        return still >= wait and (state.extreme - seen.price >= rebound or still >= settings.standstill * wait)

    def _slowed(self, seen: Observation) -> bool:
        """Return True if forced flow is far below the episode's worst minute, and falling."""
        state = self.state
        return (
            not seen.saturated
            and seen.pace_usd <= self._settings.pace * state.worst_pace_usd
            and state.fast <= state.slow
        )

    def _average(self, seen: Observation) -> None:
        state = self.state
        elapsed = seen.second - state.second if state.second else 1
        state.fast += (1.0 - 2.0 ** (-elapsed / self._settings.fast_pace_seconds)) * (seen.pace_usd - state.fast)
        state.slow += (1.0 - 2.0 ** (-elapsed / self._settings.slow_pace_seconds)) * (seen.pace_usd - state.slow)

    def _follow(self, episode: Episode, seen: Observation) -> None:
        """Update the episode's extremes."""
        state = self.state
        if seen.score > episode.peak_score:
            episode.peak_score = seen.score
        if seen.pace_usd > state.worst_pace_usd:
            state.worst_pace_usd = seen.pace_usd
            episode.peak = seen.second
        if seen.price is None:
            return
        if state.extreme is None or seen.price > state.extreme:
            state.extreme, state.extreme_at = seen.price, seen.second
        if state.reference is None:  # the episode began before its price was known
            state.reference = seen.reference
        if state.wave_mark is None:
            state.wave_mark = state.extreme

    def _enter(self, after: Phase, seen: Observation) -> None:
        state = self.state
        state.previous, state.phase, state.since = state.phase, after, seen.second
        state.relief_since = 0
        state.watched = after == "building" and not self._builds(seen)
        if state.episode is None:
            state.episode = Episode(state.high_since or seen.second)  # the first sign, not the second that settled it
            state.reference = seen.reference
            state.extreme, state.extreme_at, state.worst_pace_usd = None, seen.second, 0.0
            self._follow(state.episode, seen)
        if after == "cascade":
            state.episode.waves += 1
            state.episode.cascade = state.episode.cascade or seen.second
        elif after == "relief":
            state.episode.relief = seen.second
            state.wave_mark = state.extreme
        elif after == "calm":
            state.episode.ended = seen.second

    def forget_price(self) -> None:
        """Measure the move anew from the next price, because that will be another instrument's."""
        self.state.reference = self.state.extreme = self.state.wave_mark = None

    def forget_episode(self) -> None:
        """Drop the episode that has ended, once its last signal is out."""
        self.state.episode = None
        self.state.previous = "calm"
