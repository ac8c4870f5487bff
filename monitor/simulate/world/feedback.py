"""The feedback: the price kills positions, their forced orders move the price.

The only part of a world that has to go second by second, so it does that only where something happens: a segment of
five minutes, and within it a block of ten seconds, is passed in one step when the price reaches no position, no forced
order waits and the order book is not startled.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.events import SIDES, Side
from monitor.simulate.book import BIN
from monitor.simulate.impact import backstop_share
from monitor.simulate.world.leverage import LeverageRing
from monitor.simulate.world.settings import DAY_S

Floats = npt.NDArray[np.float64]

SEGMENT_S: Final = 300
"""How often owners close and open positions."""
BLOCK_S: Final = 10
EXECUTION_S: Final = 4.0
"""Time constant of the forced queue (section 4.6)."""
POSITION_LIFE_S: Final = 12 * 3_600.0
RETURN_S: Final = 12 * 3_600.0
"""Time constant with which open interest that was lost by force comes back."""
IMPACT: Final = 40.0
"""Standard deviations of a day that a day's volume of forced orders moves a full order book by."""
TRANSIENT_S: Final = 60.0
LASTING_S: Final = 9_000.0
"""Half of the impact is gone in a minute, the other half in two and a half hours (section 4.6)."""
STARTLED: Final = 3.0
"""A ten-second move beyond this many standard deviations thins the order book ..."""
THINNEST: Final = 0.1
"""... down to this share of it ..."""
THINNING_S: Final = 3.0
RECOVERY_S: Final = 400.0
"""... in seconds; it comes back in minutes (section 4.6)."""
BARGAIN: Final = 0.15
"""Buyers step in: impact is halved once forced orders have moved the price by this many standard deviations of a day.
Linear impact alone has no end short of the last position, which no recorded cascade shows."""
DUST: Final = 2e-8
"""Share of the open interest below which the rest of a queue is executed at once: 100 USD of 5 billion."""

_EXECUTED: Final = -math.expm1(-1 / EXECUTION_S)
_FADE: Final = math.exp(-1 / TRANSIENT_S)
_LAST: Final = math.exp(-1 / LASTING_S)
_THIN: Final = -math.expm1(-1 / THINNING_S)
_RECOVER: Final = -math.expm1(-1 / RECOVERY_S)


class Lone(NamedTuple):
    """A large position that dies alone: second, side, and its size as a share of the open interest."""

    second: int
    side: Side
    amount: float


class Setting(NamedTuple):
    """One asset before the feedback.

    Attributes:
        outside: log price without forced orders, one value a second, relative to the start.
        sigma: usual standard deviation of a second's return.
        sigma_d: of a day's.
        turnover: open interest as a share of the average daily volume, 0.5 to 1.1.
        targets: open interest that longs and shorts tend to, one value a segment, about 1.
        lone: large positions that die alone, by second.
    """

    outside: Floats
    sigma: Floats
    sigma_d: float
    turnover: float
    targets: tuple[Floats, Floats]
    lone: Sequence[Lone]


class Course(NamedTuple):
    """What came of it. Amounts are shares of the usual open interest in units of the asset.

    Attributes:
        endogenous: log price that forced orders added, one value a second.
        seconds: at which forced orders were executed.
        forced: how much of longs and shorts at each, lone ones left out.
        open_interest: mean of both sides at the start of each segment.
    """

    endogenous: Floats
    seconds: npt.NDArray[np.int64]
    forced: tuple[Floats, Floats]
    open_interest: Floats


class Feedback:
    """One asset's run.

    Args:
        setting: what it starts from.
        rng: of the first book.
        feedback: whether forced orders move the price.
    """

    def __init__(self, setting: Setting, rng: np.random.Generator, *, feedback: bool = True) -> None:
        self._setting = setting
        self._impact = IMPACT * setting.sigma_d * setting.turnover if feedback else 0.0
        self._per_s_bp = setting.turnover * 1e4
        first = setting.targets[0][0], setting.targets[1][0]
        self._books = tuple(
            LeverageRing(side, float(target), setting.sigma_d, rng) for side, target in zip(SIDES, first, strict=True)
        )
        self._queue = [0.0, 0.0]
        self._transient = self._lasting = 0.0
        self._depth = 1.0
        self._endogenous = np.zeros(len(setting.outside))
        self._seconds = array("q")
        self._forced = (array("d"), array("d"))
        self._lone = {lone.second: lone for lone in setting.lone}
        self._decay = _decays(SEGMENT_S)

    def run(self, tick: Callable[[], None] = lambda: None) -> Course:
        """Run it to its end; ``tick`` is called after each simulated day."""
        setting = self._setting
        segments = len(setting.outside) // SEGMENT_S
        low, high = _extremes(setting.outside, BLOCK_S)
        startled = _startled(setting)
        loud = {lone.second // BLOCK_S for lone in setting.lone}
        blocks = SEGMENT_S // BLOCK_S
        interest = np.zeros(segments)
        for segment in range(segments):
            interest[segment] = (self._books[0].open + self._books[1].open) / 2
            first = segment * blocks
            lows, highs = low[first : first + blocks], high[first : first + blocks]
            busy = startled[first : first + blocks].any() or any(first + block in loud for block in range(blocks))
            if not busy and self._is_quiet(float(lows.min()), float(highs.max()), SEGMENT_S):
                self._pass(segment * SEGMENT_S, SEGMENT_S)
            else:
                flags = startled[first : first + blocks].tolist()
                for block, (lowest, highest, flag) in enumerate(
                    zip(lows.tolist(), highs.tolist(), flags, strict=True), first
                ):
                    if flag or block in loud or not self._is_quiet(lowest, highest, BLOCK_S):
                        self._walk(block * BLOCK_S)
                    else:
                        self._pass(block * BLOCK_S, BLOCK_S)
            self._reopen(segment)
            if segment % (DAY_S // SEGMENT_S) == 0:
                tick()
        seconds = np.array(self._seconds, np.int64)
        forced = np.array(self._forced[0], np.float64), np.array(self._forced[1], np.float64)
        return Course(self._endogenous, seconds, forced, interest)

    def _is_quiet(self, lowest: float, highest: float, seconds: int) -> bool:
        """Whether the price kills nothing while the outside stays between the two for ``seconds``."""
        if self._queue[0] or self._queue[1]:
            return False
        transient, lasting = self._transient, self._lasting
        fade, last = self._decay[0][seconds - 1], self._decay[1][seconds - 1]
        lowest += min(transient, transient * fade) + min(lasting, lasting * last)
        highest += max(transient, transient * fade) + max(lasting, lasting * last)
        long, short = self._books
        return not long.reaches(math.floor(lowest / BIN)) and not short.reaches(math.floor(highest / BIN))

    def _pass(self, start: int, seconds: int) -> None:
        """Let ``seconds`` pass in which nothing happens."""
        fade, last = self._decay
        if self._transient or self._lasting:
            self._endogenous[start : start + seconds] = (
                self._transient * fade[:seconds] + self._lasting * last[:seconds]
            )
        self._transient *= float(fade[seconds])
        self._lasting *= float(last[seconds])
        self._depth += (1 - self._depth) * -math.expm1(-seconds / RECOVERY_S)

    def _walk(self, start: int) -> None:
        """Go through a block second by second."""
        outside = self._setting.outside
        before = max(0, start - BLOCK_S)
        path = (outside[before : start + BLOCK_S] + self._endogenous[before : start + BLOCK_S]).tolist()
        now = len(path) - BLOCK_S
        usual = float(self._setting.sigma[start]) * math.sqrt(BLOCK_S)
        endogenous = []
        for offset in range(BLOCK_S):
            moved = self._transient + self._lasting
            endogenous.append(moved)
            price = path[now + offset] + moved
            path[now + offset] = price
            self._kill(price)
            self._startle(abs(price - path[max(0, now + offset - BLOCK_S)]) / usual)
            self._transient *= _FADE
            self._lasting *= _LAST
            self._execute(start + offset)
        self._endogenous[start : start + BLOCK_S] = endogenous

    def _kill(self, price: float) -> None:
        at = math.floor(price / BIN)
        for index, book in enumerate(self._books):
            if book.reaches(at):
                self._queue[index] += book.cross(at)

    def _startle(self, deviations: float) -> None:
        """Thin the order book after a fast move, or let it recover."""
        target = max(THINNEST, math.sqrt(STARTLED / deviations)) if deviations > STARTLED else 1.0
        self._depth += (target - self._depth) * (_THIN if target < self._depth else _RECOVER)

    def _execute(self, second: int) -> None:
        """Execute a second's part of the queue and move the price by it."""
        queue = self._queue
        lone = self._lone.get(second)
        if lone is None and not queue[0] and not queue[1]:
            return
        done = [amount if amount < DUST else amount * _EXECUTED for amount in queue]
        queue[0] -= done[0]
        queue[1] -= done[1]
        self._seconds.append(second)
        self._forced[0].append(done[0])
        self._forced[1].append(done[1])
        if lone is not None:
            done[SIDES.index(lone.side)] += lone.amount
        absorbed = backstop_share((done[0] + done[1]) * self._setting.turnover)
        met = 1 + abs(self._transient + self._lasting) / (BARGAIN * self._setting.sigma_d)
        move = self._impact * (1 - absorbed) * (done[1] - done[0]) / (self._depth * met)
        self._transient += move / 2
        self._lasting += move / 2

    def _reopen(self, segment: int) -> None:
        """Owners close and open positions at the segment's last price."""
        end = (segment + 1) * SEGMENT_S - 1
        at = math.floor((float(self._setting.outside[end]) + float(self._endogenous[end])) / BIN)
        share = -math.expm1(-SEGMENT_S / POSITION_LIFE_S)
        for book, targets in zip(self._books, self._setting.targets, strict=True):
            closed = book.open * share
            missing = max(0.0, float(targets[segment]) - book.open) * -math.expm1(-SEGMENT_S / RETURN_S)
            book.close(share)
            book.add(at, closed + missing)


def _decays(seconds: int) -> tuple[Floats, Floats]:
    """What is left of transient and lasting impact after 0, 1, … ``seconds``."""
    after = np.arange(seconds + 1)
    return np.exp(-after / TRANSIENT_S), np.exp(-after / LASTING_S)


def _extremes(path: Floats, block: int) -> tuple[Floats, Floats]:
    blocks = path.reshape(-1, block)
    return blocks.min(axis=1), blocks.max(axis=1)


def _startled(setting: Setting) -> npt.NDArray[np.bool_]:
    """Blocks in which the outside alone moves fast enough to thin the order book."""
    moves = np.zeros(len(setting.outside))
    moves[BLOCK_S:] = np.abs(setting.outside[BLOCK_S:] - setting.outside[:-BLOCK_S])
    fast: npt.NDArray[np.bool_] = moves > STARTLED * math.sqrt(BLOCK_S) * setting.sigma
    return np.asarray(fast.reshape(-1, BLOCK_S).any(axis=1))
