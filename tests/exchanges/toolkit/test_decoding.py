"""Tests the functions that decode rows and state what is wrong with them."""

from __future__ import annotations

from math import inf, nan

import pytest
from msgspec import UNSET

from monitor.exchanges.toolkit.decoding import (
    find_fault,
    keys,
    number_duplicate,
    onboard_us,
    optional_float,
    optional_time_us,
    plausible_us,
    quote_constants,
    symbol_fault,
    unknown_value,
)
from monitor.exchanges.toolkit.listings import Listings
from monitor.model.events import Trade
from monitor.model.validation import time_fault

NOW_US = 1_764_000_000_000_000


@pytest.mark.parametrize(
    ("price", "time_us", "reason"),
    [
        (1.0, NOW_US, None),
        (1.0, NOW_US + 5_000_000, None),
        (1.0, NOW_US + 5_000_001, "future_time"),
        (1.0, 0, "bad_time"),
        (1.0, 4_200_000_000_000_000, "bad_time"),
        (0.0, NOW_US, "not_positive"),
        (-1.0, NOW_US, "not_positive"),
        (nan, NOW_US, "not_finite"),
        (inf, 0, "not_finite"),
        (1e9, NOW_US, "implausible"),
        (1e-320, NOW_US, "implausible"),
    ],
)
def test_the_first_fault_is_named(price: float, time_us: int, reason: str | None) -> None:
    """Numbers are checked before times; a valid row has no fault."""
    fault = find_fault(Trade, time_us, NOW_US, price=price)
    assert (fault and fault[0]) == reason


def test_without_a_time_of_receipt_the_future_is_far() -> None:
    """If the time of receipt is not known, any time up to 2100 is plausible."""
    assert time_fault(NOW_US * 2, 0) is None


def test_long_values_are_cut_in_messages() -> None:
    """The text of a fault is short even if the exchange sends a very long value."""
    assert len(unknown_value("side", "x" * 1000)[1]) < 100
    assert len(symbol_fault("X-" + "Y" * 1000)[1]) < 200


def test_listings_by_name_are_read_once_and_only_without_a_table() -> None:
    """Listings are derived from names and stored, but not with an instrument table or for sizes in contracts."""
    by_name = Listings("bybit", None, by_name=True)
    assert by_name["1000PEPEUSDT"] == ("PEPE", 1000.0, 1.0, False, "bybit:1000PEPEUSDT:")
    assert list(by_name) == ["1000PEPEUSDT"]
    assert by_name["ETHBTC"] is by_name["?USDT"] is None
    assert Listings("bybit", {}, by_name=True)["BTCUSDT"] is None
    assert Listings("okx", None, by_name=False)["BTC-USDT-SWAP"] is None


def test_twins_are_numbered() -> None:
    """The first row with an id keeps it; further ones get a number."""
    seen: dict[str, int] = {}
    assert [number_duplicate(seen, name) for name in "aaba"] == ["a", "a#1", "b", "a#2"]


def test_constants_that_are_no_json_become_text() -> None:
    """NaN and Infinity are put in quotes; a frame without them, or one that is not JSON, gives None."""
    assert quote_constants(b'{"a":NaN,"b":-Infinity,"c":"NaN"}') == b'{"a": "NaN", "b": "-Infinity", "c": "NaN"}'
    assert quote_constants(b'{"a":1}') is None
    assert quote_constants(b"NaN, NaN") is None


def test_fields_that_may_be_empty() -> None:
    """A value that is empty, absent, unreadable or out of range is UNSET."""
    assert [optional_float(x) for x in (UNSET, "", "nan", "-0.5", 2.0)] == [UNSET, UNSET, UNSET, -0.5, 2.0]
    assert optional_float("0", 0.0) is UNSET
    assert [optional_time_us(x) for x in ("", 0, "1764000000000")] == [UNSET, UNSET, NOW_US]
    assert [onboard_us(x) for x in ("", 0, "1764000000000")] == [0, 0, NOW_US]


def test_a_time_with_a_fraction_is_rounded_to_the_microsecond() -> None:
    """An implausible time becomes 0, with which every row is rejected."""
    assert plausible_us(1_764_000_000_000.0625) == NOW_US + 62
    assert [plausible_us(x) for x in (nan, inf, -inf, -1.0, 0.0, 1e300)] == [0] * 6
    assert time_fault(0, 0) is not None


def test_known_keys_are_the_words_of_all_lines() -> None:
    """A word in two lines is one key."""
    assert keys("a b", "b c") == {"a", "b", "c"}
