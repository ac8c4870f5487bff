"""Simulates one asset of a world, from its outside path to its orders."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.lab.simulate.world.feedback import SEGMENT_S, Feedback, FeedbackInput, FeedbackResult, LoneLiquidation
from monitor.lab.simulate.world.mishaps import lone_liquidations
from monitor.lab.simulate.world.orders import Orders, orders
from monitor.lab.simulate.world.outside import lagged, paths
from monitor.lab.simulate.world.settings import DAY_S, AssetSpec, Venue, WorldSettings
from monitor.model.events import MICROS

Floats = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]

TURNOVER: Final = (0.5, 1.1)
"""Range of open interest as a share of the average daily volume."""
CROWDING_TAU_D: Final = 3.0
"""Time constant with which crowding on one side fades, days."""
CROWDING_SPREAD: Final = 0.25
"""Standard deviation of the logarithm of one side's excess over the other."""


class Leader(NamedTuple):
    """The leader's course for its followers: log price without forced orders, their effect, and sigma."""

    outside: Floats
    endogenous: Floats
    sigma: Floats


class AssetMarket(NamedTuple):
    """One asset's whole course; log prices are relative to the start and one value a second.

    Attributes:
        spec: the asset.
        turnover: open interest as a share of the average daily volume.
        log_price: log price with forced orders.
        endogenous: effect of forced orders on it, the leader's included; E is its negative.
        sigma: usual standard deviation of a second's return.
        open_interest: share of the usual one at the start of each segment of five minutes.
        orders: the forced orders.
        lone: positions that were liquidated alone.
    """

    spec: AssetSpec
    turnover: float
    log_price: Float32s
    endogenous: Float32s
    sigma: Float32s
    open_interest: Floats
    orders: Orders
    lone: Sequence[LoneLiquidation]

    @property
    def volume_usd(self) -> float:
        """Return the average daily volume over all venues, USD."""
        return self.spec.open_interest_usd / self.turnover

    def forced_usd(self, side: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the seconds in which a side was liquidated, and the exact micro-USD in each."""
        mine = self.orders.side == side
        seconds, first = np.unique(self.orders.time_us[mine] // MICROS, return_index=True)
        if not len(seconds):
            return seconds, seconds
        return seconds, np.add.reduceat(self.orders.micro_usd[mine], first)


def simulate_asset(
    settings: WorldSettings,
    index: int,
    specs: Sequence[AssetSpec],
    venues: Sequence[Venue],
    leader: Leader | None,
    tick: Callable[[], None],
) -> tuple[AssetMarket, Leader]:
    """Simulate one asset and return it with what it gives to the assets that follow it.

    The leader is simulated first, with ``leader`` None.
    """
    spec = specs[index]
    own = paths(settings, index, spec, specs[0])
    outside, taken, sigma = own.log_price, np.zeros(1), own.sigma
    if leader is not None:
        outside = outside + spec.beta * lagged(leader.outside)
        taken = spec.beta * lagged(leader.endogenous)
        sigma = np.hypot(spec.beta * leader.sigma, sigma)
    rng = np.random.default_rng([settings.seed, 7, index])
    turnover = float(rng.uniform(*TURNOVER))
    lone = lone_liquidations(settings, index)
    setting = FeedbackInput(
        outside=outside + taken,
        sigma=sigma,
        sigma_d=spec.sigma_d,
        turnover=turnover,
        targets=_targets(rng, settings),
        lone=lone,
    )
    course: FeedbackResult = Feedback(setting, rng, feedback=settings.feedback).run(tick)
    endogenous = taken + course.endogenous
    log_price = (outside + endogenous).astype(np.float32)
    market = AssetMarket(
        spec=spec,
        turnover=turnover,
        log_price=log_price,
        endogenous=endogenous.astype(np.float32),
        sigma=sigma.astype(np.float32),
        open_interest=course.open_interest,
        orders=orders(settings, index, spec, venues, course, log_price, lone),
        lone=lone,
    )
    return market, Leader(outside, endogenous, sigma)


def _targets(rng: np.random.Generator, settings: WorldSettings) -> tuple[Floats, Floats]:
    """Return the open interest of longs and shorts by segment, crowded at times on one side, at times on the other."""
    segments = settings.seconds // SEGMENT_S
    keep = math.exp(-SEGMENT_S / (CROWDING_TAU_D * DAY_S))
    draws = (CROWDING_SPREAD * math.sqrt(1 - keep * keep) * rng.standard_normal(segments)).tolist()
    level = CROWDING_SPREAD * float(rng.standard_normal())
    levels = []
    for draw in draws:
        level = keep * level + draw
        levels.append(level)
    tilt = np.exp(np.array(levels))
    return tilt, 1 / tilt
