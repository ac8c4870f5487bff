"""Evidence: how unusual a side's liquidations and the price's move against it are, as items of a score.

All functions are pure. A side below the floor has no flow evidence, so a thin asset's first order is no surprise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from monitor.detect.decide import price_only
from monitor.detect.flow.flow import Flow
from monitor.detect.price.price import Price
from monitor.detect.score import Item
from monitor.model.events import Side

SURPRISE_ZERO: Final = 3.0
SURPRISE_FULL: Final = 6.0
"""Decades of surprise between which the most surprising window's liquidations go from no points to all."""
MOVE_ZERO: Final = 3.0
MOVE_FULL: Final = 6.0
"""Decades of surprise between which the price's move goes from no points to all. From 2 to 4, forced orders beside half
a percent called five times as many false alarms on simulated markets, and no cascade more."""
VOLATILITY_ZERO: Final = 2.0
VOLATILITY_FULL: Final = 6.0
"""Realised over normal volatility of five minutes between which it goes from no points to all; on calm days 1 in 100
minutes is above 3."""
STRESSED: Final = 3.0
"""Decades of flow or price surprise from which on a scope counts as stressed in the market's breadth."""
ONE_SIDED_ORDERS: Final = 10
"""Least number of orders in five minutes whose one-sidedness counts; that of fewer is chance."""
COARSE_WINDOW: Final = "1h"
"""The window that is judged where only hourly totals are known."""
COARSE: Final = 4.0
"""The floor of hourly totals is this many times the floor of five minutes."""

Limit = Callable[[str, Side], float | None]
"""The most USD of a window's sum that may count, by window and side; None for all of it."""


def is_above_floor(flow: Flow, side: Side) -> bool:
    """Return True if a side's liquidations exceed the minimum to be scored."""
    if flow.fine:
        return flow.corrected_usd("5m", side) >= flow.floor_usd
    return flow.aggregated and flow.usd(COARSE_WINDOW, side) >= COARSE * flow.floor_usd


def flow_surprises(flow: Flow, side: Side, limit: Limit) -> dict[str, float]:
    """Return the surprise of each judged window in decades; empty below the floor."""
    if not is_above_floor(flow, side):
        return {}
    surprises = flow.surprises(side, limit)
    return surprises if flow.fine else {COARSE_WINDOW: surprises.get(COARSE_WINDOW, 0.0)}


def is_stressed(price: Price, side: Side, surprises: dict[str, float]) -> bool:
    """Return True if a side's liquidations or the price's quick move against it are far from normal."""
    if price.judged[side].fast_surprise >= STRESSED:
        return True
    return bool(surprises) and max(surprises.values()) >= STRESSED


def flow_items(flow: Flow, side: Side, surprises: dict[str, float], breadth_feature: str) -> list[Item]:
    """Return the evidence of a side's liquidations; empty where no window was judged.

    Args:
        flow: the scope's liquidations.
        side: the liquidated side.
        surprises: see :func:`flow_surprises`.
        breadth_feature: name of the item that counts stressed sources.
    """
    if not surprises:
        return []
    worst = max(surprises, key=lambda window: surprises[window])
    usd, normal = flow.corrected_usd(worst, side), flow.normal(worst, side)
    items = [Item(f"liquidated_usd_{worst}", usd, normal, surprises[worst], SURPRISE_ZERO, SURPRISE_FULL, 20)]
    span = "5m" if flow.fine else COARSE_WINDOW
    mine, other = flow.usd(span, side), flow.usd(span, "short" if side == "long" else "long")
    # Where only what feeds hide is left of the window, neither side has more of it.
    share = mine / (mine + other) if mine + other else 0.5
    strength = 2 * share - 1 if flow.orders(span) >= ONE_SIDED_ORDERS or not flow.fine else 0.0
    items.append(Item(f"one_sided_share_{span}", share, 0.5, strength, 0.4, 0.9, 5))
    if len(flow.sources) > 1 and flow.fine:
        stressed = float(flow.stressed_sources(side))
        items.append(Item(breadth_feature, stressed, 0.0, stressed, 1, min(3, len(flow.sources)), 7))
    return items


def price_items(price: Price, side: Side, *, is_price_only: bool) -> list[Item]:
    """Return the evidence of the price; empty before there is one.

    Args:
        price: the scope's price.
        side: the side that a move counts against.
        is_price_only: whether no liquidations can be seen; the move is then that of the hour.
    """
    if price.last is None:
        return []
    move = price_only.move_item(price, side) if is_price_only else _most_surprising_move(price, side)
    ratio = price.volatility_ratio()
    return [move, Item("volatility_ratio_5m", ratio, 1.0, ratio, VOLATILITY_ZERO, VOLATILITY_FULL, 5)]


def _most_surprising_move(price: Price, side: Side) -> Item:
    worst = price.judged[side]
    normal = price.normal_move(worst.window)
    return Item(f"move_{worst.window}", worst.ratio, normal, worst.surprise, MOVE_ZERO, MOVE_FULL, 16)
