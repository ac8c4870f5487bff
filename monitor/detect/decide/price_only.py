"""The price's own evidence and gates, for scopes whose liquidations cannot be seen.

Without a second family rarity is not enough: in months as still as July 2023 two percent within an hour are rare and no
cascade, and after a crash as much is nothing. So the move of an hour is compared with the usual day, as in the rule
that labels are made with after the fact (a cascade moves the price by a day's standard deviation within the hour).
"""

from __future__ import annotations

from typing import Final

from monitor.detect.price.price import Price
from monitor.detect.score import FLOW_GATE, Item
from monitor.model.events import Side

WINDOW: Final = "1h"
MOVE_ZERO: Final = 0.5
MOVE_FULL: Final = 1.75
"""Usual daily standard deviations between which an hour's move goes from no points to all: from nearly a cascade to a
severe one by the labels' rule."""
LEAST_SIGMAS: Final = 1.5
"""Least move of a cascade, usual daily standard deviations, where no other record stands in for the flow: half as much
again as the labels' rule requires."""
AGREED_SIGMAS: Final = 1.0
"""Least move of a cascade, usual daily standard deviations, where a record that stands in for the flow agrees."""
LEAST_MOVE: Final = 0.02
"""Least move of any cascade, ratio: positions of fifty times their margin are closed from 1.6 % on, and those are
few."""
REBOUND_SIGMAS: Final = 1.75
"""Least move, usual daily standard deviations, of a cascade that follows an episode of the other side: after a crash
the price comes back, and most of that is no squeeze."""


def move_item(price: Price, side: Side) -> Item:
    """Return the hour's move as evidence, in usual daily standard deviations."""
    moved_by, usual = price.move(WINDOW, side), price.usual.value
    return Item(f"move_{WINDOW}", moved_by, usual, moved_by / usual, MOVE_ZERO, MOVE_FULL, 16)


def has_points(price: Price, side: Side) -> bool:
    """Return True if the hour's move gives any points."""
    return price.move(WINDOW, side) > MOVE_ZERO * price.usual.value


def has_moved(price: Price, side: Side, sigmas: float) -> bool:
    """Return True if the hour's move is at least this many usual daily standard deviations, and at least 2 %."""
    return price.move(WINDOW, side) >= max(LEAST_MOVE, sigmas * price.usual.value)


def least_sigmas(flow_share: float) -> float:
    """Return the least move of a cascade, given the share (0 to 1) of the flow's points that a stand-in gives."""
    return AGREED_SIGMAS if flow_share >= FLOW_GATE else LEAST_SIGMAS
