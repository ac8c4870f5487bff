"""A value for longs and one for shorts."""

from __future__ import annotations

import doctest

import msgspec

from monitor.model import sides
from monitor.model.sides import BySide


def test_values_are_found_by_side() -> None:
    """By the side's name, by attribute, and in the order longs, shorts."""
    usd = BySide(long=3, short=5)
    assert (usd["long"], usd["short"]) == (usd.long, usd.short) == tuple(usd) == (3, 5)


def test_values_survive_messagepack_with_their_type() -> None:
    """A snapshot holds an array of two, and reads them back as what they were."""
    kept = msgspec.msgpack.encode(BySide(long=["a"], short=[]))
    assert msgspec.msgpack.decode(kept) == [["a"], []]
    assert msgspec.msgpack.decode(kept, type=BySide[list[str]]) == BySide(long=["a"], short=[])


def test_examples_in_docstrings_hold() -> None:
    """Every example prints what it says."""
    found = doctest.testmod(sides)
    assert (found.failed, found.attempted > 0) == (0, True)
