"""Tests that numbers, times and names outside their ranges are rejected with a reason."""

from __future__ import annotations

import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.model.events import AnyEvent, Gap, Heartbeat, RejectReason
from monitor.model.validation import (
    LONGEST_ASSET,
    LONGEST_ID,
    LONGEST_SYMBOL,
    PRICE,
    RANGES,
    Range,
    asset_fault,
    event_fault,
    id_fault,
    number_fault,
    symbol_name_fault,
    time_fault,
)
from tests.bus import records as make

EVENTS: list[AnyEvent] = [
    make.liquidation(1),
    make.trade(2),
    make.bar(3),
    make.mark_price(4),
    make.open_interest(5),
    make.volatility(6),
    make.gap(7),
    make.heartbeat(8),
]
NUMBERS = [(event, name) for event in EVENTS for name in RANGES[type(event)]]
ABSURD = [-1.0, 5e-324, 1e-320, 1e22, 1e308, float("inf"), float("nan"), 2**63, 2**63 + 200, 10**400, -(10**5000)]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_usual_event_has_no_fault(event: AnyEvent) -> None:
    """Every kind of event passes with everyday values."""
    assert event_fault(event) is None


@pytest.mark.parametrize(("event", "name"), NUMBERS, ids=lambda part: part if isinstance(part, str) else "")
@pytest.mark.parametrize("value", ABSURD, ids=lambda value: repr(value)[:12] if isinstance(value, float) else "int")
def test_an_absurd_value_of_any_number_is_refused(event: AnyEvent, name: str, value: Any) -> None:
    """No number of any event may be negative, denormal, huge or not finite; the detail names the field."""
    if name == "funding_rate" and abs(value) <= 1:
        return
    fault = event_fault(replace(event, **{name: value}))
    assert fault is not None
    reason, detail = fault
    assert reason in ("not_finite", "not_positive", "implausible")
    assert detail.startswith(name)
    assert len(detail) < 200


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_number_of_an_event_has_a_range(event: AnyEvent) -> None:
    """Every number of every event except times has a range in the table."""
    numbers = {
        name
        for name, kind in typing.get_type_hints(type(event)).items()
        if {int, float} & {kind, *typing.get_args(kind)} and kind is not bool
    }
    times = {name for name in numbers if name.endswith("_us") and name != "interval_us"}
    assert numbers - times == RANGES[type(event)].keys()


@given(st.floats() | st.integers() | st.integers(10**300, 10**400))
def test_a_number_is_accepted_within_its_range_alone(value: float) -> None:
    """Both bounds are included in the range, and zero if ``or_zero`` is set; no value raises an exception."""
    assert (number_fault("x", value, PRICE) is None) == (PRICE.low <= value <= PRICE.high)
    assert (number_fault("x", value, Range(1.0, 2.0, "USD", or_zero=True)) is None) == (value == 0 or 1 <= value <= 2)


@pytest.mark.parametrize("time_us", [0, -1, 2**63, 10**400, 1_700_000_000])
def test_an_absurd_time_is_refused(time_us: int) -> None:
    """Times in another unit or beyond 64 bits are rejected in every field of an event."""
    assert time_fault(time_us, 0) is not None
    assert event_fault(replace(make.trade(1), event_time_us=time_us)) is not None
    assert event_fault(replace(make.gap(1), from_us=time_us)) is not None
    assert event_fault(replace(make.gap(1), to_us=time_us)) is not None
    assert event_fault(replace(make.mark_price(1), next_funding_time_us=time_us)) is not None
    if time_us:
        assert event_fault(replace(make.trade(1), receive_time_us=time_us)) is not None


@pytest.mark.parametrize(
    "asset", ["BTC", "1INCH", "币安人生", "我踏马来了", "xyz:SP500", "BROCCOLI_F3B", "T.US", "A-B", "ビ"]
)
def test_names_in_use_are_accepted(asset: str) -> None:
    """Assets of exchanges are valid, also the Chinese ones of Binance, and so are their symbols."""
    assert asset_fault(asset) is None
    assert symbol_name_fault(asset + "USDT") is None


@pytest.mark.parametrize("symbol", ["BTC-USDT-SWAP", "tBTCF0:USTF0", "@107", "PURR/USDC", ".BVOL", "A,raydium,0x1-USD"])
def test_symbols_in_use_are_accepted(symbol: str) -> None:
    """The punctuation in the symbols of all exchanges is valid."""
    assert symbol_name_fault(symbol) is None


HOSTILE = [
    "<b>X</b>",
    "A\nB",
    "A\r\nB",
    "A\x00",
    "\x1b[31mA",
    '"A"',
    "A'B",
    "A&B",
    "A;B",
    "A B",
    "A\u202eB",
    "A\u200b",
    "A{B}",
    "A\\B",
    "A|B",
    "`A`",
    "$(A)",
    "\ud800",
    "A" * (LONGEST_SYMBOL + 1),
    "А" * 3,
    "-A",
    "*",
    "A\n",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_are_refused(name: str) -> None:
    """Names with markup, control characters, quotes, invisible or look-alike letters are rejected."""
    for fault in (asset_fault(name), symbol_name_fault(name)):
        assert fault is not None
        assert fault[0] == "bad_name"
        assert fault[1].isprintable()
        assert len(fault[1]) < 700


@pytest.mark.parametrize("name", ["MARKET", "*"])
def test_reserved_names_are_no_assets(name: str) -> None:
    """``MARKET`` and ``*`` are reserved and not valid assets; a symbol may be called MARKET."""
    assert asset_fault(name) == ("bad_name", f"the asset name {name} is reserved")
    assert event_fault(replace(make.trade(1), asset=name)) is not None


def test_gaps_and_heartbeats_may_concern_all() -> None:
    """Only gaps and heartbeats may have ``*`` as their asset and symbol."""
    for event in (make.gap(1), make.heartbeat(1)):
        assert isinstance(event, Gap | Heartbeat)
        assert event_fault(replace(event, asset="*", symbol="*")) is None
        assert event_fault(replace(event, asset="MARKET")) is not None
        assert event_fault(replace(event, venue="*")) is not None


def test_the_longest_names_are_accepted() -> None:
    """Names of the longest length are valid, and longer ones are rejected."""
    assert asset_fault("A" * LONGEST_ASSET) is None
    assert asset_fault("A" * (LONGEST_ASSET + 1)) is not None
    assert symbol_name_fault("A" * LONGEST_SYMBOL) is None
    assert id_fault("A" * LONGEST_ID) is None


@pytest.mark.parametrize("id_", ["", "a\n", "\x7f", "a" * (LONGEST_ID + 1), "\u2028"])
def test_hostile_ids_are_refused(id_: str) -> None:
    """An id that is too long or has a control character is rejected."""
    assert id_fault(id_) is not None
    for event in (make.trade(1), make.liquidation(1)):
        assert event_fault(replace(event, id=id_)) is not None


@given(st.text())
def test_a_name_that_passes_is_printable_and_short(name: str) -> None:
    """A valid name needs no escaping in a metric label, a log line or a page."""
    if symbol_name_fault(name) is None:
        assert name.isprintable()
        assert 0 < len(name) <= LONGEST_SYMBOL
        assert not set(name) & set("<>&\"'\\{}\n ")


def test_reasons_of_faults_are_reasons_of_rejects() -> None:
    """Both reasons that this table gives are declared reject reasons."""
    assert {"implausible", "bad_name"} <= set(typing.get_args(RejectReason))


@given(
    name=st.sampled_from(["price", "notional_usd", "quantity", "trades", "event_time_us", "receive_time_us"]),
    value=st.integers() | st.floats() | st.integers(2**62, 2**70),
)
def test_a_trade_that_was_seen_before_is_judged_like_the_first(name: str, value: Any) -> None:
    """The fast check of a trade with known names rejects the same values as the full check."""
    assert event_fault(make.trade(1)) is None
    known = replace(make.trade(1), **{name: value})
    fresh = replace(known, symbol=f"NEW{value!r}"[:20].replace("+", "").replace("-", ""))
    assert event_fault(known) == event_fault(fresh)
