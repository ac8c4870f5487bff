"""Whether a change of open interest can be true, and what it says of liquidations that nobody showed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from monitor.detect.context.open_interest import OpenInterest

CHECKED: Final = "5m"
"""Window of the change that is checked."""
MINUTES: Final = 15
"""Trades of this many minutes are held against it: they hold its five minutes though the sample is ten minutes old."""


class Turnover:
    """Holds each venue's change of open interest against its trades (F14 of the detection notes).

    A trade opens or closes no more than its own size, so open interest cannot change by more than was traded; some
    exchanges report it all the same (Giagkiozis and Said 2024). Unit: micro-USD. Typical: nothing is suspect.

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
        self._traded: dict[str, deque[tuple[int, int]]] = {}  # by venue: minute and micro-USD
        self.suspects: tuple[str, ...] = ()

    def minute(self, minute: int, traded: Mapping[str, int]) -> None:
        """Take a minute's trades, micro-USD by venue; a venue that is missing was not watched."""
        for venue, micros in traded.items():
            self._traded.setdefault(venue, deque(maxlen=MINUTES)).append((minute, micros))

    def judge(self, interest: OpenInterest, second: int) -> None:
        """Name the venues that report what their trades do not bear out; those not watched for long are spared."""
        suspects = []
        for venue, minutes in self._traded.items():
            change = interest.change(CHECKED, second, venue)
            watched = len(minutes) == MINUTES and minutes[-1][0] - minutes[0][0] == MINUTES - 1
            if change is not None and watched and minutes[-1][0] >= second // 60 - 1:
                traded = sum(micros for _, micros in minutes)
                if abs(change.constant - change.then) > traded:
                    suspects.append(venue)
        self.suspects = tuple(sorted(suspects))

    def state(self) -> list[object]:
        """What a snapshot keeps."""
        return [[[venue, list(minutes)] for venue, minutes in self._traded.items()], self.suspects]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self._traded = {
            venue: deque(((minute, micros) for minute, micros in minutes), MINUTES) for venue, minutes in state[0]
        }
        self.suspects = tuple(state[1])


def implied_ratio(closed_usd: float, reported_usd: float) -> float | None:
    """Closed by the fall of open interest over liquidated as reported (F15); None where either is nothing.

    Everything that closed, forced or not, so a cap of book and ADL closes alone: a backstop that takes a position over
    leaves open interest unchanged. Typical 1 to 3; it grows where feeds show less than happens. Minutes late.

    Example:
        >>> implied_ratio(3e6, 1e6)
        3.0
    """
    return closed_usd / reported_usd if closed_usd > 0 and reported_usd > 0 else None
