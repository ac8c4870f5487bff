"""Measures rolling sums of liquidations: the detector's windows, one deque a window, and river's TimeRolling."""

from __future__ import annotations

import datetime
import random
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from monitor.detect.flow.windows import WINDOWS, Windows
from monitor.lab.bench import peers
from monitor.lab.bench.frames import SHARES, START_US, SYMBOLS, ZIPF
from monitor.lab.bench.measure import Case, Group, measure
from monitor.model.events import MICROS

DENSITIES: Final = {
    150_000: "every trade and liquidation of the burst's peak",
    25_000: "liquidations alone in the worst second that the budgets name",
    42: "a busy hour: nearly every event opens a new second of its asset",
}
"""Events per second over all assets, and the kind of market with that density."""
WARM_S: Final = 1
"""Length of the events that every case takes before the clock starts, seconds; from then on one enters and one leaves.
"""
SECONDS: Final = 2
"""Length of the measured events, seconds; at 42 a second there are MIN_EVENTS instead."""
MIN_EVENTS: Final = 5_000
RIVER_EVENTS: Final = 30_000
"""Number of events on which river is timed: it needs a second or two for them, minutes for all."""

OURS: Final = "monitor"
DEQUES: Final = "deque a window"
RIVER: Final = "river"


Lane = tuple[int, tuple[str, str]]
"""An asset and, within it, a venue and a side."""


class Hit(NamedTuple):
    """A liquidation as the windows get it."""

    asset: int
    lane: tuple[str, str]
    at_us: int
    micros: int


def hits(count: int, per_second: float, seed: int = 7) -> list[Hit]:
    """Return liquidations of 300 assets at three venues, both sides, Zipf-distributed over the assets."""
    rng = random.Random(seed)
    weights = [1 / (rank + 1) ** ZIPF for rank in range(SYMBOLS)]
    assets = rng.choices(range(SYMBOLS), weights, k=count)
    at_us = START_US
    made = []
    for asset in assets:
        at_us += round(rng.expovariate(per_second) * MICROS)
        lane = rng.choice(list(SHARES)), rng.choice(("long", "short"))
        made.append(Hit(asset, lane, at_us, round(rng.paretovariate(1.2) * 1_000 * MICROS)))
    return made


class Deques:
    """The plain way: a deque of (time, amount) and a running sum for each window of one lane."""

    __slots__ = ("sums", "windows")

    def __init__(self) -> None:
        self.windows = [(length * MICROS, deque[tuple[int, int]]()) for length in WINDOWS.values()]
        self.sums = [0] * len(self.windows)

    def add(self, at_us: int, micros: int) -> None:
        """Append an amount, evict old ones, and update the sums."""
        item = at_us, micros
        sums = self.sums
        for index, (length, window) in enumerate(self.windows):
            window.append(item)
            total = sums[index] + micros
            oldest = at_us - length
            while window[0][0] <= oldest:
                total -= window.popleft()[1]
            sums[index] = total


Store = tuple[Windows, dict[Hashable, int]]
"""An asset's windows and the lane of each key, kept beside them as the detector keeps it."""


def run_ours(events: Sequence[Hit], stores: list[Store]) -> int:
    """Add events as the detector does: an asset's windows advance when a new second begins."""
    for asset, key, at_us, micros in events:
        windows, lanes = stores[asset]
        second = at_us // MICROS
        if second != windows.second:
            windows.advance(second)
        windows.add(lanes[key], second, micros, 1)
    for windows, _ in stores:
        windows.advance(events[-1].at_us // MICROS)  # adds the amounts of the last second
    return len(events)


def run_deques(events: Sequence[Hit], lanes: dict[Lane, Deques]) -> int:
    """Add events with one lookup and twelve appends each."""
    for asset, key, at_us, micros in events:
        lanes[asset, key].add(at_us, micros)
    return len(events)


def run_river(events: Sequence[tuple[Lane, float, datetime.datetime]], lanes: dict[Lane, list[Any]]) -> int:
    """Add events with twelve updates each."""
    for key, usd, at in events:
        for window in lanes[key]:
            window.update(usd, t=at)
    return len(events)


def new_stores(keys: Sequence[Lane]) -> list[Store]:
    """Return empty windows of every asset at the stream's first second."""
    stores: list[Store] = [(Windows(), {}) for _ in range(SYMBOLS)]
    for asset, lane in keys:
        windows, lanes = stores[asset]
        lanes[lane] = windows.lane(lane)
    for windows, _ in stores:
        windows.advance(START_US // MICROS - 1)
    return stores


def new_deques(keys: Sequence[Lane]) -> dict[Lane, Deques]:
    """Return empty deques of every lane."""
    return {key: Deques() for key in keys}


def new_river(keys: Sequence[Lane]) -> dict[Lane, list[Any]]:
    """Return empty rolling sums of every lane."""
    from river import stats, utils

    periods = [datetime.timedelta(seconds=length) for length in WINDOWS.values()]
    return {key: [utils.TimeRolling(stats.Sum(), period) for period in periods] for key in keys}


def warmed(
    run: Callable[[Sequence[Any], Any], int],
    before: Sequence[Any],
    new: Callable[[Sequence[Lane]], Any],
    keys: Sequence[Lane],
) -> Any:
    """Return a fresh state that has taken the events before."""
    state = new(keys)
    run(before, state)
    return state


def group(per_second: int, rounds: int, seconds: float = SECONDS) -> Group:
    """Measure one density."""
    warm = max(MIN_EVENTS, WARM_S * per_second)
    events = hits(warm + max(MIN_EVENTS, round(seconds * per_second)), per_second)
    keys = sorted({(hit.asset, hit.lane) for hit in events})
    before, events = events[:warm], events[warm:]
    cases = [
        Case(DEQUES, "events", partial(run_deques, events), partial(warmed, run_deques, before, new_deques, keys)),
        Case(OURS, "events", partial(run_ours, events), partial(warmed, run_ours, before, new_stores, keys)),
    ]
    references: tuple[str, ...] = (DEQUES,)
    if peers.version("river"):
        timed = [for_river(hit) for hit in events[:RIVER_EVENTS]]
        river_before = [for_river(hit) for hit in before]
        setup = partial(warmed, run_river, river_before, new_river, keys)
        cases.append(Case(RIVER, "events", partial(run_river, timed), setup))
        references = (DEQUES, RIVER)
    notes = (
        DENSITIES[per_second],
        f"{len(WINDOWS)} windows by asset, venue and side; {SYMBOLS} assets, {len(SHARES)} venues",
        f"{len(events):,} events after {warm:,} to warm up",
    )
    return Group(f"windows, {per_second:,} events/s", measure(cases, rounds), references, notes)


def for_river(hit: Hit) -> tuple[Lane, float, datetime.datetime]:
    """Return the arguments of river's update."""
    return (hit.asset, hit.lane), hit.micros / MICROS, naive(hit.at_us)


def naive(at_us: int) -> datetime.datetime:
    """Return UTC without a time zone, as river needs it."""
    return datetime.datetime.fromtimestamp(at_us / MICROS, datetime.UTC).replace(tzinfo=None)
