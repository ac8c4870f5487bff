"""Follows one asset's price over all venues: its moves against the liquidated side, and their baseline."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from statistics import median
from typing import Final, NamedTuple

import msgspec

from monitor.detect.baseline.seasonality import Shape, ShapeState
from monitor.detect.baseline.surprise import Surprise, SurpriseState
from monitor.detect.flow.windows import WINDOWS
from monitor.detect.price.daily_volatility import LOWEST_VOLATILITY, UsualVolatility, UsualVolatilityState
from monitor.detect.price.extremes import Extremes, ExtremesState
from monitor.model.events import SIDES, Side

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
FRESH_S: Final = 600
"""Seconds for which a venue's mark counts in the median: long enough for recordings of five-minute candles."""
REFERENCE: Final = "1h"
"""Window before an episode from whose best price its move is measured."""
STEP_S: Final = 10
"""Length, in seconds, of the returns that realised volatility is made of."""
STEPS: Final = 30
"""Number of returns that realised volatility is made of: five minutes."""
RETURN_S: Final = 300
"""Length, in seconds, of the returns that the baseline volatility is learned from."""
PRIOR_RETURNS: Final = 144
"""Weight of the assumed volatility, in measured returns: half a day."""
VOLATILITY_HALF_LIFE: Final = 10 * DAY_S // RETURN_S
"""Half-life of a return in the baseline, in returns: ten days, the mean age of thirty. A baseline of a day or an hour
would make the worst day look normal."""
SHAPE_SHRINK: Final = 200
"""Number of returns of an hour of the day (17 days) whose mean has the same weight as the market's profile."""
SHAPED: Final = 14_400
"""Longest window, in seconds, that is scaled by the volatility of its hour; longer ones average over the day."""
LOWEST_VARIANCE: Final = 1e-30
"""Lower bound of the baseline variance, so that ratios stay finite for a price that stands still for years."""
WINSOR: Final = 25.0
"""Most that one squared return may count, in normal ones (5 sigma)."""

MOVE_SCALE: Final = 1.0
MOVE_TAIL: Final = 4.5
MOVE_WEIGHT: Final = 5_760.0
"""Prior of a move in standard deviations of its window, worth four days: a quiet market's. With its shocks among them
BTC's tail is 3.6 (December 2025 to June 2026: an hour's move 99 % below 3.4, 99.9 % below 6.5), and what is quiet
excludes those that became an episode."""
MOVE_LEAST: Final = 0.5
"""Minimum weight of the prior as a share of the observations. Without it, a move of four fifths the size was as
surprising after two weeks as the whole of it in the first days, and false alarms were six times as many."""


class Move(NamedTuple):
    """The most surprising move of the price against a side, its surprise in decades, and that of the stress window."""

    window: str
    ratio: float
    surprise: float
    fast_surprise: float


STILL: Final = Move("5m", 0.0, 0.0, 0.0)


class PriceState(msgspec.Struct):
    """Everything that :class:`Price` remembers.

    Attributes:
        late_moves: second and deviations, by window and side, of the quiet minutes not learned yet.
        late_returns: second and squared return of the returns not learned yet.
        names: the judged windows that the late moves are of.
        judged: the most surprising move by side.
        shape: seasonality of the variance.
        hour: number of the hour that the standard deviations are of.
        last: the price; None before the first.
        second: the second of its last change.
        variance: baseline of the squared five-minute return.
        sigma: baseline standard deviation of a day's return.
        marks: price and second by venue.
        dirty: true if a mark came since the last closed second.
        moves: extremes by window.
        surprise: distribution of moves by window.
        at: the last closed second.
        fades: the last second in which all judged windows show their move.
        step: number of the current ten-second step and the price at its beginning.
        steps: number and squared return of the earlier steps.
        anchor: second and price that the next five-minute return starts at.
        returns: number of returns learned.
        usual: volatility of the usual day.
    """

    late_moves: list[tuple[int, list[float]]]
    late_returns: list[tuple[int, float]]
    names: tuple[str, ...]
    judged: dict[Side, Move]
    shape: ShapeState
    hour: int
    last: float | None
    second: int
    variance: float
    sigma: float
    marks: dict[str, tuple[float, int]]
    dirty: bool
    moves: dict[str, ExtremesState]
    surprise: dict[str, SurpriseState]
    at: int
    fades: int | None
    step: tuple[int, float] | None
    steps: list[tuple[int, float]]
    anchor: tuple[int, float] | None
    returns: int
    usual: UsualVolatilityState


class Price:
    """Folds the marks of one asset once a second into their median over venues, and learns which moves are normal.

    All moves are ratios (0.05 is 5 %). ``sigma`` is the standard deviation of a day's return in quiet times. The
    baseline is learned with a lag and never from the hour before an episode: a fall that ends in one was no quiet time.
    ``usual`` is the volatility of the usual day, quiet or not. A window shorter than the time since the last price
    shows no move: sparse prices do not show how fast a move was.

    Args:
        daily_volatility: assumed until it is measured.
        move_windows: names of the judged windows.
        stress_window: the one of them that :attr:`Move.fast_surprise` is of.
        followed: names of further windows whose move :meth:`move` returns.
        lag_s: seconds by which learning lags behind.
    """

    __slots__ = (
        "_anchor",
        "_at",
        "_dirty",
        "_fades",
        "_hour",
        "_lag_s",
        "_late_moves",
        "_late_returns",
        "_marks",
        "_move_surprise",
        "_moves",
        "_ratio",
        "_returns",
        "_step",
        "_steps",
        "_stress",
        "_units",
        "judged",
        "last",
        "second",
        "shape",
        "sigma",
        "usual",
        "variance",
        "windows",
    )

    def __init__(
        self,
        daily_volatility: float,
        move_windows: Sequence[str],
        stress_window: str,
        followed: Iterable[str] = (),
        lag_s: int = 0,
    ) -> None:
        self.last: float | None = None
        self.second = 0  # of the last change
        self.variance = daily_volatility**2 * RETURN_S / DAY_S
        self.sigma = daily_volatility
        self.usual = UsualVolatility(daily_volatility)
        self.judged: dict[Side, Move] = dict.fromkeys(SIDES, STILL)  # as of the last closed second
        self.shape = Shape(power=2, shrink=SHAPE_SHRINK, per_day=12)  # of the variance
        self._hour = 0  # that the units are of
        self._units: dict[str, float] = {}  # by window one standard deviation of its return at this time of the day
        self._marks: dict[str, tuple[float, int]] = {}
        self._dirty = False
        self._at = 0  # the last closed second
        self._fades: int | None = None  # the last second in which all windows that were judged show their move
        self.windows = tuple(move_windows)
        self._stress = stress_window
        self._moves = {name: Extremes(WINDOWS[name]) for name in (*self.windows, *followed, REFERENCE)}
        self._move_surprise = {name: Surprise(MOVE_SCALE, MOVE_TAIL, MOVE_WEIGHT, MOVE_LEAST) for name in self.windows}
        self._ratio: float | None = None  # of realised to normal volatility, until either changes
        self._step: tuple[int, float] | None = None  # number of the current 10 s step, price at its beginning
        self._steps: deque[tuple[int, float]] = deque()  # (step, squared return)
        self._anchor: tuple[int, float] | None = None  # second and price that the next five-minute return starts at
        self._returns = 0
        self._lag_s = lag_s
        self._late_moves: deque[tuple[int, list[float]]] = deque()  # second, deviations of each window and side
        self._late_returns: deque[tuple[int, float]] = deque()  # second, squared return
        self._measure()

    def mark(self, venue: str, second: int, price: float) -> None:
        """Take a venue's mark price; one that is older than its last changes nothing."""
        kept = self._marks.get(venue)
        if kept is None or kept[1] <= second:
            self._marks[venue] = (price, second)
            self._dirty = True

    @property
    def venues(self) -> Collection[str]:
        """Return the venues that ever reported a price."""
        return self._marks.keys()

    def close(self, second: int, learn: bool) -> None:
        """Close a second: fold the marks into one price, and learn what is normal if ``learn``."""
        self._at = second
        if self.last is not None:
            self._close_step(second, self.last)  # before the marks: the step began with the price that was
        if second // HOUR_S != self._hour:
            self._hour = second // HOUR_S
            self._measure()
        elif not self._dirty and (self._fades is None or second <= self._fades):
            return
        if self._dirty:
            self._dirty = False
            newest = max(at for _, at in self._marks.values())
            price = median(price for price, at in self._marks.values() if at > newest - FRESH_S)
            self.last = price
            self.second = second
            self._ratio = None
            for extremes in self._moves.values():
                extremes.push(second, price)
            self._take_return(second, price, learn)
            self.usual.take(second, price)
        if not learn and (self._late_moves or self._late_returns):
            self._late_moves.clear()
            self._late_returns.clear()
        self._judge()

    def _measure(self) -> None:
        """Compute the standard deviations of the current hour."""
        self._ratio = None
        of_hour = math.sqrt(self.shape.factor(self._hour))
        self._units = {
            window: self.sigma * math.sqrt(length / DAY_S) * (of_hour if length <= SHAPED else 1.0)
            for window, length in WINDOWS.items()
        }

    def _judge(self) -> None:
        """Find the most surprising move against each side."""
        self._fades = None
        for side in SIDES:
            worst, fast = STILL, 0.0
            for window in self.windows:
                move = self.move(window, side)
                deviations = move / self._units[window]
                if deviations <= MOVE_SCALE:
                    continue
                fades = self.second + WINDOWS[window]
                self._fades = fades if self._fades is None else min(fades, self._fades)
                surprise = self._move_surprise[window].of(deviations)
                if window == self._stress:
                    fast = surprise
                if surprise > worst.surprise:
                    worst = Move(window, move, surprise, 0.0)
            self.judged[side] = worst._replace(fast_surprise=fast)

    def _close_step(self, second: int, price: float) -> None:
        step = second // STEP_S
        if self._step is None:
            self._step, self._ratio = (step, price), None
        elif step > self._step[0]:
            change = math.log(price / self._step[1])
            if change:
                self._steps.append((self._step[0], change * change))
            self._step, self._ratio = (step, price), None
            while self._steps and self._steps[0][0] <= step - STEPS:
                self._steps.popleft()

    def _take_return(self, second: int, price: float, learn: bool) -> None:
        """Make a return of five minutes, and learn those that are old enough."""
        if self._anchor is None:
            self._anchor = (second, price)
            return
        elapsed = second - self._anchor[0]
        if elapsed < RETURN_S:
            return
        if learn and elapsed < DAY_S:
            self._late_returns.append((second, math.log(price / self._anchor[1]) ** 2 * RETURN_S / elapsed))
        self._anchor = (second, price)
        while self._late_returns and self._late_returns[0][0] <= second - self._lag_s:
            self._learn_return(*self._late_returns.popleft())

    def _learn_return(self, second: int, squared: float) -> None:
        hour = second // HOUR_S
        factor = self.shape.factor(hour)
        self._returns += 1
        gain = max(1.0 - 2.0 ** (-1.0 / VOLATILITY_HALF_LIFE), 1.0 / (PRIOR_RETURNS + self._returns))
        ratio = min(squared / self.variance, WINSOR * factor)
        self.shape.learn(hour, ratio)
        self.variance = max(LOWEST_VARIANCE, self.variance * (1.0 + gain * (ratio / factor - 1.0)))
        self.sigma = max(LOWEST_VOLATILITY, math.sqrt(self.variance * DAY_S / RETURN_S))
        self._measure()

    def move(self, window: str, side: Side) -> float:
        """Return how far the price is below the window's high (``long``) or above its low (``short``), a ratio."""
        extremes = self._moves[window]
        if self.last is None or self._at - self.second > extremes.length_s:
            return 0.0
        if side == "long":
            return max(0.0, 1.0 - self.last / extremes.high)
        return max(0.0, self.last / extremes.low - 1.0)

    def reference(self, side: Side) -> float:
        """Return the last hour's high for longs, its low for shorts: where a move against that side began."""
        extremes = self._moves[REFERENCE]
        return extremes.high if side == "long" else extremes.low

    def deviations(self, window: str, side: Side) -> float:
        """Return the move in standard deviations of the window's return."""
        return self.move(window, side) / self._units[window]

    def normal_move(self, window: str) -> float:
        """Return one standard deviation of the window's return at this time of the day: the baseline of its move."""
        return self._units[window]

    def volatility_ratio(self) -> float:
        """Return the realised volatility of the last five minutes over the normal one."""
        if self._ratio is None:
            realised = math.fsum(squared for _, squared in self._steps)
            if self._step is not None and self.last is not None:
                realised += math.log(self.last / self._step[1]) ** 2  # the step that is still running
            self._ratio = math.sqrt(realised) / self.normal_move("5m")
        return self._ratio

    def learn_minute(self, second: int) -> None:
        """Queue a quiet minute's moves against both sides, and learn those that are old enough."""
        moves = [self.deviations(window, side) for window in self.windows for side in SIDES]
        self._late_moves.append((second, moves))
        while self._late_moves and self._late_moves[0][0] <= second - self._lag_s:
            for index, deviations in enumerate(self._late_moves.popleft()[1]):
                self._move_surprise[self.windows[index // 2]].observe(deviations)

    def state(self) -> PriceState:
        """Return what a snapshot stores."""
        return PriceState(
            late_moves=list(self._late_moves),
            late_returns=list(self._late_returns),
            names=self.windows,
            judged=self.judged,
            shape=self.shape.state(),
            hour=self._hour,
            last=self.last,
            second=self.second,
            variance=self.variance,
            sigma=self.sigma,
            marks=self._marks,
            dirty=self._dirty,
            moves={name: extremes.state() for name, extremes in self._moves.items()},
            surprise={name: surprise.state() for name, surprise in self._move_surprise.items()},
            at=self._at,
            fades=self._fades,
            step=self._step,
            steps=list(self._steps),
            anchor=self._anchor,
            returns=self._returns,
            usual=self.usual.state(),
        )

    def load(self, kept: PriceState) -> None:
        """Restore a decoded :class:`PriceState`; windows that were not judged then start from here."""
        self.last, self.second = kept.last, kept.second
        self.variance, self.sigma = kept.variance, kept.sigma
        self.judged = kept.judged
        if kept.names == self.windows:
            self._late_moves = deque(kept.late_moves)
        self._late_returns = deque(kept.late_returns)
        self.shape.load(kept.shape)
        self._hour = kept.hour
        self._measure()
        self._marks = kept.marks
        self._dirty, self._at, self._fades = kept.dirty, kept.at, kept.fades
        for name, extremes in self._moves.items():
            if name in kept.moves:
                extremes.load(kept.moves[name])
            elif self.last is not None:
                extremes.push(self.second, self.last)
        for name, surprise in self._move_surprise.items():
            if name in kept.surprise:
                surprise.load(kept.surprise[name])
        self._step, self._steps = kept.step, deque(kept.steps)
        self._anchor, self._returns = kept.anchor, kept.returns
        self.usual.load(kept.usual)
