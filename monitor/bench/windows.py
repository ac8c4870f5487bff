"""Rolling sums of liquidations: the detector's windows, one deque a window, river's TimeRolling."""

from __future__ import annotations

import datetime
import random
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from monitor.bench import peers
from monitor.bench.frames import SHARES, START_US, SYMBOLS, ZIPF
from monitor.bench.measure import Case, Group, measure
from monitor.cascade.windows import WINDOWS, Windows
from monitor.events import MICROS

DENSITIES: Final = {
    150_000: "every trade and liquidation of the burst's peak",
    25_000: "liquidations alone in the worst second that the budgets name",
    42: "a busy hour: nearly every event opens a new second of its asset",
}
"""Events per second, all assets together."""
SECONDS: Final = 3
"""A density shows only over a few seconds; at 42 a second there are MIN_EVENTS instead."""
MIN_EVENTS: Final = 5_000
RIVER_EVENTS: Final = 50_000
"""River gets the first ones only: it needs a second or two for them, minutes for all."""

OURS: Final = "monitor"
DEQUES: Final = "deque a window"
RIVER: Final = "river"


Lane = tuple[int, tuple[str, str]]
"""An asset and, within it, a venue and a side."""


class Hit(NamedTuple):
    """A liquidation as the windows see it."""

    asset: int
    lane: tuple[str, str]
    at_us: int
    micros: int


def hits(count: int, per_second: float, seed: int = 7) -> list[Hit]:
    """Make liquidations of 300 assets at three venues, both sides, Zipf-distributed over the assets."""
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
        """Append, evict, keep the sums."""
        item = at_us, micros
        sums = self.sums
        for index, (length, window) in enumerate(self.windows):
            window.append(item)
            total = sums[index] + micros
            oldest = at_us - length
            while window[0][0] <= oldest:
                total -= window.popleft()[1]
            sums[index] = total


def run_ours(events: Sequence[Hit], stores: list[Windows]) -> int:
    """As the detector does: an asset's windows move on when a new second begins."""
    for asset, key, at_us, micros in events:
        windows = stores[asset]
        second = at_us // MICROS
        if second != windows.second:
            windows.advance(second)
        windows.add(windows.lane(key), second, micros, 1)
    for windows in stores:
        windows.advance(events[-1].at_us // MICROS + 1)
    return len(events)


def run_deques(events: Sequence[Hit], lanes: dict[Lane, Deques]) -> int:
    """One lookup and twelve appends an event."""
    for asset, key, at_us, micros in events:
        lanes[asset, key].add(at_us, micros)
    return len(events)


def run_river(events: Sequence[tuple[Lane, float, datetime.datetime]], lanes: dict[Lane, list[Any]]) -> int:
    """Twelve updates an event."""
    for key, usd, at in events:
        for window in lanes[key]:
            window.update(usd, t=at)
    return len(events)


def new_stores(keys: Sequence[Lane]) -> list[Windows]:
    """Empty windows of every asset, at the stream's first second."""
    stores = [Windows() for _ in range(SYMBOLS)]
    for asset, lane in keys:
        stores[asset].lane(lane)
    for store in stores:
        store.advance(START_US // MICROS - 1)
    return stores


def new_river(keys: Sequence[Lane]) -> dict[Lane, list[Any]]:
    """Empty rolling sums of every lane."""
    from river import stats, utils

    periods = [datetime.timedelta(seconds=length) for length in WINDOWS.values()]
    return {key: [utils.TimeRolling(stats.Sum(), period) for period in periods] for key in keys}


def group(per_second: int, rounds: int, seconds: float = SECONDS) -> Group:
    """Measure one density."""
    events = hits(max(MIN_EVENTS, round(seconds * per_second)), per_second)
    keys = sorted({(hit.asset, hit.lane) for hit in events})
    cases = [
        Case(DEQUES, "events", lambda lanes: run_deques(events, lanes), lambda: {key: Deques() for key in keys}),
        Case(OURS, "events", lambda stores: run_ours(events, stores), lambda: new_stores(keys)),
    ]
    references: tuple[str, ...] = (DEQUES,)
    if peers.version("river"):
        timed = [((hit.asset, hit.lane), hit.micros / MICROS, naive(hit.at_us)) for hit in events[:RIVER_EVENTS]]
        cases.append(Case(RIVER, "events", lambda lanes: run_river(timed, lanes), lambda: new_river(keys)))
        references = (DEQUES, RIVER)
    notes = (
        DENSITIES[per_second],
        f"{len(WINDOWS)} windows by asset, venue and side; {SYMBOLS} assets, {len(SHARES)} venues",
        f"{len(events):,} events",
    )
    return Group(f"windows, {per_second:,} events/s", measure(cases, rounds), references, notes)


def naive(at_us: int) -> datetime.datetime:
    """UTC without a zone, as river wants it."""
    return datetime.datetime.fromtimestamp(at_us / MICROS, datetime.UTC).replace(tzinfo=None)
