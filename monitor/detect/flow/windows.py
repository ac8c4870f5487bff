"""Keeps exact rolling sums over event time, one second to thirty days.

Amounts are integers (micro-USD) and are summed as int64, so adding and evicting never drifts. Three rings of
buckets hold them: 1 s for windows up to 15 minutes, 1 min up to 24 hours, 1 h beyond. A window of ``n`` buckets is
the ``n`` most recent ones with the current one included, ``(t - W, t]`` in whole buckets: a 24 h window is exact to
the minute at its far end, a 30 d window to the hour, and neither ever covers more than its length.

Adding is one list addition an event; arrays are touched once a second, when :meth:`Windows.advance` folds them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Key = int | str | tuple[str, str]
"""Type of the names of lanes."""
BySide = dict[str, tuple[tuple[int, int], tuple[int, int]]]
"""Amounts and counts of both sides, by window name."""

WINDOWS: Final[Mapping[str, int]] = {
    "1s": 1,
    "5s": 5,
    "10s": 10,
    "30s": 30,
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "1h": 3_600,
    "4h": 14_400,
    "24h": 86_400,
    "7d": 604_800,
    "30d": 2_592_000,
}
"""Names and lengths in seconds."""

FINE_LIMIT: Final = 900
MEDIUM_LIMIT: Final = 86_400
"""Longest windows, in seconds, that the 1 s and the 1 min ring serve."""


PLAUSIBLE: Final = 10**12
"""Most that one lane's second may hold (a million USD) before the room left in its sums is checked."""
MOST: Final = 2**61
"""The sum over all lanes of the longest window saturates about here, so that no sum of 64 bits wraps around."""


class LevelState(msgspec.Struct, array_like=True):
    """Stores one ring's buckets that are not zero, as parallel columns; ``kinds`` is 0 for amounts, 1 for counts."""

    bucket: int
    slots: list[int]
    kinds: list[int]
    lanes: list[int]
    values: list[int]


class _Level:
    """Holds one ring of equal buckets and the rolling sums of the windows that it serves.

    ``ring`` is (buckets, 2, lanes): amounts and counts. ``sums`` is (windows, 2, lanes), part of an array that all
    levels share, so that one addition reaches every window. What keeps a second's fold at a few microseconds is the
    number of calls into numpy, which does not depend on the number of windows.
    """

    __slots__ = ("_ages", "bucket", "bucket_s", "lengths", "ring", "shortest_s", "slots", "sums", "touched")

    def __init__(self, bucket_s: int, lengths: list[int], sums: Integers) -> None:
        self.bucket_s = bucket_s
        self.lengths = lengths  # ascending
        self.slots = lengths[-1]
        self.shortest_s = lengths[0] * bucket_s
        self.bucket = 0  # the current bucket's number, seconds since the epoch // bucket_s
        self.ring: Integers = np.zeros((self.slots, 2, 0), np.int64)
        self.sums = sums
        self.touched = bytearray(self.slots)  # 1 where a slot holds anything: empty ones cost nothing to pass
        self._ages = np.array(lengths)

    def widen(self, sums: Integers) -> None:
        """Make room for as many lanes as ``sums`` has, which becomes the array of sums."""
        extra = sums.shape[2] - self.ring.shape[2]
        self.ring = np.concatenate((self.ring, np.zeros((self.slots, 2, extra), np.int64)), axis=2)
        self.sums = sums

    def advance(self, second: int) -> bool:
        """Make the bucket that holds ``second`` the current one and evict what leaves; True if any sum changed."""
        old, new = self.bucket, second // self.bucket_s
        if new == old:
            return False
        self.bucket = new
        if new - old == 1:
            return self._step(new)
        if new - old >= self.slots:
            self.ring[:] = 0
            self.touched[:] = bytes(self.slots)
            self.sums[:] = 0
            return True
        changed = False
        for index, length in enumerate(self.lengths):
            slots = self._filled(old - length + 1, min(old, new - length))
            if slots:
                gone = self.ring[slots[0]] if len(slots) == 1 else self.ring[slots].sum(axis=0)
                np.subtract(self.sums[index], gone, out=self.sums[index])
                changed = True
        for slot in self._filled(old + 1 - self.slots, new - self.slots):
            self._empty(slot)
        return changed

    def _step(self, new: int) -> bool:
        """Evict one bucket of each window: all at once, because an empty one subtracts nothing."""
        touched, slots = self.touched, self.slots
        for length in self.lengths:
            if touched[(new - length) % slots]:
                self.sums -= self.ring.take((new - self._ages) % slots, 0)
                if touched[new % slots]:
                    self._empty(new % slots)
                return True
        return False

    def _empty(self, slot: int) -> None:
        self.ring[slot] = 0
        self.touched[slot] = 0

    def _filled(self, first: int, last: int) -> list[int]:
        """Return the slots that hold anything among the buckets ``first`` to ``last``, at most one turn of the ring."""
        start = first % self.slots
        stop = start + last - first + 1
        touched, slots = self.touched, self.slots
        found = _find(touched, start, min(stop, slots))
        return found + _find(touched, 0, stop - slots) if stop > slots else found

    def put(self, second: int, row: Integers) -> int | None:
        """Add a row (2, lanes) to the bucket that holds ``second``, the sums left to the caller.

        Returns:
            The age of that bucket, None if it has left the ring.
        """
        age = self.bucket - second // self.bucket_s
        if age >= self.slots:
            return None
        slot = (self.bucket - age) % self.slots
        self.ring[slot] += row
        self.touched[slot] = 1
        return age

    def add(self, second: int, row: Integers) -> bool:
        """Add a row (2, lanes) to the bucket that holds ``second``; False if that has left the ring."""
        age = self.put(second, row)
        if age is None:
            return False
        self.sums[bisect_right(self.lengths, age) :] += row
        return True

    def state(self) -> LevelState:
        """Return what a snapshot stores."""
        slots, kinds, lanes = np.nonzero(self.ring)
        return LevelState(
            bucket=self.bucket,
            slots=slots.tolist(),
            kinds=kinds.tolist(),
            lanes=lanes.tolist(),
            values=self.ring[slots, kinds, lanes].tolist(),
        )

    def load(self, kept: LevelState) -> None:
        """Restore the buckets, and sum them up anew."""
        self.bucket = kept.bucket
        self.ring[kept.slots, kept.kinds, kept.lanes] = kept.values
        for slot in kept.slots:
            self.touched[slot] = 1
        ages = (kept.bucket - np.arange(self.slots)) % self.slots
        for index, length in enumerate(self.lengths):
            self.sums[index] = self.ring[ages < length].sum(axis=0)


def _find(touched: bytearray, start: int, stop: int) -> list[int]:
    found = []
    at = touched.find(1, start, stop)
    while at >= 0:
        found.append(at)
        at = touched.find(1, at + 1, stop)
    return found


class WaitingState(msgspec.Struct, array_like=True):
    """Stores what was added to one lane for another second and is not folded yet."""

    second: int
    lane: int
    amount: int
    count: int
    span_s: int


class WindowsState(msgspec.Struct, array_like=True):
    """Everything that :class:`Windows` remembers.

    Attributes:
        second: the current second.
        keys: the lanes' keys, in their order.
        current: the current second's amounts and counts by lane.
        waiting: what was added for other seconds.
        levels: the rings.
        dropped_events: number of orders that came too late for every window.
        dropped_amount: their amount.
    """

    second: int
    keys: list[Key]
    current: tuple[list[int], list[int]]
    waiting: list[WaitingState]
    levels: list[LevelState]
    dropped_events: int
    dropped_amount: int


class Windows:
    """Keeps rolling sums and counts of many lanes (for example a venue and a side) over many windows.

    Args:
        windows: names and lengths in seconds; 900 at most, or whole minutes to a day, or whole hours beyond.

    Example:
        >>> windows = Windows({"10s": 10, "1h": 3600})
        >>> lane = windows.lane(("okx", "long"))
        >>> windows.advance(100)
        >>> windows.add(lane, 100, 5_000_000, 1)
        >>> windows.advance(105)
        >>> windows.sum("10s", lane), windows.sum("1h", lane)
        (5000000, 5000000)
        >>> windows.advance(110)
        >>> windows.sum("10s", lane), windows.sum("1h", lane)
        (0, 5000000)
    """

    __slots__ = (
        "_added",
        "_amounts",
        "_by_side",
        "_counts",
        "_lanes",
        "_levels",
        "_others",
        "_place",
        "_sums",
        "dropped_amount",
        "dropped_events",
        "lengths",
        "second",
    )

    def __init__(self, windows: Mapping[str, int] = WINDOWS) -> None:
        if not windows or min(windows.values()) < 1:
            raise ValueError("windows need at least one length, each of a second or more")
        self.lengths = dict(windows)
        self.second = 0  # the current second, not closed yet
        self.dropped_events = 0
        self.dropped_amount = 0
        self._lanes: dict[Key, int] = {}
        self._amounts: list[int] = []  # of the current second, by lane
        self._counts: list[int] = []
        self._added = False  # whether any of them is new
        # Of other seconds, by second and span: amount and count by lane, sparse because such a second has few.
        self._others: dict[tuple[int, int], dict[int, list[int]]] = {}
        self._sums: Integers = np.zeros((len(windows), 2, 0), np.int64)
        self._by_side: BySide | None = None  # until the sums change
        self._levels: list[_Level] = []
        self._place: dict[str, int] = {}  # of each window's sums, by name, ascending by length
        for bucket_s, shortest, longest in (
            (1, 0, FINE_LIMIT),
            (60, FINE_LIMIT, MEDIUM_LIMIT),
            (3_600, MEDIUM_LIMIT, max(windows.values())),
        ):
            names = [
                name for name in sorted(windows, key=self.lengths.__getitem__) if shortest < windows[name] <= longest
            ]
            if names:
                first = len(self._place)
                lengths = [-(-windows[name] // bucket_s) for name in names]
                self._levels.append(_Level(bucket_s, lengths, self._sums[first : first + len(names)]))
                self._place.update({name: first + index for index, name in enumerate(names)})

    @property
    def lanes(self) -> Mapping[Key, int]:
        """Return the number of each lane by its key, in order of first use."""
        return self._lanes

    def lane(self, key: Key) -> int:
        """Return the lane of a key, made at first use."""
        number = self._lanes.get(key)
        if number is None:
            number = self._lanes[key] = len(self._lanes)
            if number == len(self._amounts):
                self._widen(max(2, 2 * number))
        return number

    def _widen(self, lanes: int) -> None:
        """Double the room, so that a thousand lanes cost ten copies and not a thousand."""
        extra = [0] * (lanes - len(self._amounts))
        self._amounts += extra
        self._counts += extra
        self._sums = np.concatenate((self._sums, np.zeros((len(self._sums), 2, len(extra)), np.int64)), axis=2)
        first = 0
        for level in self._levels:
            level.widen(self._sums[first : (first := first + len(level.lengths))])

    def add(self, lane: int, second: int, amount: int, count: int, span_s: int = 1) -> None:
        """Add to the bucket of ``second``; seen by the sums from the next :meth:`advance` on.

        Args:
            lane: from :meth:`lane`.
            second: event time in seconds. A second ahead of the current one waits until it comes.
            amount: micro-USD.
            count: how many orders it stands for.
            span_s: how long a stretch of time the amount stands for; rings that serve shorter windows leave it
                out, because an hour's total does not show any of its minutes.
        """
        if second == self.second and span_s == 1:
            self._amounts[lane] += amount
            self._counts[lane] += count
            self._added = True
            return
        row = self._others.get((second, span_s))
        if row is None:
            row = self._others[second, span_s] = {}
        kept = row.get(lane)
        if kept is None:
            row[lane] = [amount, count]
        else:
            kept[0] += amount
            kept[1] += count

    def advance(self, second: int) -> None:
        """Fold what was added and make ``second`` the current one. Raises ``ValueError`` if time goes back."""
        if second < self.second:
            raise ValueError(f"time went back from {self.second} to {second}")
        if self._added:
            self._fold_current()
        if second != self.second:
            self.second = second
            for level in self._levels:
                if level.advance(second):
                    self._by_side = None
        if self._others:
            self._fold_others()

    def _fold_current(self) -> None:
        row = np.array((self._within(0, self._amounts), self._within(1, self._counts)), np.int64)
        for level in self._levels:
            level.put(self.second, row)
        self._sums += row  # the current bucket is in every window
        self._by_side = None
        self._amounts = [0] * len(self._amounts)
        self._counts = [0] * len(self._counts)
        self._added = False

    def _fold_others(self) -> None:
        for at, span_s in sorted(self._others):
            if at > self.second:
                break
            kept = self._others.pop((at, span_s))
            row = np.zeros((2, len(self._amounts)), np.int64)
            for kind, values in enumerate(zip(*kept.values(), strict=True)):
                row[kind, list(kept)] = self._within(kind, values)
            placed = [level.add(at, row) for level in self._levels if level.shortest_s >= span_s]
            self._by_side = None
            if not any(placed):
                self.dropped_events += sum(count for _, count in kept.values())
                self.dropped_amount += sum(amount for amount, _ in kept.values())

    def _within(self, kind: int, values: Sequence[int]) -> Sequence[int]:
        """Return the values (amounts or counts, by ``kind``) cut to an equal share of the room in the longest sum."""
        if max(values, default=0) <= PLAUSIBLE:
            return values
        room = max(0, MOST - int(self._sums[-1, kind].sum())) // len(values)
        return [min(value, room) for value in values]

    @property
    def waiting(self) -> bool:
        """Return True if anything was added that no window shows yet, because its second is ahead or not folded."""
        return bool(self._others)

    def sums(self, window: str) -> Integers:
        """Return a window's amounts by lane, as of the last :meth:`advance`. The caller must not change them."""
        return self._sums[self._place[window], 0, : len(self._lanes)]

    def counts(self, window: str) -> Integers:
        """Return a window's order counts by lane."""
        return self._sums[self._place[window], 1, : len(self._lanes)]

    def by_side(self) -> BySide:
        """Return amounts and counts of every window, summed over the even lanes and over the odd ones.

        For callers that give each source two neighbouring lanes, one a side:
        ``{"1m": ((long amount, short amount), (long count, short count))}``. The same object until a sum changes.
        """
        if self._by_side is None:
            used = len(self._lanes) // 2
            pairs = self._sums[:, :, : 2 * used].reshape(len(self._sums), 2, used, 2)
            self._by_side = {
                name: ((amounts[0], amounts[1]), (counts[0], counts[1]))
                for name, (amounts, counts) in zip(self._place, pairs.sum(axis=2).tolist(), strict=True)
            }
        return self._by_side

    def sum(self, window: str, lane: int) -> int:
        """Return one lane's amount within a window."""
        return int(self.sums(window)[lane])

    def state(self) -> WindowsState:
        """Return what a snapshot stores: the buckets that are not zero."""
        lanes = len(self._lanes)
        return WindowsState(
            second=self.second,
            keys=list(self._lanes),
            current=(self._amounts[:lanes], self._counts[:lanes]),
            waiting=[
                WaitingState(second=at, lane=lane, amount=amount, count=count, span_s=span_s)
                for (at, span_s), row in self._others.items()
                for lane, (amount, count) in row.items()
            ],
            levels=[level.state() for level in self._levels],
            dropped_events=self.dropped_events,
            dropped_amount=self.dropped_amount,
        )

    @classmethod
    def restore(cls, kept: WindowsState, windows: Mapping[str, int] = WINDOWS) -> Windows:
        """Return the windows of a decoded :class:`WindowsState`."""
        self = cls(windows)
        for key in kept.keys:
            self.lane(key)
        self.second = kept.second
        self._amounts[: len(kept.keys)], self._counts[: len(kept.keys)] = kept.current
        self._added = True
        for each in kept.waiting:
            self.add(each.lane, each.second, each.amount, each.count, each.span_s)
        for level, buckets in zip(self._levels, kept.levels, strict=True):
            level.load(buckets)
        self.dropped_events, self.dropped_amount = kept.dropped_events, kept.dropped_amount
        return self
