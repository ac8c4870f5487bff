"""The market as a whole: a scope fed by the summaries of its assets.

It sees nothing but summaries, so whoever reads all assets' summaries can be the one that makes the market's view.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from monitor.detect.asset import Summary
from monitor.detect.context.context import write
from monitor.detect.context.lead_lag import Lead
from monitor.detect.context.market_context import MarketContext
from monitor.detect.decide.visibility import Feeds
from monitor.detect.flow.corrected_totals import Minute
from monitor.detect.flow.flow import SIDE_INDEX
from monitor.detect.flow.hidden_flow import Hidden
from monitor.detect.flow.windows import WINDOWS
from monitor.detect.scope import Scope
from monitor.detect.score import Item
from monitor.detect.settings import DetectorSettings, WindowName
from monitor.model.events import MARKET, Phase, Side, Signal, saturated

STRESS_S: Final = 60
"""An asset counts as stressed for this long after it was, seconds: contagion takes seconds, not minutes."""
STEADINESS: Final = 1.4
"""How much steeper the tail of the market's sum is taken to be than one asset's, until it is learned."""
ACTIVE_S: Final = 3_600
"""An asset counts towards the breadth for this long after a liquidation or a price, seconds."""
TOP: Final = 20
"""Breadth is of this many assets: those with the most open interest or, where none is known, the most liquidated in a
day."""
MARKET_BP: Final = 1.5
"""Basis points of all open interest that five minutes must hold where that is less than the floor in dollars."""
BROAD_BP: Final = 40.0
"""... and five minutes must hold this many before the market is in a cascade while none of its leaders is: most assets
are stressed within seconds of any shock. With 1.5 there, all ten false market-wide alarms of nine simulated markets
came while no leader was."""
BREADTH_ZERO: Final = 0.2
BREADTH_FULL: Final = 0.7
BREADTH_POINTS: Final = 11.0
LEADER_POINTS: Final = 4.0
"""Contagion's 15 points: share of the assets that are stressed within a minute, and whether a leader builds (half) or
is in a cascade. In shocks of BTC 5.0 of 7 coins moved in the same five minutes, in calm less than one in twenty."""


class Market(Scope):
    """The market; its sources are assets, its price is that of the first leader that has one."""

    _breadth_name = "assets_stressed"

    def __init__(self, settings: DetectorSettings) -> None:
        super().__init__(MARKET, settings, settings.floors.market_scale, STEADINESS)
        self.leader = ""
        self.marked = False  # whether the leader's price is a mark
        self.lead = Lead()  # of the leader before all others
        self.context = MarketContext(settings.market)
        self.venues: set[str] = set()
        self.told_at: dict[str, int] = {}  # second of each asset's last liquidation or price
        self.stressed_at: list[dict[str, int]] = [{}, {}]  # by side the second of its last stress
        self.leader_phases: dict[str, tuple[Phase, Phase]] = {}  # by leader, of both sides
        self.interest: dict[str, float] = {}  # open interest by asset, USD
        self._hidden: dict[str, Mapping[str, tuple[int, int]]] = {}  # by asset and window what saturated feeds hide
        self._minutes: list[Minute] = []  # what the minute that ends hid, of each asset that told
        self._saturation: dict[str, Mapping[str, float]] = {}  # by asset and venue

    @property
    def _move_windows(self) -> Sequence[WindowName]:
        """Those from the window of stress on: what its leader does within seconds is not the market's yet."""
        judged = self.settings.judged
        return [window for window in judged.move_windows if WINDOWS[window] >= WINDOWS[judged.stress_window]]

    @property
    def _rush_sigmas(self) -> Mapping[WindowName, float]:
        """None, for the same reason."""
        return {}

    def take(self, summary: Summary) -> None:
        """Take an asset's summary."""
        asset = summary.asset
        self.context.take(asset, summary.second, summary.context)
        if asset not in self.settings.market.indexes:
            self._take_crypto(asset, summary)

    def _take_crypto(self, asset: str, summary: Summary) -> None:
        for flown in summary.flown:
            self.liquidated(
                asset, flown.side, flown.second, flown.micros, flown.orders,
                complete=flown.complete, aggregated=flown.aggregated,
            )  # fmt: skip
        self.venues.update(summary.venues)
        self.told_at[asset] = summary.second
        for at, stressed in zip(self.stressed_at, summary.stressed, strict=True):
            if stressed:
                at[asset] = summary.second
        if summary.open_interest_usd and summary.open_interest_usd != self.interest.get(asset):
            self.interest[asset] = summary.open_interest_usd
            self.flow.expect(math.fsum(self.interest.values()))
        self._take_hidden(summary)
        if asset in self.settings.market.leaders:
            self._take_leader(asset, summary)
        if summary.price is not None:
            self.lead.price(summary.second, asset, summary.price, leads=asset == self.leader)

    def _take_leader(self, asset: str, summary: Summary) -> None:
        self.leader_phases[asset] = summary.phases
        if summary.price is not None:
            self._follow(asset, summary.second, summary.price, marked=summary.marked)

    def _follow(self, asset: str, second: int, price: float, *, marked: bool) -> None:
        """Take a leader's price, if none stands before it; another leader's and the first mark begin it anew."""
        leaders = self.settings.market.leaders
        foremost = not self.leader or leaders.index(asset) < leaders.index(self.leader)
        if foremost or (asset == self.leader and marked != self.marked):
            if self.leader:
                self._begin_price()
                self.lead = Lead()
            self.leader, self.marked = asset, marked
        if asset == self.leader:
            self.price.mark(asset, second, price)
            self.touch()

    def _stirred(self) -> bool:
        """Also while an episode of its leader lasts: the price is the leader's, and no quiet time's then."""
        return super()._stirred() or any(phase != "calm" for phase in self.leader_phases.get(self.leader, ()))

    def _leader_in(self, side: Side, phase: Phase) -> bool:
        """Whether a side of any leader is in a phase."""
        return any(phases[SIDE_INDEX[side]] == phase for phases in self.leader_phases.values())

    def close(self, second: int, feeds: Feeds) -> list[Signal]:
        """Close a second; see :meth:`monitor.detect.scope.Scope.close`."""
        self.context.close(second)
        signals = super().close(second, feeds)
        for signal in signals:
            write(signal, self.context.view(self.flow))
        return signals

    def _take_hidden(self, summary: Summary) -> None:
        asset = summary.asset
        self._hidden.pop(asset, None)
        self._saturation.pop(asset, None)
        if summary.hidden:
            self._hidden[asset] = summary.hidden
        if summary.saturation:
            self._saturation[asset] = summary.saturation
        if summary.minute is not None:
            self._minutes.append(summary.minute)

    def _correct(self, second: int) -> None:
        """Sum up what the assets' feeds hide."""
        if not (self._hidden or self._saturation or self._minutes or self.corrected.saturation):
            return
        corrected = self.corrected
        windows: dict[str, tuple[int, int]] = {}
        for hidden in self._hidden.values():
            for window, (longs, shorts) in hidden.items():
                before = windows.get(window, (0, 0))
                windows[window] = (saturated(before[0] + longs), saturated(before[1] + shorts))
        corrected.windows = windows
        corrected.by_venue = {}
        for saturation in self._saturation.values():
            for venue, share in saturation.items():
                corrected.by_venue[venue] = max(share, corrected.by_venue.get(venue, 0.0))
        corrected.saturation = max(corrected.by_venue.values(), default=0.0)
        if self._minutes:
            corrected.add(second, Minute(*(_total(minute[side] for minute in self._minutes) for side in range(2))))
            self._minutes = []
        self.flow.hide(windows)

    def _venues(self, feeds: Feeds) -> set[str]:
        """Where liquidations were seen or would be."""
        return {*self.venues, *feeds.beating}

    def top(self, second: int) -> list[str]:
        """The assets that breadth is of, among those with a liquidation or a price within the hour."""
        active = [asset for asset, at in self.told_at.items() if second - at < ACTIVE_S]
        if len(active) <= TOP:
            return active
        if any(asset in self.interest for asset in active):
            weights = self.interest
        else:
            sums = self.flow.windows.sums("24h")
            weights = {asset: float(sums[lane] + sums[lane + 1]) for asset, lane in self.flow.sources.items()}
        return sorted(active, key=lambda asset: (-weights.get(asset, 0.0), asset))[:TOP]

    def breadth(self, second: int, side: Side) -> float:
        """Share of the top assets of which a side is stressed; 0 while too few are active to say."""
        active = self.top(second)
        if len(active) < self.settings.market.breadth_assets:
            return 0.0
        at = self.stressed_at[SIDE_INDEX[side]]
        return sum(second - at.get(asset, -STRESS_S) < STRESS_S for asset in active) / len(active)

    def effective_assets(self, side: Side) -> float:
        """How many assets of equal size would spread the last five minutes' liquidations of a side as widely, 1 / HHI.

        1 where one asset is all of it, 6.0 over 162 assets on 2025-10-10; 0 where there is none.
        """
        sums = self.flow.windows.sums("5m")[SIDE_INDEX[side] : 2 * len(self.flow.sources) : 2].astype(float)
        total = float(sums.sum())
        return total * total / float((sums * sums).sum()) if total else 0.0

    def _confirming_items(self, side: Side) -> list[Item]:
        breadth = self.breadth(self.second, side)
        leader = 1.0 if self._leader_in(side, "cascade") else 0.5 if self._leader_in(side, "building") else 0.0
        return [
            Item("assets_stressed_share", breadth, 0.05, breadth, BREADTH_ZERO, BREADTH_FULL, BREADTH_POINTS),
            Item("leader_stressed", leader, 0.0, leader, 0.0, 1.0, LEADER_POINTS),
            *self.context.items(side),
        ]

    def _allowed(self, side: Side, second: int) -> bool:
        if self._leader_in(side, "cascade"):
            return True
        if self.flow.interest_usd and not self.blind and not self._holds(side, {"5m": BROAD_BP}):
            return False
        # Flow spread over the assets may be beyond doubt in their sum before it is in any of them.
        points = self.scores[SIDE_INDEX[side]].points
        sure = points >= self.settings.phases.fast_score and self._leader_in(side, "building")
        return sure or self.breadth(second, side) >= self.settings.market.breadth

    def _enough(self, side: Side, price_share: float) -> bool:
        floors, size, usd = self.settings.floors, self.flow.size_usd, self.flow.corrected_usd("5m", side)
        most = self.scale * floors.cascade_usd
        return usd >= (min(most, max(self.scale * floors.dust_usd, 1e-4 * MARKET_BP * size)) if size else most)

    def _limit(self, window: str, side: Side) -> float | None:
        """What the sum would be if no asset but the leaders had more than its largest allowed share of it."""
        asset, largest = self.flow.largest_source(window, side)
        if not asset or asset in self.settings.market.leaders:
            return None
        others = self.flow.usd(window, side) - largest
        share = self.settings.market.largest_share
        return others + min(largest, others * share / (1.0 - share)) if share < 1 else None

    def state(self) -> dict[str, object]:
        """What a snapshot keeps."""
        return super().state() | {
            "leader": self.leader, "marked": self.marked, "leader_phases": self.leader_phases,
            "lead": self.lead.state(), "context": self.context.state(),
            "venues": sorted(self.venues), "told_at": self.told_at, "stressed_at": self.stressed_at,
            "interest": self.interest, "hidden": self._hidden, "minutes": self._minutes,
            "saturation": self._saturation,
        }  # fmt: skip

    def load(self, state: dict) -> None:  # type: ignore[type-arg]
        """Become what :meth:`state` described."""
        super().load(state)
        self.context.load(state["context"])
        self.lead.load(state["lead"])
        self.venues = set(state["venues"])
        self.leader, self.marked = state["leader"], state["marked"]
        self.leader_phases = {asset: (phases[0], phases[1]) for asset, phases in state["leader_phases"].items()}
        self.told_at, self.stressed_at = state["told_at"], state["stressed_at"]
        self.interest, self._saturation = state["interest"], state["saturation"]
        self._hidden = {
            asset: {window: (pair[0], pair[1]) for window, pair in hidden.items()}
            for asset, hidden in state["hidden"].items()
        }
        self._minutes = [Minute(*(Hidden(*side) for side in minute)) for minute in state["minutes"]]


def _total(parts: Iterable[Hidden]) -> Hidden:
    low = mid = high = 0
    censored = False
    for part in parts:
        low, mid, high, censored = low + part.low, mid + part.mid, high + part.high, censored | part.censored
    return Hidden(saturated(low), saturated(mid), saturated(high), censored)
