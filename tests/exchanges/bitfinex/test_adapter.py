"""Bitfinex: numbered channels, sockets, pairs."""

from __future__ import annotations

import json

import pytest

from monitor.exchanges.bitfinex.adapter import Bitfinex
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.model.events import Reject, Trade

SYMBOL = "tBTCF0:USTF0"


def test_each_socket_numbers_its_channels() -> None:
    """What one socket's memory holds another's does not."""
    adapter = Bitfinex()
    first, second = Memory(), Memory()
    answer = json.dumps({"event": "subscribed", "channel": "trades", "chanId": 7, "symbol": SYMBOL}).encode()
    push = json.dumps([7, "te", [1, 1_764_000_000_000, 0.5, 80000]]).encode()
    adapter.parse(answer, 0, first)
    assert [type(message) for message in adapter.parse(push, 0, first)] == [Trade]
    assert [type(message) for message in adapter.parse(push, 0, second)] == [Reject]


def test_a_socket_has_at_most_25_channels() -> None:
    """Two channels a symbol, and the liquidations of all on the first one."""
    symbols = [f"tC{number}F0:USTF0" for number in range(13)]
    first, second = Bitfinex().connections(symbols, ["liquidations", "trades", "mark_price", "open_interest"])
    assert (len(first.requests), len(second.requests)) == (25, 2)
    assert first.requests[0].acks == ("liq:global",)
    assert "liquidations" not in second.channels
    assert Bitfinex().connections(symbols, []) == []
    (trades,) = Bitfinex().connections([SYMBOL], ["trades"], "ws://h:1/")
    assert [one.acks for one in trades.requests] == [(SYMBOL,)]


def test_pairs_are_read() -> None:
    """UST is USDT, three-letter codes are coins' names, and other quotes are left out."""
    body = json.dumps([["BTCF0:USTF0", "ALGF0:USTF0", "ETHF0:BTCF0", "TESTBTCF0:TESTUSDTF0"]]).encode()
    page = Bitfinex().parse_instruments(body, Bitfinex.instruments_requests[0])
    assert page.instruments == [
        Instrument("tBTCF0:USTF0", "BTC", 1, 1.0, "base"),
        Instrument("tALGF0:USTF0", "ALGO", 1, 1.0, "base"),
    ]
    assert set(page.left_out) == {"tETHF0:BTCF0", "tTESTBTCF0:TESTUSDTF0"}
    with pytest.raises(ValueError, match=r"."):
        Bitfinex().parse_instruments(b"{}", Bitfinex.instruments_requests[0])
