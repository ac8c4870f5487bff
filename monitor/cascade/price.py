"""One asset's price over all venues: its moves against the liquidated side, and what moves are normal for it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from monitor.cascade.extremes import Extremes
from monitor.cascade.surprise import Surprise
from monitor.cascade.windows import WINDOWS
from monitor.events import SIDES, Side

DAY_S: Final = 86_400
FRESH_S: Final = 600
"""A venue's mark counts in the median for this long, seconds; recordings of five-minute candles still do."""
REFERENCE: Final = "1h"
"""An episode's move is measured from the best price of this window before it."""
STEP_S: Final = 10
"""Realised volatility is made of returns over this many seconds ..."""
STEPS: Final = 30
"""... and this many of them: five minutes."""
RETURN_S: Final = 300
"""The normal volatility is learned from returns over this many seconds."""
PRIOR_RETURNS: Final = 144
"""The assumed volatility weighs as much as this many measured returns: half a day."""
VOLATILITY_HALF_LIFE: Final = 7 * DAY_S // RETURN_S
"""Returns after which one counts half: a week."""
LOWEST_VOLATILITY: Final = 0.004
"""Of a day. Pegged coins move less; a basis point must not look like a crash."""
WINSOR: Final = 25.0
"""No squared return counts for more than this many normal ones (5 sigma)."""

MOVE_SCALE: Final = 1.0
MOVE_TAIL: Final = 3.5
"""Prior of a move in standard deviations of its window: BTC, December 2025 to June 2026, 60 min: 99 % below 3.4,
99.9 % below 6.5; 24 h: 2.9 and 5.5; that is a tail of 3.6 from 0.9 on (``docs/detection.md``)."""


class Move(NamedTuple):
    """The most surprising move of the price against a side, its surprise in decades, and that of the first window."""

    window: str
    ratio: float
    surprise: float
    fast_surprise: float


STILL: Final = Move("5m", 0.0, 0.0, 0.0)


class Price:
    """Marks of one asset, folded once a second into their median over venues.

    All moves are ratios (0.05 is 5 %). ``sigma`` is the standard deviation of a day's return in quiet times.
    """

    __slots__ = (
        "_anchor", "_dirty", "_marks", "_move_surprise", "_moves", "_returns", "_step", "_steps",
        "judged", "last", "second", "sigma", "variance", "windows",
    )  # fmt: skip

    def __init__(self, daily_volatility: float, move_windows: Sequence[str]) -> None:
        self.last: float | None = None
        self.second = 0  # of the last change
        self.variance = daily_volatility**2 * RETURN_S / DAY_S
        self.sigma = daily_volatility
        self.judged: dict[Side, Move] = dict.fromkeys(SIDES, STILL)  # as of the last closed second
        self._marks: dict[str, tuple[float, int]] = {}
        self._dirty = False
        self.windows = tuple(move_windows)
        self._moves = {name: Extremes(WINDOWS[name]) for name in (*self.windows, REFERENCE)}
        self._move_surprise = {name: Surprise(MOVE_SCALE, MOVE_TAIL) for name in self.windows}
        self._step: tuple[int, float] | None = None  # number of the current 10 s step, price at its beginning
        self._steps: deque[tuple[int, float]] = deque()  # (step, squared return)
        self._anchor: tuple[int, float] | None = None  # second and price that the next five-minute return starts at
        self._returns = 0

    def mark(self, venue: str, second: int, price: float) -> None:
        """Take a venue's mark price; one that is older than its last changes nothing."""
        kept = self._marks.get(venue)
        if kept is None or kept[1] <= second:
            self._marks[venue] = (price, second)
            self._dirty = True

    def close(self, second: int, learn: bool) -> None:
        """Close a second: fold the marks into one price, and learn what is normal if ``learn``."""
        if self.last is not None:
            self._close_step(second, self.last)  # before the marks: the step began with the price that was
        if self._dirty:
            self._dirty = False
            newest = max(at for _, at in self._marks.values())
            price = median(price for price, at in self._marks.values() if at > newest - FRESH_S)
            self.last = price
            self.second = second
            for extremes in self._moves.values():
                extremes.push(second, price)
            self._learn_return(second, price, learn)
        if self.last is not None:
            for side in SIDES:
                self.judged[side] = self._judge(side)

    def _judge(self, side: Side) -> Move:
        """The most surprising move against a side."""
        surprises = {window: self._move_surprise[window].of(self.deviations(window, side)) for window in self.windows}
        worst = max(surprises, key=surprises.__getitem__)
        return Move(worst, self.move(worst, side), surprises[worst], surprises[self.windows[0]])

    def _close_step(self, second: int, price: float) -> None:
        step = second // STEP_S
        if self._step is None:
            self._step = (step, price)
        elif step > self._step[0]:
            change = math.log(price / self._step[1])
            if change:
                self._steps.append((self._step[0], change * change))
            self._step = (step, price)
            while self._steps and self._steps[0][0] <= step - STEPS:
                self._steps.popleft()

    def _learn_return(self, second: int, price: float, learn: bool) -> None:
        if self._anchor is None:
            self._anchor = (second, price)
            return
        elapsed = second - self._anchor[0]
        if elapsed < RETURN_S:
            return
        if learn and elapsed < DAY_S:
            squared = math.log(price / self._anchor[1]) ** 2 * RETURN_S / elapsed
            self._returns += 1
            gain = max(1.0 - 2.0 ** (-1.0 / VOLATILITY_HALF_LIFE), 1.0 / (PRIOR_RETURNS + self._returns))
            self.variance += gain * (min(squared, WINSOR * self.variance) - self.variance)
            self.sigma = max(LOWEST_VOLATILITY, math.sqrt(self.variance * DAY_S / RETURN_S))
        self._anchor = (second, price)

    def move(self, window: str, side: Side) -> float:
        """How far the price stands below the window's high (``long``) or above its low (``short``), as a ratio."""
        if self.last is None:
            return 0.0
        extremes = self._moves[window]
        if side == "long":
            return max(0.0, 1.0 - self.last / extremes.high)
        return max(0.0, self.last / extremes.low - 1.0)

    def reference(self, side: Side) -> float:
        """The last hour's high for longs, its low for shorts: where a move against that side began."""
        extremes = self._moves[REFERENCE]
        return extremes.high if side == "long" else extremes.low

    def deviations(self, window: str, side: Side) -> float:
        """The move in standard deviations of the window's return."""
        return self.move(window, side) / (self.sigma * math.sqrt(WINDOWS[window] / DAY_S))

    def normal_move(self, window: str) -> float:
        """One standard deviation of the window's return: the baseline that evidence is held against."""
        return self.sigma * math.sqrt(WINDOWS[window] / DAY_S)

    def volatility_ratio(self) -> float:
        """Realised volatility of the last five minutes over the normal one of five minutes."""
        realised = math.fsum(squared for _, squared in self._steps)
        if self._step is not None and self.last is not None:
            realised += math.log(self.last / self._step[1]) ** 2  # the step that is still running
        return math.sqrt(realised) / self.normal_move("5m")

    def learn_minute(self) -> None:
        """Learn what moves a quiet minute shows, on both sides alike."""
        for window, surprise in self._move_surprise.items():
            surprise.observe(self.deviations(window, "long"))
            surprise.observe(self.deviations(window, "short"))

    def state(self) -> dict[str, object]:
        """What a snapshot keeps."""
        return {
            "judged": self.judged,
            "last": self.last, "second": self.second, "variance": self.variance, "sigma": self.sigma,
            "marks": self._marks, "dirty": self._dirty,
            "moves": {name: extremes.state() for name, extremes in self._moves.items()},
            "surprise": {name: surprise.state() for name, surprise in self._move_surprise.items()},
            "step": self._step, "steps": list(self._steps), "anchor": self._anchor, "returns": self._returns,
        }  # fmt: skip

    def load(self, state: dict[str, Any]) -> None:
        """Become what :meth:`state` described; windows that were not judged then start from here."""
        self.last, self.second = state["last"], state["second"]
        self.variance, self.sigma = state["variance"], state["sigma"]
        self.judged = {side: Move(*kept) for side, kept in state["judged"].items()}
        self._marks = {venue: (price, at) for venue, (price, at) in state["marks"].items()}
        self._dirty = state["dirty"]
        for name, extremes in self._moves.items():
            if name in state["moves"]:
                extremes.load(state["moves"][name])
            elif self.last is not None:
                extremes.push(self.second, self.last)
        for name, surprise in self._move_surprise.items():
            if name in state["surprise"]:
                surprise.load(state["surprise"][name])
        self._step = tuple(state["step"]) if state["step"] else None
        self._steps = deque((step, squared) for step, squared in state["steps"])
        self._anchor = tuple(state["anchor"]) if state["anchor"] else None
        self._returns = state["returns"]
