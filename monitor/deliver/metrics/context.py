"""Metric families of the context of liquidations, as plain rows: unknown values have none.

Only assets with series of their own are shown: a sum of changes or of distances over the rest would mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import UNSET

from monitor.detect.view import AssetView
from monitor.model.events import SIDES
from monitor.model.signals import LevelState, SignalPace

LEVEL_STATES: Final[tuple[LevelState, ...]] = ("above", "testing", "broken", "stale")

Row = tuple[Sequence[str], float]


class Family(NamedTuple):
    """A gauge: its name without prefix, help, labels and rows."""

    name: str
    help: str
    labels: Sequence[str]
    rows: list[Row]


class _Kind(NamedTuple):
    name: str
    help: str
    labels: tuple[str, ...]
    rows: Callable[[AssetView], Iterator[Row]]


def _interest_age(view: AssetView) -> Iterator[Row]:
    if (found := view.context.open_interest) is not None:
        yield (view.asset,), found.age_s


def _interest_suspect(view: AssetView) -> Iterator[Row]:
    if (found := view.context.open_interest) is not None:
        yield (view.asset,), float(found.suspect)


def _interest_change(view: AssetView) -> Iterator[Row]:
    if (found := view.context.open_interest) is not None:
        for window, change in found.changes.items():
            yield (view.asset, window, "usd"), change.usd
            yield (view.asset, window, "constant_price"), change.constant_price


def _implied_forced(view: AssetView) -> Iterator[Row]:
    found = view.context.open_interest
    if found is not None and isinstance(found.implied_forced_ratio, float):
        yield (view.asset,), found.implied_forced_ratio


def _level_distance(view: AssetView) -> Iterator[Row]:
    for level in view.context.levels:
        yield (view.asset, f"{level.price:g}"), level.distance_ratio


def _level_state(view: AssetView) -> Iterator[Row]:
    for level in view.context.levels:
        for state in LEVEL_STATES:
            yield (view.asset, f"{level.price:g}", state), float(level.state == state)


def _holding_pnl(view: AssetView) -> Iterator[Row]:
    for holding in view.context.holders:
        yield (holding.holder, view.asset), holding.pnl_usd


def _holding_distance(view: AssetView) -> Iterator[Row]:
    for holding in view.context.holders:
        yield (holding.holder, view.asset), holding.distance_sigma


def _number(field: str, scale: float = 1.0) -> Callable[[AssetView], Iterator[Row]]:
    def rows(view: AssetView) -> Iterator[Row]:
        if (found := getattr(view.context, field)) is not None:
            yield (view.asset,), found / scale

    return rows


def _dvol(view: AssetView) -> Iterator[Row]:
    if (found := view.context.dvol) is not None:
        yield (view.asset,), found.value / 100


def _pace(view: AssetView) -> Iterator[Row]:
    for side, pace in zip(SIDES, view.context.pace or (), strict=False):
        for window, ratio in (("24h_7d", pace.day_to_week), ("7d_30d", pace.week_to_month)):
            if ratio is not UNSET:
                yield (view.asset, side, window), float(ratio)


def _pace_covered(view: AssetView) -> Iterator[Row]:
    for pace in (view.context.pace or ())[:1]:
        yield from _covered(view.asset, pace)


def _covered(asset: str, pace: SignalPace) -> Iterator[Row]:
    yield (asset, "7d"), pace.covered_7d
    yield (asset, "30d"), pace.covered_30d


def _fragility(view: AssetView) -> Iterator[Row]:
    for side, found in zip(SIDES, view.context.fragility, strict=True):
        if found is not None:
            yield (view.asset, side), found


def _tradfi(view: AssetView) -> Iterator[Row]:
    if (found := view.context.tradfi) is not None:
        yield (), found.stress


_KINDS: Final = (
    _Kind(
        "open_interest_age_seconds",
        "Age of the oldest sample in the open interest, seconds.",
        ("asset",),
        _interest_age,
    ),
    _Kind(
        "open_interest_suspect",
        "1 while a venue's open interest changed by more than was traded there.",
        ("asset",),
        _interest_suspect,
    ),
    _Kind(
        "open_interest_change_ratio",
        "Change of open interest over the window in USD, or at constant prices; their difference is the price's.",
        ("asset", "window", "basis"),
        _interest_change,
    ),
    _Kind(
        "open_interest_implied_forced_ratio",
        "Fall of open interest within 5 minutes over the liquidations reported; it grows if feeds hide some.",
        ("asset",),
        _implied_forced,
    ),
    _Kind(
        "level_distance_ratio",
        "Distance of the price from a configured level as a share of it, negative below.",
        ("asset", "level"),
        _level_distance,
    ),
    _Kind(
        "level_state",
        "1 for the level's current state, else 0; a broken level that the price left long ago is stale.",
        ("asset", "level", "state"),
        _level_state,
    ),
    _Kind(
        "holding_pnl_usd",
        "Unrealised profit of a configured large holder, USD.",
        ("holder", "asset"),
        _holding_pnl,
    ),
    _Kind(
        "holding_distance_sigma",
        "Distance of the price from the holder's cost in standard deviations of a day's return.",
        ("holder", "asset"),
        _holding_distance,
    ),
    _Kind(
        "funding_rate_8h_ratio",
        "Funding rate per 8 h, mean over venues weighted by open interest.",
        ("asset",),
        _number("funding_8h"),
    ),
    _Kind(
        "funding_deviations",
        "Distance of funding from its median of 30 days, in robust standard deviations.",
        ("asset",),
        _number("funding_z"),
    ),
    _Kind(
        "basis_ratio",
        "Basis: mark price minus index price over index price, median over venues.",
        ("asset",),
        _number("basis_bp", 1e4),
    ),
    _Kind(
        "basis_dispersion_ratio",
        "Highest minus lowest basis over venues.",
        ("asset",),
        _number("basis_dispersion_bp", 1e4),
    ),
    _Kind(
        "volatility_index_ratio",
        "Implied volatility per year; 0.44 is 44 percent.",
        ("asset",),
        _dvol,
    ),
    _Kind(
        "pace_ratio",
        "Liquidated USD per day in the first window over that in the second; below 1 the pace slows.",
        ("asset", "side", "windows"),
        _pace,
    ),
    _Kind(
        "pace_covered_ratio",
        "Share of the window's hours in which any event of the asset was received.",
        ("asset", "window"),
        _pace_covered,
    ),
    _Kind(
        "taker_variance_ratio",
        "Variance of the takers' balance per minute, over 6 h divided by that over 7 d.",
        ("asset",),
        _number("taker_variance_ratio"),
    ),
    _Kind(
        "fragility_ratio",
        "Mean rank within 30 days of open interest in coins, funding and the takers' variance; it is no forecast.",
        ("asset", "side"),
        _fragility,
    ),
    _Kind(
        "tradfi_stress_decades",
        "Surprise of the worst move of a traditional market's index perpetual, decades.",
        (),
        _tradfi,
    ),
)


def context_rows(own: Sequence[AssetView]) -> Iterator[Family]:
    """Yield all families for the assets that have series of their own."""
    for kind in _KINDS:
        rows = [row for view in own for row in kind.rows(view)]
        yield Family(kind.name, kind.help, kind.labels, rows)
