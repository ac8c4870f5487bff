"""Records what an exchange executed, what its feed showed, and to whom: the truth for a test of a collector.

All sums are micro-USD as a correct reader computes them from the wire, so they can be compared to the micro-dollar.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from monitor.model.events import Side

Key = tuple[str, Side]
"""Symbol and side of the liquidated position."""


class Amount(NamedTuple):
    """Number of forced orders, and their notional."""

    orders: int
    micro_usd: int


ZERO = Amount(0, 0)


class Entry(NamedTuple):
    """One forced order as a reader of this feed must count it."""

    symbol: str
    side: Side
    micro_usd: int


class Shown:
    """A forced order that the feed let through, and the clients to which it was written.

    ``written_us`` is when it was last written to one of them, microseconds; 0 before.
    """

    __slots__ = ("clients", "entry", "written_us")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.clients: set[int] = set()
        self.written_us = 0


def totals(entries: Iterable[Entry]) -> dict[Key, Amount]:
    """Return sums by symbol and side."""
    sums: dict[Key, Amount] = {}
    for symbol, side, micro_usd in entries:
        orders, before = sums.get((symbol, side), ZERO)
        sums[symbol, side] = Amount(orders + 1, before + micro_usd)
    return sums


def by_side(sums: dict[Key, Amount]) -> dict[Side, Amount]:
    """Return sums over all symbols; both sides are always present."""
    sides: dict[Side, Amount] = {"long": ZERO, "short": ZERO}
    for (_, side), amount in sums.items():
        sides[side] = Amount(sides[side].orders + amount.orders, sides[side].micro_usd + amount.micro_usd)
    return sides


class Ledger:
    """The records of one exchange."""

    def __init__(self) -> None:
        self._executed: list[Entry] = []
        self._shown: list[Shown] = []

    def execute(self, entry: Entry) -> None:
        """Record a forced order that the market executed."""
        self._executed.append(entry)

    def show(self, entry: Entry) -> Shown:
        """Record an order that the feed lets through, and return it for its sender to note the clients."""
        shown = Shown(entry)
        self._shown.append(shown)
        return shown

    @property
    def executed(self) -> dict[Key, Amount]:
        """Return everything that was closed by force."""
        return totals(self._executed)

    @property
    def shown(self) -> dict[Key, Amount]:
        """Return what the throttle let through, with or without a listener."""
        return totals(shown.entry for shown in self._shown)

    @property
    def delivered(self) -> dict[Key, Amount]:
        """Return what was written to at least one client, each order once."""
        return totals(shown.entry for shown in self._shown if shown.clients)

    def delivered_outside(self, gaps: Sequence[tuple[int, int]]) -> dict[Key, Amount]:
        """Return what was written to a client outside of half-open intervals of microseconds."""
        return totals(
            shown.entry
            for shown in self._shown
            if shown.clients and not any(start <= shown.written_us < end for start, end in gaps)
        )

    def delivered_to(self, client: int) -> dict[Key, Amount]:
        """Return what was written to one client."""
        return totals(shown.entry for shown in self._shown if client in shown.clients)
