"""Gates: conditions besides the score that an episode and a cascade must meet.

All functions are pure. Sums are USD, what throttled feeds hide included; parts of the open interest are basis points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from monitor.detect.decide import price_only
from monitor.detect.decide.evidence import MOVE_ZERO, VOLATILITY_ZERO
from monitor.detect.decide.facts import Facts
from monitor.detect.decide.phases import Observation
from monitor.detect.decide.surroundings import Surroundings
from monitor.detect.price.price import Price
from monitor.detect.score import Score
from monitor.detect.settings import WindowName
from monitor.model.events import Side

SATURATED: Final = 0.9
"""Share of seconds with a report from which on a feed of one report a second is at its limit."""
IMPLIED_BP: Final = 20.0
"""Basis points of the open interest that would close what is normal here: the floor in dollars is no higher than that
where no open interest is known. Assets of 125 million USD reach the floor."""
MARKET_BP: Final = 1.5
"""Basis points of all open interest that the market's five minutes must hold where that is less than the floor."""
RISE: Final = 14.0
"""Points that a score can gain while nothing new comes, 5 of 25 of the flow's 62: the other side may leave the five
minutes of its one-sidedness first. The rest is a margin for the hour that changes."""


def is_quiet(price: Price, side: Side, *, has_flow: bool, is_price_only: bool) -> bool:
    """Return True if a calm side's second can neither begin nor change anything.

    Liquidations alone begin nothing, so a side needs an unusual move, or an unusual volatility beside liquidations.

    Args:
        price: the scope's price.
        side: the side that moves count against.
        has_flow: whether the side's liquidations exceed the floor.
        is_price_only: whether no liquidations can be seen.
    """
    if price.judged[side].surprise > MOVE_ZERO:
        return False
    if is_price_only and price_only.has_points(price, side):
        return False
    return not has_flow or (price.last is not None and price.volatility_ratio() <= VOLATILITY_ZERO)


def may_build_later(facts: Facts, points: float, rise: float) -> bool:
    """Return True if a score that may still gain ``rise`` points while nothing new comes could begin an episode."""
    return not facts.is_price_only and points + rise >= facts.limits.building_score


def holds(facts: Facts, side: Side, parts_bp: Mapping[WindowName, float]) -> bool:
    """Return True if a window holds its part of the open interest; always False where none is known.

    Args:
        facts: what is known of the scope.
        side: the liquidated side.
        parts_bp: by window the part of the open interest that is enough, basis points.
    """
    flow = facts.flow
    size = flow.interest_usd * facts.seen_share  # the sums lack what a lost feed hides, the open interest does not
    return size > 0 and any(flow.corrected_usd(window, side) >= 1e-4 * bp * size for window, bp in parts_bp.items())


def is_rush(facts: Facts, side: Side) -> bool:
    """Return True if the price moves against a side as fast as only a crash does, and positions close beside it."""
    flow, price, floors = facts.flow, facts.price, facts.floors
    fast = any(price.deviations(window, side) >= least for window, least in facts.traits.rush_sigmas.items())
    some = flow.orders("5m") >= floors.rush_orders and flow.corrected_usd("5m", side) >= floors.dust_usd
    fresh = fast and some and holds(facts, side, floors.rush_interest_bp)
    return fresh and not holds(facts, side, floors.rush_spent_bp)


def is_enough_for_asset(facts: Facts, side: Side, price_share: float) -> bool:
    """Return True if enough was liquidated for a cascade of an asset of this size.

    Args:
        facts: what is known of the asset.
        side: the liquidated side.
        price_share: share (0 to 1) of the price's points; where it is high, less within seconds is enough.
    """
    flow, floors = facts.flow, facts.floors
    usd = flow.corrected_usd("5m", side)
    if usd < floors.dust_usd:
        return False
    if flow.interest_usd:
        sudden = price_share >= floors.cascade_price_share and holds(facts, side, floors.cascade_interest_bp)
        return sudden or holds(facts, side, floors.sustained_interest_bp)
    size = flow.size_usd * facts.seen_share
    return usd >= (min(floors.cascade_usd, 1e-4 * IMPLIED_BP * size) if size else floors.cascade_usd)


def is_enough_for_market(facts: Facts, side: Side) -> bool:
    """Return True if enough was liquidated for a cascade of the market."""
    floors, size = facts.floors, facts.flow.size_usd
    least = facts.traits.scale * floors.cascade_usd
    if size:
        least = min(least, max(facts.traits.scale * floors.dust_usd, 1e-4 * MARKET_BP * size))
    return facts.flow.corrected_usd("5m", side) >= least


def is_forced(facts: Facts, side: Side, scored: Score) -> bool:
    """Return True if liquidations are part of the score or, where they cannot be seen, the price of this hour is."""
    limits = facts.limits
    if facts.is_price_only:
        return scored.points >= limits.blind_score and price_only.has_points(facts.price, side)
    return scored.flow >= limits.calm_share


def has_moved(facts: Facts, side: Side, scored: Score) -> bool:
    """Return True if the price shows anything; where there is none, if the dollars would do for a cascade."""
    if facts.price.last is not None:
        return scored.price >= facts.limits.building_price_share
    return facts.flow.corrected_usd("5m", side) >= facts.floors.cascade_usd * facts.traits.scale


def is_rebound(facts: Facts, side: Side, *, is_other_in_episode: bool) -> bool:
    """Return True if the price decides alone and only comes back from an episode of the other side: no cascade."""
    is_after = facts.is_price_only and is_other_in_episode
    return is_after and not price_only.has_moved(facts.price, side, price_only.REBOUND_SIGMAS)


def meets_floors(facts: Facts, side: Side, scored: Score, surroundings: Surroundings, *, is_rushing: bool) -> bool:
    """Return True if a cascade would be more than dust; one in which the price rushes always is."""
    if facts.is_price_only:
        return price_only.has_moved(facts.price, side, price_only.least_sigmas(scored.flow))
    if is_rushing:
        return True
    is_saturated = facts.corrected.saturation >= SATURATED
    has_orders = is_saturated or facts.flow.orders("5m") >= facts.floors.cascade_orders
    return has_orders and surroundings.is_enough(facts, side, scored.price)


def observe(
    facts: Facts,
    side: Side,
    scored: Score,
    surprises: Mapping[str, float],
    surroundings: Surroundings,
    *,
    is_other_in_episode: bool,
) -> Observation:
    """Return what this second shows of a side, every gate in it.

    Args:
        facts: what is known of the scope.
        side: the liquidated side.
        scored: its score.
        surprises: surprise of each judged window, decades.
        surroundings: what the gates need from outside.
        is_other_in_episode: whether an episode of the other side lasts.
    """
    flow, price = facts.flow, facts.price
    judged, limits = facts.traits.settings.judged, facts.limits
    sign = -1.0 if side == "long" else 1.0
    last = price.last
    pace_surprise = surprises.get(judged.pace_window, 0.0)
    is_rushing = is_rush(facts, side)
    least = min(limits.cascade_score, limits.fast_score, limits.rush_score if is_rushing else math.inf)
    # Whether a cascade may be called is costly for the market, and computed only where the answer can matter.
    matters = scored.points >= least or pace_surprise >= limits.wave_surprise
    allowed = (
        matters
        and not is_rebound(facts, side, is_other_in_episode=is_other_in_episode)
        and surroundings.may_cascade(facts, side, scored.points)
    )
    return Observation(
        second=facts.second,
        score=scored.points,
        forced=is_forced(facts, side, scored),
        floors_met=meets_floors(facts, side, scored, surroundings, is_rushing=is_rushing),
        price=None if last is None else sign * last,
        reference=None if last is None else sign * price.reference(side),
        move_unit=0.0 if last is None else price.normal_move("1h") * last,
        pace_usd=flow.corrected_usd(judged.pace_window, side),
        pace_surprise=pace_surprise,
        quiet_ratio=flow.ratio(judged.quiet_window, side) if flow.table else 1.0,
        allowed=allowed,
        saturated=facts.corrected.saturation >= SATURATED,
        moved=has_moved(facts, side, scored),
        watch_since=surroundings.watch_since(side),
        price_only=facts.is_price_only,
        rushes=is_rushing,
    )
