"""Stated gaps of each venue's liquidations, and the share of each shown window that lies in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from monitor.model.events import MICROS, Gap

KEPT_S: Final = 24 * 3_600
"""Seconds for which gaps are kept: the longest window shown."""
MOST: Final = 256
"""Maximum number of gaps kept by venue; the oldest are dropped first. A feed with more a day is not worth reading."""
WINDOWS_S: Final = {"5m": 300, "1h": 3_600, "24h": KEPT_S}
"""Lengths in seconds of the windows whose missing share is reported; signals use the first, which decides."""


class Hole(NamedTuple):
    """A time in which a venue's liquidations were not seen: from ``from_us`` up to, but without, ``to_us``."""

    from_us: int
    to_us: int


class Holes:
    """Gaps in the liquidations of every venue that were stated and not backfilled.

    Example:
        >>> holes = Holes()
        >>> holes.take(Gap("okx", "*", "*", 0, 0, "liquidations", 60_000_000, 90_000_000, "restart"), 100)
        >>> holes.venues(200), holes.venues(390)
        (['okx'], [])
        >>> holes.ratio("okx", "5m", 200)
        0.1
    """

    __slots__ = ("_by_venue",)

    def __init__(self) -> None:
        self._by_venue: dict[str, list[Hole]] = {}

    def take(self, gap: Gap, second: int) -> None:
        """Remember a gap that arrived in ``second``, or forget it once it was backfilled."""
        if gap.channel != "liquidations":
            return
        found = self._by_venue.get(gap.venue, [])
        hole = Hole(gap.from_us, min(gap.to_us, (second + 1) * MICROS))
        same = [each for each in found if each.from_us == gap.from_us and each.to_us <= gap.to_us]
        kept = [each for each in found if each not in same and each.to_us > (second - KEPT_S) * MICROS]
        if not gap.backfilled and hole.from_us < hole.to_us:
            kept.append(hole)
        if kept:
            self._by_venue[gap.venue] = kept[-MOST:]
        else:
            self._by_venue.pop(gap.venue, None)

    def step_back(self, second: int) -> None:
        """Forget what lies after ``second``, because time stepped back to it."""
        end_us = (second + 1) * MICROS
        cut = {
            venue: [Hole(each.from_us, min(each.to_us, end_us)) for each in found if each.from_us < end_us]
            for venue, found in self._by_venue.items()
        }
        self._by_venue = {venue: found for venue, found in cut.items() if found}

    def ends(self) -> dict[str, int]:
        """Return by venue the second in which its last gap ended."""
        return {venue: (max(each.to_us for each in found) - 1) // MICROS for venue, found in self._by_venue.items()}

    def venues(self, second: int) -> list[str]:
        """Return the venues with a gap in the five minutes up to ``second``, sorted."""
        return recent(self.ends(), second)

    def ratio(self, venue: str, window: str, second: int) -> float:
        """Return the share (0 to 1) of a window up to and with ``second`` that lies in a venue's gaps."""
        end_us = (second + 1) * MICROS
        start_us = end_us - WINDOWS_S[window] * MICROS
        missing = 0
        reached_us = start_us
        for from_us, to_us in sorted(self._by_venue.get(venue, ())):
            begin, until = max(from_us, reached_us), min(to_us, end_us)
            if until > begin:
                missing += until - begin
                reached_us = until
        return missing / (end_us - start_us)

    def ratios(self, second: int) -> dict[tuple[str, str], float]:
        """Return the missing share by venue and window, of the venues with a gap within the day."""
        return {
            (venue, window): self.ratio(venue, window, second)
            for venue in sorted(self._by_venue)
            for window in WINDOWS_S
        }

    def state(self) -> dict[str, list[Hole]]:
        """Return what a snapshot stores: the holes by venue."""
        return self._by_venue

    def load(self, state: dict[str, list[Hole]]) -> None:
        """Restore what :meth:`state` returned."""
        self._by_venue = state


def recent(ends: Mapping[str, int], second: int) -> list[str]:
    """Return the venues whose last gap, by the second of its end, reaches into the five minutes up to ``second``."""
    return sorted(venue for venue, end in ends.items() if second - end < WINDOWS_S["5m"])
