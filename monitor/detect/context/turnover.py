"""Check of changes of open interest against trades, and the liquidations that they imply."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from monitor.detect.context.open_interest import OpenInterest

CHECKED: Final = "5m"
"""Window of the change that is checked."""
MINUTES: Final = 15
"""Minutes of trades that the change is compared with: they contain its five minutes though the sample may be ten
minutes old."""


class TradedMinute(NamedTuple):
    """Trades of a venue within a minute, micro-USD."""

    minute: int
    micros: int


class TurnoverState(msgspec.Struct, array_like=True):
    """Everything that :class:`Turnover` remembers: the last minutes' trades by venue, and the suspect venues."""

    traded: dict[str, list[TradedMinute]]
    suspects: tuple[str, ...]


class Turnover:
    """Compares each venue's change of open interest with its trades.

    A trade opens or closes no more than its own size, so open interest cannot change by more than was traded; some
    exchanges report larger changes (arXiv:2310.14973). Unit: micro-USD. Typical: no venue is suspect.

    Example:
        >>> interest, turnover = OpenInterest(), Turnover()
        >>> for minute in range(16):
        ...     interest.add("okx", "X", 60 * minute, 100.0 if minute < 15 else 90.0, 1e4 if minute < 15 else 9e3)
        ...     turnover.minute(minute, {"okx": 50_000_000})
        >>> turnover.judge(interest, 900)  # 1,000 USD closed, 750 USD traded
        >>> turnover.suspects
        ('okx',)
    """

    __slots__ = ("_traded", "suspects")

    def __init__(self) -> None:
        self._traded: dict[str, deque[TradedMinute]] = {}  # by venue
        self.suspects: tuple[str, ...] = ()

    def minute(self, minute: int, traded: Mapping[str, int]) -> None:
        """Take the trades of a minute, micro-USD by venue; a missing venue was not watched."""
        for venue, micros in traded.items():
            self._traded.setdefault(venue, deque(maxlen=MINUTES)).append(TradedMinute(minute, micros))

    def judge(self, interest: OpenInterest, second: int) -> None:
        """Find the venues whose change exceeds their trades; a venue watched for too short a time is no suspect."""
        suspects = []
        for venue, minutes in self._traded.items():
            change = interest.change(CHECKED, second, venue)
            is_watched = len(minutes) == MINUTES and minutes[-1].minute - minutes[0].minute == MINUTES - 1
            if change is not None and is_watched and minutes[-1].minute >= second // 60 - 1:
                traded = sum(each.micros for each in minutes)
                if abs(change.constant - change.then) > traded:
                    suspects.append(venue)
        self.suspects = tuple(sorted(suspects))

    def state(self) -> TurnoverState:
        """Return what a snapshot stores."""
        return TurnoverState(
            traded={venue: list(minutes) for venue, minutes in self._traded.items()}, suspects=self.suspects
        )

    def load(self, state: TurnoverState) -> None:
        """Restore what :meth:`state` returned."""
        self._traded = {venue: deque(minutes, MINUTES) for venue, minutes in state.traded.items()}
        self.suspects = state.suspects


def implied_ratio(closed_usd: float, reported_usd: float) -> float | None:
    """Return what the fall of open interest closed over what was reported as liquidated; None where either is zero.

    The fall holds everything that closed, forced or not. A liquidation engine that takes a position over leaves open
    interest unchanged, so the ratio bounds only what the order book and auto-deleveraging closed. Typical: 1 to 3; it
    grows where feeds show less than happens. It is minutes late.

    Example:
        >>> implied_ratio(3e6, 1e6)
        3.0
    """
    return closed_usd / reported_usd if closed_usd > 0 and reported_usd > 0 else None
