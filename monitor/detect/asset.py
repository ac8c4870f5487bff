"""One asset over all venues: a scope fed by events, and what surrounds its liquidations."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from monitor.detect.asset_state import AssetSnapshot, ThrottleSnapshot, new_state
from monitor.detect.asset_summary import AssetSummary, Liquidated
from monitor.detect.context.context import Context
from monitor.detect.context.signal_fields import write
from monitor.detect.decide import gates
from monitor.detect.decide.confirming import INTEREST_DROP, closed, context_items, dislocation, leverage
from monitor.detect.decide.facts import Facts, Traits
from monitor.detect.decide.surroundings import StandIn, Venues
from monitor.detect.decide.visibility import Feeds
from monitor.detect.flow.hidden_flow import ThrottledFeed
from monitor.detect.flow.taker_volume import TakerVolume
from monitor.detect.flow.throttled_feeds import THROTTLED, new_feed, restore_feed
from monitor.detect.ingest.dedup import Seen
from monitor.detect.scope import Leading, Scope
from monitor.detect.score import Item
from monitor.detect.settings import DetectorSettings
from monitor.detect.view import ContextView
from monitor.model.events import (
    MICROS,
    Coverage,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Side,
    Trade,
    TradeBar,
    VolatilityIndex,
    micro_usd,
)
from monitor.model.sides import BySide
from monitor.model.signals import (
    CorrectedTotals,
    Evidence,
    SideTotals,
    Signal,
)

VOLUME_RISE: Final = 26.0
"""Points that a score can gain while nothing new comes where trades are seen, 13 of 33 of the flow's 62: the trades,
too, may leave the minute first."""
EXECUTED: Final = frozenset({"average_fill", "fill"})
"""Prices of a liquidation at which something was traded; bankruptcy and order prices are limits far from the market."""


class Asset:
    """An asset; the sources of its scope are venues.

    Attributes:
        name: the canonical base asset.
        scope: its liquidations, its price and its phases.
        context: leverage, its cost, levels, holders, implied volatility.
        seen: ids of the events that were counted already.
        volume: taker volume of the last minute.
        throttles: by venue and symbol the feeds of one report a second.
    """

    def __init__(self, name: str, settings: DetectorSettings) -> None:
        self.name = name
        self.scope = Scope(
            Traits(
                name=name,
                settings=settings,
                scale=1.0,
                steadiness=1.0,
                move_windows=settings.judged.move_windows,
                rush_sigmas=settings.floors.rush_sigmas,
                breadth_feature="venues_stressed",
            )
        )
        self.seen = Seen()
        self.volume = TakerVolume()
        self.context = Context(name, settings)
        self.throttles: dict[tuple[str, str], ThrottledFeed] = {}
        self.state = new_state()

    # What comes in

    def open(self, second: int) -> None:
        """Make ``second`` the one that events fall into, so that adding them is quick."""
        self.state.opened = second
        self.scope.flow.windows.advance(second)
        self.volume.advance(second)
        self.context.watched.add(second)

    def liquidation(self, event: Liquidation) -> None:
        """Take a liquidation."""
        state = self.state
        second = event.event_time_us // MICROS
        micros = micro_usd(event.notional_usd)
        coverage = event.coverage
        state.coverages[event.venue] = coverage
        complete, aggregated = coverage == "complete", coverage == "aggregated"
        if coverage in THROTTLED:
            self._add_throttled(event, coverage, micros)
        self.scope.add_liquidation(
            event.venue, event.side, second, micros, event.orders, complete=complete, aggregated=aggregated
        )
        state.unreported.append(Liquidated(second, event.side, micros, event.orders, complete, aggregated))
        if not state.is_marked and event.price_kind in EXECUTED and event.price is not UNSET:
            self.scope.add_price(event.venue, second, event.price)

    def _add_throttled(self, event: Liquidation, coverage: Coverage, micros: int) -> None:
        key = (event.venue, event.symbol)
        throttle = self.throttles.get(key)
        if throttle is None:
            throttle = self.throttles[key] = new_feed(event.venue, coverage)
        throttle.advance(self.state.opened)
        throttle.add(event.event_time_us, event.side, micros)

    def trade(self, event: Trade) -> None:
        """Take a trade into the taker volume."""
        second = event.event_time_us // MICROS
        self.volume.add_trade(event, second)
        if not self.state.is_marked:
            self.scope.add_price(event.venue, second, event.price)

    def trade_bar(self, event: TradeBar) -> None:
        """Take a bar of trades into the taker volume; it belongs to the second in which its interval began."""
        second = (event.event_time_us - event.interval_us) // MICROS
        self.volume.add_bar(event, second)
        if not self.state.is_marked:
            self.scope.add_price(event.venue, second, event.close)

    def mark_price(self, event: MarkPrice) -> None:
        """Take a mark price; the first one replaces the executed prices, which count no more from then on."""
        if not self.state.is_marked:
            self.state.is_marked = True
            self.scope.restart_price()
        self.scope.add_price(event.venue, event.event_time_us // MICROS, event.mark_price)
        self.context.mark(event)

    def interest(self, event: OpenInterest) -> None:
        """Take an open interest, new or old."""
        self.context.interest(event)
        self.scope.flow.expect(self.open_interest_usd)
        self.scope.wake_for_minute()

    def volatility_index(self, event: VolatilityIndex) -> None:
        """Take an implied volatility."""
        self.context.implied(event)
        self.scope.wake_for_minute()

    # What a closed second means

    def close(self, second: int, feeds: Feeds) -> list[Signal]:
        """Close a second and return its signals; see :meth:`monitor.detect.scope.Scope.close`."""
        scope, context = self.scope, self.context
        self.volume.advance(second)
        self._correct(second)
        signals = scope.close(second, feeds, self)
        context.close(second, scope.price)
        if second % 60 == 59:
            context.close_minute(second, scope.flow, self.volume.by_venue(), learn=not scope.state.frozen_since)
        for signal in signals:
            write(signal, context.view(scope.price, scope.flow))
            if scope.phases[signal.direction].state.watched:
                self._explain_watch(signal)
        return signals

    def _correct(self, second: int) -> None:
        """Estimate what throttled feeds hide as of a second."""
        corrected = self.scope.corrected
        live = {key: throttle for key, throttle in self.throttles.items() if not throttle.empty}
        if live or corrected.saturation:
            for throttle in live.values():
                throttle.advance(second)
            corrected.measure(second, live)
            self.scope.flow.hide(corrected.windows)

    def _explain_watch(self, signal: Signal) -> None:
        """Add to the signal of a side that builds without liquidations how fragile it is; that gives no points."""
        fragile = self.context.fragility.of(signal.direction) or 0.0
        signal.evidence = [*signal.evidence, Evidence("fragility", round(fragile, 6), 0.5, 0.0)]

    # What surrounds its scope; see monitor.detect.decide.surroundings

    @property
    def is_disturbed(self) -> bool:
        """Return False: only its own episodes keep an asset from learning."""
        return False

    @property
    def seen_at(self) -> int:
        """Return the second of the last price or liquidation."""
        return max(self.scope.price.second, self.scope.flow.last)

    @property
    def rise(self) -> float:
        """Return the points that a score can gain at most while nothing new comes."""
        return VOLUME_RISE if self.volume else gates.RISE

    def venues(self, feeds: Feeds) -> Venues:
        """Return where liquidations of it were seen, and where it has a price and their channel beats."""
        scope = self.scope
        readable = {*scope.flow.sources, *(venue for venue in scope.price.venues if venue in feeds.beating)}
        return Venues(readable=readable, interest=self.context.open_interest.by_venue(self.state.opened))

    def limit(self, window: str, side: Side) -> float | None:
        """Return None: all that is liquidated of an asset counts."""
        return None

    def flow_items(self, side: Side) -> list[Item]:
        """Return the share of the takers that were forced, where trades are seen."""
        taken = self.taker_usd(side)
        if taken <= 0:
            return []
        share = min(1.0, self.scope.flow.usd("1m", side) / taken)
        return [Item("forced_share_1m", share, 0.01, share, 0.05, 0.30, 8)]

    def taker_usd(self, side: Side) -> float:
        """Return what takers traded within a minute the way ``side`` is closed, on venues with liquidations, USD."""
        return self.volume.closing_usd(side, self.state.coverages)

    def confirming_items(self, side: Side) -> list[Item]:
        """Return the evidence of leverage, dislocated venues and context."""
        context, second = self.context, self.scope.state.second
        return [
            *leverage(context, side, second),
            *dislocation(context, side, second),
            *context_items(context, self.scope.price, side, second),
        ]

    def stand_ins(self, confirming: list[Item]) -> list[StandIn]:
        """Return what open interest shows to have been closed; its fall then confirms nothing, or it counted twice."""
        others = [item for item in confirming if not item.feature.startswith(INTEREST_DROP)]
        return [StandIn(flow=closed(self.context, self.scope.state.second), confirming=others)]

    def watch_since(self, side: Side) -> int:
        """Return when a level broke or implied volatility jumped while the side is fragile; 0 without either."""
        return self.context.state.watch_since[side]

    def is_enough(self, facts: Facts, side: Side, price_share: float) -> bool:
        """Return True if enough was liquidated for a cascade of an asset of this size."""
        return gates.is_enough_for_asset(facts, side, price_share)

    def may_cascade(self, facts: Facts, side: Side, points: float) -> bool:
        """Return True: an asset may always be in a cascade of its own."""
        return True

    # What others may read

    @property
    def open_interest_usd(self) -> float:
        """Return the open interest over all venues that is not stale, USD; 0 where none is known."""
        return self.context.open_interest.usd(self.state.opened) or 0.0

    def summary(self) -> AssetSummary | None:
        """Return what the market must know of the second just closed; None if nothing of it is new."""
        scope, state = self.scope, self.state
        second, price, corrected = scope.state.second, scope.price, scope.corrected
        liquidations, state.unreported = tuple(state.unreported), []
        long, short = scope.state.sides.long, scope.state.sides.short
        stressed = BySide(long.stressed_at == second, short.stressed_at == second)
        phases = BySide(scope.phases.long.episode_phase, scope.phases.short.episode_phase)
        turned, state.reported_phases = phases != state.reported_phases, phases
        had_hidden, state.reported_hidden = state.reported_hidden, bool(corrected.windows)
        ends_minute = second % 60 == 59
        minute = corrected.minute if ends_minute and corrected.saturation else None
        context = self.context.summary(second, price) if ends_minute else None
        is_news = (
            price.second == second
            or liquidations
            or stressed.long
            or stressed.short
            or turned
            or "cascade" in (phases.long, phases.short)
            or minute is not None
            or had_hidden
            or state.reported_hidden
            or context is not None
        )
        if not is_news:
            return None
        return AssetSummary(
            asset=self.name,
            second=second,
            liquidations=liquidations,
            price=price.last,
            is_mark=state.is_marked,
            stressed=stressed,
            phases=phases,
            venues=tuple(scope.flow.sources),
            open_interest_usd=self.open_interest_usd,
            hidden=corrected.windows,
            minute=minute,
            saturation=corrected.by_venue,
            context=context,
        )

    def leading(self) -> Leading:
        """Return the side that is further along."""
        return self.scope.leading(self)

    def context_view(self) -> ContextView:
        """Return what surrounds its liquidations."""
        return self.context.view(self.scope.price, self.scope.flow)

    def corrected_minute(self) -> CorrectedTotals | None:
        """Return what the last minute reported and hid; None where no throttled feed showed anything within it."""
        corrected, minute = self.scope.corrected, self.scope.flow.table.get("1m")
        if not corrected.by_venue or minute is None:
            return None
        longs, shorts = minute[0]
        return corrected.last_minute(SideTotals(long=longs / MICROS, short=shorts / MICROS))

    def coverage_ratio(self) -> float | None:
        """Return the share of the last day's liquidated USD that complete feeds showed; None where there was none."""
        flow, coverages = self.scope.flow, self.state.coverages
        sums = flow.windows.sums("24h")
        by_venue = {venue: int(sums[lane]) + int(sums[lane + 1]) for venue, lane in flow.sources.items()}
        total = sum(by_venue.values())
        if not total:
            return None
        return sum(usd for venue, usd in by_venue.items() if coverages.get(venue) == "complete") / total

    # Restart

    def snapshot(self) -> AssetSnapshot:
        """Return what a snapshot holds. It shares this asset's state, so it must be encoded before the next event."""
        return AssetSnapshot(
            state=self.state,
            scope=self.scope.snapshot(),
            seen=self.seen.state(),
            volume=self.volume.snapshot(),
            context=self.context.snapshot(),
            throttles=[
                ThrottleSnapshot(venue=venue, symbol=symbol, feed=throttle.state())
                for (venue, symbol), throttle in self.throttles.items()
            ],
        )

    def restore(self, snapshot: AssetSnapshot) -> None:
        """Become what :meth:`snapshot` described."""
        self.state = snapshot.state
        self.scope.restore(snapshot.scope)
        self.seen = Seen.restore(snapshot.seen)
        self.volume.restore(snapshot.volume)
        self.context.restore(snapshot.context)
        self.throttles = {(kept.venue, kept.symbol): restore_feed(kept.feed) for kept in snapshot.throttles}
