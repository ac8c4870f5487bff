"""Simulates the price without forced orders: common factor, own noise, changing volatility, shocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.lab.simulate.world.settings import DAY_S, AssetSpec, WorldSettings

Floats = npt.NDArray[np.float64]

MINUTE_S: Final = 60
VOLATILITY_TAU_MIN: Final = 12 * 60
"""Time constant of volatility, minutes: half a day."""
VOLATILITY_SPREAD: Final = 0.35
"""Standard deviation of its logarithm: four of five days lie between 0.6 and 1.6 times the mean."""
HOURLY: Final = (
    0.95, 0.97, 0.96, 0.90, 0.84, 0.80, 0.80, 0.82, 0.84, 0.78, 0.73, 0.80,
    0.98, 1.25, 1.45, 1.51, 1.36, 1.22, 1.10, 1.06, 1.02, 0.98, 0.94, 0.92,
)  # fmt: skip
"""BTC's standard deviation by hour UTC relative to the mean: 0.73 at 10 and 1.51 at 15 are measured, others
interpolated.
"""
WEEKEND: Final = 0.72
"""Standard deviation on weekends relative to weekdays."""
FOLLOW_S: Final = 3.0
"""Lag with which the others follow the leader, seconds."""
SHOCKS_PER_MONTH: Final = 9.0
"""Shocks of the whole market a month."""
OWN_SHOCKS_PER_MONTH: Final = 3.0
"""Shocks of one asset alone a month; at most a fourth of altcoins' recorded shocks came without the leader's."""
SMALLEST: Final = 0.008
"""Smallest shock, log price."""
TAIL: Final = 2.0
"""Exponent of the Pareto distribution of shocks."""
LARGEST: Final = 0.10
"""Largest shock, log price: no recent month held a larger one from outside alone."""
SHORTEST_S: Final = 20.0
LONGEST_S: Final = 5_400.0
GRINDS_PER_MONTH: Final = 1.5
GRIND_S: Final = (2 * 3_600.0, 8 * 3_600.0)
"""Range of lengths of a grind, seconds; on 2026-02-05 a day fell by 17.7 % with no five minutes below -1.9 %."""
AFTERSHOCK: Final = 0.3
"""Share of shocks that are followed by another of the same sign within twelve hours."""
DIFFUSE: Final = 0.85
"""Share of the day's variance that is noise; shocks bring the rest."""
SPELLS_PER_MONTH: Final = 3.0
"""Spells a month of 1.8 to 3 times the volatility without any drift, which may look like a cascade."""


class Shock(NamedTuple):
    """A move from outside: its start and its length (seconds), and its log price."""

    start: int
    seconds: int
    size: float


class Spell(NamedTuple):
    """A spell of higher volatility, seconds from the start."""

    start: int
    end: int
    factor: float


class Paths(NamedTuple):
    """One asset's outside, one value a second.

    Attributes:
        log_price: relative to the start; a follower's is without what it takes from the leader.
        sigma: usual standard deviation of a second's return at that time, without spells; a follower's own part.
    """

    log_price: Floats
    sigma: Floats


def spells(settings: WorldSettings) -> list[Spell]:
    """Return the spells of higher volatility of the whole market."""
    if not settings.decoys:
        return []
    rng = np.random.default_rng([settings.seed, 1])
    count = rng.poisson(SPELLS_PER_MONTH * settings.seconds / (30 * DAY_S))
    starts = np.sort(rng.integers(0, settings.seconds, count)).tolist()
    lengths = rng.uniform(3_600, 12 * 3_600, count).astype(np.int64).tolist()
    factors = rng.uniform(1.8, 3.0, count).tolist()
    return [
        Spell(start, min(start + length, settings.seconds), factor)
        for start, length, factor in zip(starts, lengths, factors, strict=True)
    ]


def shocks(rng: np.random.Generator, seconds: int, per_month: float, grinds_per_month: float) -> list[Shock]:
    """Return the shocks of one source, with their aftershocks."""
    months = seconds / (30 * DAY_S)
    found: list[Shock] = []
    for _ in range(rng.poisson(per_month * months)):
        length = math.exp(rng.uniform(math.log(SHORTEST_S), math.log(LONGEST_S)))
        shock = Shock(int(rng.integers(0, seconds)), round(length), _size(rng))
        found.append(shock)
        if rng.random() < AFTERSHOCK:
            wait = int(rng.uniform(1_200, 12 * 3_600))
            found.append(Shock(shock.start + shock.seconds + wait, shock.seconds, shock.size * rng.uniform(0.6, 1.3)))
    for _ in range(rng.poisson(grinds_per_month * months)):
        size = math.copysign(rng.uniform(0.04, 0.09), _size(rng))
        found.append(Shock(int(rng.integers(0, seconds)), int(rng.uniform(*GRIND_S)), size))
    return sorted(found)


def _size(rng: np.random.Generator) -> float:
    size = min(LARGEST, SMALLEST * math.pow(1 - rng.random(), -1 / TAIL))
    return size if rng.random() < 0.5 else -size


def shock_returns(found: Sequence[Shock], seconds: int) -> Floats:
    """Return the shocks' part of each second's return; each comes fast at first and then slower."""
    returns = np.zeros(seconds)
    for start, length, size in found:
        end = min(start + length, seconds)
        if start < end:
            share = np.arange(end - start + 1) / length
            returns[start:end] += size * np.diff(np.expm1(-2 * share) / math.expm1(-2))
    return returns


def profile(settings: WorldSettings) -> Floats:
    """Return the factor of volatility by minute, from hour and weekend; its mean square over a week is 1."""
    week = _hours(np.arange(7 * 24 * MINUTE_S), 4)  # the epoch was a Thursday: day 4 of it is a Monday
    minutes = settings.start_us // 60_000_000 + np.arange(settings.seconds // MINUTE_S)
    return _hours(minutes, 0) / math.sqrt(float(np.mean(week**2)))


def _hours(minutes: npt.NDArray[np.int64], first_day: int) -> Floats:
    hour = minutes / 60 % 24
    level = np.interp(hour, np.arange(25) + 0.5, [*HOURLY, HOURLY[0]])
    level[hour < 0.5] = np.interp(hour[hour < 0.5], [-0.5, 0.5], [HOURLY[-1], HOURLY[0]])
    weekend = ((minutes // (24 * 60) + first_day + 3) % 7) >= 5
    return np.where(weekend, WEEKEND * level, level)


def _volatility(rng: np.random.Generator, minutes: int) -> Floats:
    """Return an Ornstein-Uhlenbeck logarithm, one value a minute, scaled to a mean square of 1."""
    keep = math.exp(-1 / VOLATILITY_TAU_MIN)
    draws = (VOLATILITY_SPREAD * math.sqrt(1 - keep * keep) * rng.standard_normal(minutes)).tolist()
    level = VOLATILITY_SPREAD * float(rng.standard_normal())
    levels = []
    for draw in draws:
        level = keep * level + draw
        levels.append(level)
    return np.exp(np.array(levels) - VOLATILITY_SPREAD**2)


def paths(settings: WorldSettings, index: int, asset: AssetSpec, leader: AssetSpec) -> Paths:
    """Return one asset's outside; the leader has index 0."""
    rng = np.random.default_rng([settings.seed, 2, index])
    seconds, often = settings.seconds, settings.shocks
    common = leader.sigma_d * asset.beta
    own = asset.sigma_d if index == 0 else math.sqrt(max(asset.sigma_d**2 - common**2, (0.3 * asset.sigma_d) ** 2))
    shape = profile(settings)
    noise = _volatility(rng, len(shape)) * shape * math.sqrt(DIFFUSE / DAY_S)
    loud = noise.copy()
    for start, end, factor in spells(settings):
        loud[start // MINUTE_S : end // MINUTE_S] *= factor
    returns = own * np.repeat(loud, MINUTE_S) * rng.standard_normal(seconds)
    if index == 0:
        common_ones = shocks(rng, seconds, often * SHOCKS_PER_MONTH, often * GRINDS_PER_MONTH)
        returns += shock_returns(common_ones, seconds)
    else:
        alone = [
            shock._replace(size=shock.size * asset.sigma_d / leader.sigma_d)
            for shock in shocks(rng, seconds, often * OWN_SHOCKS_PER_MONTH, 0.0)
        ]
        returns += shock_returns(alone, seconds)
    return Paths(np.cumsum(returns), own * np.repeat(noise, MINUTE_S))


def lagged(leader: Floats) -> Floats:
    """Return the leader's path as the others follow it, :data:`FOLLOW_S` behind."""
    weights = np.exp(-np.arange(10 * FOLLOW_S) / FOLLOW_S)
    weights /= weights.sum()
    # Before the start the leader did not move.
    return np.convolve(leader, weights)[: len(leader)]
