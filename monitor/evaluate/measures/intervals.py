"""Intervals that say how little is known: block bootstrap, and the exact one of a Poisson count (section 4.5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from monitor.evaluate.markets.tape import Floats, Integers

LEVEL: Final = 0.90
DRAWS: Final = 2_000
SEED: Final = 20_250_601
"""Any number would do; a fixed one makes two runs print the same."""


class Estimate(NamedTuple):
    """A figure and its interval; None where the data does not say."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


def resamples(blocks: int, draws: int = DRAWS, seed: int = SEED) -> Integers:
    """How often each block is drawn, (draws, blocks): whole blocks with replacement, as many as there are."""
    if not blocks:
        return np.zeros((draws, 0), np.int64)
    return np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1.0 / blocks), size=draws).astype(np.int64)


def ratio(weights: Integers, over: Floats, under: Floats) -> Estimate:
    """A ratio of two sums over blocks, such as events found over events, with its bootstrap interval.

    Draws without anything in the denominator say nothing and are left out.
    """
    total = float(under.sum())
    if not total:
        return Estimate(None)
    low, high = _limits(ratios(weights, over, under))
    return Estimate(float(over.sum()) / total, low, high, round(total))


def ratios(weights: Integers, over: Floats, under: Floats) -> Floats:
    """The ratio in every draw, NaN where its denominator is empty."""
    drawn: Floats = weights @ under
    drawn[drawn == 0] = np.nan
    return np.asarray(weights @ over / drawn, np.float64)


def difference(mine: Floats, others: Floats, value: float | None) -> Estimate:
    """A difference of two figures over the same draws: paired, so that what both find hard cancels out."""
    if value is None:
        return Estimate(None)
    low, high = _limits(mine - others)
    return Estimate(value, low, high, len(mine))


def quantile(weights: Integers, values: Sequence[Sequence[float]], share: float = 0.5) -> tuple[Estimate, Floats]:
    """A quantile of values that lie in blocks, such as the median delay, and its value in every draw.

    Between two values it is interpolated, as numpy does; draws without any value are NaN.
    """
    flat = np.array([value for block in values for value in block], np.float64)
    owner = np.array([place for place, block in enumerate(values) for _ in block], np.int64)
    drawn = np.full(len(weights), np.nan)
    if not len(flat):
        return Estimate(None), drawn
    order = np.argsort(flat, kind="stable")
    ranks = np.cumsum(weights[:, owner[order]], axis=1)  # how many drawn values are there up to each, the least first
    some = ranks[:, -1] > 0
    place = share * (ranks[some, -1] - 1)
    below, above = (
        flat[order][(ranks[some] > rank[:, None]).argmax(axis=1)] for rank in (np.floor(place), np.ceil(place))
    )
    drawn[some] = below + (above - below) * (place - np.floor(place))
    low, high = _limits(drawn)
    return Estimate(float(np.quantile(flat, share)), low, high, len(flat)), drawn


def _limits(drawn: Floats, level: float = LEVEL) -> tuple[float | None, float | None]:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def poisson_interval(count: int, level: float = LEVEL) -> tuple[float, float]:
    """Garwood's exact interval for the mean of a Poisson count.

    F. Garwood, Fiducial limits for the Poisson distribution, Biometrika 28 (1936): each end is the mean at which a
    count this extreme has half of what ``level`` leaves.

    Example:
        >>> [round(end, 3) for end in poisson_interval(0)]
        [0.0, 2.996]
    """
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _solve(lambda mean: 1.0 - poisson_cdf(count - 1, mean), tail, count)
    return low, _solve(lambda mean: -poisson_cdf(count, mean), -tail, count)


def poisson_rate(count: int, months: float) -> Estimate:
    """A count by month, with the exact interval."""
    if not months:
        return Estimate(None)
    low, high = poisson_interval(count)
    return Estimate(count / months, low / months, high / months, count)


def poisson_cdf(count: int, mean: float) -> float:
    """P(X <= count) of a Poisson variable."""
    if mean == 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _solve(rising: Callable[[float], float], target: float, count: int) -> float:
    """Where a rising function meets its target, by bisection to the last digits."""
    low, high = 0.0, 2.0 * count + 50.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
