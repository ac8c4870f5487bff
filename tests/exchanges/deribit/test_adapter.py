"""Tests of Deribit and Coinbase International: sockets, instruments, and the trades of a gap."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.exchanges.deribit.adapter import SYMBOLS_PER_CONNECTION, Deribit
from monitor.exchanges.deribit.coinbase_intl import CoinbaseIntl
from monitor.exchanges.instrument import Instrument
from monitor.model.events import Channel, Liquidation, Reject, Trade

NOW_US = 1_764_000_000_000_000
ALL: tuple[Channel, ...] = ("liquidations", "trades", "mark_price", "open_interest", "volatility_index")


def asked(plan: Any) -> list[str]:
    """Return the channels that a plan subscribes to."""
    return [name for one in plan.requests for name in json.loads(one.frame)["params"].get("channels", [])]


def test_symbols_are_spread_over_sockets_and_the_first_has_the_volatility() -> None:
    """Each symbol has trades and, unless it is dated, a ticker; every socket requests heartbeats first."""
    symbols = [f"C{number}_USDC-PERPETUAL" for number in range(SYMBOLS_PER_CONNECTION)] + ["BTC-25DEC26"]
    first, second = Deribit().connections(symbols, ALL, "ws://127.0.0.1:1/")
    assert json.loads(first.requests[0].frame)["method"] == "public/set_heartbeat"
    assert "deribit_volatility_index.btc_usd" in asked(first)
    assert asked(second) == ["trades.BTC-25DEC26.100ms"]
    assert "volatility_index" not in second.channels
    assert len(asked(first)) == 2 * SYMBOLS_PER_CONNECTION + 2
    keys = [key for one in first.requests for key in one.acks]
    assert len(keys) == len(set(keys))


def test_coinbase_has_no_liquidations() -> None:
    """On Coinbase, liquidations are neither subscribed to nor requested after a gap."""
    (plan,) = CoinbaseIntl().connections(["BTC_USDC-PERPETUAL"], ALL)
    assert plan.channels == {"trades", "mark_price", "open_interest"}
    assert CoinbaseIntl().connections(["BTC_USDC-PERPETUAL"], []) == []
    assert CoinbaseIntl().backfill("liquidations", ["BTC_USDC-PERPETUAL"], NOW_US, NOW_US + 1) == ()
    (marks,) = Deribit().connections(["BTC-PERPETUAL"], ["mark_price"])
    assert asked(marks) == ["ticker.BTC-PERPETUAL.100ms"]


def listed(name: str, **changes: object) -> dict[str, object]:
    """Return one instrument."""
    return {
        "instrument_name": name,
        "base_currency": "BTC",
        "quote_currency": "USD",
        "settlement_period": "perpetual",
        "instrument_type": "reversed",
        "is_active": True,
        "creation_timestamp": 1534242287000,
        "contract_size": 10.0,
    } | changes


def test_instruments_of_both_kinds_are_read() -> None:
    """Inverse sizes are dollars and linear ones coins; other quotes and unknown types are left out."""
    rows = [
        listed("BTC-PERPETUAL"),
        listed("BTC-25DEC26", settlement_period="month", is_active=False, creation_timestamp=0),
        listed("SOL_USDC-PERPETUAL", base_currency="SOL", quote_currency="USDC", instrument_type="linear"),
        listed("ETH_BTC-PERPETUAL", quote_currency="BTC"),
        listed("ODD", instrument_type="quanto"),
        {"instrument_name": "BAD"},
    ]
    body = json.dumps({"jsonrpc": "2.0", "result": rows}).encode()
    page = Deribit().parse_instruments(body, Deribit.instruments_requests[0])
    onboard_us = 1_534_242_287_000_000
    assert page.instruments == [
        Instrument("BTC-PERPETUAL", "BTC", 1, 1.0, "usd", True, onboard_us, "inverse"),
        Instrument("BTC-25DEC26", "BTC", 1, 1.0, "usd", False, 0, "inverse", dated=True),
        Instrument("SOL_USDC-PERPETUAL", "SOL", 1, 1.0, "base", True, onboard_us, "linear"),
    ]
    assert set(page.left_out) == {"ETH_BTC-PERPETUAL", "ODD", "row 0"}


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"error":{"code":10028,"message":"too_many_requests"}}'])
def test_a_body_that_is_no_table_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Deribit().parse_instruments(body, Deribit.instruments_requests[0])


def test_a_gap_is_filled_page_by_page_with_the_ids_of_the_socket() -> None:
    """The next page begins after the last trade; each channel gets only its own events."""
    row = {
        "trade_seq": 7,
        "trade_id": "48",
        "timestamp": NOW_US // 1000,
        "price": 80000.0,
        "amount": 1000.0,
        "instrument_name": "BTC-PERPETUAL",
        "direction": "sell",
        "liquidation": "T",
    }
    body = json.dumps({"result": {"trades": [row, {**row, "price": -1}], "has_more": True}}).encode()
    adapter = Deribit()
    (ask,) = adapter.backfill("liquidations", ["BTC-PERPETUAL"], NOW_US - 5_000_000, NOW_US + 1)
    assert (ask.query["start_timestamp"], ask.query["end_timestamp"]) == ("1763999995000", "1764000000000")
    page = adapter.parse_rest(ask, body, NOW_US + 5)
    kinds = [type(message) for message in page.messages]
    assert kinds == [Liquidation, Reject]
    assert isinstance(page.messages[0], Liquidation)
    assert page.messages[0].id == "deribit:BTC-PERPETUAL:48:T"
    assert page.next_request is not None
    assert page.next_request.query["start_seq"] == "8"
    (ask,) = adapter.backfill("trades", ["BTC-PERPETUAL"], NOW_US - 5_000_000, NOW_US + 1)
    last = json.dumps({"result": {"trades": [row], "has_more": False}}).encode()
    page = adapter.parse_rest(ask, last, NOW_US + 5)
    assert [type(message) for message in page.messages] == [Trade]
    assert page.next_request is None
    assert adapter.backfill("mark_price", ["BTC-PERPETUAL"], 0, 1) == ()
