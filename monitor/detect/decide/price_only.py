"""What the price says alone, where no liquidations can be seen.

Without a second family rarity is not enough: in months as still as July 2023 two percent within an hour are rare and no
cascade, and after a crash as much is nothing. So the move of an hour is held against the usual day, as the rule is that
labels are made with after the fact (a cascade moves the price by a day's standard deviation within the hour).
"""

from __future__ import annotations

from typing import Final

from monitor.detect.price.price import Price
from monitor.detect.score import FLOW_GATE, Item
from monitor.model.events import Side

WINDOW: Final = "1h"
MOVE_ZERO: Final = 0.5
MOVE_FULL: Final = 1.75
"""Usual standard deviations of a day between which an hour's move goes from no points to all: from what is near to what
is a severe cascade by the labels' rule."""
LEAST_SIGMAS: Final = 1.5
"""A cascade has moved the price by this many: with nothing beside it, by more than the rule asks for, ..."""
AGREED_SIGMAS: Final = 1.0
"""... or, where what stands for the flow agrees, by what the rule asks for, ..."""
LEAST_MOVE: Final = 0.02
"""... and by this much: positions of fifty times their margin are closed from 1.6 % on, and those are few."""
REBOUND_SIGMAS: Final = 1.75
"""After a crash the price comes back, and most of that is no squeeze. One as severe is told."""


def move(price: Price, side: Side) -> Item:
    """The hour's move, in place of the most surprising one."""
    moved_by, usual = price.move(WINDOW, side), price.usual.value
    return Item(f"move_{WINDOW}", moved_by, usual, moved_by / usual, MOVE_ZERO, MOVE_FULL, 16)


def speaks(price: Price, side: Side) -> bool:
    """Whether the move gives any points."""
    return price.move(WINDOW, side) > MOVE_ZERO * price.usual.value


def moved(price: Price, side: Side, sigmas: float) -> bool:
    """Whether an hour's move is as large as this many usual days' standard deviations, and no trifle."""
    return price.move(WINDOW, side) >= max(LEAST_MOVE, sigmas * price.usual.value)


def least_sigmas(flow: float) -> float:
    """How far the price must have moved, given the share of its points that what stands for the flow gives."""
    return AGREED_SIGMAS if flow >= FLOW_GATE else LEAST_SIGMAS
