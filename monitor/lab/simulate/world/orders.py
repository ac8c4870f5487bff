"""Splits what was executed second by second into single forced orders with times, sizes and venues."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.lab.simulate.world.feedback import FeedbackResult, LoneLiquidation
from monitor.lab.simulate.world.settings import AssetSpec, Venue, WorldSettings
from monitor.model.events import MICROS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEDIAN_USD: Final = 12_000.0
SPREAD: Final = 1.5
"""Log-normal spread of sizes: mean 37 kUSD at :data:`REFERENCE_USD`; most are small, some worth a million."""
REFERENCE_USD: Final = 5e9
"""Open interest at which :data:`MEDIAN_USD` holds, USD; sizes grow with its square root.

A coin a thousand times smaller has orders 32 times smaller and 32 times fewer.
"""
LARGEST_SHARE: Final = 0.003
"""Largest ordinary order as a share of the open interest, because exchanges limit positions."""
OFFSPRING_S: Final = 5.0
"""Mean delay of an order set off by another one with the Hawkes overlay, seconds."""


class Orders(NamedTuple):
    """One asset's forced orders, by time. All arrays are of the same length.

    Attributes:
        time_us: microseconds since the start of the world.
        side: 0 for longs, 1 for shorts, as in ``SIDES``.
        micro_usd: notional.
        venue: index of the venue.
    """

    time_us: Ints
    side: Ints
    micro_usd: Ints
    venue: Ints

    def within(self, first_us: int, last_us: int) -> Orders:
        """Return the orders in [``first_us``, ``last_us``)."""
        first, last = np.searchsorted(self.time_us, (first_us, last_us)).tolist()
        return Orders(*(column[first:last] for column in self))


def mean_usd(spec: AssetSpec) -> float:
    """Return the mean size of an order before the limit to the largest, USD."""
    return MEDIAN_USD * _relative(spec) * math.exp(SPREAD**2 / 2)


def _relative(spec: AssetSpec) -> float:
    return math.sqrt(spec.open_interest_usd / REFERENCE_USD)


def orders(
    settings: WorldSettings,
    index: int,
    spec: AssetSpec,
    venues: Sequence[Venue],
    course: FeedbackResult,
    log_price: npt.NDArray[np.float32],
    lone: Sequence[LoneLiquidation],
) -> Orders:
    """Split what was executed into orders: their number is Poisson, their sizes are log-normal."""
    rng = np.random.default_rng([settings.seed, 3, index])
    worth = spec.open_interest_usd * np.exp(log_price[course.seconds].astype(np.float64))
    times, sides, sizes = [], [], []
    for side, amounts in enumerate(course.forced):
        counts = rng.poisson((1 - settings.hawkes) * amounts * worth / mean_usd(spec))
        time_us = np.repeat(course.seconds, counts) * MICROS
        time_us += rng.integers(0, MICROS, len(time_us))
        time_us = _with_offspring(rng, time_us, settings)
        drawn = np.exp(math.log(MEDIAN_USD * _relative(spec)) + SPREAD * rng.standard_normal(len(time_us)))
        times.append(time_us)
        sides.append(np.full(len(time_us), side))
        sizes.append(np.minimum(drawn, LARGEST_SHARE * spec.open_interest_usd))
    for one in lone:
        times.append(np.array([one.second * MICROS + MICROS // 2]))
        sides.append(np.array([int(one.side == "short")]))
        sizes.append(np.array([one.amount * spec.open_interest_usd * math.exp(float(log_price[one.second]))]))
    time_us, side_of, usd = (np.concatenate(column) for column in (times, sides, sizes))
    venue = rng.choice(len(venues), len(time_us), p=[venue.share for venue in venues])
    by_time = np.argsort(time_us, kind="stable")
    cents = np.maximum(1, np.rint(usd * 100)).astype(np.int64)
    return Orders(*(column[by_time] for column in (time_us, side_of, cents * (MICROS // 100), venue)))


def _with_offspring(rng: np.random.Generator, time_us: Ints, settings: WorldSettings) -> Ints:
    """Let each order set off a Poisson number of others, and these again, until none is left."""
    generation, all_of = time_us, [time_us]
    while settings.hawkes and len(generation):
        parents = np.repeat(generation, rng.poisson(settings.hawkes, len(generation)))
        generation = parents + (rng.exponential(OFFSPRING_S * MICROS, len(parents))).astype(np.int64)
        generation = generation[generation < settings.seconds * MICROS]
        all_of.append(generation)
    return np.concatenate(all_of)
