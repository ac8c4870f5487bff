"""Tests of Kraken Futures: sockets, instruments, and the executions of a gap."""

from __future__ import annotations

import json

import pytest

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.kraken.adapter import SYMBOLS_PER_CONNECTION, Kraken, iso_us
from monitor.model.events import Liquidation, Reject, Trade

NOW_US = 1_764_000_000_000_000


def test_symbols_are_spread_over_sockets_and_dated_ones_have_no_ticker() -> None:
    """Each product has its own acknowledgement; only the channels of the settings are subscribed to."""
    symbols = [f"PF_C{number}USD" for number in range(SYMBOLS_PER_CONNECTION)] + ["FI_XBTUSD_261225"]
    first, second = Kraken().connections(symbols, ["liquidations", "open_interest", "mark_price"])
    keys = [key for one in first.requests for key in one.acks]
    assert len(keys) == len(set(keys)) == 2 * SYMBOLS_PER_CONNECTION
    assert first.dense == {"mark_price"}
    assert [key for one in second.requests for key in one.acks] == ["trade:FI_XBTUSD_261225"]
    (marks,) = Kraken().connections(["PI_XBTUSD"], ["mark_price"], "ws://127.0.0.1:1/")
    assert [json.loads(one.frame)["feed"] for one in marks.requests] == ["ticker"]
    (trades,) = Kraken().connections(["PI_XBTUSD"], ["trades"])
    assert [json.loads(one.frame)["feed"] for one in trades.requests] == ["trade"]
    assert Kraken().connections(["PI_XBTUSD"], ["volatility_index"]) == []


def listed(symbol: str, **changes: object) -> dict[str, object]:
    """Return one instrument."""
    return {
        "symbol": symbol,
        "type": "futures_inverse",
        "tradeable": True,
        "contractSize": 1,
        "base": "BTC",
        "quote": "USD",
        "openingDate": "2018-08-31T00:00:00.000Z",
        "tickSize": 0.5,
    } | changes


def test_instruments_of_both_kinds_are_read() -> None:
    """Inverse sizes are dollars and linear ones coins; all others are left out with the reason."""
    rows = [
        listed("PI_XBTUSD"),
        listed("FI_XBTUSD_261225", lastTradingTime="2026-12-25T16:00:00.000Z", tradeable=False, openingDate=""),
        listed("PF_SOLUSD", type="flexible_futures", base="SOL"),
        listed("PF_TSLAUSD", type="flexible_futures", base="TSLA", tradfi=True),
        listed("PF_NILUSD", type="flexible_futures", base="NIL", contractSize=0),
        listed("PV_XRPXBT", type="futures_vanilla"),
        listed("PI_ODD", quote="XBT"),
        {"symbol": "in_xbtusd"},
    ]
    body = json.dumps({"result": "success", "instruments": rows}).encode()
    page = Kraken().parse_instruments(body, Kraken.instruments_requests[0])
    opened_us = 1_535_673_600_000_000  # 2018-08-31
    assert page.instruments == [
        Instrument("PI_XBTUSD", "BTC", 1, 1.0, "usd", True, opened_us, "inverse"),
        Instrument("FI_XBTUSD_261225", "BTC", 1, 1.0, "usd", False, 0, "inverse", dated=True),
        Instrument("PF_SOLUSD", "SOL", 1, 1.0, "base", True, opened_us, "linear"),
    ]
    assert set(page.left_out) == {"PF_TSLAUSD", "PF_NILUSD", "PV_XRPXBT", "PI_ODD", "row 0"}
    assert iso_us("no time") == 0


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"result":"error","error":"apiLimitExceeded"}'])
def test_a_body_that_is_no_table_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Kraken().parse_instruments(body, Kraken.instruments_requests[0])


def element(uid: str, order_type: str, price: str = "80000") -> dict[str, object]:
    """Return one row of the history."""
    order = {"uid": "o", "tradeable": "PI_XBTUSD", "direction": "Sell", "orderType": order_type, "quantity": "4000"}
    execution = {
        "uid": uid,
        "takerOrder": order,
        "makerOrder": {"uid": "m"},
        "timestamp": NOW_US // 1000,
        "quantity": "4000",
        "price": price,
        "markPrice": "80001",
    }
    return {"uid": f"e{uid}", "timestamp": NOW_US // 1000, "event": {"Execution": {"execution": execution}}}


def test_a_gap_is_filled_page_by_page_with_the_ids_of_the_socket() -> None:
    """An order type that contains "liquidat" is a liquidation; block trades and assignments are skipped."""
    rows = [
        element("1", "PartialLiquidation"),
        element("2", "Limit"),
        element("3", "Block"),
        element("4", "Limit", "-1"),
    ]
    body = json.dumps({"elements": rows, "len": 4, "continuationToken": "c3"}).encode()
    adapter = Kraken()
    (ask,) = adapter.backfill("liquidations", ["PI_XBTUSD"], NOW_US - 5_000_001, NOW_US + 1)
    assert ask.path == "/api/history/v3/market/PI_XBTUSD/executions"
    assert (ask.query["since"], ask.query["before"]) == ("1763999994999", "1764000000001")
    page = adapter.parse_rest(ask, body, NOW_US + 5)
    assert [type(message) for message in page.messages] == [Liquidation, Reject]
    first = page.messages[0]
    assert isinstance(first, Liquidation)
    assert (first.id, first.side, first.quantity, first.notional_usd) == ("kraken:PI_XBTUSD:1", "long", 0.05, 4000.0)
    assert page.next_request is not None
    assert page.next_request.query == {**ask.query, "continuation_token": "c3"}
    (ask,) = adapter.backfill("trades", ["PI_XBTUSD"], NOW_US - 5_000_000, NOW_US + 1)
    page = adapter.parse_rest(ask, json.dumps({"elements": rows[:3]}).encode(), NOW_US + 5)
    assert [message.id for message in page.messages if isinstance(message, Trade)] == ["1", "2"]
    assert page.next_request is None
    assert adapter.backfill("mark_price", ["PI_XBTUSD"], 0, 1) == ()
