from __future__ import annotations

import pytest

from monitor.lab.bench.measure import Case, Group, measure


def test_rounds_are_interleaved_and_turned_round() -> None:
    """Each round runs every case once, the second in the opposite order."""
    ran: list[str] = []

    def case(name: str) -> Case:
        def run(_: object) -> int:
            ran.append(name)
            return 1

        return Case(name, "events", run)

    cases = [case("a"), case("b")]
    rows = measure(cases, 2)
    assert ran == ["a", "b", "b", "a"]
    assert [len(row.rates) for row in rows] == [2, 2]


def test_rate_is_units_by_the_cases_own_clock() -> None:
    """A case's clock decides its seconds, and set-up is not in them."""
    now = iter([10.0, 12.0])
    (row,) = measure([Case("a", "events", lambda state: state, lambda: 50, lambda: next(now))], 1)
    assert row.rates == [25.0]


def test_ratios_are_formed_within_a_round() -> None:
    """A machine that slows down between rounds leaves the ratios alone."""
    ticks = iter([0, 1, 1, 3, 3, 7, 7, 9])  # a: 1 s, b: 2 s; then b: 4 s, a: 2 s
    cases = [Case(name, "events", lambda _: 8, clock=lambda: float(next(ticks))) for name in ("a", "b")]
    rows = measure(cases, 2)
    group = Group("t", rows, ("b",))
    assert group.ratios(rows[0], "b") == [2.0, 2.0]
    assert rows[0].median == pytest.approx(6.0)
