"""The market as a whole: a scope fed by the summaries of its assets.

The market depends on nothing but summaries, so any process that reads all assets' summaries can judge it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from monitor.detect.asset_summary import AssetSummary
from monitor.detect.context.lead_lag import LeadLag
from monitor.detect.context.market_context import MarketContext
from monitor.detect.context.signal_fields import write
from monitor.detect.decide import gates
from monitor.detect.decide.facts import Facts, Traits
from monitor.detect.decide.surroundings import StandIn, Venues
from monitor.detect.decide.visibility import Feeds
from monitor.detect.flow.corrected_totals import Minute
from monitor.detect.flow.flow import SIDE_INDEX
from monitor.detect.flow.hidden_flow import Hidden
from monitor.detect.flow.windows import WINDOWS
from monitor.detect.market_state import MarketSnapshot, new_state
from monitor.detect.scope import Leading, Scope
from monitor.detect.score import Item
from monitor.detect.settings import DetectorSettings
from monitor.detect.view import ContextView
from monitor.model.events import MARKET, Side, saturated
from monitor.model.signals import CorrectedTotals, Phase, Signal

STRESS_S: Final = 60
"""An asset counts as stressed for this long after it was, seconds: contagion takes seconds, not minutes."""
STEADINESS: Final = 1.4
"""Factor by which the tail of the market's sum is steeper than that of one asset, until it is learned."""
ACTIVE_S: Final = 3_600
"""An asset counts towards the breadth for this long after a liquidation or a price, seconds."""
TOP: Final = 20
"""Breadth is of this many assets: those with the most open interest or, where none is known, the most liquidated in a
day."""
BROAD_BP: Final = 40.0
"""Basis points of all open interest that five minutes must hold before the market is in a cascade while none of its
leaders is: most assets are stressed within seconds of any shock. With 1.5 there, all ten false market-wide alarms of
nine simulated markets came while no leader was."""
BREADTH_ZERO: Final = 0.2
BREADTH_FULL: Final = 0.7
BREADTH_POINTS: Final = 11.0
"""Share of the assets stressed within a minute between which it goes from no points to all, and how many those are. In
shocks of BTC 5.0 of 7 coins moved in the same five minutes, in calm less than one in twenty."""
LEADER_POINTS: Final = 4.0
"""Points of a leader in a cascade, half of them while it builds; with those of the breadth contagion's 15."""


class Market:
    """The market; the sources of its scope are assets, its price is that of the first leader that has one.

    Attributes:
        name: ``MARKET``.
        scope: its liquidations, its price and its phases.
        context: open interest of all assets, implied volatility, traditional markets.
        lead: by how much the leader moves before all others.
        state: what else is remembered.
        settings: thresholds.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        judged = settings.judged
        self.name = MARKET
        self.scope = Scope(
            Traits(
                name=MARKET,
                settings=settings,
                scale=settings.floors.market_scale,
                steadiness=STEADINESS,
                # What the leader does within seconds is not the market's yet: no shorter windows, and no rush.
                move_windows=[each for each in judged.move_windows if WINDOWS[each] >= WINDOWS[judged.stress_window]],
                rush_sigmas={},
                breadth_feature="assets_stressed",
            )
        )
        self.context = MarketContext(settings.market)
        self.lead = LeadLag()
        self.state = new_state()
        self.settings = settings
        self._settings = settings.market

    # What comes in

    def take(self, summary: AssetSummary) -> None:
        """Take an asset's summary."""
        asset = summary.asset
        self.context.take(asset, summary.second, summary.context)
        if asset not in self._settings.indexes:
            self._take_crypto(asset, summary)

    def _take_crypto(self, asset: str, summary: AssetSummary) -> None:
        state, scope = self.state, self.scope
        for each in summary.liquidations:
            scope.add_liquidation(
                asset,
                each.side,
                each.second,
                each.micros,
                each.orders,
                complete=each.complete,
                aggregated=each.aggregated,
            )
        for venue in summary.venues:
            state.venues[venue] = None
        state.active_at[asset] = summary.second
        if summary.stressed.long:
            state.stressed_at.long[asset] = summary.second
        if summary.stressed.short:
            state.stressed_at.short[asset] = summary.second
        if summary.open_interest_usd and summary.open_interest_usd != state.interest.get(asset):
            state.interest[asset] = summary.open_interest_usd
            scope.flow.expect(math.fsum(state.interest.values()))
        self._take_hidden(asset, summary)
        if asset in self._settings.leaders:
            self._take_leader(asset, summary)
        if summary.price is not None:
            self.lead.price(summary.second, asset, summary.price, leads=asset == state.leader)

    def _take_hidden(self, asset: str, summary: AssetSummary) -> None:
        state = self.state
        state.hidden.pop(asset, None)
        state.saturation.pop(asset, None)
        if summary.hidden:
            state.hidden[asset] = summary.hidden
        if summary.saturation:
            state.saturation[asset] = summary.saturation
        if summary.minute is not None:
            state.minutes.append(summary.minute)

    def _take_leader(self, asset: str, summary: AssetSummary) -> None:
        self.state.leader_phases[asset] = summary.phases
        if summary.price is not None:
            self._follow(asset, summary.second, summary.price, is_mark=summary.is_mark)

    def _follow(self, asset: str, second: int, price: float, *, is_mark: bool) -> None:
        """Take a leader's price, unless a leader before it has one; another leader and its first mark begin it anew."""
        state, leaders = self.state, self._settings.leaders
        is_foremost = not state.leader or leaders.index(asset) < leaders.index(state.leader)
        if is_foremost or (asset == state.leader and is_mark != state.is_mark):
            if state.leader:
                self.scope.restart_price()
                self.lead = LeadLag()
            state.leader, state.is_mark = asset, is_mark
        if asset == state.leader:
            if price != self.scope.price.last:
                state.moved_at = second
            self.scope.add_price(asset, second, price)

    # What a closed second means

    def close(self, second: int, feeds: Feeds) -> list[Signal]:
        """Close a second and return its signals; see :meth:`monitor.detect.scope.Scope.close`."""
        self.context.close(second)
        self._correct(second)
        signals = self.scope.close(second, feeds, self)
        for signal in signals:
            write(signal, self.context_view())
        return signals

    def _correct(self, second: int) -> None:
        """Add up what the assets' feeds hide."""
        state, corrected = self.state, self.scope.corrected
        if not (state.hidden or state.saturation or state.minutes or corrected.saturation):
            return
        windows: dict[str, tuple[int, int]] = {}
        for hidden in state.hidden.values():
            for window, (longs, shorts) in hidden.items():
                before = windows.get(window, (0, 0))
                windows[window] = (saturated(before[0] + longs), saturated(before[1] + shorts))
        corrected.windows = windows
        corrected.by_venue = {}
        for saturation in state.saturation.values():
            for venue, share in saturation.items():
                corrected.by_venue[venue] = max(share, corrected.by_venue.get(venue, 0.0))
        corrected.saturation = max(corrected.by_venue.values(), default=0.0)
        if state.minutes:
            long, short = (_sum(minute[index] for minute in state.minutes) for index in range(2))
            corrected.add(second, Minute(long=long, short=short))
            state.minutes = []
        self.scope.flow.hide(windows)

    # What surrounds its scope; see monitor.detect.decide.surroundings

    @property
    def is_disturbed(self) -> bool:
        """Return True while an episode of the leader lasts: its price is the market's, and no quiet time's then."""
        phases = self.state.leader_phases.get(self.state.leader)
        return phases is not None and (phases.long != "calm" or phases.short != "calm")

    @property
    def seen_at(self) -> int:
        """Return the second of the last liquidation or change of the price, because summaries repeat a price."""
        return max(self.state.moved_at, self.scope.flow.last)

    @property
    def rise(self) -> float:
        """Return the points that a score can gain at most while nothing new comes."""
        return gates.RISE

    def venues(self, feeds: Feeds) -> Venues:
        """Return where liquidations were seen or would be; all venues weigh the same."""
        return Venues(readable={*self.state.venues, *feeds.beating}, interest={})

    def limit(self, window: str, side: Side) -> float | None:
        """Return what the sum would be if no asset but the leaders had more than its largest allowed share of it."""
        flow = self.scope.flow
        asset, largest = flow.largest_source(window, side)
        if not asset or asset in self._settings.leaders:
            return None
        others = flow.usd(window, side) - largest
        share = self._settings.largest_share
        return others + min(largest, others * share / (1.0 - share)) if share < 1 else None

    def flow_items(self, side: Side) -> list[Item]:
        """Return nothing: trades are compared asset by asset."""
        return []

    def confirming_items(self, side: Side) -> list[Item]:
        """Return the evidence of contagion and of traditional markets."""
        breadth = self.breadth(self.scope.state.second, side)
        leader = 1.0 if self._is_leader_in("cascade", side) else 0.5 if self._is_leader_in("building", side) else 0.0
        return [
            Item("assets_stressed_share", breadth, 0.05, breadth, BREADTH_ZERO, BREADTH_FULL, BREADTH_POINTS),
            Item("leader_stressed", leader, 0.0, leader, 0.0, 1.0, LEADER_POINTS),
            *self.context.items(side),
        ]

    def stand_ins(self, confirming: list[Item]) -> list[StandIn]:
        """Return nothing: open interest is compared asset by asset."""
        return []

    def watch_since(self, side: Side) -> int:
        """Return 0: how fragile a side is, is known asset by asset."""
        return 0

    def is_enough(self, facts: Facts, side: Side, price_share: float) -> bool:
        """Return True if enough was liquidated for a cascade of the market."""
        return gates.is_enough_for_market(facts, side)

    def may_cascade(self, facts: Facts, side: Side, points: float) -> bool:
        """Return True if a leader is in a cascade, or enough assets are stressed at once."""
        if self._is_leader_in("cascade", side):
            return True
        if facts.flow.interest_usd and not facts.is_price_only and not gates.holds(facts, side, {"5m": BROAD_BP}):
            return False
        # Flow spread over the assets may be beyond doubt in their sum before it is in any of them.
        is_sure = points >= facts.limits.fast_score and self._is_leader_in("building", side)
        return is_sure or self.breadth(facts.second, side) >= self._settings.breadth

    def _is_leader_in(self, phase: Phase, side: Side) -> bool:
        """Return True if this side of any leader is in a phase."""
        return any(phases[side] == phase for phases in self.state.leader_phases.values())

    # What others may read

    def top(self, second: int) -> list[str]:
        """Return the assets that breadth is of, among those with a liquidation or a price within the hour."""
        state, flow = self.state, self.scope.flow
        active = [asset for asset, at in state.active_at.items() if second - at < ACTIVE_S]
        if len(active) <= TOP:
            return active
        if any(asset in state.interest for asset in active):
            weights = state.interest
        else:
            sums = flow.windows.sums("24h")
            weights = {asset: float(sums[lane] + sums[lane + 1]) for asset, lane in flow.sources.items()}
        return sorted(active, key=lambda asset: (-weights.get(asset, 0.0), asset))[:TOP]

    def breadth(self, second: int, side: Side) -> float:
        """Return the share (0 to 1) of the top assets of which a side is stressed; 0 while too few are active."""
        active = self.top(second)
        if len(active) < self._settings.breadth_assets:
            return 0.0
        at = self.state.stressed_at[side]
        return sum(second - at.get(asset, -STRESS_S) < STRESS_S for asset in active) / len(active)

    def effective_assets(self, side: Side) -> float:
        """Return how many assets of equal size would spread the last five minutes' liquidations as widely, 1 / HHI.

        1 where one asset is all of it, 6.0 over 162 assets on 2025-10-10; 0 where there is none.
        """
        flow = self.scope.flow
        sums = flow.windows.sums("5m")[SIDE_INDEX[side] : 2 * len(flow.sources) : 2].astype(float)
        total = float(sums.sum())
        return total * total / float((sums * sums).sum()) if total else 0.0

    def leading(self) -> Leading:
        """Return the side that is further along."""
        return self.scope.leading(self)

    def context_view(self) -> ContextView:
        """Return what surrounds its liquidations."""
        return self.context.view(self.scope.flow)

    def coverage_ratio(self) -> float | None:
        """Return None: summaries do not carry it."""
        return None

    def corrected_minute(self) -> CorrectedTotals | None:
        """Return None: summaries carry what whole minutes hid, and the last sixty seconds are seldom one."""
        return None

    # Restart

    def snapshot(self) -> MarketSnapshot:
        """Return what a snapshot holds. It shares the market's state, so it must be encoded before the next summary."""
        return MarketSnapshot(
            state=self.state, scope=self.scope.snapshot(), lead=self.lead.state(), context=self.context.state()
        )

    def restore(self, snapshot: MarketSnapshot) -> None:
        """Become what :meth:`snapshot` described."""
        self.state = snapshot.state
        self.scope.restore(snapshot.scope)
        self.lead.load(snapshot.lead)
        self.context.load(snapshot.context)


def _sum(parts: Iterable[Hidden]) -> Hidden:
    low = mid = high = 0
    censored = False
    for part in parts:
        low, mid, high, censored = low + part.low, mid + part.mid, high + part.high, censored or part.censored
    return Hidden(low=saturated(low), mid=saturated(mid), high=saturated(high), censored=censored)
