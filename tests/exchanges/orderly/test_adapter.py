"""Tests of Orderly: the plan of its sockets, instruments, and the poll of funding and open interest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Skipped
from monitor.exchanges.orderly.adapter import SYMBOLS_PER_CONNECTION, Orderly
from monitor.model.events import Channel, Liquidation, MarkPrice, OpenInterest

NOW_US = 1_764_000_000_000_000
ALL: tuple[Channel, ...] = ("liquidations", "trades", "mark_price", "open_interest")
SYMBOL = "PERP_BTC_USDC"


def answer(*rows: Any) -> bytes:
    """Return a REST answer with these rows."""
    return json.dumps({"success": True, "timestamp": NOW_US // 1000, "data": {"rows": rows}}).encode()


def test_liquidations_are_on_the_socket_of_the_mark_prices() -> None:
    """A liquidation has no price, so mark prices come with it, also where only liquidations and trades are wanted."""
    symbols = [f"PERP_C{number}_USDC" for number in range(SYMBOLS_PER_CONNECTION + 1)]
    first, second = Orderly().connections(symbols, ["liquidations", "trades"])
    assert [request.acks[0] for request in first.requests[:4]] == [
        "indexprices",
        "markprices",
        "liquidation",
        "PERP_C0_USDC@trade",
    ]
    assert first.channels == {"liquidations", "mark_price", "trades"}
    assert second.channels == {"trades"}
    (only,) = Orderly().connections(symbols, ["mark_price"])
    assert len(only.requests) == 2
    assert Orderly().connections(symbols, ["volatility_index"]) == []


def test_a_liquidation_on_a_fresh_socket_has_the_last_mark_price() -> None:
    """The mark price is the venue's, so it survives a reconnect."""
    adapter, memory = Orderly(), Memory()
    marks = {"topic": "markprices", "ts": 1764000000120, "data": [{"symbol": SYMBOL, "price": 60000.5}]}
    adapter.parse(json.dumps(marks).encode(), 0, memory)
    positions = [{"symbol": SYMBOL, "positionQty": -0.5}]
    row = {"liquidationId": 1, "timestamp": 1764000000120, "type": "liquidated", "positionsByPerp": positions}
    frame = json.dumps({"topic": "liquidation", "ts": 1764000000120, "data": [row]}).encode()
    (liquidation,) = adapter.parse(frame, 0, memory.for_new_socket())
    assert isinstance(liquidation, Liquidation)
    assert (liquidation.side, liquidation.price, liquidation.notional_usd) == ("short", 60000.5, 30000.25)


def test_perpetuals_are_listed() -> None:
    """Spot markets and unreadable rows are left out."""
    rows = [
        {"symbol": SYMBOL, "created_time": 1684140107326},
        {"symbol": "PERP_1000PEPE_USDC"},
        {"symbol": "SPOT_BTC_USDC"},
        {"symbol": 1},
    ]
    page = Orderly().parse_instruments(answer(*rows), Orderly.instruments_requests[0])
    assert page.instruments == [
        Instrument(SYMBOL, "BTC", 1, 1.0, "base", onboard_us=1684140107326000),
        Instrument("PERP_1000PEPE_USDC", "PEPE", 1000, 1.0, "base"),
    ]
    assert set(page.left_out) == {"SPOT_BTC_USDC", "row 0"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            json.dumps({"success": False, "code": -1003, "message": "too many"}).encode(),
            "orderly answers -1003: too many",
        ),
        (answer(), "orderly lists no market"),
    ],
)
def test_an_answer_without_markets_is_refused(body: bytes, words: str) -> None:
    """An error or an empty list raises ValueError, so that the cached instruments are kept."""
    with pytest.raises(ValueError, match=words):
        Orderly().parse_instruments(body, Orderly.instruments_requests[0])


def test_funding_and_open_interest_are_polled_for_all_markets() -> None:
    """The open interest has the time of receipt; funding is added to the next mark price; no number is no interest."""
    adapter, memory = Orderly(), Memory()
    assert adapter.polls([SYMBOL], ["trades"]) == ()
    (poll,) = adapter.polls([SYMBOL], ALL)
    state = {"mark_price": 60000.5, "est_funding_rate": 0.0001, "next_funding_time": 1764028800000}
    rows = [
        {"symbol": SYMBOL, **state, "open_interest": 110.5},
        {"symbol": "PERP_ETH_USDC", **state, "open_interest": "None"},
        {"symbol": "SPOT_BTC_USDC", **state},
    ]
    funding, interest, *others = adapter.parse_rest(poll.request, answer(*rows), NOW_US, memory).messages
    assert funding == Skipped("remembered", 1)
    assert isinstance(interest, OpenInterest)
    assert (interest.open_interest, interest.event_time_us) == (110.5, NOW_US)
    assert others == [Skipped("remembered", 1), Skipped("other_market", 1)]
    marks = {"topic": "markprices", "ts": NOW_US // 1000, "data": [{"symbol": SYMBOL, "price": 60000.5}]}
    (mark,) = adapter.parse(json.dumps(marks).encode(), NOW_US, memory)
    assert isinstance(mark, MarkPrice)
    assert (mark.funding_rate, mark.next_funding_time_us) == (0.0001, 1764028800000000)
