from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.lab.simulate.book import BIN, LeverageBook
from monitor.model.events import Side
from tests.budget import examples

START = math.log(65_000)
SIDES: tuple[Side, Side] = ("long", "short")


def book_with(side: Side, lots: int = 100_000) -> LeverageBook:
    """A book of one opening at the start price."""
    book = LeverageBook(side, START)
    book.add(START, lots, np.random.default_rng(5))
    return book


@pytest.mark.parametrize("side", SIDES)
def test_positions_die_on_the_losing_side(side: Side) -> None:
    """Longs are liquidated below their entry, shorts above; at the entry itself nobody."""
    sign = -1 if side == "long" else 1
    book = book_with(side)
    assert book.cross(START) == []
    assert book.cross(START - sign * 0.5) == []
    dead = book.cross(START + sign * 0.06)
    assert dead
    assert all(0 < sign * (at - START) < 0.06 + BIN for at, _ in dead)
    assert book.cross(START + sign * 0.06) == []


@pytest.mark.parametrize("side", SIDES)
def test_high_leverage_dies_first(side: Side) -> None:
    """A move of 7 % liquidates about a fifth, one of 60 % nearly all: leverage 3 to 100 in the given mix."""
    sign = -1 if side == "long" else 1
    book = book_with(side)
    first = sum(lots for _, lots in book.cross(START + sign * 0.07))
    assert 0.08 < first / 100_000 < 0.30
    book.cross(START + sign * 0.99)
    assert book.open < 25_000


@pytest.mark.parametrize("side", SIDES)
def test_take_begins_with_the_nearest(side: Side) -> None:
    """Single positions are taken from where liquidation is nearest, and no more than there are."""
    book = book_with(side)
    occupied = np.flatnonzero(book.lots_by_bin)
    nearest = occupied[-1] if side == "long" else occupied[0]
    there = int(book.lots_by_bin[nearest])
    assert book.take(there + 1) == there + 1
    assert book.lots_by_bin[nearest] == 0
    assert book.take(10**9) == 100_000 - there - 1
    assert book.open == 0
    assert book.take(1) == 0


Operation = tuple[str, float]
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["add", "cross", "take", "retire"]), st.floats(0, 1)), min_size=1, max_size=30
)


@settings(max_examples=examples(12, 240))
@given(st.sampled_from(SIDES), OPERATIONS, st.integers(0, 2**32))
def test_no_lot_is_lost(side: Side, operations: list[Operation], seed: int) -> None:
    """Opened lots are open, closed or liquidated, whatever happens; no bin falls below zero."""
    rng = np.random.default_rng(seed)
    book = LeverageBook(side, START)
    for name, amount in operations:
        at = START + (amount - 0.5) * 3
        if name == "add":
            book.add(at, int(amount * 10_000), rng)
        elif name == "cross":
            book.cross(at)
        elif name == "take":
            book.take(int(amount * 5_000))
        else:
            book.retire(amount, rng)
        assert book.opened == book.open + book.closed + book.liquidated
        assert int(book.lots_by_bin.sum()) == book.open
        assert int(book.lots_by_bin.min()) >= 0


def test_retire_closes_about_its_share() -> None:
    """A tenth of the positions leave, give or take the rounding of each bin."""
    book = book_with("long", 1_000_000)
    closed = book.retire(0.1, np.random.default_rng(1))
    assert closed == book.closed == pytest.approx(100_000, rel=0.05)
