"""What was watched: an asset counts only while its prices came, so that a hole in a recording is no calm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np

from monitor.evaluate.markets.tape import Integers, Tape, Tapes, stretches
from monitor.events import MICROS

WEEK_US: Final = 7 * 86_400 * MICROS
MONTH_US: Final = 30 * 86_400 * MICROS
MONDAY_US: Final = 4 * 86_400 * MICROS
"""1970-01-05 was a Monday."""

Spans = tuple[tuple[int, int], ...]
"""First and last time of each stretch, microseconds, in their order."""


class Exposure(msgspec.Struct, frozen=True):
    """What was watched, and when.

    Attributes:
        world: the market's name.
        watched: by asset the stretches in which its prices came; of one without any price, the market's.
        market: the stretches in which anything came, of any asset.
    """

    world: str
    watched: dict[str, Spans]
    market: Spans

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets that count."""
        return tuple(self.watched)

    @property
    def first_us(self) -> int:
        """When the market begins."""
        return self.market[0][0]

    @property
    def last_us(self) -> int:
        """When the market ends."""
        return self.market[-1][1]

    @property
    def months(self) -> float:
        """Months of 30 days that were watched, summed over the assets."""
        return sum(map(length, self.watched.values())) / MONTH_US

    def spans(self, asset: str) -> Spans:
        """An asset's stretches; the market's where it has none of its own."""
        return self.watched.get(asset) or self.market

    def since(self, asset: str, at_us: int) -> int:
        """The watched time of an asset before ``at_us``; what follows a stretch goes on counting until the next."""
        spans = self.spans(asset)
        *done, (first_us, _) = [span for span in spans if span[0] <= at_us] or spans[:1]
        return length(done) + at_us - first_us

    def at(self, asset: str, watched_us: int) -> int:
        """When an asset had been watched for so long; what goes beyond its last stretch begins anew at its first."""
        spans = self.spans(asset)
        left_us = watched_us % max(1, length(spans))
        for first_us, last_us in spans:
            if left_us < last_us - first_us:
                return first_us + left_us
            left_us -= last_us - first_us
        return self.first_us  # all of it is one instant


def length(spans: Sequence[tuple[int, int]]) -> int:
    """Microseconds of all stretches together."""
    return sum(last_us - first_us for first_us, last_us in spans)


def exposure_of(world: str, assets: Sequence[str], collected: Tapes, tapes: Mapping[str, Tape]) -> Exposure:
    """The exposure of a market's assets, those that only its truth names included."""
    edges = (collected.first_us, collected.last_us)
    heard = [times for tape in tapes.values() for times in (tape.price_us, tape.forced_us, tape.interest_us)]
    market = _without(edges, np.sort(np.concatenate(heard))) if heard else ()
    market = market or (edges,)
    priced = {asset: tapes[asset].price_us for asset in assets if asset in tapes and len(tapes[asset].price_us)}
    watched = {asset: _without(edges, priced[asset]) if asset in priced else market for asset in assets}
    return Exposure(world, watched, market)


def _without(edges: tuple[int, int], times: Integers) -> Spans:
    """The time from edge to edge without the long silences of ``times``.

    The edges are the market's own, so that assets that are heard of a moment later were watched from its beginning.
    """
    first_us, last_us = edges
    found = stretches(np.concatenate(([first_us], times, [last_us])))
    return tuple(span for span in found if span[0] < span[1])


def week_of(us: int) -> str:
    """The ISO calendar week."""
    year, week, _ = datetime.fromtimestamp(us // MICROS, UTC).isocalendar()
    return f"{year}-W{week:02}"


def weeks(first_us: int, last_us: int) -> Iterator[tuple[int, int]]:
    """The parts of the half-open interval [``first_us``, ``last_us``) within each calendar week."""
    while first_us < last_us:
        end_us = min(last_us, (first_us - MONDAY_US) // WEEK_US * WEEK_US + WEEK_US + MONDAY_US)
        yield first_us, end_us
        first_us = end_us
