"""Evidence of leverage and context: points that confirm a cascade and never carry it.

None of these need be seen. In three of the eight worst days of BTC from December 2025 to June 2026 the open interest in
coins rose, so its silence is no evidence (:mod:`monitor.detect.score`).
"""

from __future__ import annotations

import math
from typing import Final

from monitor.detect.context.context import Context
from monitor.detect.context.dislocation import NORMAL_BP, STRESS_FULL, STRESS_WEIGHT, STRESS_ZERO
from monitor.detect.context.holders import profit
from monitor.detect.price.price import Price
from monitor.detect.score import Item
from monitor.model.events import MICROS, Side

INTEREST_DROPS: Final = {"5m": 0.0038, "1h": 0.017}
"""By window the fall of the open interest in coins that comes once in a hundred: BTC, December 2025 to June 2026."""
INTEREST_TAIL: Final = 3.2
"""Exponent of the tail of such falls: an hour's is 3.5 % once in a thousand."""
INTEREST_DROP: Final = "open_interest_drop"
CLOSED_ZERO: Final = 2.0
CLOSED_FULL: Final = 4.0
"""Decades between which such a fall, standing for a flow that cannot be seen, goes from no points to all: within an
hour 1.7 % to 7 %. 2.6 % (or 0.6 % within five minutes) are enough for the gate."""
FRESH_S: Final = 600
"""An open interest counts for this long, seconds; an older one is no evidence of the present."""
BROKEN_S: Final = 3_600
"""A level counts as just broken for this long, seconds."""


def leverage(context: Context, side: Side, second: int) -> list[Item]:
    """Return up to 12 points: open interest in coins that falls, and funding paid by the side that is liquidated."""
    items = []
    worst = _worst_drop(context, second)
    if worst is not None:
        window, drop, surprise = worst
        items.append(Item(f"{INTEREST_DROP}_{window}", drop, INTEREST_DROPS[window], surprise, 3.0, 5.0, 6.0))
    funding = context.state.funding_8h
    z = None if funding is None else context.funding_basis.funding_z(funding)
    if z is not None:
        items.append(Item("funding_z", z, 0.0, z if side == "long" else -z, 1.0, 4.0, 6.0))
    return items


def dislocation(context: Context, side: Side, second: int) -> list[Item]:
    """Return up to 4 points: perpetuals that stand apart from their indexes, or venues from each other."""
    stress = context.dislocated(side, second)
    if stress is None:
        return []
    return [Item(stress.feature, stress.bp, NORMAL_BP, stress.surprise, STRESS_ZERO, STRESS_FULL, STRESS_WEIGHT)]


def closed(context: Context, second: int) -> list[Item]:
    """Return what was closed by the open interest: coins that are gone, at the price they had, forced or not.

    It comes minutes late and is of no side; the price shows which. It stands in for liquidations that cannot be seen.
    """
    worst = _worst_drop(context, second)
    if worst is None:
        return []
    window, _, surprise = worst
    change = context.state.changes[window]
    usd, normal = (change.then - change.constant) / MICROS, INTEREST_DROPS[window] * change.then / MICROS
    return [Item(f"implied_closed_usd_{window}", max(0.0, usd), normal, surprise, CLOSED_ZERO, CLOSED_FULL, 20.0)]


def _worst_drop(context: Context, second: int) -> tuple[str, float, float] | None:
    """Return window, size (a ratio) and surprise (decades) of the rarest fall in coins; None where none is known."""
    age_s = context.open_interest.age_s(second)
    drops = {
        window: -context.state.changes[window].constant_price
        for window in INTEREST_DROPS
        if window in context.state.changes
    }
    if age_s is None or age_s > FRESH_S or not drops:
        return None
    worst = max(drops, key=lambda window: drops[window] / INTEREST_DROPS[window])
    ratio = max(1e-9, drops[worst] / INTEREST_DROPS[worst])
    return worst, drops[worst], 2.0 + INTEREST_TAIL * math.log10(ratio)


def context_items(context: Context, price: Price, side: Side, second: int) -> list[Item]:
    """Return up to 6 of context's 8 points: a level that just broke, implied volatility that jumps, a holder near cost.

    The other two are the market's (stress of traditional markets).
    """
    items = []
    if side == "long" and context.levels:
        broken = any(
            level.broken_at is not None and second - level.broken_at < BROKEN_S for level in context.levels.values()
        )
        items.append(Item("level_broken_1h", float(broken), 0.0, float(broken), 0.0, 1.0, 3.0))
    jump = context.volatility.surprise(second)
    if jump > 0:
        items.append(Item("implied_volatility_jump", jump, 0.0, jump, 3.0, 5.0, 2.0))
    if side == "long" and price.last is not None:
        near = [abs(profit(each, price.last, price.sigma).sigmas) for each in context.holdings]
        if near:
            items.append(Item("holder_cost_distance", min(near), 1.0, 1.0 - min(near), 0.0, 1.0, 1.0))
    return items
