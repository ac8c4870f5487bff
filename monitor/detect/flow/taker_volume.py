"""Volume that takers bought and sold of one asset within the last minute, venue by venue."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

import msgspec

from monitor.detect.flow.windows import Windows, WindowsState
from monitor.model.events import MICROS, Side, Trade, TradeBar, micro_usd

WINDOWS: Final = {"1m": 60}
"""Length of the window in seconds."""


class TakerVolumeSnapshot(msgspec.Struct):
    """The taker volume as a snapshot holds it."""

    lanes: dict[str, int]
    windows: WindowsState


class TakerVolume:
    """Taker volume of a minute; all amounts inside are micro-USD."""

    __slots__ = ("_lanes", "_windows")

    def __init__(self) -> None:
        self._lanes: dict[str, int] = {}  # by venue the first of its two lanes, buys; the next one holds sells
        self._windows = Windows(WINDOWS)

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def advance(self, second: int) -> None:
        """Make ``second`` the current one."""
        self._windows.advance(second)

    def add_trade(self, event: Trade, second: int) -> None:
        """Take a trade."""
        lane = self._lanes.get(event.venue)
        if lane is None:
            lane = self._lane(event.venue)
        if event.taker_side == "sell":
            lane += 1
        self._windows.add(lane, second, micro_usd(event.notional_usd), event.trades)

    def add_bar(self, event: TradeBar, second: int) -> None:
        """Take a bar of trades."""
        lane = self._lane(event.venue)
        self._windows.add(lane, second, micro_usd(event.buy_usd), event.trades)
        self._windows.add(lane + 1, second, micro_usd(event.sell_usd), 0)

    def _lane(self, venue: str) -> int:
        lane = self._lanes.get(venue)
        if lane is None:
            lane = self._lanes[venue] = self._windows.lane((venue, "buy"))
            self._windows.lane((venue, "sell"))
        return lane

    def by_venue(self) -> dict[str, tuple[int, int]]:
        """Return by venue what takers bought and sold, micro-USD."""
        sums = self._windows.sums("1m")
        return {venue: (int(sums[lane]), int(sums[lane + 1])) for venue, lane in self._lanes.items()}

    def closing_usd(self, side: Side, venues: Container[str]) -> float:
        """Return what takers of these venues traded the way in which ``side`` is closed: sells for longs, USD."""
        first = 1 if side == "long" else 0
        sums = self._windows.sums("1m")
        return sum(int(sums[lane + first]) for venue, lane in self._lanes.items() if venue in venues) / MICROS

    def snapshot(self) -> TakerVolumeSnapshot:
        """Return what a snapshot holds."""
        return TakerVolumeSnapshot(lanes=self._lanes, windows=self._windows.state())

    def restore(self, snapshot: TakerVolumeSnapshot) -> None:
        """Become what :meth:`snapshot` described."""
        self._lanes = snapshot.lanes
        self._windows = Windows.restore(snapshot.windows, WINDOWS)
