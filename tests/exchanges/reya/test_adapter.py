"""Tests of Reya: the plan of its sockets, and instruments."""

from __future__ import annotations

import json

import pytest

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.reya.adapter import SUMMARY, SYMBOLS_PER_CONNECTION, Reya
from monitor.model.events import Channel

ALL: tuple[Channel, ...] = ("liquidations", "trades", "mark_price", "open_interest")


def test_the_first_socket_has_the_state_of_all_markets() -> None:
    """Executions are subscribed by market; a confirmation names its channel."""
    symbols = [f"C{number}RUSDPERP" for number in range(SYMBOLS_PER_CONNECTION + 1)]
    first, second = Reya().connections(symbols, ALL)
    assert [request.acks for request in first.requests[:2]] == [(SUMMARY,), ("/v2/market/C0RUSDPERP/perpExecutions",)]
    assert [len(plan.requests) for plan in (first, second)] == [SYMBOLS_PER_CONNECTION + 1, 1]
    assert second.channels == {"liquidations", "trades"}


def test_the_state_alone_needs_one_socket() -> None:
    """Without executions no further socket is opened; without a channel that it has, none."""
    symbols = [f"C{number}RUSDPERP" for number in range(SYMBOLS_PER_CONNECTION + 1)]
    (only,) = Reya().connections(symbols, ["open_interest"])
    assert [request.acks for request in only.requests] == [(SUMMARY,)]
    assert Reya().connections(symbols, ["volatility_index"]) == []


def test_perpetuals_are_listed() -> None:
    """Spot markets and unreadable rows are left out; one unit of ``kBONKRUSDPERP`` is a thousand coins."""
    rows = [
        {"symbol": "BTCRUSDPERP", "marketId": 2},
        {"symbol": "kBONKRUSDPERP"},
        {"symbol": "WETHRUSD"},
        {"symbol": 1},
    ]
    page = Reya().parse_instruments(json.dumps(rows).encode(), Reya.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTCRUSDPERP", "BTC", 1, 1.0, "base"),
        Instrument("kBONKRUSDPERP", "BONK", 1000, 1.0, "base"),
    ]
    assert set(page.left_out) == {"WETHRUSD", "row 0"}


@pytest.mark.parametrize("body", [[], {"error": "INTERNAL_SERVER_ERROR", "message": "no"}])
def test_an_answer_without_markets_is_refused(body: object) -> None:
    """An error or an empty list raises ValueError, so that the cached instruments are kept."""
    with pytest.raises(ValueError, match="reya lists no market"):
        Reya().parse_instruments(json.dumps(body).encode(), Reya.instruments_requests[0])
