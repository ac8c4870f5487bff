"""Tests of OKX: rows against a slow reference, and sockets within the limits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Skipped
from monitor.exchanges.okx.adapter import BYTES_PER_CONNECTION, Okx
from monitor.model.events import Liquidation, Reject
from tests.exchanges.reference import (
    NOW_MS,
    NOW_US,
    Expected,
    check,
    is_notional,
    is_number,
    is_time,
    numbers,
    times_ms,
)

TABLE = {
    "BTC-USDT-SWAP": Instrument("BTC-USDT-SWAP", "BTC", 1, 0.01, "base"),
    "IOST-USDT-SWAP": Instrument("IOST-USDT-SWAP", "IOST", 1, 1000.0, "base"),
    "BTC-USD-SWAP": Instrument("BTC-USD-SWAP", "BTC", 1, 100.0, "usd"),
}
SIZES = {"BTC-USDT-SWAP": Decimal("0.01"), "IOST-USDT-SWAP": Decimal(1000), "BTC-USD-SWAP": Decimal(100)}
symbols = st.sampled_from([*TABLE, "FOO-USDT-SWAP", "ETH-BTC-SWAP"])


def reference(
    symbol: str, side: str, sides: dict[str, str], price: str, contracts: str, time_ms: int
) -> list[Expected]:
    """Return the expected event of a row, or none, computed with Decimals."""
    if symbol not in TABLE or side not in sides or not (is_number(price) and is_number(contracts) and is_time(time_ms)):
        return []
    p, amount = Decimal(price), Decimal(contracts) * SIZES[symbol]
    inverse = symbol == "BTC-USD-SWAP"
    quantity, usd = (amount / p, amount) if inverse else (amount, amount * p)
    return [(TABLE[symbol].asset, sides[side], p, quantity, usd, time_ms)] if is_notional(usd) else []


detail = st.fixed_dictionaries(
    {
        "side": st.sampled_from(["buy", "sell", "sell", "x"]),
        "posSide": st.sampled_from(["long", "short", "net"]),
        "bkPx": numbers,
        "sz": numbers,
        "ts": times_ms.map(str),
    }
)


@given(rows=st.lists(st.tuples(symbols, st.lists(detail, max_size=3)), max_size=3))
def test_liquidations_are_those_of_a_slow_reference(rows: list[tuple[str, list[dict[str, Any]]]]) -> None:
    """All details of all items are counted by the side of the order, in contracts times contract size."""
    expected: list[Expected] = []
    for symbol, details in rows:
        for d in details:
            sides = {"sell": "long", "buy": "short"}
            expected += reference(symbol, d["side"], sides, d["bkPx"], d["sz"], int(d["ts"]))
    data = [{"instId": symbol, "details": details} for symbol, details in rows]
    frame = json.dumps({"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": data}).encode()
    check(Okx(TABLE).parse(frame, NOW_US), expected, sum(len(details) for _, details in rows))


trade = st.fixed_dictionaries(
    {
        "tradeId": st.integers(1, 10**9).map(str),
        "px": numbers,
        "sz": numbers,
        "side": st.sampled_from(["buy", "sell", "buy", "sell", "x"]),
        "ts": times_ms.map(str),
    }
)


@given(symbol=symbols, rows=st.lists(trade, max_size=4), spaced=st.booleans())
def test_trades_are_those_of_a_slow_reference(symbol: str, rows: list[dict[str, Any]], spaced: bool) -> None:
    """Each row is checked alone, on the fast path and on the slow one."""
    sides = {"buy": "buy", "sell": "sell"}
    expected = [e for r in rows for e in reference(symbol, r["side"], sides, r["px"], r["sz"], int(r["ts"]))]
    rows = [{"instId": symbol} | r for r in rows]
    content = {"arg": {"channel": "trades", "instId": symbol}, "data": rows}
    frame = json.dumps(content, separators=(", ", ": ") if spaced else (",", ":")).encode()
    check(Okx(TABLE).parse(frame, NOW_US), expected, len(rows))


def test_without_a_table_the_reject_names_the_remedy() -> None:
    """Without contract sizes every row is rejected, and the message names the option to set them."""
    row = {"instId": "BTC-USDT-SWAP", "markPx": "1", "ts": str(NOW_MS)}
    (message,) = Okx().parse(json.dumps({"arg": {"channel": "mark-price"}, "data": [row]}).encode(), NOW_US)
    assert isinstance(message, Reject)
    assert message.reason == "unknown_symbol"
    assert "--instruments" in message.detail


def test_the_first_socket_carries_all_liquidations_and_none_is_above_the_limit() -> None:
    """Requests are below 64 kB; each argument has its own acknowledgement; every socket has dense channels."""
    symbols = [f"COIN{number:03}-USDT-SWAP" for number in range(400)]
    plans = Okx().connections(symbols, ["trades", "liquidations", "mark_price", "open_interest"])
    assert len(plans) > 1
    acks: list[str] = []
    for number, plan in enumerate(plans):
        requests = [json.loads(request.frame) for request in plan.requests]
        arguments = [argument for request in requests for argument in request["args"]]
        assert len(json.dumps(arguments)) <= BYTES_PER_CONNECTION + 100
        assert sum(len(request.frame) for request in plan.requests) < 65_536
        assert (arguments[0] == {"channel": "liquidation-orders", "instType": "SWAP"}) is (number == 0)
        assert ("liquidations" in plan.channels) is (number == 0)
        assert plan.dense == {"mark_price", "trades"}
        assert [len(request.acks) for request in plan.requests] == [len(content["args"]) for content in requests]
        acks += [ack for request in plan.requests for ack in request.acks]
        assert plan.keepalive is not None
        assert plan.keepalive.frame == "ping"
    assert len(acks) == len(set(acks)) == 1 + 4 * len(symbols)
    assert "trades:COIN001-USDT-SWAP" in acks


def test_no_channel_or_no_symbol_is_no_socket() -> None:
    """No channel needs no socket; trades alone do not add liquidations."""
    assert Okx().connections(["BTC-USDT-SWAP"], ["volatility_index"]) == []
    assert Okx().connections([], ["liquidations"]) == []
    (plan,) = Okx().connections(["BTC-USDT-SWAP"], ["trades"], "ws://127.0.0.1:1/")
    assert plan.url == "ws://127.0.0.1:1/"
    assert plan.channels == {"trades"}
    assert "8443" not in Okx.ws_url


def test_of_dated_futures_liquidations_and_trades_are_subscribed() -> None:
    """Dated futures have no mark price, funding or open interest; the first socket has all liquidations."""
    symbols = ["BTC-USDT-SWAP", "BTC-USDT-261225"]
    (plan,) = Okx().connections(symbols, ["trades", "liquidations", "mark_price", "open_interest"])
    arguments = [argument for request in plan.requests for argument in json.loads(request.frame)["args"]]
    assert arguments[:2] == [
        {"channel": "liquidation-orders", "instType": "SWAP"},
        {"channel": "liquidation-orders", "instType": "FUTURES"},
    ]
    assert [one["channel"] for one in arguments if one.get("instId") == "BTC-USDT-261225"] == ["trades"]
    assert plan.channels == {"liquidations", "trades", "mark_price", "open_interest"}
    (plan,) = Okx().connections(["BTC-USDT-261225"], ["liquidations"])
    assert plan.channels == {"liquidations"}
    assert not plan.dense


def test_a_perpetual_of_the_type_futures_has_all_channels() -> None:
    """Its name ends with a day of 2031, yet it has a funding rate; its forced orders come with those of futures."""
    symbol = "BTC-USD_UM_XPERP-310404"
    (plan,) = Okx().connections([symbol], ["trades", "liquidations", "mark_price", "open_interest"])
    arguments = [argument for request in plan.requests for argument in json.loads(request.frame)["args"]]
    assert [one["instType"] for one in arguments if one["channel"] == "liquidation-orders"] == ["SWAP", "FUTURES"]
    channels = {one["channel"] for one in arguments if one.get("instId") == symbol}
    assert channels == {"mark-price", "funding-rate", "open-interest", "trades"}
    row = {"instType": "FUTURES", "ctMult": "1", "ctType": "linear", "ctValCcy": "BTC", "state": "live"}
    rows = [
        row | {"instId": symbol, "ctVal": "0.0001", "settleCcy": "USD", "expTime": "1933142400000"},
        row | {"instId": "BTC-USDT-261225", "ctVal": "0.01", "settleCcy": "USDT", "expTime": "1798185600000"},
    ]
    page = Okx().parse_instruments(json.dumps({"code": "0", "data": rows}).encode(), Okx.instruments_requests[1])
    assert {one.symbol: (one.dated, one.contract_size) for one in page.instruments} == {
        symbol: (False, 0.0001),
        "BTC-USDT-261225": (True, 0.01),
    }


def test_a_liquidation_that_comes_eight_minutes_late_counts() -> None:
    """The same old row is backlog after the subscription, and a late event on the socket's later life."""
    arg = {"channel": "liquidation-orders", "instType": "SWAP"}
    details = [{"side": "sell", "posSide": "net", "bkPx": "80000", "sz": "5", "ts": str(NOW_MS - 480_000)}]
    row = json.dumps({"arg": arg, "data": [{"instId": "BTC-USDT-SWAP", "details": details}]}).encode()
    confirmation = json.dumps({"event": "subscribe", "arg": arg, "connId": "a4d3ae55"}).encode()
    adapter, memory = Okx(TABLE), Memory()
    assert adapter.parse(confirmation, NOW_US - 20_000_000, memory) == [Ack("liquidation-orders:SWAP")]
    assert adapter.parse(row, NOW_US - 15_000_000, memory) == [Skipped("backlog", 1)]
    (late,) = adapter.parse(row, NOW_US, memory)
    assert isinstance(late, Liquidation)
    assert (late.event_time_us, late.receive_time_us, late.side) == (
        NOW_US // 1000 * 1000 - 480_000_000,
        NOW_US,
        "long",
    )
