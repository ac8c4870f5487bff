"""Collects everything that happened to one asset in columns, from which labels, baselines and plots are computed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.model.events import MICROS, SIDES, AnyEvent, Liquidation, MarkPrice, OpenInterest, Side, micro_usd

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LONGEST_SILENCE_US: Final = 6 * 3_600 * MICROS
"""Longest silence of prices within one stretch, microseconds.

A longer one ends the stretch: a recording of two crashes a year apart has no price between them. Shorter silences are
outages, which a detector on duty also goes through.
"""
STALE_US: Final = 600 * MICROS
"""Age from which on a venue's price is left out of the median while others are younger, microseconds."""


class AssetSide(NamedTuple):
    """One side of one asset: the longs or the shorts whose positions are liquidated."""

    asset: str
    direction: Side


class Forced(NamedTuple):
    """The forced orders of one side of an asset by time: microseconds, and micro-USD."""

    times: Integers
    micros: Integers

    def usd(self, start_us: int, end_us: int) -> float:
        """Return the forced notional within the half-open interval [``start_us``, ``end_us``), USD."""
        first, last = np.searchsorted(self.times, (start_us, end_us))
        return int(self.micros[first:last].sum()) / MICROS


@dataclass(slots=True)
class Columns:
    """Growing columns of one asset; times are those of arrival, on which a detector can act."""

    price_us: array[int] = field(default_factory=lambda: array("q"))
    price: array[float] = field(default_factory=lambda: array("d"))
    price_venue: array[int] = field(default_factory=lambda: array("q"))
    forced_us: array[int] = field(default_factory=lambda: array("q"))
    forced_side: array[int] = field(default_factory=lambda: array("q"))
    forced_micros: array[int] = field(default_factory=lambda: array("q"))
    interest_us: array[int] = field(default_factory=lambda: array("q"))
    interest: array[float] = field(default_factory=lambda: array("d"))
    interest_usd: array[float] = field(default_factory=lambda: array("d"))
    interest_venue: array[int] = field(default_factory=lambda: array("q"))
    aggregated: bool = False


class Tapes:
    """Collects the tapes of all assets from a stream of events.

    Example:
        >>> from monitor.model.events import MarkPrice
        >>> tapes = Tapes()
        >>> tapes.add([MarkPrice("okx", "BTC-USDT-SWAP", "BTC", 60_000_000, 60_000_000, 50_000.0)])
        >>> tapes.tape("BTC").prices.tolist()
        [50000.0]
    """

    def __init__(self) -> None:
        self.rows: dict[str, Columns] = {}
        self.first_us = 0
        self.last_us = 0
        self._seen: set[str] = set()
        self._venues: dict[str, int] = {}

    def add(self, events: Iterable[AnyEvent]) -> None:
        """Add events in the order of their arrival; a repeated liquidation counts once."""
        for event in events:
            kind = type(event)
            if kind is MarkPrice or kind is Liquidation or kind is OpenInterest:
                self._add(event)

    def _add(self, event: Any) -> None:
        at = event.receive_time_us or event.event_time_us
        self.first_us = self.first_us or at
        self.last_us = max(self.last_us, at)
        rows = self.rows.get(event.asset)
        if rows is None:
            rows = self.rows[event.asset] = Columns()
        if type(event) is MarkPrice:
            rows.price_us.append(at)
            rows.price.append(event.mark_price)
            rows.price_venue.append(self._venue(event.venue))
        elif type(event) is Liquidation:
            self._add_liquidation(rows, event, at)
        else:
            rows.interest_us.append(at)
            rows.interest.append(event.open_interest)
            rows.interest_usd.append(event.open_interest_usd)
            rows.interest_venue.append(self._venue(event.venue))

    def _add_liquidation(self, rows: Columns, event: Liquidation, at: int) -> None:
        if event.coverage == "aggregated":  # a total of an hour belongs to no minute of it
            rows.aggregated = True
            return
        if event.id in self._seen:
            return
        self._seen.add(event.id)
        rows.forced_us.append(at)
        rows.forced_side.append(SIDES.index(event.side))
        rows.forced_micros.append(micro_usd(event.notional_usd))

    def _venue(self, name: str) -> int:
        return self._venues.setdefault(name, len(self._venues))

    def tape(self, asset: str) -> Tape:
        """Return the tape of one asset. Raises ``KeyError`` for an asset without any event."""
        rows = self.rows[asset]
        return Tape(
            asset,
            _sorted(rows.price_us, rows.price_us, rows.price, rows.price_venue),
            _sorted(rows.forced_us, rows.forced_us, rows.forced_side, rows.forced_micros),
            _sorted(rows.interest_us, rows.interest_us, rows.interest, rows.interest_usd, rows.interest_venue),
            rows.aggregated,
        )

    def __iter__(self) -> Iterator[Tape]:
        """Yield all tapes, by asset."""
        return (self.tape(asset) for asset in sorted(self.rows))


def _sorted(times: array[int], *columns: array[Any]) -> tuple[npt.NDArray[Any], ...]:
    order = np.argsort(np.frombuffer(times, np.int64), kind="stable") if times else np.zeros(0, np.int64)
    return tuple(
        np.frombuffer(column, np.int64 if column.typecode == "q" else np.float64)[order]
        if column
        else np.zeros(0, np.int64 if column.typecode == "q" else np.float64)
        for column in columns
    )


class Tape:
    """One asset's prices, forced orders and open interest, each sorted by time (microseconds)."""

    __slots__ = (
        "aggregated",
        "asset",
        "forced_micros",
        "forced_side",
        "forced_us",
        "interest",
        "interest_us",
        "interest_usd",
        "interest_venue",
        "price_us",
        "price_venue",
        "prices",
    )

    def __init__(
        self,
        asset: str,
        price: tuple[npt.NDArray[Any], ...],
        forced: tuple[npt.NDArray[Any], ...],
        interest: tuple[npt.NDArray[Any], ...],
        aggregated: bool,
    ) -> None:
        self.asset = asset
        self.price_us, self.prices, self.price_venue = price
        self.forced_us, self.forced_side, self.forced_micros = forced
        self.interest_us, self.interest, self.interest_usd, self.interest_venue = interest
        self.aggregated = aggregated

    def forced(self, side: Side) -> Forced:
        """Return the forced orders of one side."""
        mine = self.forced_side == SIDES.index(side)
        return Forced(self.forced_us[mine], self.forced_micros[mine])

    def stretches(self) -> list[tuple[int, int]]:
        """Return first and last time of each stretch of prices without a silence of :data:`LONGEST_SILENCE_US`."""
        return stretches(self.price_us)

    def price_at(self, times: Integers) -> Floats:
        """Return the median over venues of the last price at or before each time; NaN before the first one."""
        venues = np.unique(self.price_venue)
        if not len(venues):
            return np.full(len(times), np.nan)
        columns = [self._last(times, self.price_venue == venue) for venue in venues]
        if len(columns) == 1:
            return columns[0][0]
        prices = np.stack([price for price, _ in columns], axis=1)
        ages = np.stack([age for _, age in columns], axis=1)
        known = ~np.isnan(prices)
        fresh = known & (ages <= STALE_US)
        usable = np.where(fresh.any(axis=1, keepdims=True), fresh, known)
        return _row_medians(prices, usable)

    def _last(self, times: Integers, chosen: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return one venue's last price and its age at each time."""
        at, prices = self.price_us[chosen], self.prices[chosen]
        place = np.searchsorted(at, times, side="right") - 1
        known = place >= 0
        place = np.maximum(place, 0)
        return np.where(known, prices[place], np.nan), np.where(known, times - at[place], np.inf).astype(np.float64)

    def interest_at(self, times: Integers) -> tuple[Floats, Floats]:
        """Return open interest in coins and in USD, summed over venues; NaN until every venue reported it."""
        coins, usd = np.zeros(len(times)), np.zeros(len(times))
        venues = np.unique(self.interest_venue)
        if not len(venues):
            return np.full(len(times), np.nan), np.full(len(times), np.nan)
        for venue in venues:
            mine = self.interest_venue == venue
            place = np.searchsorted(self.interest_us[mine], times, side="right") - 1
            known = place >= 0
            place = np.maximum(place, 0)
            coins += np.where(known, self.interest[mine][place], np.nan)
            usd += np.where(known, self.interest_usd[mine][place], np.nan)
        return coins, usd


def stretches(times: Integers) -> list[tuple[int, int]]:
    """Return first and last of each run of sorted times without a gap of over :data:`LONGEST_SILENCE_US`."""
    if not len(times):
        return []
    breaks = np.flatnonzero(np.diff(times) > LONGEST_SILENCE_US) + 1
    edges = [0, *breaks.tolist(), len(times)]
    return [(int(times[first]), int(times[last - 1])) for first, last in pairwise(edges)]


def _row_medians(values: Floats, usable: npt.NDArray[np.bool_]) -> Floats:
    """Return the median of each row's usable values; NaN where there are none."""
    ordered = np.sort(np.where(usable, values, np.inf), axis=1)
    count = usable.sum(axis=1)
    low = np.maximum(count - 1, 0) // 2
    high = np.minimum(count // 2, values.shape[1] - 1)
    rows = np.arange(len(values))
    middle = 0.5 * (ordered[rows, low] + ordered[rows, high])
    return np.where(count > 0, middle, np.nan)


def grid(start_us: int, end_us: int, step_s: int) -> Integers:
    """Return the times from the first full step after ``start_us`` to the last one before ``end_us``, microseconds."""
    step_us = step_s * MICROS
    return np.arange(-(-start_us // step_us), end_us // step_us + 1, dtype=np.int64) * step_us
