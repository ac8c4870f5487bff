"""Tests the pair of a value for longs and one for shorts."""

from __future__ import annotations

import doctest

import msgspec

from monitor.model import sides
from monitor.model.sides import BySide


def test_values_are_found_by_side() -> None:
    """A value is read by the side's name, by attribute, or by iteration in the order longs, shorts."""
    usd = BySide(long=3, short=5)
    assert (usd["long"], usd["short"]) == (usd.long, usd.short) == tuple(usd) == (3, 5)


def test_values_survive_messagepack_with_their_type() -> None:
    """The pair is encoded as an array of two, and decoded to the same values."""
    kept = msgspec.msgpack.encode(BySide(long=["a"], short=[]))
    assert msgspec.msgpack.decode(kept) == [["a"], []]
    assert msgspec.msgpack.decode(kept, type=BySide[list[str]]) == BySide(long=["a"], short=[])


def test_examples_in_docstrings_hold() -> None:
    """The examples in the docstrings are correct."""
    found = doctest.testmod(sides)
    assert (found.failed, found.attempted > 0) == (0, True)
