"""Tests of Bluefin: the plan of its sockets, and instruments."""

from __future__ import annotations

import json

import pytest

from monitor.exchanges.bluefin.adapter import SYMBOLS_PER_CONNECTION, Bluefin
from monitor.exchanges.instrument import Instrument
from monitor.model.events import Channel

ALL: tuple[Channel, ...] = ("liquidations", "trades", "mark_price", "open_interest")


def test_each_market_has_its_request() -> None:
    """The first socket asks for the tickers of all markets before; answers are counted, so requests are numbered."""
    symbols = [f"C{number}-PERP" for number in range(SYMBOLS_PER_CONNECTION + 1)]
    first, second = Bluefin().connections(symbols, ALL)
    assert [request.acks for request in first.requests] == [(str(n),) for n in range(1, SYMBOLS_PER_CONNECTION + 2)]
    asked = [json.loads(request.frame)["dataStreams"] for request in first.requests]
    assert asked[0] == [{"symbol": "", "streams": ["Ticker_All"]}]
    assert asked[1:] == [[{"symbol": symbol, "streams": ["Recent_Trade"]}] for symbol in symbols[:-1]]
    assert [request.acks for request in second.requests] == [("1",)]
    assert second.channels == {"liquidations", "trades"}


def test_tickers_alone_need_one_socket() -> None:
    """Without trades no further socket is opened; without a channel that it has, none."""
    symbols = [f"C{number}-PERP" for number in range(SYMBOLS_PER_CONNECTION + 1)]
    (only,) = Bluefin().connections(symbols, ["open_interest"])
    assert len(only.requests) == 1
    assert Bluefin().connections(symbols, ["volatility_index"]) == []


def test_perpetuals_are_listed() -> None:
    """Markets of another form and unreadable rows are left out; a market in maintenance does not trade."""
    rows = [
        {"symbol": "BTC-PERP", "status": "ACTIVE"},
        {"symbol": "1000PEPE-PERP", "status": "MAINTENANCE"},
        {"symbol": "SUI-USDC", "status": "ACTIVE"},
        {"symbol": 1},
    ]
    page = Bluefin().parse_instruments(json.dumps({"markets": rows}).encode(), Bluefin.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTC-PERP", "BTC", 1, 1.0, "base"),
        Instrument("1000PEPE-PERP", "PEPE", 1000, 1.0, "base", False),
    ]
    assert set(page.left_out) == {"SUI-USDC", "row 0"}


@pytest.mark.parametrize("body", [{"markets": []}, {"errorCode": "INTERNAL"}])
def test_an_answer_without_markets_is_refused(body: object) -> None:
    """An error or an empty list raises ValueError, so that the cached instruments are kept."""
    with pytest.raises(ValueError, match=r"lists no market|missing required field"):
        Bluefin().parse_instruments(json.dumps(body).encode(), Bluefin.instruments_requests[0])
