"""Defines what a world is made of: assets, venues, and rates. ``docs/simulator.md`` has the sources of the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from monitor.model.events import Coverage

DAY_S: Final = 86_400
START_US: Final = 1_767_571_200_000_000
"""First microsecond of a world: 2026-01-05 00:00 UTC, a Monday, so that days and hours are real ones."""


class AssetSpec(msgspec.Struct, frozen=True):
    """One asset.

    Attributes:
        name: canonical base asset.
        price: USD at the start.
        sigma_d: standard deviation of a day's return without shocks, as a ratio.
        beta: move per move of the leader.
        open_interest_usd: open interest of one side, over all venues, at the start.
    """

    name: str
    price: float
    sigma_d: float
    beta: float
    open_interest_usd: float


# Volatilities are 30-day medians (docs/simulator.md); open interest spans three decades on purpose, because a threshold
# that works for the first asset has to work for the last. Columns: name, price, sigma_d, beta, open_interest_usd.
NAMED: Final = (
    AssetSpec("BTC", 65_000.0, 0.024, 1.0, 5e9),
    AssetSpec("ETH", 1_900.0, 0.032, 1.15, 3e9),
    AssetSpec("SOL", 80.0, 0.034, 1.2, 800e6),
    AssetSpec("DOGE", 0.1, 0.035, 1.2, 250e6),
    AssetSpec("AVAX", 9.0, 0.034, 1.2, 80e6),
    AssetSpec("ARB", 0.11, 0.043, 1.3, 30e6),
    AssetSpec("WIF", 0.22, 0.055, 1.4, 5e6),
    AssetSpec("XRP", 1.4, 0.033, 1.1, 500e6),
)


def assets(count: int, scale: float = 1.0) -> tuple[AssetSpec, ...]:
    """Return the first ``count`` assets, the leader first, with every open interest times ``scale``."""
    named = [msgspec.structs.replace(spec, open_interest_usd=spec.open_interest_usd * scale) for spec in NAMED[:count]]
    more = [
        AssetSpec(f"ALT{number}", 1.0, 0.04, 1.2, scale * 100e6 / (number - len(NAMED)))
        for number in range(len(NAMED) + 1, count + 1)
    ]
    return (*named, *more)


Feed = Literal["complete", "largest", "latest", "batch"]
"""Feed of forced orders: all at once, one per second (the largest, the latest), or all every 6 s."""

COVERAGE: Final[Mapping[Feed, Coverage]] = {
    "complete": "complete",
    "largest": "largest_per_second",
    "latest": "latest_per_second",
    "batch": "complete",
}


class Venue(msgspec.Struct, frozen=True):
    """One venue.

    Attributes:
        name: name, never a real one's, so that no simulated record is taken for a recorded one.
        share: share of the flow and the open interest.
        feed: how it shows forced orders.
        latency_ms: median time from an event to its receipt.
        interest_s: interval at which it shows open interest.
    """

    name: str
    share: float
    feed: Feed
    latency_ms: float
    interest_s: int


VENUES: Final = (
    Venue("sim-largest", 0.40, "largest", 60.0, 300),
    Venue("sim-complete", 0.30, "complete", 90.0, 30),
    Venue("sim-latest", 0.20, "latest", 40.0, 300),
    Venue("sim-batch", 0.10, "batch", 200.0, 300),
)
"""The simulated venues, with the shares and feeds of an earlier prototype."""

Throttle = Literal["mixed", "all-latest", "all-largest", "none"]


def venues(throttle: Throttle = "mixed") -> tuple[Venue, ...]:
    """Return the venues with their own feeds (``mixed``), or all with the same one; ``none`` shows everything."""
    feeds: dict[Throttle, Feed] = {"all-latest": "latest", "all-largest": "largest", "none": "complete"}
    if throttle == "mixed":
        return VENUES
    return tuple(msgspec.structs.replace(venue, feed=feeds[throttle]) for venue in VENUES)


class WorldSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on which a world depends; the same settings give the same world, byte for byte.

    Attributes:
        seed: seed of all random streams; each part of the world has its own, so switching one off leaves the others
            alone.
        days: length.
        assets: number of assets, the leader included.
        scale: factor of every asset's open interest.
        shocks: factor of the number of shocks and grinds, for what is rare (second waves).
        throttle: feeds of all venues.
        feedback: True if forced orders move the price. Off, everything outside stays the same.
        hawkes: share of forced orders that are set off by others (0 to below 1); changes their times only.
        outages: True if venues have outages.
        decoys: True if there are lone large liquidations, bad prices, de-pegs and spells of volatility.
        calm_mark_s: seconds between mark prices while nothing happens; one a second otherwise.
        start_us: first microsecond.
    """

    seed: int = 1
    days: float = 30.0
    assets: int = 8
    scale: float = 1.0
    shocks: float = 1.0
    throttle: Throttle = "mixed"
    feedback: bool = True
    hawkes: float = 0.0
    outages: bool = True
    decoys: bool = True
    calm_mark_s: int = 60
    start_us: int = START_US

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for settings of which no world can be made."""
        if self.days <= 0 or self.assets < 1 or self.scale <= 0 or self.calm_mark_s < 1:
            raise ValueError("days, assets, scale and calm_mark_s must be above 0")
        if self.shocks < 0:
            raise ValueError(f"shocks is {self.shocks}: it must be 0 or more")
        if not 0 <= self.hawkes < 1:
            raise ValueError(f"hawkes is {self.hawkes}: it must be 0 or more and below 1, or the orders never end")

    @property
    def seconds(self) -> int:
        """Return the length in whole five-minute segments, seconds; at least one hour."""
        return max(3_600, round(self.days * DAY_S / 300) * 300)
