"""What surrounds the market's liquidations: open interest of all assets, implied volatility, traditional markets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from monitor.detect.context.context import DIGITS, ContextSummary, change_of, dvol_of, paces
from monitor.detect.context.open_interest import INTEREST_WINDOWS, Change, joined
from monitor.detect.context.pace import Heard
from monitor.detect.flow.flow import Flow
from monitor.detect.score import Item
from monitor.detect.settings import MarketSettings
from monitor.detect.view import ContextView
from monitor.model.events import Side, SignalInterest, SignalTradfi

FRESH_S: Final = 600
"""What an asset told counts for this long, seconds: assets without any event for a while tell nothing."""
TRADFI_ZERO: Final = 3.0
TRADFI_FULL: Final = 5.0
TRADFI_POINTS: Final = 2.0
"""Decades of an index's move between which it goes from no points to all. While cash markets are shut it counts half:
an index perpetual's oracle is then the exchange's own book, so its move may be no more than crypto's own stress."""
OPEN_S: Final = 14 * 3_600 + 1_800
SHUT_S: Final = 20 * 3_600
"""Time of the day, UTC, between which New York trades in summer and in winter; its holidays are not known here."""
DAY_S: Final = 86_400
SATURDAY: Final = 5


class MarketContext:
    """The context of the market, from what its assets tell once a minute.

    Args:
        settings: which assets lead, and which are indexes of traditional markets.
    """

    def __init__(self, settings: MarketSettings) -> None:
        self.heard = Heard()
        self._leaders = settings.leaders
        self._indexes = settings.indexes
        self._told: dict[str, tuple[int, ContextSummary]] = {}  # by asset: second, what it told
        self._second = 0
        self._interest: tuple[int, SignalInterest | None] | None = None  # minute that it is of, what views say

    def take(self, asset: str, second: int, told: ContextSummary | None) -> None:
        """Take what an asset tells."""
        self.heard.at(second)
        if told is not None:
            self._told[asset] = (second, told)
            self._interest = None

    def close(self, second: int) -> None:
        """Make ``second`` the one that views are of."""
        self._second = second
        self.heard.pass_to(second)

    def _fresh(self, of: Iterable[str] | None = None) -> dict[str, ContextSummary]:
        """What assets told lately, all of them or those asked for."""
        minute = self._second - self._second % 60
        told = self._told if of is None else {asset: self._told[asset] for asset in of if asset in self._told}
        return {asset: each for asset, (at, each) in told.items() if minute - at < FRESH_S}

    def tradfi(self) -> SignalTradfi | None:
        """The most stressed index, None where none is known."""
        found = {asset: told.stress for asset, told in self._fresh(self._indexes).items() if told.stress is not None}
        if not found:
            return None
        worst = max(sorted(found), key=lambda asset: found[asset])
        stress, move, volatility = found[worst]
        return SignalTradfi(worst, round(stress, 2), round(move, DIGITS), round(volatility, 3))

    def items(self, side: Side) -> list[Item]:
        """Up to 2 of context's 8 points: an index of a traditional market under stress, which squeezes no short."""
        stress = self.tradfi() if side == "long" else None
        if stress is None:
            return []
        points = TRADFI_POINTS if cash_markets_open(self._second) else TRADFI_POINTS / 2
        return [Item("tradfi_stress", stress.stress, 0.0, stress.stress, TRADFI_ZERO, TRADFI_FULL, points)]

    def open_interest(self) -> SignalInterest | None:
        """Open interest of all crypto assets, its changes at constant prices of each; new once a minute."""
        minute = self._second // 60
        if self._interest is None or self._interest[0] != minute:
            self._interest = (minute, self._added_up())
        return self._interest[1]

    def _added_up(self) -> SignalInterest | None:
        told = {
            asset: each
            for asset, each in self._fresh().items()
            if each.open_interest_usd and asset not in self._indexes
        }
        if not told:
            return None
        changes = {}
        for window in INTEREST_WINDOWS:
            found = {asset: Change(*each.changes[window]) for asset, each in told.items() if window in each.changes}
            # Assets whose far end is not known are part of today's open interest all the same.
            silent = sum(round(each.open_interest_usd * 1e6) for asset, each in told.items() if asset not in found)
            change = joined([*found.values(), Change(0, 0, 0, silent)])
            if change is not None:
                changes[window] = change_of(change, coins=False)
        usd = sum(each.open_interest_usd for each in told.values())
        age_s = max(each.age_s for each in told.values())
        return SignalInterest(usd, age_s, any(each.suspect for each in told.values()), changes)

    def view(self, flow: Flow) -> ContextView:
        """All of it as of the last closed second."""
        fresh = self._fresh()
        dvol = next((fresh[leader].dvol for leader in self._leaders if leader in fresh and fresh[leader].dvol), None)
        return ContextView(
            open_interest=self.open_interest(),
            dvol=None if dvol is None else dvol_of(dvol),
            pace=paces(flow, self.heard),
            tradfi=self.tradfi(),
        )

    def state(self) -> list[object]:
        """What a snapshot keeps."""
        return [self.heard.state(), self._second, [[asset, at, told] for asset, (at, told) in self._told.items()]]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self.heard.load(state[0])
        self._second = state[1]
        self._told = {}
        for asset, at, (usd, age_s, suspect, changes, dvol, stress) in state[2]:
            kept = {window: (each[0], each[1], each[2], each[3]) for window, each in changes.items()}
            kept_dvol, kept_stress = tuple(dvol) if dvol else None, tuple(stress) if stress else None
            self._told[asset] = (at, ContextSummary(usd, age_s, suspect, kept, kept_dvol, kept_stress))


def cash_markets_open(second: int) -> bool:
    """Whether New York's stock exchanges trade at this second since the epoch, were there no holidays."""
    return datetime.fromtimestamp(second, UTC).weekday() < SATURDAY and OPEN_S <= second % DAY_S < SHUT_S
