"""Tests of Bitget: rows against a slow reference, sockets, instruments, and the liquidations of a gap."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.exchanges.bitget.adapter import TOPICS_PER_CONNECTION, Bitget
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Message
from monitor.model.events import Liquidation, Reject, Trade
from tests.exchanges.reference import NOW_MS, NOW_US, Expected, check, is_number, is_time, numbers, times_ms

SYMBOLS = {"BTCUSDT": ("BTC", 1), "1000BONKUSDT": ("BONK", 1000), "BTCUSD": ("BTC", 1)}
symbols = st.sampled_from([*SYMBOLS, "FOO", "BTCEUR"])
sides = st.sampled_from(["buy", "sell", "buy", "sell", "none"])
liquidation = st.fixed_dictionaries(
    {"symbol": symbols, "side": sides, "price": numbers, "amount": numbers, "ts": times_ms.map(str)}
)
trade = st.fixed_dictionaries({"i": st.uuids().map(str), "p": numbers, "v": numbers, "S": sides, "T": times_ms})


@given(rows=st.lists(liquidation, max_size=5))
def test_liquidations_are_those_of_a_slow_reference(rows: list[dict[str, Any]]) -> None:
    """Each row is checked alone; the side is that of the position, and the amount is in USD."""
    expected: list[Expected] = []
    names = {"buy": "long", "sell": "short"}
    for r in rows:
        sound = is_number(r["price"]) and is_number(r["amount"]) and is_time(int(r["ts"]))
        if sound and r["symbol"] in SYMBOLS and r["side"] in names:
            asset, units = SYMBOLS[r["symbol"]]
            p, usd = Decimal(r["price"]), Decimal(r["amount"])
            expected.append((asset, names[r["side"]], p / units, usd / p * units, usd, int(r["ts"])))
    frame = {"action": "update", "arg": {"instType": "usdt-futures", "topic": "liquidation"}, "data": rows}
    check(Bitget().parse(json.dumps(frame).encode(), NOW_US), expected, len(rows))


@given(symbol=symbols, rows=st.lists(trade, max_size=4), spaced=st.booleans())
def test_trades_are_those_of_a_slow_reference(symbol: str, rows: list[dict[str, Any]], spaced: bool) -> None:
    """Each row is checked alone, on the fast path and on the slow one."""
    expected: list[Expected] = []
    for r in rows:
        sound = is_number(r["p"]) and is_number(r["v"]) and is_time(r["T"])
        if sound and symbol in SYMBOLS and r["S"] in ("buy", "sell"):
            asset, units = SYMBOLS[symbol]
            p, v = Decimal(r["p"]), Decimal(r["v"])
            expected.append((asset, r["S"], p / units, v * units, p * v, r["T"]))
    arg = {"instType": "usdt-futures", "topic": "publicTrade", "symbol": symbol}
    separators = (", ", ": ") if spaced else (",", ":")
    frame = json.dumps({"action": "update", "arg": arg, "data": rows}, separators=separators)
    check(Bitget().parse(frame.encode(), NOW_US), expected, len(rows))


def test_usual_trades_are_read_as_others_are() -> None:
    """The fast path gives the same events as the slow one, which is used if the time of receipt is not known."""
    rows = [{"i": "1", "p": "3", "v": "2", "S": "buy", "T": str(NOW_MS)}]
    rows.append(rows[0] | {"i": "2", "S": "sell"})
    arg = {"instType": "usdt-futures", "topic": "publicTrade", "symbol": "BTCUSDT"}
    frame = json.dumps({"action": "update", "arg": arg, "data": rows}, separators=(",", ":")).encode()
    adapter = Bitget({"BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base", product="usdt-futures")})
    short, long = adapter.parse(frame, NOW_US), adapter.parse(frame, NOW_US - 1)
    assert [msgspec.structs.replace(m, receive_time_us=0) for m in short if isinstance(m, Trade)] == [
        msgspec.structs.replace(m, receive_time_us=0) for m in long if isinstance(m, Trade)
    ]
    assert [(m.id, m.taker_side, m.notional_usd) for m in short if isinstance(m, Trade)] == [
        ("1", "buy", 6.0),
        ("2", "sell", 6.0),
    ]


def test_each_product_has_its_sockets_and_its_first_one_the_liquidations() -> None:
    """250 topics need two sockets; a dated future has no ticker; every argument is acknowledged once."""
    names = [f"COIN{number:03}USDT" for number in range(125)]
    plans = Bitget().connections(
        [*names, "BTCPERP", "BTCUSD", "BTCUSDZ25"], ["liquidations", "trades", "open_interest"]
    )
    assert [plan.name for plan in plans] == ["usdt-futures-0", "usdt-futures-1", "usdc-futures-0", "coin-futures-0"]
    assert ["liquidations" in plan.channels for plan in plans] == [True, False, True, True]
    acks: list[str] = []
    for plan in plans:
        requests = [json.loads(request.frame) for request in plan.requests]
        arguments = [argument for content in requests for argument in content["args"]]
        assert all(len(content["args"]) <= 5 for content in requests)
        assert len(arguments) <= TOPICS_PER_CONNECTION + 1
        assert plan.dense == {"trades"}
        assert plan.url == Bitget.ws_url
        assert plan.keepalive is not None
        assert plan.keepalive.frame == "ping"
        acks += [ack for request in plan.requests for ack in request.acks]
    assert json.loads(plans[-1].requests[0].frame)["args"] == [
        {"instType": "coin-futures", "topic": "liquidation"},
        {"instType": "coin-futures", "topic": "ticker", "symbol": "BTCUSD"},
        {"instType": "coin-futures", "topic": "publicTrade", "symbol": "BTCUSD"},
        {"instType": "coin-futures", "topic": "publicTrade", "symbol": "BTCUSDZ25"},
    ]
    assert len(acks) == len(set(acks)) == 2 * 127 + 1 + 3


def test_no_channel_or_no_symbol_is_no_socket() -> None:
    """No channel needs no socket; liquidations alone get the ticker too; an address in the settings is used."""
    assert Bitget().connections(["BTCUSDT"], ["volatility_index"]) == []
    assert Bitget().connections([], ["liquidations"]) == []
    (plan,) = Bitget().connections(["BTCUSDT"], ["liquidations"], "ws://127.0.0.1:1/")
    assert plan.url == "ws://127.0.0.1:1/"
    assert plan.dense == {"mark_price"}


def listed(symbol: str, **changes: object) -> dict[str, object]:
    """Return one instrument of the table."""
    return {
        "symbol": symbol,
        "category": "USDT-FUTURES",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "type": "perpetual",
        "status": "online",
        "launchTime": "",
        **changes,
    }


def test_the_table_holds_each_products_futures_and_says_what_it_leaves_out() -> None:
    """Dated futures are kept and marked; stocks, other quotes and unreadable rows are left out."""
    rows = [
        listed("BTCUSDT", launchTime="1585526400000"),
        listed("1000BONKUSDT", baseCoin="1000BONK", status="offline"),
        listed("BTCUSDZ25", category="COIN-FUTURES", quoteCoin="USD", type="delivery"),
        listed("TSLAUSDT", isRwa="YES"),
        listed("BTCEUR", quoteCoin="EUR"),
        {"symbol": "X"},
    ]
    body = json.dumps({"code": "00000", "msg": "success", "requestTime": 1, "data": rows}).encode()
    page = Bitget().parse_instruments(body, Bitget.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTCUSDT", "BTC", 1, 1.0, "base", True, 1585526400000000, "usdt-futures"),
        Instrument("1000BONKUSDT", "BONK", 1000, 1.0, "base", False, 0, "usdt-futures"),
        Instrument("BTCUSDZ25", "BTC", 1, 1.0, "base", True, 0, "coin-futures", dated=True),
    ]
    assert set(page.left_out) == {"TSLAUSDT", "BTCEUR", "row 5"}
    assert page.next_request is None
    categories = [request.query["category"] for request in Bitget.instruments_requests]
    assert categories == ["USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES"]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"code":"40034","msg":"no"}', b'{"code":"00000","data":{}}'])
def test_a_body_that_is_no_table_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Bitget().parse_instruments(body, Bitget.instruments_requests[0])


def test_liquidations_of_a_gap_are_read_page_by_page_until_its_beginning() -> None:
    """Rows within the gap have the ids of the socket; the last page is the one that reaches before the gap."""
    adapter = Bitget({"BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base", product="usdt-futures")})
    assert adapter.backfill("trades", ["BTCUSDT"], 0, NOW_US) == ()
    (first,) = adapter.backfill("liquidations", ["BTCUSDT"], NOW_US - 5_000_000, NOW_US)
    assert (first.path, first.query) == ("/api/v3/market/liquidations", {"category": "USDT-FUTURES", "limit": "100"})

    def row(age_ms: int, **changes: object) -> dict[str, object]:
        known = {"symbol": "BTCUSDT", "side": "buy", "price": "40000", "amount": "2000", "ts": str(NOW_MS - age_ms)}
        return known | changes

    def page(rows: list[dict[str, object]], cursor: str | None) -> bytes:
        return json.dumps({"code": "00000", "data": {"list": rows, "cursor": cursor}}).encode()

    answer = adapter.parse_rest(first, page([row(-1), row(1), row(2, price="")], "c1"), NOW_US)
    assert ids(answer.messages) == [f"bitget:BTCUSDT:{NOW_MS - 1}:buy:2000.0:40000.0"]
    assert [type(message) for message in answer.messages] == [Liquidation, Reject]
    second = answer.next_request
    assert second is not None
    assert second.query == {"category": "USDT-FUTURES", "limit": "100", "cursor": "c1"}
    answer = adapter.parse_rest(second, page([row(5_000), row(5_001)], "c2"), NOW_US)
    assert ids(answer.messages) == [f"bitget:BTCUSDT:{NOW_MS - 5_000}:buy:2000.0:40000.0"]
    assert answer.next_request is not None
    assert adapter.parse_rest(second, page([row(5_001)], "c3"), NOW_US).next_request is None
    assert adapter.parse_rest(second, page([row(1)], None), NOW_US).next_request is None
    with pytest.raises(ValueError, match="40034"):
        adapter.parse_rest(first, b'{"code":"40034","msg":"no"}', NOW_US)


def ids(messages: list[Message]) -> list[str]:
    """Return the ids of the liquidations among messages."""
    return [message.id for message in messages if isinstance(message, Liquidation)]
