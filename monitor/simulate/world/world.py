"""A world: its truth, and its events in the order of their arrival."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Final

import msgspec
import numpy as np

from monitor.events import ALL, MICROS, SIDES, AnyEvent, Channel, Side, VolatilityIndex
from monitor.simulate.faults import gap_events
from monitor.simulate.world.market import AssetMarket, Leader, run
from monitor.simulate.world.mishaps import deviations, outages
from monitor.simulate.world.outside import spells
from monitor.simulate.world.settings import AssetSpec, Venue, WorldSettings, assets, venues
from monitor.simulate.world.tape import Arrival, Tape
from monitor.simulate.world.truth import Decoy, Episode, episodes

CHUNK_S: Final = 6 * 3_600
"""Events are made this much at a time, seconds: a quarter of a day of eight assets is some ten thousand."""
INDEX_VENUE: Final = "sim-options"
INDEX_S: Final = 300
INDEX_ASSETS: Final = 2
"""An implied-volatility index is there for the first two assets, as for BTC and ETH."""
INDEX_LEVEL: Final = 45.0
"""Percent, where volatility is the usual one (37 to 45 in calm, section 2.2, F25)."""
CHANNELS: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")


class Facts(msgspec.Struct):
    """What is true of one asset all along."""

    asset: str
    price: float
    sigma_d: float
    beta: float
    open_interest_usd: float
    average_daily_volume_usd: float
    forced_usd: dict[Side, float]


class Header(msgspec.Struct, tag_field="type", tag="world"):
    """What the world is: its settings and the facts of its assets."""

    seed: int
    days: float
    start_us: int
    end_us: int
    settings: WorldSettings
    venues: tuple[Venue, ...]
    assets: list[Facts]


class Minute(msgspec.Struct, frozen=True):
    """Forced orders of one asset and side within a minute, all of them; minutes without any are left out."""

    minute_us: int
    asset: str
    side: Side
    orders: int
    micro_usd: int


class World:
    """A world, simulated when it is made.

    Args:
        settings: what it is made of.
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
            market, handed_on = run(settings, index, self.specs, self.venues, leader, tick)
            self.markets.append(market)
            leader = leader or handed_on
        first = self.markets[0]
        self.outages = outages(settings, self.venues, first.log_price, first.spec.sigma_d)
        self.deviations = deviations(settings, len(self.venues))

    @property
    def chunks(self) -> int:
        """How many lists :meth:`events` yields before what is left."""
        return -(-self.settings.seconds // CHUNK_S)

    def events(self) -> Iterator[list[AnyEvent]]:
        """Every event in the order of its arrival, a quarter of a day at a time; each call begins anew."""
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
            waiting.sort(key=itemgetter(0))  # stable: of what arrives at once, the earlier stream comes first
            until = self.settings.start_us + last * MICROS
            arrived = sum(one.received_us < until for one in waiting)
            yield [one.event for one in waiting[:arrived]]
            waiting = waiting[arrived:]
        yield [one.event for one in waiting]

    def _gaps(self) -> list[Arrival]:
        """What a collector says of the venues' outages once they are over."""
        found = []
        for outage in self.outages:
            if outage.kind == "gap":
                begin, end = (self.settings.start_us + second * MICROS for second in (outage.start, outage.end))
                name = self.venues[outage.venue].name
                found += [Arrival(end, gap) for gap in gap_events(name, begin, end, CHANNELS)]
        return found

    def _volatility(self, first: int, last: int) -> Iterator[Arrival]:
        """An implied-volatility index: the usual volatility of the last hour, jumps of the price included."""
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
        """The first line of the truth."""
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
        """Cascades and near misses of all assets, by onset; a near miss is a :class:`NearMiss`."""
        found = [episode for market in self.markets for episode in episodes(market, self.settings.start_us)]
        return sorted(found, key=lambda episode: episode.onset_us)

    def decoys(self) -> list[Decoy]:
        """What only looks like a cascade, by start."""
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
        """Forced orders by asset, side and minute, exact, shown or not."""
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
