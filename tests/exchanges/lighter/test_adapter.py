"""Tests of Lighter: sockets by market number, and the table of markets."""

from __future__ import annotations

import json

import pytest

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.lighter.adapter import SYMBOLS_PER_CONNECTION, Lighter


def test_markets_are_subscribed_by_number() -> None:
    """A socket has 100 subscriptions, the first also the state of all markets; unknown markets are ignored."""
    table = {
        f"C{n}": Instrument(f"C{n}", f"C{n}", 1, 1.0, "base", key=str(n)) for n in range(SYMBOLS_PER_CONNECTION + 1)
    }
    adapter = Lighter(table)
    first, second = adapter.connections([*table, "FOO"], ["liquidations", "trades", "mark_price", "open_interest"])
    assert len(first.requests) == 100
    assert [one.acks[0] for one in first.requests][:2] == ["market_stats:all", "trade:0"]
    assert [one.acks for one in second.requests] == [("trade:99",)]
    assert second.channels == {"liquidations", "trades"}
    (only,) = adapter.connections([*table], ["open_interest"], "ws://h:1/")
    assert [one.acks for one in only.requests] == [("market_stats:all",)]
    assert Lighter().connections(["C1"], ["trades"]) == []


def test_perpetuals_are_read_with_their_numbers() -> None:
    """The market number is the key in frames; a row without one is left out."""
    rows = [{"symbol": "1000PEPE", "market_id": 4, "status": "inactive"}, {"symbol": "BAD"}]
    body = json.dumps({"code": 200, "order_book_details": rows, "spot_order_book_details": []}).encode()
    page = Lighter().parse_instruments(body, Lighter.instruments_requests[0])
    assert page.instruments == [Instrument("1000PEPE", "PEPE", 1000, 1.0, "base", False, key="4")]
    assert set(page.left_out) == {"row 0"}


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"code":20001,"message":"invalid param"}'])
def test_a_body_that_is_no_table_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Lighter().parse_instruments(body, Lighter.instruments_requests[0])
