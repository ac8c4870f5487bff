"""Signals and episode summaries, built from what was decided."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import UNSET

from monitor.detect.decide.facts import Facts
from monitor.detect.decide.phases import Episode, PhaseState
from monitor.detect.decide.visibility import Visibility
from monitor.detect.flow.flow import Flow
from monitor.detect.score import DEGRADED, Score
from monitor.model.events import MICROS, Side, saturated
from monitor.model.signals import (
    SideTotals,
    Signal,
    SignalCoverage,
    WindowTotals,
)
from monitor.model.summary import EpisodeSummary

SHOWN: Final = ("10s", "1m", "5m", "1h", "24h")
"""Windows that a signal carries."""
COARSE_SHOWN: Final = ("1h", "24h")
"""Windows that a signal carries where only hourly totals are known."""
SEVERE_SCORE: Final = 75.0
EXTREME_SCORE: Final = 90.0
"""Worst score of an episode from which on its severity is 2 and 3."""


class Totals(msgspec.Struct, frozen=True, array_like=True):
    """Liquidated micro-USD since some moment by side; ``complete`` is the part from complete feeds."""

    long: int = 0
    short: int = 0
    complete: int = 0

    def plus(self, side: Side, micros: int, *, complete: bool) -> Totals:
        """Return the totals with one more liquidation in them."""
        shown = saturated(self.complete + micros) if complete else self.complete
        if side == "long":
            return Totals(saturated(self.long + micros), self.short, shown)
        return Totals(self.long, saturated(self.short + micros), shown)

    def since(self, before: Totals) -> Totals:
        """Return what was added since ``before``."""
        return Totals(self.long - before.long, self.short - before.short, self.complete - before.complete)

    def usd(self) -> SideTotals:
        """Return the totals in USD."""
        return SideTotals(long=self.long / MICROS, short=self.short / MICROS)

    def complete_share(self) -> float:
        """Return the share (0 to 1) that complete feeds showed; 0 where there is nothing."""
        total = self.long + self.short
        return round(min(1.0, self.complete / total), 4) if total else 0.0


@lru_cache(maxsize=1_024)  # every second of an episode needs it
def episode_id(asset: str, side: Side, second: int) -> str:
    """Return the id of the episode whose first sign came in ``second``: a pure function of the input."""
    return f"{asset}-{side}-{datetime.fromtimestamp(second, UTC):%Y%m%dT%H%M%SZ}"


def severity(episode: Episode | None) -> int:
    """Return 1 to 3 by the episode's worst score: a cascade by the labels' rule, a severe one, an extreme one."""
    peak = episode.peak_score if episode else 0.0
    return 1 + (peak >= SEVERE_SCORE) + (peak >= EXTREME_SCORE)


def make_signal(
    facts: Facts,
    side: Side,
    state: PhaseState,
    scored: Score,
    *,
    changed: bool,
    liquidated: Totals,
    visibility: Visibility,
) -> Signal:
    """Return the next signal of a side's episode, and count it as the episode's next revision.

    Args:
        facts: what is known of the scope.
        side: the liquidated side.
        state: its phase, after this second.
        scored: its score.
        changed: whether the phase changed in this second.
        liquidated: what was liquidated since the episode began.
        visibility: what the decision could see.
    """
    episode = _episode_of(facts.traits.name, state)
    episode.revision += 1
    liquidated_usd = liquidated.usd()
    return Signal(
        episode_id=episode_id(facts.traits.name, side, episode.started),
        revision=episode.revision,
        asset=facts.traits.name,
        phase=state.phase,
        previous_phase=state.previous if changed else state.phase,
        direction=side,
        risk_score=scored.points,
        event_time_us=(facts.second + 1) * MICROS,
        emitted_time_us=0,
        started_us=(episode.started + 1) * MICROS,
        price=facts.price.last,
        drawdown_pct=_drawdown_pct(facts.price.last, state.reference),
        liquidated_usd=liquidated_usd,
        windows=_shown_windows(facts.flow),
        evidence=scored.evidence,
        coverage=_coverage(facts, visibility, liquidated, episode),
        notes=_notes(facts, scored, visibility, episode),
        wave=episode.waves,
        degraded=min(facts.seen_share, visibility.window_share) < DEGRADED,
        reason="price_only" if facts.is_price_only and not scored.flow else "flow_and_price",
        liquidated_usd_corrected=facts.corrected.since(side, liquidated_usd),
    )


def make_summary(name: str, side: Side, state: PhaseState, liquidated: Totals) -> EpisodeSummary:
    """Return the summary of a side's episode, which may still last."""
    episode = _episode_of(name, state)
    return EpisodeSummary(
        episode_id=episode_id(name, side, episode.started),
        asset=name,
        direction=side,
        started_us=(episode.started + 1) * MICROS,
        cascade_us=_end_us(episode.cascade),
        peak_us=_end_us(episode.peak),
        relief_us=_end_us(episode.relief),
        ended_us=_end_us(episode.ended),
        peak_score=episode.peak_score,
        liquidated_usd=liquidated.usd(),
        unseen_s=episode.unseen or UNSET,
    )


def _episode_of(name: str, state: PhaseState) -> Episode:
    if state.episode is None:  # pragma: no cover - phases make one with every phase but calm
        raise RuntimeError(f"{name}: {state.phase} without an episode")
    return state.episode


def _end_us(second: int) -> int | None:
    """Return when a second ended, microseconds; None for 0, which stands for never."""
    return (second + 1) * MICROS if second else None


def _drawdown_pct(last: float | None, reference: float | None) -> float:
    """Return the price's move since the episode's reference (directed, so its sign is the side's), percent."""
    return round(100.0 * (last / abs(reference) - 1.0), 4) if last is not None and reference else 0.0


def _coverage(facts: Facts, visibility: Visibility, liquidated: Totals, episode: Episode) -> SignalCoverage:
    feeds = visibility.feeds
    return SignalCoverage(
        venues_seen=sorted({*visibility.venues, *feeds.beating}),
        venues_in_gap=sorted({*feeds.silent, *feeds.missing}) if feeds.missing else feeds.silent,
        complete_share=liquidated.complete_share(),
        seen_share=round(facts.seen_share, 4),
        saturation=facts.corrected.by_venue,
        blind_since_us=visibility.unseen_since * MICROS or UNSET,
        unseen_s=episode.unseen or UNSET,
    )


def _shown_windows(flow: Flow) -> dict[str, WindowTotals]:
    if not flow.table:
        return {}
    shown = {}
    for window in SHOWN if flow.fine else COARSE_SHOWN:
        (longs, shorts), (long_orders, short_orders) = flow.table[window]
        shown[window] = WindowTotals(long=longs / MICROS, short=shorts / MICROS, count=long_orders + short_orders)
    return shown


def _notes(facts: Facts, scored: Score, visibility: Visibility, episode: Episode) -> list[str]:
    flow, window_share, notes = facts.flow, visibility.window_share, []
    if visibility.unseen_since:
        since = datetime.fromtimestamp(visibility.unseen_since, UTC)
        notes.append(f"blind: nothing can be seen since {since:%Y-%m-%d %H:%M:%S} UTC, the phase is held")
    elif facts.is_price_only and scored.flow:
        notes.append("stand_in: no liquidations can be seen, what was closed is told afterwards by other records")
    elif facts.is_price_only:
        notes.append("price_only: no liquidations can be seen, the price decides alone")
    elif facts.seen_share < DEGRADED:
        notes.append(f"degraded: feeds with {1 - facts.seen_share:.0%} of the flow cannot be seen")
    if episode.unseen:
        ends = ", and it may have ended unseen" if episode.ended else ""
        notes.append(f"unseen: {episode.unseen} s of the episode could not be seen{ends}")
    if window_share < 1.0:
        notes.append(f"gap: feeds with {1 - window_share:.0%} of the flow have a gap in the last five minutes")
    if flow.learned_minutes < 60 * facts.traits.settings.baseline.warmup_hours:
        notes.append("warmup: what is normal here is not known well yet")
    if flow.aggregated:
        notes.append("aggregated: hourly totals are in the windows of 1 h and longer only")
    return notes
