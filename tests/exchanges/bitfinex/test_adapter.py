"""Bitfinex: numbered channels, sockets, pairs."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.exchanges.bitfinex.adapter import Bitfinex
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.model.events import Liquidation, Reject, Trade

SYMBOL = "tBTCF0:USTF0"
NOW_MS = 1_764_000_000_000
SUBSCRIBED = b'{"event":"subscribed","channel":"status","chanId":9,"key":"liq:global"}'


def test_each_socket_numbers_its_channels() -> None:
    """What one socket's memory holds another's does not."""
    adapter = Bitfinex()
    first, second = Memory(), Memory()
    answer = json.dumps({"event": "subscribed", "channel": "trades", "chanId": 7, "symbol": SYMBOL}).encode()
    push = json.dumps([7, "te", [1, 1_764_000_000_000, 0.5, 80000]]).encode()
    adapter.parse(answer, 0, first)
    assert [type(message) for message in adapter.parse(push, 0, first)] == [Trade]
    assert [type(message) for message in adapter.parse(push, 0, second)] == [Reject]


@given(
    positions=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), max_size=4),
    shuffle=st.randoms(use_true_random=False),
)
def test_executions_add_up_to_the_positions(positions: list[list[int]], shuffle: Random) -> None:
    """Each position is counted once: its executions sum to it, whether its trigger comes before or after them."""
    rows: list[list[Any]] = []
    for number, parts in enumerate(positions):
        rows.append(["pos", number, NOW_MS, None, SYMBOL, sum(parts), 1, None, 0, 1, None, None])
        rows += [["pos", number, NOW_MS, None, SYMBOL, part, 1, None, 1, 1, None, 8.0] for part in parts]
    shuffle.shuffle(rows)
    adapter, memory = Bitfinex(), Memory()
    adapter.parse(SUBSCRIBED, 0, memory)
    counted = dict.fromkeys(range(len(positions)), 0.0)
    for row in rows:
        for message in adapter.parse(json.dumps([9, [row]]).encode(), 0, memory):
            if isinstance(message, Liquidation):
                assert isinstance(message.quantity, float)
                counted[int(message.id.split(":")[3])] += message.quantity
    assert counted == {number: float(sum(parts)) for number, parts in enumerate(positions)}


def test_a_price_known_before_a_reconnect_values_an_execution_without_one() -> None:
    """The venue's last prices survive the socket; what a socket subscribed, and when, does not."""
    adapter, venue = Bitfinex(), Memory()
    first, second = venue.for_new_socket(), venue.for_new_socket()
    adapter.parse(
        json.dumps({"event": "subscribed", "channel": "trades", "chanId": 7, "symbol": SYMBOL}).encode(), 0, first
    )
    adapter.parse(json.dumps([7, "te", [1, NOW_MS, 0.5, 80_000]]).encode(), 0, first)
    adapter.parse(SUBSCRIBED, 0, second)
    row = ["pos", 1, NOW_MS + 0.5, None, SYMBOL, -2, 1, None, 1, 1, None, None]
    (message,) = Bitfinex({SYMBOL: Instrument(SYMBOL, "BTC", 1, 1.0, "base")}).parse(
        json.dumps([9, [row]]).encode(), 0, second
    )
    assert isinstance(message, Liquidation)
    assert (message.side, message.price, message.price_kind) == ("short", 80_000.0, "mark")
    assert message.event_time_us == NOW_MS * 1000 + 500


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
