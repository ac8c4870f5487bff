"""Simulates a world: its truth, and its events in the order of their arrival."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Final

import msgspec
import numpy as np

from monitor.lab.simulate.faults import gap_events
from monitor.lab.simulate.world.market import AssetMarket, Leader, simulate_asset
from monitor.lab.simulate.world.mishaps import deviations, outages
from monitor.lab.simulate.world.outside import spells
from monitor.lab.simulate.world.settings import AssetSpec, Venue, WorldSettings, assets, venues
from monitor.lab.simulate.world.tape import Arrival, Tape
from monitor.lab.simulate.world.truth import Decoy, Episode, episodes
from monitor.model.events import ALL, MICROS, SIDES, AnyEvent, Channel, Side, VolatilityIndex

CHUNK_S: Final = 6 * 3_600
"""Length of the time whose events are made at once, seconds; a quarter of a day of eight assets is some ten thousand.
"""
INDEX_VENUE: Final = "sim-options"
INDEX_S: Final = 300
INDEX_ASSETS: Final = 2
"""Number of assets with an implied-volatility index, as BTC and ETH have."""
INDEX_LEVEL: Final = 45.0
"""Level of the index at usual volatility, percent (37 to 45 in recorded calm)."""
CHANNELS: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")


class Facts(msgspec.Struct):
    """The constants of one asset."""

    asset: str
    price: float
    sigma_d: float
    beta: float
    open_interest_usd: float
    average_daily_volume_usd: float
    forced_usd: dict[Side, float]


class Header(msgspec.Struct, tag_field="type", tag="world"):
    """The settings of the world and the facts of its assets."""

    seed: int
    days: float
    start_us: int
    end_us: int
    settings: WorldSettings
    venues: tuple[Venue, ...]
    assets: list[Facts]


class Minute(msgspec.Struct, frozen=True):
    """Exact sum of the forced orders of one asset and side in one minute; minutes without any are left out."""

    minute_us: int
    asset: str
    side: Side
    orders: int
    micro_usd: int


class World:
    """A world, simulated when it is made.

    Args:
        settings: settings of the world.
        tick: called once per simulated day and asset, for progress.

    Attributes:
        markets: the assets' courses, the leader first.
    """

    def __init__(self, settings: WorldSettings, tick: Callable[[], None] = lambda: None) -> None:
        self.settings = settings
        self.venues = venues(settings.throttle)
        self.specs: tuple[AssetSpec, ...] = assets(settings.assets, settings.scale)
        self.markets: list[AssetMarket] = []
        leader: Leader | None = None
        for index in range(len(self.specs)):
            market, handed_on = simulate_asset(settings, index, self.specs, self.venues, leader, tick)
            self.markets.append(market)
            leader = leader or handed_on
        first = self.markets[0]
        self.outages = outages(settings, self.venues, first.log_price, first.spec.sigma_d)
        self.deviations = deviations(settings, len(self.venues))

    @property
    def chunks(self) -> int:
        """Return the number of lists that :meth:`events` yields before the rest."""
        return -(-self.settings.seconds // CHUNK_S)

    def events(self) -> Iterator[list[AnyEvent]]:
        """Yield every event in order of arrival, a quarter of a day at a time; each call starts at the beginning."""
        tapes = [
            Tape(
                settings=self.settings,
                index=index,
                market=market,
                venues=self.venues,
                outages=self.outages,
                deviations=self.deviations,
            )
            for index, market in enumerate(self.markets)
        ]
        waiting: list[Arrival] = self._gaps()
        for first in range(0, self.settings.seconds, CHUNK_S):
            last = min(first + CHUNK_S, self.settings.seconds)
            for tape in tapes:
                waiting += tape.events(first, last)
            waiting += self._volatility(first, last)
            waiting.sort(key=itemgetter(0))  # stable: of simultaneous arrivals the earlier stream comes first
            until = self.settings.start_us + last * MICROS
            arrived = sum(one.received_us < until for one in waiting)
            yield [one.event for one in waiting[:arrived]]
            waiting = waiting[arrived:]
        yield [one.event for one in waiting]

    def _gaps(self) -> list[Arrival]:
        """Return the gap events that a collector publishes once an outage is over."""
        found = []
        for outage in self.outages:
            if outage.kind == "gap":
                begin, end = (self.settings.start_us + second * MICROS for second in (outage.start, outage.end))
                name = self.venues[outage.venue].name
                found += [Arrival(end, gap) for gap in gap_events(name, begin, end, CHANNELS)]
        return found

    def _volatility(self, first: int, last: int) -> Iterator[Arrival]:
        """Yield an implied-volatility index: usual volatility, raised by the last hour's realised one."""
        for market in self.markets[:INDEX_ASSETS]:
            for second in range(first, last, INDEX_S):
                path = market.log_price[max(0, second - 3_600) : second + 1 : 60].astype(np.float64)
                realised = float(np.sqrt(np.sum(np.diff(path) ** 2) * 24)) / market.spec.sigma_d
                value = round(INDEX_LEVEL * (0.8 + 0.2 * realised), 2)
                at = self.settings.start_us + second * MICROS
                yield Arrival(
                    at,
                    VolatilityIndex(
                        venue=INDEX_VENUE,
                        symbol="DVOL",
                        asset=market.spec.name,
                        event_time_us=at,
                        receive_time_us=at,
                        value=value,
                    ),
                )

    # Truth

    def header(self) -> Header:
        """Return the first line of the truth."""
        settings = self.settings
        facts = []
        for market in self.markets:
            sums = {side: int(market.forced_usd(index)[1].sum()) / MICROS for index, side in enumerate(SIDES)}
            spec = market.spec
            facts.append(
                Facts(
                    asset=spec.name,
                    price=spec.price,
                    sigma_d=spec.sigma_d,
                    beta=spec.beta,
                    open_interest_usd=spec.open_interest_usd,
                    average_daily_volume_usd=market.volume_usd,
                    forced_usd=sums,
                )
            )
        end_us = settings.start_us + settings.seconds * MICROS
        return Header(
            seed=settings.seed,
            days=settings.days,
            start_us=settings.start_us,
            end_us=end_us,
            settings=settings,
            venues=self.venues,
            assets=facts,
        )

    def episodes(self) -> list[Episode]:
        """Return cascades and near misses of all assets, by onset; a near miss is a :class:`NearMiss`."""
        found = [episode for market in self.markets for episode in episodes(market, self.settings.start_us)]
        return sorted(found, key=lambda episode: episode.onset_us)

    def decoys(self) -> list[Decoy]:
        """Return what only looks like a cascade, by start."""
        start = self.settings.start_us
        names = [spec.name for spec in self.specs]
        found = [
            Decoy(
                kind="volatility_spell",
                asset=ALL,
                venue=ALL,
                onset_us=start + begin * MICROS,
                end_us=start + end * MICROS,
                size=round(factor, 3),
            )
            for begin, end, factor in spells(self.settings)
        ]
        for market in self.markets:
            for second, side, amount in market.lone:
                usd = round(amount * market.spec.open_interest_usd, 2)
                at = start + second * MICROS + MICROS // 2
                found.append(
                    Decoy(
                        kind="whale",
                        asset=market.spec.name,
                        venue=ALL,
                        onset_us=at,
                        end_us=at,
                        size=usd,
                        direction=side,
                    )
                )
        for venue, asset, begin, end, size in self.deviations:
            found.append(
                Decoy(
                    kind="depeg" if asset is None else "bad_price",
                    asset=ALL if asset is None else names[asset],
                    venue=self.venues[venue].name,
                    onset_us=start + begin * MICROS,
                    end_us=start + end * MICROS,
                    size=round(size, 6),
                )
            )
        for venue, begin, end, kind in self.outages:
            name = self.venues[venue].name
            found.append(
                Decoy(
                    kind="outage",
                    asset=ALL,
                    venue=name,
                    onset_us=start + begin * MICROS,
                    end_us=start + end * MICROS,
                    size=float(end - begin),
                    direction=None,
                    detail=kind,
                )
            )
        return sorted(found, key=lambda decoy: (decoy.onset_us, decoy.kind, decoy.asset))

    def minutes(self) -> Iterator[Minute]:
        """Yield forced orders by asset, side and minute, exact, shown or not."""
        for market in self.markets:
            orders = market.orders
            for index, side in enumerate(SIDES):
                mine = orders.side == index
                minute, first, count = np.unique(
                    orders.time_us[mine] // (60 * MICROS), return_index=True, return_counts=True
                )
                if not len(minute):
                    continue
                sums = np.add.reduceat(orders.micro_usd[mine], first)
                for number, amount, micros in zip(minute.tolist(), count.tolist(), sums.tolist(), strict=True):
                    yield Minute(self.settings.start_us + number * 60 * MICROS, market.spec.name, side, amount, micros)
