"""Simulates the feedback: the price liquidates positions, and their forced orders move the price.

Only this part of a world must go second by second, so it does so only where something happens. A segment of five
minutes, and within it a block of ten seconds, is passed in one step when the price reaches no position, no forced order
waits and the order book does not thin.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.lab.simulate.book import BIN
from monitor.lab.simulate.impact import backstop_share
from monitor.lab.simulate.world.leverage import LeverageRing
from monitor.lab.simulate.world.settings import DAY_S
from monitor.model.events import SIDES, Side

Floats = npt.NDArray[np.float64]

SEGMENT_S: Final = 300
"""Interval at which owners close and open positions, seconds."""
BLOCK_S: Final = 10
"""Length of a block, seconds."""
EXECUTION_S: Final = 4.0
"""Time constant of the forced queue, seconds."""
POSITION_LIFE_S: Final = 12 * 3_600.0
"""Mean life of a position that is not liquidated, seconds."""
RETURN_S: Final = 12 * 3_600.0
"""Time constant with which open interest lost by force comes back, seconds."""
IMPACT: Final = 40.0
"""Daily standard deviations by which a day's volume of forced orders moves a full order book."""
TRANSIENT_S: Final = 60.0
"""Time constant of the half of the impact that fades soon, seconds."""
LASTING_S: Final = 9_000.0
"""Time constant of the other half of the impact, seconds: 2.5 hours."""
FAST_MOVE_SIGMAS: Final = 3.0
"""A ten-second move beyond this many standard deviations thins the order book."""
MIN_DEPTH: Final = 0.1
"""Smallest share of its depth to which the order book thins."""
THINNING_S: Final = 3.0
"""Time constant with which depth goes, seconds."""
RECOVERY_S: Final = 400.0
"""Time constant with which depth comes back, seconds."""
DIP_BUYING_SIGMAS: Final = 0.15
"""Move by forced orders, in daily standard deviations, at which buyers halve the impact.

Linear impact alone would end only with the last position, which no recorded cascade shows.
"""
QUEUE_FLOOR: Final = 2e-8
"""Share of the open interest below which the rest of a queue is executed at once: 100 USD of 5 billion."""

_EXECUTED: Final = -math.expm1(-1 / EXECUTION_S)
_FADE: Final = math.exp(-1 / TRANSIENT_S)
_LAST: Final = math.exp(-1 / LASTING_S)
_THIN: Final = -math.expm1(-1 / THINNING_S)
_RECOVER: Final = -math.expm1(-1 / RECOVERY_S)


class LoneLiquidation(NamedTuple):
    """A large position that is liquidated alone: second, side, and size as a share of the open interest."""

    second: int
    side: Side
    amount: float


class FeedbackInput(NamedTuple):
    """One asset before the feedback.

    Attributes:
        outside: log price without forced orders, one value a second, relative to the start.
        sigma: usual standard deviation of a second's return.
        sigma_d: usual standard deviation of a day's return.
        turnover: open interest as a share of the average daily volume, 0.5 to 1.1.
        targets: open interest to which longs and shorts tend, one value a segment, about 1.
        lone: large positions that are liquidated alone, by second.
    """

    outside: Floats
    sigma: Floats
    sigma_d: float
    turnover: float
    targets: tuple[Floats, Floats]
    lone: Sequence[LoneLiquidation]


class FeedbackResult(NamedTuple):
    """One asset after the feedback. Amounts are shares of the usual open interest in units of the asset.

    Attributes:
        endogenous: log price that forced orders added, one value a second.
        seconds: seconds in which forced orders were executed.
        forced: amounts of longs and shorts in each of these, without lone ones.
        open_interest: mean of both sides at the start of each segment.
    """

    endogenous: Floats
    seconds: npt.NDArray[np.int64]
    forced: tuple[Floats, Floats]
    open_interest: Floats


class Feedback:
    """Runs the feedback of one asset.

    Args:
        setting: the asset before the feedback.
        rng: random numbers for the first book.
        feedback: True if forced orders move the price.
    """

    def __init__(self, setting: FeedbackInput, rng: np.random.Generator, *, feedback: bool = True) -> None:
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

    def run(self, tick: Callable[[], None] = lambda: None) -> FeedbackResult:
        """Run to the end and return the result; ``tick`` is called after each simulated day."""
        setting = self._setting
        segments = len(setting.outside) // SEGMENT_S
        low, high = _extremes(setting.outside, BLOCK_S)
        startled = _fast_blocks(setting)
        loud = {lone.second // BLOCK_S for lone in setting.lone}
        blocks = SEGMENT_S // BLOCK_S
        interest = np.zeros(segments)
        for segment in range(segments):
            interest[segment] = (self._books[0].open + self._books[1].open) / 2
            first = segment * blocks
            lows, highs = low[first : first + blocks], high[first : first + blocks]
            busy = startled[first : first + blocks].any() or any(first + block in loud for block in range(blocks))
            if not busy and self._is_quiet(float(lows.min()), float(highs.max()), SEGMENT_S):
                self._skip_quiet(segment * SEGMENT_S, SEGMENT_S)
            else:
                flags = startled[first : first + blocks].tolist()
                for block, (lowest, highest, flag) in enumerate(
                    zip(lows.tolist(), highs.tolist(), flags, strict=True), first
                ):
                    if flag or block in loud or not self._is_quiet(lowest, highest, BLOCK_S):
                        self._step_block(block * BLOCK_S)
                    else:
                        self._skip_quiet(block * BLOCK_S, BLOCK_S)
            self._renew_positions(segment)
            if segment % (DAY_S // SEGMENT_S) == 0:
                tick()
        seconds = np.array(self._seconds, np.int64)
        forced = np.array(self._forced[0], np.float64), np.array(self._forced[1], np.float64)
        return FeedbackResult(self._endogenous, seconds, forced, interest)

    def _is_quiet(self, lowest: float, highest: float, seconds: int) -> bool:
        """Return True if nothing is liquidated while the outside stays between the two for ``seconds``."""
        if self._queue[0] or self._queue[1]:
            return False
        transient, lasting = self._transient, self._lasting
        fade, last = self._decay[0][seconds - 1], self._decay[1][seconds - 1]
        lowest += min(transient, transient * fade) + min(lasting, lasting * last)
        highest += max(transient, transient * fade) + max(lasting, lasting * last)
        long, short = self._books
        return not long.reaches(math.floor(lowest / BIN)) and not short.reaches(math.floor(highest / BIN))

    def _skip_quiet(self, start: int, seconds: int) -> None:
        """Pass ``seconds`` in which nothing is liquidated."""
        fade, last = self._decay
        if self._transient or self._lasting:
            self._endogenous[start : start + seconds] = (
                self._transient * fade[:seconds] + self._lasting * last[:seconds]
            )
        self._transient *= float(fade[seconds])
        self._lasting *= float(last[seconds])
        self._depth += (1 - self._depth) * -math.expm1(-seconds / RECOVERY_S)

    def _step_block(self, start: int) -> None:
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
            self._queue_liquidations(price)
            self._adjust_depth(abs(price - path[max(0, now + offset - BLOCK_S)]) / usual)
            self._transient *= _FADE
            self._lasting *= _LAST
            self._execute(start + offset)
        self._endogenous[start : start + BLOCK_S] = endogenous

    def _queue_liquidations(self, price: float) -> None:
        """Queue the positions that a log price liquidates."""
        at = math.floor(price / BIN)
        for index, book in enumerate(self._books):
            if book.reaches(at):
                self._queue[index] += book.cross(at)

    def _adjust_depth(self, deviations: float) -> None:
        """Thin the order book after a fast move, or let it recover."""
        target = max(MIN_DEPTH, math.sqrt(FAST_MOVE_SIGMAS / deviations)) if deviations > FAST_MOVE_SIGMAS else 1.0
        self._depth += (target - self._depth) * (_THIN if target < self._depth else _RECOVER)

    def _execute(self, second: int) -> None:
        """Execute a second's part of the queue and move the price by it."""
        queue = self._queue
        lone = self._lone.get(second)
        if lone is None and not queue[0] and not queue[1]:
            return
        done = [amount if amount < QUEUE_FLOOR else amount * _EXECUTED for amount in queue]
        queue[0] -= done[0]
        queue[1] -= done[1]
        self._seconds.append(second)
        self._forced[0].append(done[0])
        self._forced[1].append(done[1])
        if lone is not None:
            done[SIDES.index(lone.side)] += lone.amount
        absorbed = backstop_share((done[0] + done[1]) * self._setting.turnover)
        met = 1 + abs(self._transient + self._lasting) / (DIP_BUYING_SIGMAS * self._setting.sigma_d)
        move = self._impact * (1 - absorbed) * (done[1] - done[0]) / (self._depth * met)
        self._transient += move / 2
        self._lasting += move / 2

    def _renew_positions(self, segment: int) -> None:
        """Close and open positions at the segment's last price, as owners do."""
        end = (segment + 1) * SEGMENT_S - 1
        at = math.floor((float(self._setting.outside[end]) + float(self._endogenous[end])) / BIN)
        share = -math.expm1(-SEGMENT_S / POSITION_LIFE_S)
        for book, targets in zip(self._books, self._setting.targets, strict=True):
            closed = book.open * share
            missing = max(0.0, float(targets[segment]) - book.open) * -math.expm1(-SEGMENT_S / RETURN_S)
            book.close(share)
            book.add(at, closed + missing)


def _decays(seconds: int) -> tuple[Floats, Floats]:
    """Return what is left of transient and lasting impact after 0, 1, … ``seconds``."""
    after = np.arange(seconds + 1)
    return np.exp(-after / TRANSIENT_S), np.exp(-after / LASTING_S)


def _extremes(path: Floats, block: int) -> tuple[Floats, Floats]:
    """Return lowest and highest value of each block."""
    blocks = path.reshape(-1, block)
    return blocks.min(axis=1), blocks.max(axis=1)


def _fast_blocks(setting: FeedbackInput) -> npt.NDArray[np.bool_]:
    """Return True for blocks in which the outside alone moves fast enough to thin the order book."""
    moves = np.zeros(len(setting.outside))
    moves[BLOCK_S:] = np.abs(setting.outside[BLOCK_S:] - setting.outside[:-BLOCK_S])
    fast: npt.NDArray[np.bool_] = moves > FAST_MOVE_SIGMAS * math.sqrt(BLOCK_S) * setting.sigma
    return np.asarray(fast.reshape(-1, BLOCK_S).any(axis=1))
