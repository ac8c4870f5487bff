"""Measures rates in interleaved rounds of CPU seconds, so that two of them can be compared on a shared machine.

The clock of a shared machine varies by a third from one minute to the next, so a rate alone shows little. Every round
runs each case once, in turn, and a ratio is formed within the round.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Case(NamedTuple):
    """One thing to measure.

    Attributes:
        name: name in tables.
        unit: unit that is counted.
        run: does the work once, with what ``setup`` made, and returns the number of units.
        setup: makes a fresh state, outside the measured time.
        clock: returns CPU seconds used so far by what does the work.
    """

    name: str
    unit: str
    run: Callable[[Any], int]
    setup: Callable[[], Any] = lambda: None
    clock: Callable[[], float] = time.process_time


class Row(NamedTuple):
    """The rates of a case, units per CPU second, one a round."""

    name: str
    unit: str
    rates: list[float]

    @property
    def median(self) -> float:
        """Return the median rate."""
        return statistics.median(self.rates)


class Group(NamedTuple):
    """Rows that were measured together, and the names of those with which the others are compared."""

    title: str
    rows: list[Row]
    references: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def ratios(self, row: Row, reference: str) -> list[float]:
        """Return the rates of ``row`` over those of ``reference``, round by round."""
        other = next(candidate for candidate in self.rows if candidate.name == reference)
        return [mine / theirs for mine, theirs in zip(row.rates, other.rates, strict=True)]


def measure(cases: Sequence[Case], rounds: int) -> list[Row]:
    """Run every case once a round, in turn and in alternating order, and return their rates."""
    rows = [Row(case.name, case.unit, []) for case in cases]
    order = list(zip(cases, rows, strict=True))
    for _ in range(rounds):
        for case, row in order:
            state = case.setup()
            gc.collect()
            start = case.clock()
            units = case.run(state)
            row.rates.append(units / max(case.clock() - start, 1e-9))
        order.reverse()
    return rows
