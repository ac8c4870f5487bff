"""History of a slowly changing value: one sample a slot of time, over a fixed length."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final, NamedTuple

import msgspec

SPILL: Final = 32
"""Number of samples older than the length that are removed at once, so that memory is moved once for so many."""


class Sample(NamedTuple):
    """A value with an exact amount, as of a second."""

    second: int
    value: float
    micros: int


class HistoryState(msgspec.Struct, array_like=True):
    """The columns of a :class:`SampledHistory` as they lie in memory (little-endian on every supported machine).

    Attributes:
        seconds: unsigned 32-bit integers.
        values: float64.
        micros: signed 64-bit integers.
    """

    seconds: bytes
    values: bytes
    micros: bytes


class SampledHistory:
    """Keeps the first sample of each slot of time within a length that ends with the newest sample.

    Samples may come in any order (history is fetched at the start). Adding the newest sample is O(1), a lookup is a
    binary search, and only slots that had a sample take memory, 20 bytes each.

    Args:
        slot_s: length of a slot, seconds.
        length_s: how far back lookups may go, seconds.

    Example:
        >>> hour = SampledHistory(slot_s=60, length_s=3600)
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
        """Return the values by time, oldest first. The caller must not change them."""
        return self._values

    def add(self, second: int, value: float, micros: int) -> None:
        """Add a sample; one that is later than another of its slot is ignored."""
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
        """Return the newest sample that is not after ``second``; None where there is none."""
        place = bisect_right(self._seconds, second) - 1
        if place < 0:
            return None
        return Sample(self._seconds[place], self._values[place], self._micros[place])

    def state(self) -> HistoryState:
        """Return what a snapshot stores."""
        return HistoryState(self._seconds.tobytes(), self._values.tobytes(), self._micros.tobytes())

    def load(self, state: HistoryState) -> None:
        """Restore what :meth:`state` returned.

        Raises:
            ValueError: the columns have different lengths, or are no whole numbers of samples.
        """
        seconds, values = array("I", state.seconds), array("d", state.values)
        micros = array("q", state.micros)
        if not len(seconds) == len(values) == len(micros):
            raise ValueError("columns of different lengths")
        self._seconds, self._values, self._micros = seconds, values, micros
