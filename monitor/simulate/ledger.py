"""What an exchange's market executed, what its feed showed of it, and to whom: the truth that a reader is held against.

All sums are micro-USD as a correct reader computes them from the wire, so they compare to the micro-dollar.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from monitor.events import Side

Key = tuple[str, Side]
"""Symbol and the side of the position that died."""


class Amount(NamedTuple):
    """How many forced orders, and their notional."""

    orders: int
    micro_usd: int


NOTHING = Amount(0, 0)


class Entry(NamedTuple):
    """One forced order as a reader of this feed has to see it."""

    symbol: str
    side: Side
    micro_usd: int


class Shown:
    """A forced order that the feed let through, and the clients that it was written to.

    ``written_us`` is when it was last written to one of them, microseconds; 0 before.
    """

    __slots__ = ("clients", "entry", "written_us")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.clients: set[int] = set()
        self.written_us = 0


def totals(entries: Iterable[Entry]) -> dict[Key, Amount]:
    """Sums by symbol and side."""
    sums: dict[Key, Amount] = {}
    for symbol, side, micro_usd in entries:
        orders, before = sums.get((symbol, side), NOTHING)
        sums[symbol, side] = Amount(orders + 1, before + micro_usd)
    return sums


def by_side(sums: dict[Key, Amount]) -> dict[Side, Amount]:
    """Sums over all symbols; both sides are always there."""
    sides: dict[Side, Amount] = {"long": NOTHING, "short": NOTHING}
    for (_, side), amount in sums.items():
        sides[side] = Amount(sides[side].orders + amount.orders, sides[side].micro_usd + amount.micro_usd)
    return sides


class Ledger:
    """The books of one exchange."""

    def __init__(self) -> None:
        self._executed: list[Entry] = []
        self._shown: list[Shown] = []

    def execute(self, entry: Entry) -> None:
        """The market executed a forced order."""
        self._executed.append(entry)

    def show(self, entry: Entry) -> Shown:
        """The feed lets it through; whoever sends it notes the clients in what comes back."""
        shown = Shown(entry)
        self._shown.append(shown)
        return shown

    @property
    def executed(self) -> dict[Key, Amount]:
        """Everything that was closed by force."""
        return totals(self._executed)

    @property
    def shown(self) -> dict[Key, Amount]:
        """What the throttle let through, whoever listened."""
        return totals(shown.entry for shown in self._shown)

    @property
    def delivered(self) -> dict[Key, Amount]:
        """What was written to at least one client, each order once."""
        return totals(shown.entry for shown in self._shown if shown.clients)

    def delivered_outside(self, gaps: Sequence[tuple[int, int]]) -> dict[Key, Amount]:
        """Return what was written to a client outside of half-open intervals of microseconds."""
        return totals(
            shown.entry
            for shown in self._shown
            if shown.clients and not any(start <= shown.written_us < end for start, end in gaps)
        )

    def delivered_to(self, client: int) -> dict[Key, Amount]:
        """What was written to one client."""
        return totals(shown.entry for shown in self._shown if client in shown.clients)
