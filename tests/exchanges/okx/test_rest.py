"""Tests of OKX' REST: instruments, the trades of a gap, and thirty days of open interest."""

from __future__ import annotations

import itertools
import json

import pytest

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.okx.adapter import Okx
from monitor.model.events import OpenInterest, Reject, Trade
from tests.exchanges.reference import NOW_MS, NOW_US

HOUR_MS = 3_600_000
ADAPTER = Okx(
    {
        "BTC-USDT-SWAP": Instrument("BTC-USDT-SWAP", "BTC", 1, 0.01, "base", product="SWAP"),
        "BTC-USDT-261225": Instrument("BTC-USDT-261225", "BTC", 1, 0.01, "base", product="FUTURES", dated=True),
    }
)


def answer(*rows: object) -> bytes:
    """Return the body of a REST answer."""
    return json.dumps({"code": "0", "msg": "", "data": rows}).encode()


def test_trades_of_a_gap_are_read_backwards_to_its_beginning() -> None:
    """The first page ends at the end of the gap, further ones continue by id; rows outside the gap are ignored."""
    assert ADAPTER.backfill("liquidations", ["BTC-USDT-SWAP"], 0, NOW_US) == ()
    (first,) = ADAPTER.backfill("trades", ["BTC-USDT-SWAP"], NOW_US - 5_000_000, NOW_US)
    assert first.query == {"instId": "BTC-USDT-SWAP", "type": "2", "after": str(NOW_MS), "limit": "100"}
    row = {"instId": "BTC-USDT-SWAP", "side": "sell", "sz": "50", "px": "40000", "source": "0"}
    rows = [row | {"tradeId": str(9 - age), "ts": str(NOW_MS - age)} for age in (0, 1, 2)]
    page = ADAPTER.parse_rest(first, answer(*rows[:2], {"tradeId": "8"}, rows[2]), NOW_US)
    read = [message for message in page.messages if isinstance(message, Trade)]
    assert [(trade.id, trade.taker_side, trade.quantity, trade.notional_usd) for trade in read] == [
        ("8", "sell", 0.5, 20_000.0),
        ("7", "sell", 0.5, 20_000.0),
    ]
    assert [message.reason for message in page.messages if isinstance(message, Reject)] == ["malformed"]
    second = page.next_request
    assert second is not None
    assert second.query == {**first.query, "type": "1", "after": "7"}
    last = ADAPTER.parse_rest(second, answer(row | {"tradeId": "6", "ts": str(NOW_MS - 5_001)}), NOW_US)
    assert (last.messages, last.next_request) == ([], None)
    assert ADAPTER.parse_rest(second, answer(), NOW_US).next_request is None


def test_a_month_of_swaps_is_asked_by_the_hour_in_eight_parts() -> None:
    """The requests overlap at their ends and fit into one answer each; there are none for dated futures."""
    requests = ADAPTER.history(["BTC-USDT-SWAP", "BTC-USDT-261225"], NOW_US)
    assert {request.query["instId"] for request in requests} == {"BTC-USDT-SWAP"}
    spans = [(int(request.query["begin"]), int(request.query["end"])) for request in requests]
    assert len(spans) == 8
    assert all((end - begin) // HOUR_MS < 99 for begin, end in spans)
    assert all(earlier[1] > later[0] for earlier, later in itertools.pairwise(spans))
    assert NOW_MS - 721 * HOUR_MS < spans[0][0] <= NOW_MS - 720 * HOUR_MS
    rows = [str(NOW_MS), "5000", "50.5", "2020000"], [str(NOW_MS), "1", "-1", "1"], ["x"]
    messages = ADAPTER.parse_rest(requests[0], answer(*rows), NOW_US).messages
    assert messages[0] == OpenInterest("okx", "BTC-USDT-SWAP", "BTC", NOW_US, NOW_US, 50.5, 2_020_000.0)
    assert [message.reason for message in messages if isinstance(message, Reject)] == ["not_positive", "malformed"]


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"code":"0"}', b'{"code":"50011","msg":"Too Many Requests","data":[]}']
)
def test_a_body_that_is_no_answer_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    (trades,) = ADAPTER.backfill("trades", ["BTC-USDT-SWAP"], 0, NOW_US)
    for request in (trades, ADAPTER.history(["BTC-USDT-SWAP"], NOW_US)[0]):
        with pytest.raises(ValueError, match=r"."):
            ADAPTER.parse_rest(request, body, NOW_US)


def listed(symbol: str, **changes: object) -> dict[str, object]:
    """Return one instrument of the table."""
    return {
        "instId": symbol,
        "ctVal": "0.01",
        "ctMult": "1",
        "ctValCcy": symbol.partition("-")[0],
        "ctType": "linear",
        "state": "live",
        "settleCcy": "USDT",
        "listTime": "1611916828000",
        **changes,
    }


def test_the_table_holds_contract_sizes_and_says_what_it_leaves_out() -> None:
    """The size is ctVal times ctMult; implausible sizes, other quotes and other markets are left out."""
    rows = [
        listed("BTC-USDT-SWAP", ctMult="10", instCategory="1"),
        listed("BTC-USD-SWAP", ctVal="100", ctValCcy="USD", ctType="inverse", state="suspend", listTime=""),
        listed("ETH-BTC-SWAP"),
        listed("BTC-USDT-261225"),
        listed("TSLA-USDT-SWAP", instCategory="3"),
        listed("ODD-USDT-SWAP", ctValCcy="USDT"),
        listed("NIL-USDT-SWAP", ctVal="0"),
        listed("BAD-USDT-SWAP", ctVal=""),
    ]
    page = Okx().parse_instruments(
        json.dumps({"code": "0", "msg": "", "data": rows}).encode(), Okx.instruments_requests[0]
    )
    assert page.instruments == [
        Instrument("BTC-USDT-SWAP", "BTC", 1, 0.1, "base", True, 1611916828000000, "SWAP"),
        Instrument("BTC-USD-SWAP", "BTC", 1, 100.0, "usd", False, 0, "SWAP"),
    ]
    assert set(page.left_out) == {
        "ETH-BTC-SWAP",
        "BTC-USDT-261225",
        "TSLA-USDT-SWAP",
        "ODD-USDT-SWAP",
        "NIL-USDT-SWAP",
        "row 7",
    }
    assert page.next_request is None


def test_dated_futures_are_a_table_of_their_own() -> None:
    """Dated futures are marked, so that their mark price is not used for the asset."""
    rows = [
        listed("BTC-USDT-261225"),
        listed("BTC-USD-261225", ctVal="100", ctValCcy="USD", ctType="inverse"),
        listed("ETH-BTC-261225"),
    ]
    body = json.dumps({"code": "0", "data": rows}).encode()
    page = Okx().parse_instruments(body, Okx.instruments_requests[1])
    assert page.instruments == [
        Instrument("BTC-USDT-261225", "BTC", 1, 0.01, "base", True, 1611916828000000, "FUTURES", dated=True),
        Instrument("BTC-USD-261225", "BTC", 1, 100.0, "usd", True, 1611916828000000, "FUTURES", dated=True),
    ]
    assert set(page.left_out) == {"ETH-BTC-261225"}


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"code":"0"}', b'{"code":"50011","msg":"Too Many Requests","data":[]}']
)
def test_a_body_that_is_no_table_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Okx().parse_instruments(body, Okx.instruments_requests[0])
