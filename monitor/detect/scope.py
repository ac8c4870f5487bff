"""One scope, an asset or the market as a whole: from closed seconds to signals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from monitor.detect.decide import price_only, visibility
from monitor.detect.decide.phases import Observation, Phases, PhaseState
from monitor.detect.decide.visibility import Feeds
from monitor.detect.flow.corrected_totals import Corrected
from monitor.detect.flow.flow import SIDE_INDEX, Flow
from monitor.detect.price.price import Price
from monitor.detect.score import BLIND, DEGRADED, NOTHING, Item, Score, score
from monitor.detect.settings import DetectorSettings, WindowName
from monitor.model.events import MICROS, SIDES, Phase, Side, SideTotals, Signal, SignalCoverage, WindowTotals, saturated

SHOWN: Final = ("10s", "1m", "5m", "1h", "24h")
"""Windows that a signal carries."""
COARSE_SHOWN: Final = ("1h", "24h")
"""Those of them that hourly totals say anything about."""

SURPRISE_ZERO: Final = 3.0
SURPRISE_FULL: Final = 6.0
"""Decades between which the worst window's liquidations go from no points to all."""
MOVE_ZERO: Final = 3.0
MOVE_FULL: Final = 6.0
"""The same for the move of the price. From 2 to 4, forced orders beside half a percent called five times as many false
alarms on simulated markets, and no cascade more."""
VOLATILITY_ZERO: Final = 2.0
VOLATILITY_FULL: Final = 6.0
"""Realised over normal volatility of five minutes; on calm days 1 in 100 minutes is above 3."""
SEVERE_SCORE: Final = 75.0
EXTREME_SCORE: Final = 90.0
"""Worst score of an episode from which on its severity is 2 and 3."""
RISE: Final = 14.0
"""Points that a score can gain while nothing comes, 5 of 25 of the flow's 62: the other side may leave the five minutes
of its one-sidedness first; and a little for the hour that changes."""
STRESSED: Final = 3.0
"""Decades of flow or price surprise from which on a scope counts as stressed in the market's breadth."""
ONE_SIDED_ORDERS: Final = 10
"""One-sidedness of fewer orders in five minutes is chance."""
SATURATED: Final = 0.9
"""Share of seconds with a report from which on a feed of one a second is at its limit."""
IMPLIED_BP: Final = 20.0
"""Basis points of the open interest that would close what is normal here: the floor in dollars is no higher than that
where no open interest is known, and reached by assets of 125 million."""
COARSE: Final = 4.0
"""Floors of totals that come by the hour, over those of five minutes."""
COARSE_WINDOW: Final = "1h"


class EpisodeSummary(msgspec.Struct):
    """One episode as a replay's summary and the state file list it; times in microseconds, None where not reached."""

    episode_id: str
    asset: str
    direction: Side
    started_us: int
    cascade_us: int | None
    peak_us: int | None
    relief_us: int | None
    ended_us: int | None
    peak_score: float
    liquidated_usd: SideTotals


@lru_cache(maxsize=1_024)  # every second of an episode asks for it
def episode_id(asset: str, side: Side, second: int) -> str:
    """The same from the first sign to the end, and a pure function of the input."""
    return f"{asset}-{side}-{datetime.fromtimestamp(second, UTC):%Y%m%dT%H%M%SZ}"


class Scope:
    """Flow, price and phases of one asset or of the market.

    Args:
        name: the asset, or ``MARKET``.
        settings: thresholds.
        scale: what the absolute floors are multiplied with.
        steadiness: see :class:`monitor.detect.flow.flow.Flow`.
    """

    def __init__(self, name: str, settings: DetectorSettings, scale: float = 1.0, steadiness: float = 1.0) -> None:
        self.name = name
        self.settings = settings
        self.scale = scale
        self.flow = Flow(settings, scale, steadiness)
        self.price = self._new_price()
        self.phases = [Phases(settings.phases) for _ in SIDES]
        self.scores: list[Score] = [NOTHING, NOTHING]
        self.totals = [0, 0]  # liquidated micro-USD by side since the start
        self.complete_total = 0  # of these, from feeds that show everything
        self.closed_totals: tuple[int, int, int] = (0, 0, 0)  # the three above when the last second closed
        self.episode_totals = [(0, 0, 0), (0, 0, 0)]  # the same before the first sign of the side's episode
        self.corrected = Corrected()
        self.finished: list[EpisodeSummary] = []
        self.second = 0  # last closed
        self.stressed_second = [0, 0]  # by side, the last in which its flow or price was far from normal
        self.frozen_since = 0
        self.stressed_until = 0
        self.seen_since = 0  # the first second closed
        self.readable: set[str] = set()  # venues whose liquidations are seen, or would be, and ...
        self.seen_share = 1.0  # ... the share of the flow, as of the last second that was judged
        self.changed = False  # anything new since the last closed second
        self.learning = False  # anything new since the last minute's end
        self.lasting = False  # seconds must close though nothing is new
        self.holding = False  # a judged window was not empty at the last minute's end
        self.opened = 0  # the second that windows take events of

    def _new_price(self) -> Price:
        baseline, judged = self.settings.baseline, self.settings.judged
        return Price(
            baseline.daily_volatility, self._move_windows, judged.stress_window, self._rush_sigmas,
            60 * baseline.lag_minutes,
        )  # fmt: skip

    @property
    def _move_windows(self) -> Sequence[WindowName]:
        """Windows of the price's move that give points."""
        return self.settings.judged.move_windows

    @property
    def _rush_sigmas(self) -> Mapping[WindowName, float]:
        """By window the deviations from which on the price rushes."""
        return self.settings.floors.rush_sigmas

    def _begin_price(self) -> None:
        """Begin with another price: nothing carries over from the one before."""
        self.price = self._new_price()
        for phases in self.phases:
            phases.forget_price()

    # What comes in

    def liquidated(self, source: str, side: Side, second: int, micros: int, orders: int, *, complete: bool,
                   aggregated: bool) -> None:  # fmt: skip
        """Take one liquidation of a source (a venue, or an asset of the market)."""
        index = SIDE_INDEX[side]
        self.totals[index] = saturated(self.totals[index] + micros)
        if complete:
            self.complete_total = saturated(self.complete_total + micros)
        self.flow.add(source, side, second, micros, orders, aggregated=aggregated)
        self.touch()

    def open(self, second: int) -> None:
        """Make ``second`` the one that events fall into, so that adding them is quick."""
        self.opened = second
        self.flow.windows.advance(second)

    def touch(self) -> None:
        """Something new came."""
        self.changed = self.learning = True

    # What a closed second means

    @property
    def active(self) -> bool:
        """Whether every second must be closed: something is new, a score is near a threshold, or a phase lasts.

        Otherwise no second can raise a score enough (windows only empty), so the scope sleeps to the end of the minute.
        """
        return self.changed or self.lasting

    @property
    def awake(self) -> bool:
        """Whether the minute's end must be closed, to learn from it; else the scope sleeps until something comes.

        Minutes that it sleeps through are learned as empty ones, so it stays awake while they are not.
        """
        return self.learning or self.changed or self.lasting or self.holding or self.frozen_since > 0

    def close(self, second: int, feeds: Feeds) -> list[Signal]:
        """Close a second: all that arrived before its end is in. Returns the signals that it leads to."""
        self.second = second
        self.seen_since = self.seen_since or second
        self.changed = False
        self.price.close(second, self._learning(second))
        self.flow.close(second)
        self._correct(second)
        signals: list[Signal] = []
        self.lasting = self.flow.windows.waiting
        judged = [side for side in SIDES if not self._quiet(side)]
        if judged:
            self.seen_share = self._seen_share(feeds)
            for side in judged:
                signals += self._close_side(side, second, feeds)
                self.lasting = self.lasting or self._lasts(side)
        self.closed_totals = (self.totals[0], self.totals[1], self.complete_total)
        if second % 60 == 59:
            self._close_minute(second)
            self.seen_share = self._seen_share(feeds)  # a quiet one is not judged, and must know what to look at
            self.lasting = self.lasting or (self.blind and any(price_only.speaks(self.price, side) for side in SIDES))
        return signals

    def _quiet(self, side: Side) -> bool:
        """Whether this second can neither begin nor change anything of a side, so that it need not be judged.

        Liquidations alone begin nothing; what they show is told to the market's breadth all the same.
        """
        index = SIDE_INDEX[side]
        state = self.phases[index].state
        if state.phase != "calm" or state.high_since or self._primed(side):
            return False
        if self.price.judged[side].surprise > MOVE_ZERO:
            return False
        if self.blind and price_only.speaks(self.price, side):
            return False
        if self._speaks(side):
            if self.price.last is None or self.price.volatility_ratio() > VOLATILITY_ZERO:
                return False
            if max(self._flow_surprise(side).values(), default=0.0) >= STRESSED:
                self.stressed_second[index] = self.second
        self.scores[index] = NOTHING
        return True

    def _close_minute(self, second: int) -> None:
        learn = self._learning(second) and not any(phases.state.high_since for phases in self.phases)
        self.flow.learn(second // 60, learn=learn)
        if learn and self.price.second > second - 60:
            self.price.learn_minute(second)
        self.learning = False
        self.holding = not self.flow.empty

    def _correct(self, second: int) -> None:
        """Bring what throttled feeds hide up to date."""

    def _lasts(self, side: Side) -> bool:
        """Whether a side is in a phase, or may come into one though nothing is new."""
        state, scored = self.phases[SIDE_INDEX[side]].state, self.scores[SIDE_INDEX[side]]
        near = (
            not self.blind and self._speaks(side) and scored.points + self._rise >= self.settings.phases.building_score
        )
        return near or state.phase != "calm" or state.high_since > 0

    @property
    def _rise(self) -> float:
        return RISE

    def _learning(self, second: int) -> bool:
        """Whether this second may teach what is normal: not during a cascade, not right after, not forever."""
        baseline = self.settings.baseline
        if self._stirred():
            self.frozen_since = self.frozen_since or second
            self.stressed_until = second
        elif self.frozen_since and second - self.stressed_until >= 60 * baseline.frozen_after_minutes:
            self.frozen_since = 0
        return not self.frozen_since or second - self.frozen_since >= 3600 * baseline.thaw_after_hours

    def _stirred(self) -> bool:
        """Whether what happens now is no quiet time."""
        return any(phases.stirred for phases in self.phases)

    def _speaks(self, side: Side) -> bool:
        """Whether there is enough liquidated of a side to say anything."""
        flow = self.flow
        if flow.fine:
            return flow.corrected_usd("5m", side) >= flow.floor_usd
        return flow.aggregated and flow.usd(COARSE_WINDOW, side) >= COARSE * flow.floor_usd

    def _seen_share(self, feeds: Feeds) -> float:
        """Share of the flow that can be seen at present; hourly totals show none of it while it flows."""
        flow, second = self.flow, self.second
        venues = self.readable = self._venues(feeds)
        if flow.aggregated and not flow.fine:
            return 0.0
        return visibility.coverage(
            venues, feeds.silent, self._interest_by_venue(),
            unwatched=not venues and self.price.second - self.seen_since >= visibility.UNWATCHED_S,
            dead=not feeds.beating and flow.fine and flow.silent_for(second) >= visibility.DEAD_S
            and flow.expected_orders(second) >= visibility.DEAD_ORDERS,
        )  # fmt: skip

    def _venues(self, feeds: Feeds) -> set[str]:
        """Venues whose liquidations are seen, or would be."""
        raise NotImplementedError

    def _interest_by_venue(self) -> Mapping[str, float]:
        return {}

    def _close_side(self, side: Side, second: int, feeds: Feeds) -> list[Signal]:
        index = SIDE_INDEX[side]
        phases = self.phases[index]
        flow_surprise = self._flow_surprise(side)
        scored = self._score(side, flow_surprise)
        self.scores[index] = scored
        if max(flow_surprise.values(), default=0.0) >= STRESSED or self.price.judged[side].fast_surprise >= STRESSED:
            self.stressed_second[index] = second
        changed = phases.update(self._observe(side, second, scored, flow_surprise))
        state = phases.state
        started = None if state.episode is None else state.episode.started
        if started == second or (started is None and state.high_since == second):
            self.episode_totals[index] = self.closed_totals
            self.corrected.begin(side)
        if state.phase == "calm" and not changed:
            return []
        signal = self._signal(side, second, phases.state, scored, feeds, changed=changed)
        if state.phase == "calm":
            self.finished.append(self._summary(side, state))
            phases.forget_episode()
        return [signal]

    def _flow_surprise(self, side: Side) -> dict[str, float]:
        """Surprise of each judged window that can be judged; empty below the floor."""
        if not self._speaks(side):
            return {}
        surprises = self.flow.surprises(side, self._limit)
        return surprises if self.flow.fine else {COARSE_WINDOW: surprises.get(COARSE_WINDOW, 0.0)}

    def _limit(self, window: str, side: Side) -> float | None:
        """The most that may count of a window's sum; None for all of it."""
        return None

    def _allowed(self, side: Side, second: int) -> bool:
        """Whether a cascade may be called."""
        return True

    @property
    def blind(self) -> bool:
        """Whether no liquidations could be seen when last judged: the price decides alone."""
        return self.seen_share < BLIND

    def _score(self, side: Side, flow_surprise: dict[str, float]) -> Score:
        price_items = self._price_items(side)
        if self.blind:
            return self._blind_score(side, flow_surprise, price_items)
        if not flow_surprise and not any(item.share for item in price_items):
            return NOTHING
        flow_items = self._flow_items(side, flow_surprise)
        return score(flow_items, price_items, self._confirming_items(side), coverage=self.seen_share)

    def _blind_score(self, side: Side, surprise: dict[str, float], price_items: list[Item]) -> Score:
        """The price alone, or with what may stand for the flow, whichever says more."""
        confirming = self._confirming_items(side)
        alone = score([], price_items, confirming, coverage=self.seen_share)
        stand_ins = self._stand_ins(side, surprise, confirming)
        both = [score(flow, price_items, others) for flow, others in stand_ins if flow]
        return max([alone, *both], key=lambda scored: scored.points)

    def _stand_ins(
        self, side: Side, surprise: dict[str, float], confirming: list[Item]
    ) -> list[tuple[list[Item], list[Item]]]:
        """What tells of the flow afterwards where it cannot be seen, each with what still confirms beside it."""
        return [] if self.flow.fine else [(self._flow_items(side, surprise), confirming)]

    def _flow_items(self, side: Side, surprise: dict[str, float]) -> list[Item]:
        if not surprise:
            return []
        flow = self.flow
        worst = max(surprise, key=lambda window: surprise[window])
        items = [
            Item(f"liquidated_usd_{worst}", flow.corrected_usd(worst, side), flow.normal(worst, side), surprise[worst],
                 SURPRISE_ZERO, SURPRISE_FULL, 20),
        ]  # fmt: skip
        span = "5m" if flow.fine else COARSE_WINDOW
        mine, other = flow.usd(span, side), flow.usd(span, "short" if side == "long" else "long")
        # Where only what feeds hide is left of the window, neither side has more of it.
        share = mine / (mine + other) if mine + other else 0.5
        strength = 2 * share - 1 if flow.orders(span) >= ONE_SIDED_ORDERS or not flow.fine else 0.0
        items.append(Item(f"one_sided_share_{span}", share, 0.5, strength, 0.4, 0.9, 5))
        if len(flow.sources) > 1 and flow.fine:
            stressed = float(flow.stressed_sources(side))
            items.append(Item(self._breadth_name, stressed, 0.0, stressed, 1, min(3, len(flow.sources)), 7))
        return items

    _breadth_name = "venues_stressed"

    def _price_items(self, side: Side) -> list[Item]:
        price = self.price
        if price.last is None:
            return []
        ratio = price.volatility_ratio()
        return [
            price_only.move(price, side) if self.blind else self._move(side),
            Item("volatility_ratio_5m", ratio, 1.0, ratio, VOLATILITY_ZERO, VOLATILITY_FULL, 5),
        ]

    def _move(self, side: Side) -> Item:
        """The most surprising move of the price."""
        worst = self.price.judged[side]
        normal = self.price.normal_move(worst.window)
        return Item(f"move_{worst.window}", worst.ratio, normal, worst.surprise, MOVE_ZERO, MOVE_FULL, 16)

    def _confirming_items(self, side: Side) -> list[Item]:
        """What leverage, contagion and context say."""
        return []

    def _observe(self, side: Side, second: int, scored: Score, surprise: dict[str, float]) -> Observation:
        flow, price = self.flow, self.price
        sign = -1.0 if side == "long" else 1.0
        judged, limits = self.settings.judged, self.settings.phases
        pace_surprise = surprise.get(judged.pace_window, 0.0)
        rushes = self._rushes(side)
        least = min(limits.cascade_score, limits.fast_score, limits.rush_score if rushes else math.inf)
        # Breadth is dear, and asked for only where the answer can matter.
        asked = scored.points >= least or pace_surprise >= limits.wave_surprise
        last = price.last
        return Observation(
            second=second,
            score=scored.points,
            forced=self._forced(side, scored),
            floors_met=self._floors_met(side, scored, rushes=rushes),
            price=None if last is None else sign * last,
            reference=None if last is None else sign * price.reference(side),
            move_unit=0.0 if last is None else price.normal_move("1h") * last,
            pace_usd=flow.corrected_usd(judged.pace_window, side),
            pace_surprise=pace_surprise,
            quiet_ratio=flow.ratio(judged.quiet_window, side) if flow.table else 1.0,
            allowed=asked and not self._rebounds(side) and self._allowed(side, second),
            saturated=self.corrected.saturation >= SATURATED,
            moved=self._moved(side, scored),
            primed=self._primed(side),
            blind=self.blind,
            rushes=rushes,
        )

    def _primed(self, side: Side) -> int:
        """When something happened that, where the side is fragile, is worth watching; 0 for nothing of late."""
        return 0

    def _forced(self, side: Side, scored: Score) -> bool:
        """Whether liquidations are part of it or, where they cannot be seen, the price of this hour."""
        limits = self.settings.phases
        if self.blind:
            return scored.points >= limits.blind_score and price_only.speaks(self.price, side)
        return scored.flow >= limits.calm_share

    def _moved(self, side: Side, scored: Score) -> bool:
        """Whether the price shows anything; where there is none, whether the dollars would do for a cascade."""
        if self.price.last is not None:
            return scored.price >= self.settings.phases.building_price_share
        return self.flow.corrected_usd("5m", side) >= self.settings.floors.cascade_usd * self.scale

    def _rebounds(self, side: Side) -> bool:
        """Whether the price decides alone and only comes back from an episode of the other side: no cascade."""
        after = self.blind and self.phases[1 - SIDE_INDEX[side]].stirred
        return after and not price_only.moved(self.price, side, price_only.REBOUND_SIGMAS)

    def _floors_met(self, side: Side, scored: Score, *, rushes: bool) -> bool:
        """Whether a cascade is more than dust; one in which the price rushes is."""
        flow, floors = self.flow, self.settings.floors
        if self.blind:
            return price_only.moved(self.price, side, price_only.least_sigmas(scored.flow))
        if rushes:
            return True
        many = flow.orders("5m") >= floors.cascade_orders or self.corrected.saturation >= SATURATED
        return many and self._enough(side, scored.price)

    def _enough(self, side: Side, price_share: float) -> bool:
        """Whether enough was liquidated for a cascade of something of this size, with this share of price's points."""
        flow, floors = self.flow, self.settings.floors
        usd = flow.corrected_usd("5m", side)
        if usd < floors.dust_usd:
            return False
        if flow.interest_usd:
            sudden = price_share >= floors.cascade_price_share and self._holds(side, floors.cascade_interest_bp)
            return sudden or self._holds(side, floors.sustained_interest_bp)
        size = flow.size_usd * self.seen_share
        return usd >= (min(floors.cascade_usd, 1e-4 * IMPLIED_BP * size) if size else floors.cascade_usd)

    def _rushes(self, side: Side) -> bool:
        """Whether the price goes against a side as fast as only a crash does, and positions close beside it."""
        flow, floors = self.flow, self.settings.floors
        fast = any(self.price.deviations(window, side) >= least for window, least in self._rush_sigmas.items())
        some = flow.orders("5m") >= floors.rush_orders and flow.corrected_usd("5m", side) >= floors.dust_usd
        fresh = fast and some and self._holds(side, floors.rush_interest_bp)
        return fresh and not self._holds(side, floors.rush_spent_bp)

    def _holds(self, side: Side, parts: Mapping[WindowName, float]) -> bool:
        """Whether one of these windows holds so many basis points of the open interest; never where none is known."""
        flow = self.flow
        size = flow.interest_usd * self.seen_share  # what is hidden by a lost feed is missing from the sums alone
        return size > 0 and any(flow.corrected_usd(window, side) >= 1e-4 * bp * size for window, bp in parts.items())

    # What goes out

    def _signal(self, side: Side, second: int, state: PhaseState, scored: Score, feeds: Feeds, *,
                changed: bool) -> Signal:  # fmt: skip
        episode = state.episode
        if episode is None:  # pragma: no cover - update() makes one with every phase but calm
            raise RuntimeError(f"{self.name}: a signal without an episode")
        episode.revision += 1
        last = self.price.last
        drawdown = 0.0
        if last is not None and state.reference:
            drawdown = 100.0 * (last / abs(state.reference) - 1.0)
        liquidated = self._since_start(side)
        window_share = self._window_share(feeds)
        return Signal(
            episode_id=episode_id(self.name, side, episode.started),
            revision=episode.revision,
            asset=self.name,
            phase=state.phase,
            previous_phase=state.previous if changed else state.phase,
            direction=side,
            risk_score=scored.points,
            event_time_us=(second + 1) * MICROS,
            emitted_time_us=0,
            started_us=(episode.started + 1) * MICROS,
            price=last,
            drawdown_pct=round(drawdown, 4),
            liquidated_usd=liquidated,
            windows=self._windows(),
            evidence=scored.evidence,
            coverage=SignalCoverage(
                sorted(self.readable.union(feeds.beating)), self._in_gap(feeds), self._complete_share(side),
                round(self.seen_share, 4), self.corrected.by_venue,
            ),
            notes=self._notes(scored, window_share),
            wave=episode.waves,
            degraded=min(self.seen_share, window_share) < DEGRADED,
            reason="price_only" if self.blind and not scored.flow else "flow_and_price",
            liquidated_usd_corrected=self.corrected.since(side, liquidated),
        )  # fmt: skip

    def _in_gap(self, feeds: Feeds) -> list[str]:
        return sorted({*feeds.silent, *feeds.missing}) if feeds.missing else feeds.silent

    def _window_share(self, feeds: Feeds) -> float:
        """Return the share (0 to 1) of the flow whose last five minutes have no gap but one that was backfilled."""
        if not feeds.missing:
            return 1.0
        interest = self._interest_by_venue()
        return visibility.coverage(self.readable, feeds.missing, interest, unwatched=False, dead=False)

    def _since_start(self, side: Side) -> SideTotals:
        before = self.episode_totals[SIDE_INDEX[side]]
        return SideTotals((self.totals[0] - before[0]) / MICROS, (self.totals[1] - before[1]) / MICROS)

    def _complete_share(self, side: Side) -> float:
        before = self.episode_totals[SIDE_INDEX[side]]
        total = sum(self.totals) - before[0] - before[1]
        return round(min(1.0, (self.complete_total - before[2]) / total), 4) if total else 0.0

    def _windows(self) -> dict[str, WindowTotals]:
        table = self.flow.table
        if not table:
            return {}
        found = {}
        for window in SHOWN if self.flow.fine else COARSE_SHOWN:
            (longs, shorts), (long_orders, short_orders) = table[window]
            found[window] = WindowTotals(longs / MICROS, shorts / MICROS, long_orders + short_orders)
        return found

    def _notes(self, scored: Score, window_share: float) -> list[str]:
        notes = []
        if self.blind and scored.flow:
            notes.append("stand_in: no liquidations can be seen, what was closed is told afterwards by other records")
        elif self.blind:
            notes.append("price_only: no liquidations can be seen, the price decides alone")
        elif self.seen_share < DEGRADED:
            notes.append(f"degraded: feeds with {1 - self.seen_share:.0%} of the flow cannot be seen")
        if window_share < 1.0:
            notes.append(f"gap: feeds with {1 - window_share:.0%} of the flow have a gap in the last five minutes")
        if self.flow.learned_minutes < 60 * self.settings.baseline.warmup_hours:
            notes.append("warmup: what is normal here is not known well yet")
        if self.flow.aggregated:
            notes.append("aggregated: hourly totals are in the windows of 1 h and longer only")
        return notes

    def _summary(self, side: Side, state: PhaseState) -> EpisodeSummary:
        episode = state.episode
        if episode is None:  # pragma: no cover - callers have seen one
            raise RuntimeError(f"{self.name}: a summary without an episode")

        def us(second: int) -> int | None:
            return (second + 1) * MICROS if second else None

        return EpisodeSummary(
            episode_id(self.name, side, episode.started), self.name, side, (episode.started + 1) * MICROS,
            us(episode.cascade), us(episode.peak), us(episode.relief), us(episode.ended),
            episode.peak_score, self._since_start(side),
        )  # fmt: skip

    def episodes(self) -> list[EpisodeSummary]:
        """All episodes so far, the running ones last."""
        running = [
            self._summary(side, phases.state)
            for side, phases in zip(SIDES, self.phases, strict=True)
            if phases.state.episode is not None
        ]
        return self.finished + running

    def leading(self) -> tuple[Side, Phase, Score]:
        """The side that is further along, for views that have room for one; a watched side comes after an episode."""
        order: tuple[Phase, ...] = ("calm", "relief", "building", "cascade")
        scores = [self._reading(side) for side in SIDES]

        def rank(index: int) -> tuple[bool, int, float, int]:
            phases = self.phases[index]
            return phases.stirred, order.index(phases.state.phase), scores[index].points, -index

        best = max(range(2), key=rank)
        return SIDES[best], self.phases[best].state.phase, scores[best]

    def _reading(self, side: Side) -> Score:
        """A side's score, also of a second in which it was not judged."""
        scored = self.scores[SIDE_INDEX[side]]
        unjudged = not scored.evidence and self._speaks(side)
        return self._score(side, self._flow_surprise(side)) if unjudged else scored

    def severity(self, side: Side) -> int:
        """1 to 3 by the worst score of the side's episode: a cascade by the rule, a severe one, an extreme one."""
        episode = self.phases[SIDE_INDEX[side]].state.episode
        peak = episode.peak_score if episode else 0.0
        return 1 + (peak >= SEVERE_SCORE) + (peak >= EXTREME_SCORE)

    # Restart

    def state(self) -> dict[str, object]:
        """What a snapshot keeps."""
        return {
            "flow": self.flow.state(), "price": self.price.state(),
            "phases": [phases.state for phases in self.phases], "scores": self.scores,
            "corrected": self.corrected.state(), "seen_since": self.seen_since, "seen_share": self.seen_share,
            "totals": self.totals, "complete_total": self.complete_total, "closed_totals": self.closed_totals,
            "episode_totals": self.episode_totals, "lasting": self.lasting, "holding": self.holding,
            "finished": self.finished, "opened": self.opened, "second": self.second,
            "stressed_second": self.stressed_second, "stressed_until": self.stressed_until,
            "frozen_since": self.frozen_since, "changed": self.changed, "learning": self.learning,
        }  # fmt: skip

    def load(self, state: dict) -> None:  # type: ignore[type-arg]
        """Become what :meth:`state` described."""
        self.flow.load(state["flow"])
        self.price.load(state["price"])
        self.phases = [Phases(self.settings.phases, msgspec.convert(kept, PhaseState)) for kept in state["phases"]]
        self.scores = [msgspec.convert(kept, Score) for kept in state["scores"]]
        self.corrected.load(state["corrected"])
        self.seen_since, self.seen_share = state["seen_since"], state["seen_share"]
        self.totals, self.complete_total = state["totals"], state["complete_total"]
        self.closed_totals = tuple(state["closed_totals"])
        self.episode_totals = [tuple(kept) for kept in state["episode_totals"]]
        self.lasting, self.holding = state["lasting"], state["holding"]
        self.finished = msgspec.convert(state["finished"], list[EpisodeSummary])
        self.opened, self.second = state["opened"], state["second"]
        self.stressed_second, self.stressed_until = state["stressed_second"], state["stressed_until"]
        self.frozen_since = state["frozen_since"]
        self.changed, self.learning = state["changed"], state["learning"]
