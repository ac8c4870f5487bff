"""What a slowly changing value was at earlier times, thinned out with age."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Any, Final, NamedTuple

SPILL: Final = 32
"""Samples that may be past their time before they are cut off: one move of memory for so many."""


class Sample(NamedTuple):
    """A value with an exact amount, as of a second."""

    second: int
    value: float
    micros: int


class Trail:
    """The first sample of each slot of time within a stretch that ends with the newest one.

    Samples may come in any order (history is fetched at the start); adding one is O(1) where it is the newest, and a
    lookup is a binary search. Only slots that had a sample take room, 20 bytes each.

    Args:
        slot_s: length of a slot, seconds.
        length_s: how far back lookups may go, seconds.

    Example:
        >>> hour = Trail(slot_s=60, length_s=3600)
        >>> for second, units in ((0, 5.0), (30, 6.0), (90, 7.0)):
        ...     hour.add(second, units, 0)
        >>> hour.at(60), hour.at(90).value, hour.at(-1)
        (Sample(second=0, value=5.0, micros=0), 7.0, None)
    """

    __slots__ = ("_micros", "_seconds", "_values", "length_s", "slot_s")

    def __init__(self, slot_s: int, length_s: int) -> None:
        self.slot_s = slot_s
        self.length_s = length_s
        self._seconds = array("I")
        self._values = array("d")
        self._micros = array("q")

    def __len__(self) -> int:
        return len(self._seconds)

    @property
    def values(self) -> array[float]:
        """The values by time, oldest first. Not to be changed by the caller."""
        return self._values

    def add(self, second: int, value: float, micros: int) -> None:
        """Take a sample; one that is not older than its slot's changes nothing."""
        seconds = self._seconds
        place = bisect_right(seconds, second) if seconds and second < seconds[-1] else len(seconds)
        slot = second // self.slot_s
        if place and seconds[place - 1] // self.slot_s == slot:
            return
        if place < len(seconds) and seconds[place] // self.slot_s == slot:
            seconds[place], self._values[place], self._micros[place] = second, value, micros
            return
        seconds.insert(place, second)
        self._values.insert(place, value)
        self._micros.insert(place, micros)
        self._trim()

    def _trim(self) -> None:
        start = self._seconds[-1] - self.length_s - 2 * self.slot_s
        if start > 0 and len(self._seconds) > SPILL and self._seconds[SPILL] < start:
            gone = bisect_right(self._seconds, start)
            del self._seconds[:gone], self._values[:gone], self._micros[:gone]

    def at(self, second: int) -> Sample | None:
        """The newest sample that is not after ``second``; None where there is none."""
        place = bisect_right(self._seconds, second) - 1
        if place < 0:
            return None
        return Sample(self._seconds[place], self._values[place], self._micros[place])

    def state(self) -> list[bytes]:
        """What a snapshot keeps: the columns as they lie in memory (little-endian on every machine we know)."""
        return [self._seconds.tobytes(), self._values.tobytes(), self._micros.tobytes()]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        seconds, values, micros = state
        self._seconds, self._values, self._micros = array("I", seconds), array("d", values), array("q", micros)
