"""Exact rolling sums over event time, one second to thirty days.

Amounts are integers (micro-USD) and are summed as int64, so adding and evicting never drifts. Three rings of
buckets hold them: 1 s for windows up to 15 minutes, 1 min up to 24 hours, 1 h beyond. A window of ``n`` buckets is
the ``n`` most recent ones with the current one included, ``(t - W, t]`` in whole buckets: a 24 h window is exact to
the minute at its far end, a 30 d window to the hour, and neither ever covers more than its name says.

Adding is one list addition an event; arrays are touched once a second, when :meth:`Windows.advance` folds them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

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
"""Names and lengths in seconds (``design.md``'s list)."""

FINE_LIMIT: Final = 900
MEDIUM_LIMIT: Final = 86_400
"""The longest windows, in seconds, that the 1 s and the 1 min ring serve."""


class _Level:
    """One ring of equal buckets and the rolling sums of the windows that it serves.

    ``ring`` is (buckets, 2, lanes): amounts and counts. ``sums`` is (windows, 2, lanes).
    """

    __slots__ = ("_by_side", "bucket", "bucket_s", "lengths", "ring", "shortest_s", "slots", "sums", "touched")

    def __init__(self, bucket_s: int, lengths: list[int], lanes: int) -> None:
        self.bucket_s = bucket_s
        self.lengths = lengths
        self.slots = max(lengths)
        self.shortest_s = min(lengths) * bucket_s
        self.bucket = 0  # the current bucket's number, seconds since the epoch // bucket_s
        self.ring: Integers = np.zeros((self.slots, 2, lanes), np.int64)
        self.sums: Integers = np.zeros((len(lengths), 2, lanes), np.int64)
        self.touched = np.zeros(self.slots, np.bool_)  # which slots hold anything: empty ones cost nothing to pass
        self._by_side: list[list[list[int]]] | None = None  # until the sums change

    def widen(self, lanes: int) -> None:
        """Make room for ``lanes`` in all."""
        extra = lanes - self.ring.shape[2]
        self.ring = np.concatenate((self.ring, np.zeros((self.slots, 2, extra), np.int64)), axis=2)
        self.sums = np.concatenate((self.sums, np.zeros((len(self.lengths), 2, extra), np.int64)), axis=2)

    def advance(self, second: int) -> None:
        """Make the bucket that holds ``second`` the current one; evict what leaves each window."""
        old, new = self.bucket, second // self.bucket_s
        if new == old:
            return
        self.bucket = new
        if new - old >= self.slots:
            self.ring[self.touched] = 0
            self.touched[:] = False
            self.sums[:] = 0
            self._by_side = None
            return
        for index, length in enumerate(self.lengths):
            for slot in self._touched_slots(old - length + 1, min(old, new - length)):
                self.sums[index] -= self.ring[slot]
                self._by_side = None
        for slot in self._touched_slots(old + 1 - self.slots, new - self.slots):
            self.ring[slot] = 0
            self.touched[slot] = False

    def _touched_slots(self, first: int, last: int) -> list[int]:
        """Slots that hold anything among the buckets ``first`` to ``last``."""
        if first == last:
            slot = first % self.slots
            return [slot] if self.touched[slot] else []
        slots = np.arange(first, last + 1) % self.slots
        found: list[int] = slots[self.touched[slots]].tolist()
        return found

    def add(self, second: int, row: Integers) -> bool:
        """Add a row (2, lanes) to the bucket that holds ``second``; False if that has left the ring."""
        age = self.bucket - second // self.bucket_s
        if age >= self.slots:
            return False
        slot = (self.bucket - age) % self.slots
        self.ring[slot] += row
        self.touched[slot] = True
        self._by_side = None
        for index, length in enumerate(self.lengths):
            if age < length:
                self.sums[index] += row
        return True

    def by_side(self, used: int) -> list[list[list[int]]]:
        """Sums (windows, 2, 2): amounts and counts over the even and over the odd of the first ``used`` lanes."""
        if self._by_side is None:
            pairs = self.sums[:, :, :used].reshape(len(self.lengths), 2, used // 2, 2)
            self._by_side = pairs.sum(axis=2).tolist()
        return self._by_side


class Windows:
    """Rolling sums and counts of many lanes (a lane is a venue and a side, say) over many windows.

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
        "_amounts",
        "_counts",
        "_lanes",
        "_levels",
        "_pending",
        "_place",
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
        self._lanes: dict[Hashable, int] = {}
        self._amounts: list[int] = []  # of the current second, by lane
        self._counts: list[int] = []
        self._pending: list[tuple[int, int, int, int, int]] = []  # (second, lane, amount, count, span) of other seconds
        self._levels: list[_Level] = []
        self._place: dict[str, tuple[_Level, int]] = {}
        for bucket_s, shortest, longest in (
            (1, 0, FINE_LIMIT),
            (60, FINE_LIMIT, MEDIUM_LIMIT),
            (3_600, MEDIUM_LIMIT, max(windows.values())),
        ):
            names = [name for name, length in windows.items() if shortest < length <= longest]
            if names:
                level = _Level(bucket_s, [-(-windows[name] // bucket_s) for name in names], 0)
                self._levels.append(level)
                self._place.update({name: (level, index) for index, name in enumerate(names)})

    @property
    def lanes(self) -> Mapping[Hashable, int]:
        """Number of each lane by its key, in order of first sight."""
        return self._lanes

    def lane(self, key: Hashable) -> int:
        """The lane of a key, made at first sight."""
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
        for level in self._levels:
            level.widen(lanes)

    def add(self, lane: int, second: int, amount: int, count: int, span_s: int = 1) -> None:
        """Add to the bucket of ``second``; seen by the sums from the next :meth:`advance` on.

        Args:
            lane: from :meth:`lane`.
            second: event time in seconds. A second ahead of the current one waits until it comes.
            amount: micro-USD.
            count: how many orders it stands for.
            span_s: how long a stretch of time the amount stands for; rings that serve shorter windows leave it
                out, because an hour's total says nothing about any minute of it.
        """
        if second == self.second and span_s == 1:
            self._amounts[lane] += amount
            self._counts[lane] += count
        else:
            self._pending.append((second, lane, amount, count, span_s))

    def advance(self, second: int) -> None:
        """Fold everything that was added and make ``second`` the current one. Going back is an error."""
        if second < self.second:
            raise ValueError(f"time went back from {self.second} to {second}")
        if self._pending or any(self._counts) or any(self._amounts):
            self._fold(second)
        else:
            self._move(second)

    def _move(self, second: int) -> None:
        self.second = second
        for level in self._levels:
            level.advance(second)

    def _fold(self, second: int) -> None:
        current = np.array((self._amounts, self._counts), np.int64)
        if current.any():
            for level in self._levels:
                level.add(self.second, current)
            self._amounts = [0] * len(self._amounts)
            self._counts = [0] * len(self._counts)
        self._move(second)
        pending, self._pending = self._pending, []
        rows: dict[tuple[int, int], Integers] = {}
        for item in pending:
            at, lane, amount, count, span_s = item
            if at > second:
                self._pending.append(item)
                continue
            row = rows.get((at, span_s))
            if row is None:
                row = rows[at, span_s] = np.zeros((2, len(self._amounts)), np.int64)
            row[0, lane] += amount
            row[1, lane] += count
        for (at, span_s), row in rows.items():
            placed = [level.add(at, row) for level in self._levels if level.shortest_s >= span_s]
            if not any(placed):
                self.dropped_events += int(row[1].sum())
                self.dropped_amount += int(row[0].sum())

    @property
    def waiting(self) -> bool:
        """Whether anything was added that no window shows yet, because its second has not come or was not folded."""
        return bool(self._pending)

    def sums(self, window: str) -> Integers:
        """Amounts of a window by lane, as of the last :meth:`advance`. Not to be changed by the caller."""
        level, index = self._place[window]
        return level.sums[index, 0, : len(self._lanes)]

    def counts(self, window: str) -> Integers:
        """Order counts of a window by lane."""
        level, index = self._place[window]
        return level.sums[index, 1, : len(self._lanes)]

    def by_side(self) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
        """Amounts and counts of every window, summed over the even lanes and over the odd ones.

        For callers that give each source two neighbouring lanes, one a side:
        ``{"1m": ((long amount, short amount), (long count, short count))}``.
        """
        used = 2 * (len(self._lanes) // 2)
        rows = (row for level in self._levels for row in level.by_side(used))
        return {
            name: ((amounts[0], amounts[1]), (counts[0], counts[1]))
            for name, (amounts, counts) in zip(self._place, rows, strict=True)
        }

    def sum(self, window: str, lane: int) -> int:
        """One lane's amount."""
        return int(self.sums(window)[lane])

    def state(self) -> list[object]:
        """What a snapshot keeps: the non-empty buckets, sparse."""
        levels = []
        for level in self._levels:
            slots, kinds, lanes = np.nonzero(level.ring)
            levels.append(
                [
                    level.bucket,
                    slots.tolist(),
                    kinds.tolist(),
                    lanes.tolist(),
                    level.ring[slots, kinds, lanes].tolist(),
                ]
            )
        current = [self._amounts[: len(self._lanes)], self._counts[: len(self._lanes)]]
        return [
            self.second,
            [list(key) if isinstance(key, tuple) else key for key in self._lanes],
            current,
            self._pending,
            levels,
            self.dropped_events,
            self.dropped_amount,
        ]

    @classmethod
    def restore(cls, state: list, windows: Mapping[str, int] = WINDOWS) -> Windows:  # type: ignore[type-arg]
        """The windows that :meth:`state` described."""
        second, keys, current, pending, levels, dropped_events, dropped_amount = state
        self = cls(windows)
        for key in keys:
            self.lane(tuple(key) if isinstance(key, list) else key)
        self.second = second
        self._amounts[: len(keys)], self._counts[: len(keys)] = current
        self._pending = [(at, lane, amount, count, span) for at, lane, amount, count, span in pending]
        for level, (bucket, slots, kinds, lanes, values) in zip(self._levels, levels, strict=True):
            level.bucket = bucket
            level.ring[slots, kinds, lanes] = values
            level.touched[slots] = True
            ages = (bucket - np.arange(level.slots)) % level.slots
            for index, length in enumerate(level.lengths):
                level.sums[index] = level.ring[ages < length].sum(axis=0)
        self.dropped_events, self.dropped_amount = dropped_events, dropped_amount
        return self
