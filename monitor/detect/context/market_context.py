"""Context of the market's liquidations: open interest of all assets, implied volatility, and traditional markets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from monitor.detect.context.context_summary import ContextSummary
from monitor.detect.context.open_interest import INTEREST_WINDOWS, Change, joined
from monitor.detect.context.pace import WatchedHours, WatchedHoursState
from monitor.detect.context.signal_fields import DIGITS, change_field, pace_fields, volatility_field
from monitor.detect.flow.flow import Flow
from monitor.detect.score import Item
from monitor.detect.settings import MarketSettings
from monitor.detect.view import ContextView
from monitor.model.events import Side
from monitor.model.signals import SignalInterest, SignalTradfi

FRESH_S: Final = 600
"""Age in seconds up to which an asset's report counts: assets without any event send none."""
TRADFI_ZERO: Final = 3.0
"""Surprise in decades up to which an index's move gives no points."""
TRADFI_FULL: Final = 5.0
"""Surprise in decades from which an index's move gives all its points."""
TRADFI_POINTS: Final = 2.0
"""Points of an index's move at most. While cash markets are shut it gives half: an index perpetual's oracle is then the
exchange's own order book, so its move may be no more than crypto's own stress."""
OPEN_S: Final = 14 * 3_600 + 1_800
"""Second of the day, UTC, from which New York trades in summer and in winter."""
SHUT_S: Final = 20 * 3_600
"""Second of the day, UTC, up to which New York trades in summer and in winter; its holidays are not considered."""
DAY_S: Final = 86_400
SATURDAY: Final = 5


class AssetReport(NamedTuple):
    """The last report of an asset, and its second."""

    second: int
    summary: ContextSummary


class MarketContextState(msgspec.Struct):
    """Everything that :class:`MarketContext` remembers.

    Attributes:
        watched: hours in which any asset reported.
        second: the last closed second.
        reports: the last report by asset.
    """

    watched: WatchedHoursState
    second: int
    reports: dict[str, AssetReport]


class MarketContext:
    """Context of the market, made of what its assets report once a minute.

    Args:
        settings: which assets lead, and which are indexes of traditional markets.
    """

    def __init__(self, settings: MarketSettings) -> None:
        self.watched = WatchedHours()
        self._leaders = settings.leaders
        self._indexes = settings.indexes
        self._reports: dict[str, AssetReport] = {}  # by asset
        self._second = 0
        self._interest: tuple[int, SignalInterest | None] | None = None  # its minute, and the open interest

    def take(self, asset: str, second: int, summary: ContextSummary | None) -> None:
        """Take an asset's report of a second; None where it has nothing about its context."""
        self.watched.add(second)
        if summary is not None:
            self._reports[asset] = AssetReport(second, summary)
            self._interest = None

    def close(self, second: int) -> None:
        """Make ``second`` the last closed one, which views are of."""
        self._second = second
        self.watched.advance(second)

    def _fresh(self, of: Iterable[str] | None = None) -> dict[str, ContextSummary]:
        """Return the recent reports of all assets, or of those in ``of``."""
        minute, reports = self._second - self._second % 60, self._reports
        found = reports if of is None else {asset: reports[asset] for asset in of if asset in reports}
        return {asset: each.summary for asset, each in found.items() if minute - each.second < FRESH_S}

    def tradfi(self) -> SignalTradfi | None:
        """Return the most stressed index; None where none is known."""
        found = {asset: each.stress for asset, each in self._fresh(self._indexes).items() if each.stress is not None}
        if not found:
            return None
        worst = max(sorted(found), key=lambda asset: found[asset])
        stress = found[worst]
        return SignalTradfi(
            index=worst,
            stress=round(stress.surprise, 2),
            move_ratio=round(stress.move, DIGITS),
            volatility_ratio=round(stress.volatility_ratio, 3),
        )

    def items(self, side: Side) -> list[Item]:
        """Return up to 2 of context's 8 points: stress of a traditional market's index, which squeezes no short."""
        stress = self.tradfi() if side == "long" else None
        if stress is None:
            return []
        points = TRADFI_POINTS if cash_markets_open(self._second) else TRADFI_POINTS / 2
        return [Item("tradfi_stress", stress.stress, 0.0, stress.stress, TRADFI_ZERO, TRADFI_FULL, points)]

    def open_interest(self) -> SignalInterest | None:
        """Return the open interest of all crypto assets, changes at constant prices of each; computed once a minute."""
        minute = self._second // 60
        if self._interest is None or self._interest[0] != minute:
            self._interest = (minute, self._added_up())
        return self._interest[1]

    def _added_up(self) -> SignalInterest | None:
        reports = {
            asset: each
            for asset, each in self._fresh().items()
            if each.open_interest_usd and asset not in self._indexes
        }
        if not reports:
            return None
        changes = {}
        for window in INTEREST_WINDOWS:
            found = {asset: Change(*each.changes[window]) for asset, each in reports.items() if window in each.changes}
            # Assets whose far end is unknown still belong to today's open interest.
            unknown = sum(round(each.open_interest_usd * 1e6) for asset, each in reports.items() if asset not in found)
            change = joined([*found.values(), Change(then=0, constant=0, now=0, present=unknown)])
            if change is not None:
                changes[window] = change_field(change, coins=False)
        return SignalInterest(
            usd=sum(each.open_interest_usd for each in reports.values()),
            age_s=max(each.age_s for each in reports.values()),
            suspect=any(each.suspect for each in reports.values()),
            changes=changes,
        )

    def view(self, flow: Flow) -> ContextView:
        """Return all readings as of the last closed second."""
        fresh = self._fresh()
        dvol = next((fresh[leader].dvol for leader in self._leaders if leader in fresh and fresh[leader].dvol), None)
        return ContextView(
            open_interest=self.open_interest(),
            dvol=None if dvol is None else volatility_field(dvol),
            pace=pace_fields(flow, self.watched),
            tradfi=self.tradfi(),
        )

    def state(self) -> MarketContextState:
        """Return what a snapshot stores."""
        return MarketContextState(watched=self.watched.state(), second=self._second, reports=self._reports)

    def load(self, state: MarketContextState) -> None:
        """Restore what :meth:`state` returned."""
        self.watched.load(state.watched)
        self._second, self._reports = state.second, state.reports
        self._interest = None


def cash_markets_open(second: int) -> bool:
    """Return True if New York's stock exchanges trade at this second since the epoch, holidays not considered."""
    return datetime.fromtimestamp(second, UTC).weekday() < SATURDAY and OPEN_S <= second % DAY_S < SHUT_S
