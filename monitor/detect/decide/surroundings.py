"""Surroundings of a scope: what decisions need beyond its liquidations and price, other for assets and the market."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from monitor.detect.decide.facts import Facts
from monitor.detect.decide.visibility import Feeds
from monitor.detect.score import Item
from monitor.model.events import Side


class Venues(NamedTuple):
    """Venues whose liquidations are seen, or would be, and the open interest of venues where it is known, USD."""

    readable: Collection[str]
    interest: Mapping[str, float]


class StandIn(NamedTuple):
    """Evidence that stands in for liquidations that cannot be seen, and what still confirms beside it."""

    flow: list[Item]
    confirming: list[Item]


class Surroundings(Protocol):
    """Surroundings of a scope. Everything is computed when it is needed, because most seconds need none of it."""

    @property
    def is_disturbed(self) -> bool:
        """Return True if nothing can be learned now, though the scope itself may be calm."""

    @property
    def seen_at(self) -> int:
        """Return the second of the last price or liquidation."""

    @property
    def rise(self) -> float:
        """Return the points that a score can gain at most while nothing new comes."""

    def venues(self, feeds: Feeds) -> Venues:
        """Return where liquidations can be seen at present, and how the venues weigh."""

    def limit(self, window: str, side: Side) -> float | None:
        """Return the most USD of a window's sum that may count; None for all of it."""

    def flow_items(self, side: Side) -> list[Item]:
        """Return evidence of liquidations besides that of the scope's flow."""

    def confirming_items(self, side: Side) -> list[Item]:
        """Return the evidence of leverage, contagion and context."""

    def stand_ins(self, confirming: list[Item]) -> list[StandIn]:
        """Return what other records show afterwards of liquidations that cannot be seen.

        Args:
            confirming: what :meth:`confirming_items` returned for this side and second.
        """

    def watch_since(self, side: Side) -> int:
        """Return the second of a recent event that makes a fragile side worth watching; 0 without one."""

    def is_enough(self, facts: Facts, side: Side, price_share: float) -> bool:
        """Return True if enough was liquidated for a cascade of something of this size.

        Args:
            facts: what is known of the scope.
            side: the liquidated side.
            price_share: share (0 to 1) of the price's points that the score has.
        """

    def may_cascade(self, facts: Facts, side: Side, points: float) -> bool:
        """Return True if a side with this score may be in a cascade."""
