"""Views of assets and of the market, for metrics, screens and the dashboard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from monitor.detect.decide.signal import episode_id, severity
from monitor.detect.market import Market
from monitor.detect.scope import Leading, Scope
from monitor.detect.view import AheadView, AssetView, ContextView, EpisodeView, MarketView
from monitor.model.events import MICROS, SIDES
from monitor.model.signals import CorrectedTotals, WindowTotals
from monitor.model.watermark import Watermark


class Monitored(Protocol):
    """An asset or the market, as readers see it."""

    @property
    def name(self) -> str:
        """Return the asset, or ``MARKET``."""

    @property
    def scope(self) -> Scope:
        """Return its liquidations, its price and its phases."""

    def leading(self) -> Leading:
        """Return the side that is further along."""

    def context_view(self) -> ContextView:
        """Return what surrounds its liquidations."""

    def coverage_ratio(self) -> float | None:
        """Return the share of the last day's liquidated USD that complete feeds showed; None where unknown."""

    def corrected_minute(self) -> CorrectedTotals | None:
        """Return what the last minute reported and hid; None where unknown."""


def asset_view(monitored: Monitored) -> AssetView:
    """Return what may be read of one asset, or of the market as one more asset."""
    scope = monitored.scope
    side, phase, scored = monitored.leading()
    price, flow = scope.price, scope.flow
    episodes = running_episodes(scope)
    context = monitored.context_view()
    interest = context.open_interest
    return AssetView(
        asset=monitored.name,
        phase=phase,
        direction=side,
        risk_score=scored.points,
        price=price.last,
        drawdown_by_window={window: price.move(window, side) for window in price.windows},
        windows={window: _totals(amounts, counts) for window, (amounts, counts) in flow.table.items()},
        open_interest_usd=None if interest is None else interest.usd,
        funding_rate=context.funding_8h,
        coverage_ratio=monitored.coverage_ratio(),
        evidence=scored.evidence,
        episode_id=next((each.episode_id for each in episodes if each.direction == side), None),
        venues=flow.by_source("5m"),
        context=context,
        corrected_1m=monitored.corrected_minute(),
        saturation=dict(scope.corrected.by_venue),
        episodes=episodes,
    )


def running_episodes(scope: Scope) -> list[EpisodeView]:
    """Return the running episodes, of either side or of both."""
    running = []
    for side in SIDES:
        state = scope.phases[side].state
        if state.episode is not None:
            running.append(
                EpisodeView(
                    episode_id=episode_id(scope.name, side, state.episode.started),
                    direction=side,
                    phase=state.phase,
                    severity=severity(state.episode),
                )
            )
    return running


def market_view(market: Market, second: int) -> MarketView:
    """Return what may be read of the market besides what it shares with its assets."""
    lead = market.lead.found()
    return MarketView(
        stressed_ratio=max(market.breadth(second, side) for side in SIDES),
        effective_assets=(market.effective_assets("long"), market.effective_assets("short")),
        leader=market.state.leader,
        lead_s=lead.lag_s,
        lead_correlation=lead.correlation,
    )


def ahead_view(watermarks: Iterable[Watermark], steps_back: int) -> AheadView:
    """Return what several watermarks did not believe, added up by venue."""
    seconds: dict[str, float] = {}
    placed: dict[str, int] = {}
    refused: dict[str, int] = {}
    for watermark in watermarks:
        for venue, distance_s in watermark.distances_s().items():
            seconds[venue] = max(distance_s, seconds.get(venue, 0.0))
        for into, counts in ((placed, watermark.placed_ahead), (refused, watermark.refused)):
            for venue, count in counts.items():
                into[venue] = into.get(venue, 0) + count
    return AheadView(seconds=seconds, placed=placed, refused=refused, steps_back=steps_back)


def _totals(amounts: tuple[int, int], counts: tuple[int, int]) -> WindowTotals:
    return WindowTotals(long=amounts[0] / MICROS, short=amounts[1] / MICROS, count=sum(counts))
