"""Computes confidence intervals: a block bootstrap for ratios and quantiles, the exact one for a Poisson count."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from monitor.lab.evaluate.markets.tape import Floats, Integers

LEVEL: Final = 0.90
"""Confidence level of all intervals."""
DRAWS: Final = 2_000
"""Number of bootstrap draws."""
SEED: Final = 20_250_601
"""Seed of the draws; any fixed number makes two runs print the same."""


class Estimate(NamedTuple):
    """A figure, its interval, and the number it is made of; None where the data do not give one."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


def resamples(blocks: int, draws: int = DRAWS, seed: int = SEED) -> Integers:
    """Return how often each block is drawn, shape (draws, blocks): as many blocks as there are, with replacement."""
    if not blocks:
        return np.zeros((draws, 0), np.int64)
    return np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1.0 / blocks), size=draws).astype(np.int64)


def ratio(weights: Integers, over: Floats, under: Floats) -> Estimate:
    """Return a ratio of two sums over blocks, such as events found over events, with its bootstrap interval.

    Draws with an empty denominator are left out.
    """
    total = float(under.sum())
    if not total:
        return Estimate(None)
    low, high = _limits(ratios(weights, over, under))
    return Estimate(float(over.sum()) / total, low, high, round(total))


def ratios(weights: Integers, over: Floats, under: Floats) -> Floats:
    """Return the ratio in every draw, NaN where its denominator is empty."""
    drawn: Floats = weights @ under
    drawn[drawn == 0] = np.nan
    return np.asarray(weights @ over / drawn, np.float64)


def difference(mine: Floats, others: Floats, value: float | None) -> Estimate:
    """Return the difference of two figures over the same draws; pairing cancels what is hard for both."""
    if value is None:
        return Estimate(None)
    low, high = _limits(mine - others)
    return Estimate(value, low, high, len(mine))


def quantile(weights: Integers, values: Sequence[Sequence[float]], share: float = 0.5) -> tuple[Estimate, Floats]:
    """Return a quantile of values that lie in blocks, such as the median delay, and its value in every draw.

    Between two values it is interpolated as numpy does; draws without any value are NaN.
    """
    flat = np.array([value for block in values for value in block], np.float64)
    owner = np.array([place for place, block in enumerate(values) for _ in block], np.int64)
    drawn = np.full(len(weights), np.nan)
    if not len(flat):
        return Estimate(None), drawn
    order = np.argsort(flat, kind="stable")
    ranks = np.cumsum(weights[:, owner[order]], axis=1)  # number of drawn values up to each one, ascending
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
    """Return Garwood's exact interval for the mean of a Poisson count.

    F. Garwood, Fiducial limits for the Poisson distribution, Biometrika 28 (1936): each end is the mean at which a
    count this extreme has half of the probability outside of ``level``.

    Example:
        >>> [round(end, 3) for end in poisson_interval(0)]
        [0.0, 2.996]
    """
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _bisect(lambda mean: 1.0 - poisson_cdf(count - 1, mean), tail, count)
    return low, _bisect(lambda mean: -poisson_cdf(count, mean), -tail, count)


def poisson_rate(count: int, months: float) -> Estimate:
    """Return a count divided by months, with the exact interval."""
    if not months:
        return Estimate(None)
    low, high = poisson_interval(count)
    return Estimate(count / months, low / months, high / months, count)


def poisson_cdf(count: int, mean: float) -> float:
    """Return P(X <= count) of a Poisson variable."""
    if mean == 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _bisect(rising: Callable[[float], float], target: float, count: int) -> float:
    """Return the point at which a rising function meets its target, by bisection to the last digits."""
    low, high = 0.0, 2.0 * count + 50.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
