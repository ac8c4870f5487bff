"""Defines the baselines that the detector must beat: five simple rules that people use, or could use.

A rule turns a tape into one number a second and alerts when the number reaches a threshold. The threshold is set on
other markets than those that the table is of. So a rule costs one pass, whatever the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from monitor.lab.evaluate.markets.tape import Floats, Tape, grid
from monitor.lab.evaluate.trials.alerts import Alert
from monitor.lab.rolling import rolling_max
from monitor.model.events import MICROS, SIDES, Side

DAY_S: Final = 86_400
ASSUMED_SIGMA: Final = 0.03
"""Standard deviation of a day's return until a full day is known."""
QUIET_US: Final = 30 * 60 * MICROS
"""A rule must be below its threshold for this long to alert again, microseconds; until then its alert stays active."""
DROP_WINDOWS_S: Final = (300, 3_600, 86_400)
"""Windows of the price drop, seconds."""
Z_SCORE_FLOOR_USD: Final = 50_000.0
"""The z-score is 0 below this notional a minute, USD; else the first order after a quiet day is infinitely rare."""
TIERS_USD: Final = {"BTC": 2e6, "ETH": 1e6}
"""Tiers of public bots in 30 seconds: 2 million USD for BTC, 1 million for ETH."""
OTHER_TIER_USD: Final = 5e5
"""Tier of public bots in 30 seconds for all other assets, USD."""


class StatisticSeries(NamedTuple):
    """A rule's number for one side of one asset, one a second from ``start_us`` on, as of each second's end."""

    start_us: int
    values: Floats


Statistic = Callable[[Tape, Side, int, int], Floats]
"""Computes the number for the seconds whose ends lie from the first to the last given time, both included."""


class Rule(NamedTuple):
    """One baseline: its name, its number's unit, the number, and the thresholds that are tried."""

    name: str
    unit: str
    statistic: Statistic
    thresholds: tuple[float, ...]

    def series(self, tape: Tape, first_us: int, last_us: int) -> dict[Side, list[StatisticSeries]]:
        """Return the number over a whole tape by side, one series for each stretch without a long silence of prices.

        A tape without prices is one stretch from ``first_us`` to ``last_us``.
        """
        stretches = tape.stretches() or [(first_us, last_us)]
        return {
            side: [
                StatisticSeries(start_us, self.statistic(tape, side, start_us, end_us))
                for start_us, end_us in stretches
            ]
            for side in SIDES
        }


def alerts_above(series: StatisticSeries, asset: str, side: Side, threshold: float) -> list[Alert]:
    """Return an alert wherever the number reaches the threshold after half an hour below it."""
    above = np.flatnonzero(series.values >= threshold)
    if not len(above):
        return []
    quiet_s = QUIET_US // MICROS
    breaks = np.flatnonzero(np.diff(above) > quiet_s)
    firsts = np.concatenate((above[:1], above[breaks + 1])).tolist()
    lasts = np.concatenate((above[breaks], above[-1:])).tolist()
    first_us = -(-series.start_us // MICROS) * MICROS
    return [
        Alert(asset, side, first_us + first * MICROS, first_us + last * MICROS + QUIET_US)
        for first, last in zip(firsts, lasts, strict=True)
    ]


def price_drop(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """Return the deepest drop from the best price of 5 minutes, an hour and a day, in standard deviations of each."""
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
    """Return the standard deviation of a day's return known by then: the median of the last thirty days.

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


def forced_usd_per_second(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """Return the forced notional of the second that ends at each grid time, USD."""
    count = len(grid(first_us, last_us, 1))
    times, micros = tape.forced(side)
    start_us = -(-first_us // MICROS) * MICROS
    place = -(-(times - start_us) // MICROS)
    inside = (place >= 0) & (place < count)
    return np.asarray(np.bincount(place[inside], micros[inside] / MICROS, count)[:count], np.float64)


def rolling_sum(values: Floats, length: int) -> Floats:
    """Return the sums of the last ``length`` values; fewer at the start."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    ends = np.arange(1, len(values) + 1)
    return np.asarray(total[ends] - total[np.maximum(0, ends - length)], np.float64)


def fixed_dollars(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """Return the forced notional of the last minute, USD."""
    return rolling_sum(forced_usd_per_second(tape, side, first_us, last_us), 60)


def tiered_dollars(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """Return the forced notional of the last 30 seconds, in multiples of the asset's tier."""
    return rolling_sum(forced_usd_per_second(tape, side, first_us, last_us), 30) / TIERS_USD.get(
        tape.asset, OTHER_TIER_USD
    )


def day_z_score(tape: Tape, side: Side, first_us: int, last_us: int) -> Floats:
    """Return the last minute's forced notional as a z-score among the minutes of the last day."""
    minute = fixed_dollars(tape, side, first_us, last_us)
    seen = np.minimum(np.arange(1, len(minute) + 1), DAY_S)
    mean = rolling_sum(minute, DAY_S) / seen
    variance = np.maximum(rolling_sum(minute**2, DAY_S) / seen - mean**2, 0.0)
    score = np.divide(minute - mean, np.sqrt(variance), out=np.zeros(len(minute)), where=variance > 1.0)
    return np.where(minute >= Z_SCORE_FLOOR_USD, score, 0.0)


def always_zero(_tape: Tape, _side: Side, first_us: int, last_us: int) -> Floats:
    """Return zeros: a rule that never alerts."""
    return np.zeros(len(grid(first_us, last_us, 1)))


def _geometric_steps(low: float, high: float, count: int = 32) -> tuple[float, ...]:
    """Return thresholds in equal ratios, ascending."""
    return tuple(float(value) for value in np.geomspace(low, high, count))


PRICE_ONLY: Final = "price drop only"
ALWAYS_OFF: Final = "always off"

RULES: Final = (
    Rule(PRICE_ONLY, "sd of the window", price_drop, _geometric_steps(1.5, 20)),
    Rule("fixed dollars", "USD in 60 s", fixed_dollars, _geometric_steps(2e4, 2e8)),
    Rule("tiered dollars", "x tier in 30 s", tiered_dollars, _geometric_steps(0.02, 50)),
    Rule("24-h z-score", "sd", day_z_score, _geometric_steps(2, 300)),
    Rule(ALWAYS_OFF, "", always_zero, (1.0,)),
)
