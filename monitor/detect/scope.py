"""A scope, one asset or the market as a whole: from a closed second to signals.

    flow, price → evidence → score → gates → phases → signal

A scope is what an asset and the market have in common. Each of them owns one; how they differ is data
(:class:`monitor.detect.decide.facts.Traits`) and what they know beyond their liquidations and their price
(:class:`monitor.detect.decide.surroundings.Surroundings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from monitor.detect.decide import evidence, gates, price_only, visibility
from monitor.detect.decide.facts import Facts, Traits
from monitor.detect.decide.phases import Phases
from monitor.detect.decide.scoring import score_side
from monitor.detect.decide.signal import make_signal, make_summary
from monitor.detect.decide.surroundings import Surroundings
from monitor.detect.decide.visibility import Feeds, Visibility
from monitor.detect.flow.corrected_totals import Corrected
from monitor.detect.flow.flow import Flow
from monitor.detect.price.price import Price
from monitor.detect.scope_state import ScopeSnapshot, Wake, new_state
from monitor.detect.score import BLIND, NOTHING, Score
from monitor.model.events import SIDES, Side
from monitor.model.sides import BySide
from monitor.model.signals import Phase, Signal
from monitor.model.summary import EpisodeSummary

PROGRESS: Final[Mapping[Phase, int]] = {"calm": 0, "relief": 1, "building": 2, "cascade": 3}
"""Order of the phases, for views that show one side only."""


class Leading(NamedTuple):
    """The side that is further along, its phase and its score."""

    side: Side
    phase: Phase
    score: Score


class Scope:
    """Flow, price and phases of one asset or of the market.

    Attributes:
        name: the asset, or ``MARKET``.
        flow: liquidations.
        price: the price that moves are measured in.
        corrected: what throttled feeds hide.
        state: everything else that is remembered.
        phases: the state machines of both sides; what they remember is in ``state``.
    """

    def __init__(self, traits: Traits) -> None:
        self.name = traits.name
        self._traits = traits
        self.flow = Flow(traits.settings, traits.scale, traits.steadiness)
        self.price = self._new_price()
        self.corrected = Corrected()
        self.state = new_state()
        self.phases = self._phases()

    def _new_price(self) -> Price:
        settings = self._traits.settings
        return Price(
            daily_volatility=settings.baseline.daily_volatility,
            move_windows=self._traits.move_windows,
            stress_window=settings.judged.stress_window,
            followed=self._traits.rush_sigmas,
            lag_s=60 * settings.baseline.lag_minutes,
        )

    def _phases(self) -> BySide[Phases]:
        limits, sides = self._traits.settings.phases, self.state.sides
        return BySide(Phases(limits, sides.long.phases), Phases(limits, sides.short.phases))

    # What comes in

    def add_liquidation(
        self, source: str, side: Side, second: int, micros: int, orders: int, *, complete: bool, aggregated: bool
    ) -> None:
        """Take one liquidation of a source (a venue, or an asset of the market), micro-USD."""
        state = self.state
        state.totals = state.totals.plus(side, micros, complete=complete)
        self.flow.add(source, side, second, micros, orders, aggregated=aggregated)
        state.wake, state.is_minute_open = Wake.AWAKE, True

    def add_price(self, source: str, second: int, price: float) -> None:
        """Take the price of a source (a venue, or the asset that leads the market)."""
        self.price.mark(source, second, price)
        state = self.state
        state.wake, state.is_minute_open = Wake.AWAKE, True

    def restart_price(self) -> None:
        """Follow another price from now on: nothing carries over from the one before."""
        self.price = self._new_price()
        for phases in self.phases:
            phases.forget_price()

    def wake_for_minute(self) -> None:
        """Close at least the minute's last second: something new came that only the minute's end looks at."""
        state = self.state
        state.wake, state.is_minute_open = max(state.wake, Wake.UNTIL_MINUTE), True

    # What a closed second means

    def is_due(self, second: int) -> bool:
        """Return True if ``second`` must be closed."""
        wake = self.state.wake
        return wake is Wake.AWAKE or (wake is Wake.UNTIL_MINUTE and second % 60 == 59)

    def close(self, second: int, feeds: Feeds, surroundings: Surroundings) -> list[Signal]:
        """Close a second and return its signals; all that arrived before the second's end is in.

        Sides that are calm and show nothing unusual are skipped: that keeps quiet seconds cheap.
        """
        state, flow = self.state, self.flow
        state.second = second
        state.first_second = state.first_second or second
        flow.close(second)
        if visibility.is_unseen(feeds, second, surroundings.seen_at):
            return self._hold(second, feeds, surroundings)
        state.unseen_since = 0
        self.price.close(second, self._may_learn(second, surroundings))
        judged = self._unquiet_sides(surroundings)
        signals, is_busy = [], flow.windows.waiting
        if judged:
            seen = self._look(feeds, surroundings)
            facts = self.facts()
            for side, surprises in judged.items():
                signals += self._judge(facts, side, surprises, surroundings, seen)
                is_busy = is_busy or self._is_lasting(facts, side, surprises, surroundings)
        state.closed_totals = state.totals
        if second % 60 == 59:
            self._learn_minute(second, surroundings)
            self._look(feeds, surroundings)  # quiet sides are not judged, and which are quiet depends on it
            is_busy = is_busy or (self.is_price_only and self._has_price_points())
        state.wake = self._next_wake(is_busy=is_busy)
        return signals

    def _hold(self, second: int, feeds: Feeds, surroundings: Surroundings) -> list[Signal]:
        """Hold the phases in a second that nobody saw, and learn nothing from it.

        Returns:
            One signal of every running episode when this begins, and none while it lasts.
        """
        state = self.state
        begins = not state.unseen_since
        state.unseen_since = state.unseen_since or second
        self.price.close(second, learn=False)
        seen, facts = self._look(feeds, surroundings), self.facts()
        signals = []
        for side in SIDES:
            kept = state.sides[side]
            self.phases[side].hold()
            if begins and kept.phases.phase != "calm":
                liquidated = state.totals.since(kept.before)
                signals.append(
                    make_signal(
                        facts, side, kept.phases, kept.score, changed=False, liquidated=liquidated, visibility=seen
                    )
                )
        if second % 60 == 59:
            self.flow.learn(second // 60, learn=False)
            state.is_minute_open = not self.flow.empty
        is_lasting = any(kept.phases.phase != "calm" or kept.phases.high_since for kept in state.sides)
        state.wake = self._next_wake(is_busy=is_lasting or self.flow.windows.waiting)
        return signals

    def _unquiet_sides(self, surroundings: Surroundings) -> dict[Side, dict[str, float]]:
        """Return the sides that must be judged, with the surprise of each judged window of their liquidations."""
        flow, price, second, is_price_only = self.flow, self.price, self.state.second, self.is_price_only
        unquiet: dict[Side, dict[str, float]] = {}
        for side in SIDES:
            kept = self.state.sides[side]
            surprises = evidence.flow_surprises(flow, side, surroundings.limit)
            if evidence.is_stressed(price, side, surprises):
                kept.stressed_at = second
            is_calm = kept.phases.phase == "calm" and not kept.phases.high_since
            if (
                is_calm
                and not surroundings.watch_since(side)
                and gates.is_quiet(price, side, has_flow=bool(surprises), is_price_only=is_price_only)
            ):
                kept.score = NOTHING
            else:
                unquiet[side] = surprises
        return unquiet

    def _look(self, feeds: Feeds, surroundings: Surroundings) -> Visibility:
        """Return what can be seen of the liquidations, and remember the share of the flow."""
        flow, state = self.flow, self.state
        venues, interest = surroundings.venues(feeds)
        if flow.aggregated and not flow.fine:
            state.seen_share = 0.0  # hourly totals show none of the flow while it lasts
        else:
            state.seen_share = visibility.coverage(
                venues,
                feeds.silent,
                interest,
                unwatched=not venues and self.price.second - state.first_second >= visibility.UNWATCHED_S,
                dead=visibility.is_dead(flow, feeds, state.second),
            )
        share = visibility.window_share(venues, feeds, interest)
        return Visibility(venues=venues, feeds=feeds, window_share=share, unseen_since=state.unseen_since)

    def facts(self) -> Facts:
        """Return what is known as of the last closed second."""
        return Facts(
            traits=self._traits,
            second=self.state.second,
            flow=self.flow,
            price=self.price,
            corrected=self.corrected,
            seen_share=self.state.seen_share,
        )

    def _judge(
        self,
        facts: Facts,
        side: Side,
        surprises: dict[str, float],
        surroundings: Surroundings,
        seen: Visibility,
    ) -> list[Signal]:
        """Score a side, update its phase and return its signal, if it has one."""
        kept, phases = self.state.sides[side], self.phases[side]
        other = self.phases.short if side == "long" else self.phases.long
        scored = kept.score = score_side(facts, side, surprises, surroundings)
        observed = gates.observe(facts, side, scored, surprises, surroundings, is_other_in_episode=other.is_in_episode)
        changed = phases.update(observed)
        state = phases.state
        started = state.high_since if state.episode is None else state.episode.started
        if started == facts.second:
            kept.before = self.state.closed_totals
            self.corrected.begin(side)
        if state.phase == "calm" and not changed:
            return []
        liquidated = self.state.totals.since(kept.before)
        signal = make_signal(facts, side, state, scored, changed=changed, liquidated=liquidated, visibility=seen)
        if state.phase == "calm":
            self.state.finished.append(make_summary(self.name, side, state, liquidated))
            phases.forget_episode()
        return [signal]

    # How long it stays awake, and what it learns

    def _is_lasting(self, facts: Facts, side: Side, surprises: dict[str, float], surroundings: Surroundings) -> bool:
        """Return True if a side is in a phase, or may come into one though nothing new comes."""
        kept = self.state.sides[side]
        if kept.phases.phase != "calm" or kept.phases.high_since:
            return True
        return bool(surprises) and gates.may_build_later(facts, kept.score.points, surroundings.rise)

    def _next_wake(self, *, is_busy: bool) -> Wake:
        """Return which second must be closed next, if nothing new comes."""
        if is_busy:
            return Wake.AWAKE
        return Wake.UNTIL_MINUTE if self.state.is_minute_open or self.state.frozen_since else Wake.ASLEEP

    @property
    def is_price_only(self) -> bool:
        """Return True if no liquidations could be seen when that was last measured: the price decides alone."""
        return self.state.seen_share < BLIND

    def _has_price_points(self) -> bool:
        return any(price_only.has_points(self.price, side) for side in SIDES)

    def _learn_minute(self, second: int, surroundings: Surroundings) -> None:
        """Learn from the minute that ends with ``second``, unless it was no quiet one."""
        state = self.state
        is_rising = state.sides.long.phases.high_since or state.sides.short.phases.high_since
        is_quiet = self._may_learn(second, surroundings) and not is_rising
        self.flow.learn(second // 60, learn=is_quiet)
        if is_quiet and self.price.second > second - 60:
            self.price.learn_minute(second)
        state.is_minute_open = not self.flow.empty

    def _may_learn(self, second: int, surroundings: Surroundings) -> bool:
        """Return True if this second may teach what is normal: not in an episode or soon after, but not never again."""
        state, baseline = self.state, self._traits.settings.baseline
        is_in_episode = self.phases.long.is_in_episode or self.phases.short.is_in_episode
        if is_in_episode or surroundings.is_disturbed:
            state.frozen_since = state.frozen_since or second
            state.disturbed_at = second
        elif state.frozen_since and second - state.disturbed_at >= 60 * baseline.frozen_after_minutes:
            state.frozen_since = 0
        return not state.frozen_since or second - state.frozen_since >= 3600 * baseline.thaw_after_hours

    # What others may read

    def episodes(self) -> list[EpisodeSummary]:
        """Return all episodes so far, the running ones last."""
        state, name = self.state, self.name
        running = [
            make_summary(name, side, state.sides[side].phases, state.totals.since(state.sides[side].before))
            for side in SIDES
            if state.sides[side].phases.episode is not None
        ]
        return state.finished + running

    def leading(self, surroundings: Surroundings) -> Leading:
        """Return the side that is further along; a side that is merely watched comes after an episode."""
        facts = self.facts()
        scores = BySide(self._read_score(facts, "long", surroundings), self._read_score(facts, "short", surroundings))

        def rank(side: Side) -> tuple[bool, int, float]:
            phases = self.phases[side]
            return phases.is_in_episode, PROGRESS[phases.state.phase], scores[side].points

        best = max(SIDES, key=rank)  # longs, where both are as far along
        return Leading(side=best, phase=self.phases[best].state.phase, score=scores[best])

    def _read_score(self, facts: Facts, side: Side, surroundings: Surroundings) -> Score:
        """Return a side's score, computed here where the last second skipped the side."""
        kept = self.state.sides[side].score
        if kept.evidence:
            return kept
        surprises = evidence.flow_surprises(self.flow, side, surroundings.limit)
        return score_side(facts, side, surprises, surroundings) if surprises else kept

    # Restart

    def snapshot(self) -> ScopeSnapshot:
        """Return what a snapshot holds. It shares this scope's state, so it must be encoded before the next second."""
        return ScopeSnapshot(
            state=self.state, flow=self.flow.state(), price=self.price.state(), corrected=self.corrected.state()
        )

    def restore(self, snapshot: ScopeSnapshot) -> None:
        """Become what :meth:`snapshot` described."""
        self.state = snapshot.state
        self.phases = self._phases()
        self.flow.load(snapshot.flow)
        self.price.load(snapshot.price)
        self.corrected.load(snapshot.corrected)
