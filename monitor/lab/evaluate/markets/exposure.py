"""Measures what was watched: an asset counts while its prices came, so that a hole in a recording is no calm time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np

from monitor.lab.evaluate.markets.tape import Integers, Tape, Tapes, stretches
from monitor.model.events import MICROS

WEEK_US: Final = 7 * 86_400 * MICROS
MONTH_US: Final = 30 * 86_400 * MICROS
MONDAY_US: Final = 4 * 86_400 * MICROS
"""Time of 1970-01-05, the first Monday, microseconds."""

Spans = tuple[tuple[int, int], ...]
"""First and last time of each watched stretch in order, microseconds."""


class Exposure(msgspec.Struct, frozen=True):
    """The stretches of time in which a market was watched.

    Attributes:
        world: the market's name.
        watched: by asset the stretches with prices; for an asset without any price, those of the market.
        market: the stretches in which events of any asset came.
    """

    world: str
    watched: dict[str, Spans]
    market: Spans

    @property
    def assets(self) -> tuple[str, ...]:
        """Return the assets that count."""
        return tuple(self.watched)

    @property
    def first_us(self) -> int:
        """Return the beginning of the market."""
        return self.market[0][0]

    @property
    def last_us(self) -> int:
        """Return the end of the market."""
        return self.market[-1][1]

    @property
    def months(self) -> float:
        """Return the watched months of 30 days, summed over the assets."""
        return sum(map(duration_us, self.watched.values())) / MONTH_US

    def spans(self, asset: str) -> Spans:
        """Return an asset's stretches, or the market's where it has none of its own."""
        return self.watched.get(asset) or self.market

    def since(self, asset: str, at_us: int) -> int:
        """Return the watched time of an asset before ``at_us``, microseconds.

        Time after a stretch counts with that stretch until the next one begins.
        """
        spans = self.spans(asset)
        *done, (first_us, _) = [span for span in spans if span[0] <= at_us] or spans[:1]
        return duration_us(done) + at_us - first_us

    def at(self, asset: str, watched_us: int) -> int:
        """Return the time at which an asset had been watched for ``watched_us``.

        What goes beyond the last stretch begins again at the first.
        """
        spans = self.spans(asset)
        left_us = watched_us % max(1, duration_us(spans))
        for first_us, last_us in spans:
            if left_us < last_us - first_us:
                return first_us + left_us
            left_us -= last_us - first_us
        return self.first_us  # every stretch is a single instant


def duration_us(spans: Sequence[tuple[int, int]]) -> int:
    """Return the sum of all stretches, microseconds."""
    return sum(last_us - first_us for first_us, last_us in spans)


def exposure_of(world: str, assets: Sequence[str], collected: Tapes, tapes: Mapping[str, Tape]) -> Exposure:
    """Return the exposure of a market's assets, including those that only its truth names."""
    edges = (collected.first_us, collected.last_us)
    event_times = [times for tape in tapes.values() for times in (tape.price_us, tape.forced_us, tape.interest_us)]
    market = _without_silences(edges, np.sort(np.concatenate(event_times))) if event_times else ()
    market = market or (edges,)
    priced = {asset: tapes[asset].price_us for asset in assets if asset in tapes and len(tapes[asset].price_us)}
    watched = {asset: _without_silences(edges, priced[asset]) if asset in priced else market for asset in assets}
    return Exposure(world, watched, market)


def _without_silences(edges: tuple[int, int], times: Integers) -> Spans:
    """Return the time from edge to edge without the long silences of ``times``.

    The edges are the market's own, so an asset whose first event comes a moment later was watched from the beginning.
    """
    first_us, last_us = edges
    found = stretches(np.concatenate(([first_us], times, [last_us])))
    return tuple(span for span in found if span[0] < span[1])


def week_of(us: int) -> str:
    """Return the ISO calendar week of a time, such as ``2026-W02``."""
    year, week, _ = datetime.fromtimestamp(us // MICROS, UTC).isocalendar()
    return f"{year}-W{week:02}"


def split_by_week(first_us: int, last_us: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of the half-open interval [``first_us``, ``last_us``) that lie within one calendar week."""
    while first_us < last_us:
        end_us = min(last_us, (first_us - MONDAY_US) // WEEK_US * WEEK_US + WEEK_US + MONDAY_US)
        yield first_us, end_us
        first_us = end_us
