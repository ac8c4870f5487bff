"""Pace of liquidations: a day against the week and a week against the month, where the longer window was watched."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

HOUR_S: Final = 3_600
WEEK_HOURS: Final = 168
MONTH_HOURS: Final = 720
COVERED: Final = 0.95
"""Minimum share (0 to 1) of a window's hours with an event for the window to count as watched; a restart's gap then
does not hide a month."""


class WatchedHoursState(msgspec.Struct, array_like=True):
    """Everything that :class:`WatchedHours` remembers: the current hour, and the bits, little-endian."""

    hour: int
    bits: bytes


class WatchedHours:
    """Hours of the last thirty days in which any event came, one bit each.

    Example:
        >>> watched = WatchedHours()
        >>> for hour in range(84):
        ...     watched.add(hour * 3600)
        >>> watched.share(168)
        0.5
    """

    __slots__ = ("_bits", "_hour")

    def __init__(self) -> None:
        self._hour = 0
        self._bits = 0  # the lowest is the current hour's

    def add(self, second: int) -> None:
        """Mark the hour of an event; seconds never go back."""
        hour = second // HOUR_S
        if hour != self._hour or not self._bits:
            self._move(hour)
            self._bits |= 1

    def _move(self, hour: int) -> None:
        passed = max(0, hour - self._hour)
        self._bits = (self._bits << passed) & ((1 << MONTH_HOURS) - 1) if passed < MONTH_HOURS else 0
        self._hour = max(hour, self._hour)

    def advance(self, second: int) -> None:
        """Make the hour of ``second`` the current one, whether or not any event came."""
        self._move(second // HOUR_S)

    def share(self, hours: int) -> float:
        """Return the share (0 to 1) of the last ``hours``, the current one included, in which an event came."""
        return (self._bits & ((1 << hours) - 1)).bit_count() / hours

    def state(self) -> WatchedHoursState:
        """Return what a snapshot stores."""
        return WatchedHoursState(self._hour, self._bits.to_bytes(MONTH_HOURS // 8, "little"))

    def load(self, state: WatchedHoursState) -> None:
        """Restore what :meth:`state` returned."""
        self._hour, self._bits = state.hour, int.from_bytes(state.bits, "little")


class Pace(NamedTuple):
    """Liquidated USD a day within one window over that within a longer one; see docs/semantics.md, "Pace".

    Ratios, typically about 1; below 1 the pace slows. None where the longer window was not watched or is empty. The
    ``rest`` ratios compare with the part of the longer window before the shorter one.

    Example:
        >>> pace = pace_of(237e6, 2.16e9, 4.4e9, 1.0, 1.0)  # BTC longs, early February 2026
        >>> round(pace.day_to_week, 2), round(pace.week_to_month, 2)
        (0.77, 2.1)
        >>> round(pace.day_to_rest_of_week, 2), round(pace.week_to_rest_of_month, 2)
        (0.74, 3.17)
        >>> pace_of(237e6, 2.16e9, 4.4e9, 1.0, 0.5).week_to_month is None
        True
    """

    day_to_week: float | None
    day_to_rest_of_week: float | None
    week_to_month: float | None
    week_to_rest_of_month: float | None
    covered_7d: float
    covered_30d: float


def pace_of(day: float, week: float, month: float, covered_7d: float, covered_30d: float) -> Pace:
    """Return the ratios of one side's liquidated USD over 24 h, 7 d and 30 d, given the watched share of each."""
    first = _ratio(day, 1, week, 7) if covered_7d >= COVERED else None
    rest = _ratio(day, 1, week - day, 6) if covered_7d >= COVERED else None
    second = _ratio(week, 7, month, 30) if covered_30d >= COVERED else None
    before = _ratio(week, 7, month - week, 23) if covered_30d >= COVERED else None
    return Pace(first, rest, second, before, covered_7d, covered_30d)


def _ratio(usd: float, days: int, long_usd: float, long_days: int) -> float | None:
    return (usd / days) / (long_usd / long_days) if long_usd > 0 else None
