"""What the detector must beat: five rules that people use, or could (section 4.5).

A rule turns a tape into one number a second; it alerts when the number reaches a threshold. The threshold is no part of
the rule: it is set on other markets than those that the table is of. So a rule costs one pass, whatever the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from monitor.evaluate.markets.tape import Floats, Tape, grid
from monitor.evaluate.trials.alerts import Alert
from monitor.events import MICROS, SIDES, Side
from monitor.rolling import rolling_max

DAY_S: Final = 86_400
ASSUMED_SIGMA: Final = 0.03
QUIET_US: Final = 30 * 60 * MICROS
"""A rule that was below its threshold for this long may alert anew; the alerts of a cascade are one until then."""
DROP_WINDOWS_S: Final = (300, 3_600, 86_400)
DUST_USD: Final = 50_000.0
"""The z-score says nothing of less than this: the first order after a day without any is infinitely surprising."""
TIERS_USD: Final = {"BTC": 2e6, "ETH": 1e6}
OTHERS_USD: Final = 5e5
"""The tiered rule of public bots: 2, 1 and 0.5 million USD in 30 seconds."""


class Course(NamedTuple):
    """A rule's number for one side of one asset from ``start_us`` on, a second each, as of the second's end."""

    start_us: int
    values: Floats


Statistic = Callable[[Tape, Side, int, int], Floats]
"""The number for the seconds whose ends lie from the first to the last given time, both included."""


class Rule(NamedTuple):
    """One baseline: its name, its number's unit, the number, and the thresholds that are tried."""

    name: str
    unit: str
    statistic: Statistic
    thresholds: tuple[float, ...]

    def courses(self, tape: Tape, first_us: int, last_us: int) -> dict[Side, list[Course]]:
        """The number over all of a tape, one course for each stretch without a long silence of prices.

        A tape without prices is one stretch from ``first_us`` to ``last_us``.
        """
        stretches = tape.stretches() or [(first_us, last_us)]
        return {
            side: [
                Course(start_us, self.statistic(tape, side, start_us, end_us)) for start_us, end_us in stretches
            ]
            for side in SIDES
        }  # fmt: skip

    def alerts(self, tape: Tape, first_us: int, last_us: int, threshold: float) -> list[Alert]:
        """What the rule says of a tape."""
        return [
            alert
            for side, courses in self.courses(tape, first_us, last_us).items()
            for course in courses
            for alert in crossings(course, tape.asset, side, threshold)
        ]


def crossings(course: Course, asset: str, side: Side, threshold: float) -> list[Alert]:
    """An alert wherever the number reaches the threshold after half an hour below it."""
    above = np.flatnonzero(course.values >= threshold)
    if not len(above):
        return []
    quiet_s = QUIET_US // MICROS
    breaks = np.flatnonzero(np.diff(above) > quiet_s)
    firsts = np.concatenate((above[:1], above[breaks + 1])).tolist()
    lasts = np.concatenate((above[breaks], above[-1:])).tolist()
    first_us = -(-course.start_us // MICROS) * MICROS
    return [
        Alert(asset, side, first_us + first * MICROS, first_us + last * MICROS + QUIET_US)
        for first, last in zip(firsts, lasts, strict=True)
    ]


def price_drop(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """The deepest drop from the best price of 5 minutes, an hour, a day, in standard deviations of that length."""
    at = grid(first_us, last_us, 1)
    price = tape.price_at(at)
    if not len(price) or np.isnan(price).all():
        return np.zeros(len(at))
    price = np.log(np.where(np.isnan(price), price[~np.isnan(price)][0], price))
    directed = price if side == "long" else -price
    sigma = usual_sigma(price)
    worst = np.zeros(len(at))
    for window in DROP_WINDOWS_S:
        drop = (rolling_max(directed, window + 1) - directed) / (sigma * np.sqrt(window / DAY_S))
        np.maximum(worst, drop, out=worst)
    return worst


def usual_sigma(price: Floats) -> Floats:
    """Standard deviation of a day's return as known by then: the median of the days before, at most thirty.

    Args:
        price: logarithms, one a second.
    """
    sigma = np.full(len(price), ASSUMED_SIGMA)
    days: list[float] = []
    for day in range(0, len(price) - DAY_S, DAY_S):
        five_minutes = price[day : day + DAY_S + 1 : 300]
        days.append(float(np.sqrt(np.sum(np.diff(five_minutes) ** 2))))
        usual = float(np.median(days[-30:]))
        if usual > 0:
            sigma[day + DAY_S : day + 2 * DAY_S] = usual
    return sigma


def per_second(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """Forced USD in the second that ends at each grid time."""
    count = len(grid(first_us, last_us, 1))
    times, micros = tape.forced(side)
    start_us = -(-first_us // MICROS) * MICROS
    place = -(-(times - start_us) // MICROS)
    inside = (place >= 0) & (place < count)
    return np.asarray(np.bincount(place[inside], micros[inside] / MICROS, count)[:count], np.float64)


def rolling(values: Floats, length: int) -> Floats:
    """Sums of the last ``length`` values; fewer at the start."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    ends = np.arange(1, len(values) + 1)
    return np.asarray(total[ends] - total[np.maximum(0, ends - length)], np.float64)


def fixed_dollars(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """Forced USD of the last minute."""
    return rolling(per_second(tape, side, first_us, last_us), 60)


def tiered_dollars(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """Forced USD of the last 30 seconds, in multiples of the asset's tier."""
    return rolling(per_second(tape, side, first_us, last_us), 30) / TIERS_USD.get(tape.asset, OTHERS_USD)


def day_score(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """The last minute's forced USD less the mean of the last day's minutes, in their standard deviations."""
    minute = fixed_dollars(tape, side, first_us, last_us)
    seen = np.minimum(np.arange(1, len(minute) + 1), DAY_S)
    mean = rolling(minute, DAY_S) / seen
    variance = np.maximum(rolling(minute**2, DAY_S) / seen - mean**2, 0.0)
    score = np.divide(minute - mean, np.sqrt(variance), out=np.zeros(len(minute)), where=variance > 1.0)
    return np.where(minute >= DUST_USD, score, 0.0)


def nothing(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """Never anything."""
    return np.zeros(len(grid(first_us, last_us, 1)))


def _steps(low: float, high: float, count: int = 32) -> tuple[float, ...]:
    """Thresholds in equal ratios, ascending."""
    return tuple(float(value) for value in np.geomspace(low, high, count))


PRICE: Final = "price drop only"
OFF: Final = "always off"

RULES: Final = (
    Rule(PRICE, "sd of the window", price_drop, _steps(1.5, 20)),
    Rule("fixed dollars", "USD in 60 s", fixed_dollars, _steps(2e4, 2e8)),
    Rule("tiered dollars", "x tier in 30 s", tiered_dollars, _steps(0.02, 50)),
    Rule("24-h z-score", "sd", day_score, _steps(2, 300)),
    Rule(OFF, "", nothing, (1.0,)),
)
