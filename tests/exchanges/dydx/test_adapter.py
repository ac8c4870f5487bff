"""Tests of dYdX: sockets, instruments, and the trades of a gap."""

from __future__ import annotations

import json

import pytest

from monitor.exchanges.dydx.adapter import PAGE_ROWS, Dydx
from monitor.exchanges.instrument import Instrument
from monitor.model.events import Liquidation, Trade

NOW_US = 1_764_000_000_000_000


def test_32_markets_fit_a_socket_and_the_first_has_the_markets() -> None:
    """Only the first socket has oracle prices; without trades one socket is enough."""
    symbols = [f"C{number}-USD" for number in range(33)]
    first, second = Dydx().connections(symbols, ["liquidations", "trades", "mark_price"])
    assert [one.acks[0] for one in first.requests][:2] == ["v4_markets", "v4_trades:C0-USD"]
    assert (len(first.requests), len(second.requests)) == (33, 1)
    assert second.channels == {"liquidations", "trades"}
    (only,) = Dydx().connections(symbols, ["open_interest"], "ws://h:1/")
    assert len(only.requests) == 1
    assert only.dense == {"mark_price"}
    assert Dydx().connections(symbols, []) == []


def test_markets_are_read() -> None:
    """A market of several tokens is left out, because it is not one asset."""
    markets = {"BTC-USD": {"ticker": "BTC-USD", "status": "ACTIVE"}, "A,B-USD": {"ticker": "A,B-USD"}}
    page = Dydx().parse_instruments(json.dumps({"markets": markets}).encode(), Dydx.instruments_requests[0])
    assert page.instruments == [Instrument("BTC-USD", "BTC", 1, 1.0, "base")]
    assert set(page.left_out) == {"A,B-USD"}
    with pytest.raises(ValueError, match=r"."):
        Dydx().parse_instruments(b"{}", Dydx.instruments_requests[0])


def row(number: int, at: str) -> dict[str, str]:
    """Return one trade of the history."""
    return {"id": str(number), "size": "1", "price": "10", "side": "SELL", "createdAt": at, "type": "LIQUIDATED"}


def test_a_gap_is_filled_from_its_end() -> None:
    """The next page ends where this one began, unless all its rows have one time; rows before the gap are ignored."""
    adapter = Dydx()
    (ask,) = adapter.backfill("liquidations", ["BTC-USD"], NOW_US - 1_000_000, NOW_US)
    assert ask.query["createdBeforeOrAt"] == "2025-11-24T16:00:00.000Z"
    body = json.dumps({"trades": [row(n, "2025-11-24T16:00:00.000Z") for n in range(PAGE_ROWS)]}).encode()
    page = adapter.parse_rest(ask, body, NOW_US)
    assert {type(message) for message in page.messages} == {Liquidation}
    assert page.next_request is not None
    assert page.next_request.query["createdBeforeOrAt"] == "2025-11-24T15:59:59.999Z"
    body = json.dumps({"trades": [row(1, "2025-11-24T15:59:59.500Z"), row(2, "2025-11-24T15:59:58.000Z")]}).encode()
    last = adapter.parse_rest(page.next_request._replace(about=f"trades {NOW_US - 1_000_000}"), body, NOW_US)
    assert [message.id for message in last.messages if isinstance(message, Trade)] == ["1"]
    assert last.next_request is None
    assert adapter.backfill("mark_price", ["BTC-USD"], 0, 1) == ()
