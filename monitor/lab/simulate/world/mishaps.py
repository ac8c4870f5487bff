"""Makes what is no cascade but may look like one: lone large liquidations, outages of venues, wrong marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.lab.simulate.world.feedback import SEGMENT_S, LoneLiquidation
from monitor.lab.simulate.world.settings import DAY_S, Venue, WorldSettings

LONE_PER_MONTH: Final = 6.0
"""Lone large liquidations a month and asset."""
LONE_SHARE: Final = (0.0005, 0.005)
"""Range of their sizes as a share of the open interest; the largest single orders on record were some 10 bp of it."""
OUTAGES_PER_MONTH: Final = 4.0
"""Outages a month and venue in quiet times."""
OUTAGE_MEDIAN_S: Final = 30.0
OUTAGE_SPREAD: Final = 1.2
OUTAGE_LONGEST_S: Final = 900.0
STRESSED: Final = 5.0
"""A five-minute move of the leader by this many usual standard deviations is stress."""
STRESS_OUTAGE: Final = 0.1
"""Probability that a venue fails in a stressed segment."""
DEPEGS_PER_MONTH: Final = 1.0
DEPEG_SIZE: Final = (0.005, 0.03)
DEPEG_S: Final = (600.0, 5_400.0)
BAD_PRICES_PER_MONTH: Final = 2.0
BAD_PRICE_SIZE: Final = (0.05, 0.3)
BAD_PRICE_S: Final = 3
"""Longest time for which a wrong price is published, seconds."""

Span = npt.NDArray[np.int64]


class Outage(NamedTuple):
    """A venue silent in [``start``, ``end``) seconds: ``gap`` loses that time, ``freeze`` delivers it at the end."""

    venue: int
    start: int
    end: int
    kind: Literal["gap", "freeze"]


class Deviation(NamedTuple):
    """Marks of a venue that are wrong in [``start``, ``end``) seconds.

    Attributes:
        venue: index of the venue.
        asset: index of the asset, or None for all of the venue's (its collateral lost its peg).
        start: first second.
        end: second after the last one.
        size: log deviation at its worst.
    """

    venue: int
    asset: int | None
    start: int
    end: int
    size: float

    def at(self, seconds: Span) -> npt.NDArray[np.float64]:
        """Return the log deviation at each second.

        A bad price is wrong at once; a de-peg grows and fades over the first and the last fifth of its time.
        """
        share = (seconds - self.start) / (self.end - self.start)
        inside = (share >= 0) & (share < 1)
        ramp = np.ones(len(seconds)) if self.asset is not None else np.clip(np.minimum(share, 1 - share) * 5, 0, 1)
        return np.where(inside, self.size * ramp, 0.0)


def lone_liquidations(settings: WorldSettings, index: int) -> list[LoneLiquidation]:
    """Return large positions of one asset that are liquidated alone, by second; never two in one."""
    if not settings.decoys:
        return []
    rng = np.random.default_rng([settings.seed, 4, index])
    count = rng.poisson(LONE_PER_MONTH * settings.seconds / (30 * DAY_S))
    seconds = np.unique(rng.integers(0, settings.seconds, count)).tolist()
    low, high = (math.log(share) for share in LONE_SHARE)
    return [
        LoneLiquidation(second, "long" if rng.random() < 0.6 else "short", math.exp(rng.uniform(low, high)))
        for second in seconds
    ]


def outages(
    settings: WorldSettings, venues: Sequence[Venue], leader: npt.NDArray[np.float32], sigma_d: float
) -> list[Outage]:
    """Return the venues' outages, more of them under stress; those of one venue do not overlap."""
    if not settings.outages:
        return []
    rng = np.random.default_rng([settings.seed, 5])
    starts: list[tuple[int, int]] = []
    for venue in range(len(venues)):
        count = rng.poisson(OUTAGES_PER_MONTH * settings.seconds / (30 * DAY_S))
        starts += [(start, venue) for start in rng.integers(0, settings.seconds, count).tolist()]
    moves = np.abs(np.diff(leader[::SEGMENT_S], append=leader[-1]))
    for segment in np.flatnonzero(moves > STRESSED * sigma_d * math.sqrt(SEGMENT_S / DAY_S)).tolist():
        if rng.random() < STRESS_OUTAGE:
            starts.append((segment * SEGMENT_S + int(rng.integers(0, SEGMENT_S)), int(rng.integers(0, len(venues)))))
    found: list[Outage] = []
    over = [0] * len(venues)
    for start, venue in sorted(starts):
        length = min(OUTAGE_LONGEST_S, OUTAGE_MEDIAN_S * math.exp(OUTAGE_SPREAD * rng.standard_normal()))
        end = start + max(5, round(length))
        kind: Literal["gap", "freeze"] = "gap" if rng.random() < 0.6 else "freeze"
        if start > over[venue] and end < settings.seconds:
            found.append(Outage(venue, start, end, kind))
            over[venue] = end
    return found


def deviations(settings: WorldSettings, venues: int) -> list[Deviation]:
    """Return bad prices and de-pegs, by start."""
    if not settings.decoys:
        return []
    rng = np.random.default_rng([settings.seed, 6])
    months = settings.seconds / (30 * DAY_S)
    found = []
    for _ in range(rng.poisson(DEPEGS_PER_MONTH * months)):
        start, length = int(rng.integers(0, settings.seconds)), int(rng.uniform(*DEPEG_S))
        size = -rng.uniform(*DEPEG_SIZE)
        found.append(Deviation(int(rng.integers(0, venues)), None, start, start + length, size))
    for _ in range(rng.poisson(BAD_PRICES_PER_MONTH * months * settings.assets)):
        start, length = int(rng.integers(0, settings.seconds)), int(rng.integers(1, BAD_PRICE_S + 1))
        size = math.copysign(rng.uniform(*BAD_PRICE_SIZE), rng.random() - 0.6)
        venue, asset = int(rng.integers(0, venues)), int(rng.integers(0, settings.assets))
        found.append(Deviation(venue, asset, start, start + length, size))
    return sorted(found, key=lambda one: one.start)
