"""Tests of Bybit: rows against a slow reference, and sockets within the limits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.exchanges.bybit.adapter import ARGS_PER_CONNECTION, Bybit
from monitor.exchanges.instrument import Instrument
from tests.exchanges.reference import NOW_US, Expected, check, is_number, is_time, numbers, times_ms

SYMBOLS = {"BTCUSDT": ("BTC", 1), "SHIB1000USDT": ("SHIB", 1000), "ETHPERP": ("ETH", 1)}
symbols = st.sampled_from([*SYMBOLS, "FOO", "BTCEUR"])
row = st.fixed_dictionaries(
    {
        "T": times_ms,
        "s": symbols,
        "S": st.sampled_from(["Buy", "Sell", "Buy", "Sell", "buy"]),
        "v": numbers,
        "p": numbers,
        "i": st.uuids().map(str),
    }
)


def reference(rows: list[dict[str, Any]], sides: dict[str, str]) -> list[Expected]:
    """Return the expected events of rows, computed one by one with Decimals."""
    expected: list[Expected] = []
    for r in rows:
        if r["s"] in SYMBOLS and r["S"] in sides and is_number(r["p"]) and is_number(r["v"]) and is_time(r["T"]):
            asset, units = SYMBOLS[r["s"]]
            p, v = Decimal(r["p"]), Decimal(r["v"])
            expected.append((asset, sides[r["S"]], p / units, v * units, p * v, r["T"]))
    return expected


@given(rows=st.lists(row, max_size=5))
def test_liquidations_are_those_of_a_slow_reference(rows: list[dict[str, Any]]) -> None:
    """Each row is checked alone; ``S`` is the side of the position."""
    frame = json.dumps({"topic": "allLiquidation.X", "ts": 1, "data": rows}, separators=(",", ":")).encode()
    check(Bybit().parse(frame, NOW_US), reference(rows, {"Buy": "long", "Sell": "short"}), len(rows))


@given(symbol=symbols, rows=st.lists(row, max_size=5), spaced=st.booleans())
def test_trades_are_those_of_a_slow_reference(symbol: str, rows: list[dict[str, Any]], spaced: bool) -> None:
    """Each row is checked alone, on the fast path and on the slow one; ``S`` is the taker side."""
    rows = [r | {"s": symbol} for r in rows]
    separators = (", ", ": ") if spaced else (",", ":")
    frame = json.dumps({"topic": f"publicTrade.{symbol}", "ts": 1, "data": rows}, separators=separators).encode()
    check(Bybit().parse(frame, NOW_US), reference(rows, {"Buy": "buy", "Sell": "sell"}), len(rows))


def test_sockets_stay_within_the_characters_and_hold_each_topic_once() -> None:
    """843 symbols with three topics need four sockets; each has all topics of its symbols, and a ping."""
    symbols = [f"COIN{number:04}USDT" for number in range(843)]
    plans = Bybit().connections(symbols, ["trades", "liquidations", "mark_price", "open_interest"])
    seen: list[str] = []
    for plan in plans:
        requests = [json.loads(request.frame) for request in plan.requests]
        topics = [topic for request in requests for topic in request["args"]]
        assert sum(map(len, topics)) <= ARGS_PER_CONNECTION
        assert all(topic.startswith("allLiquidation.") for topic in topics[: len(plan.symbols)])
        assert len(topics) == 3 * len(plan.symbols)
        assert [request.acks for request in plan.requests] == [(content["req_id"],) for content in requests]
        assert plan.dense == {"mark_price", "trades"}
        assert plan.keepalive is not None
        assert (plan.keepalive.frame, plan.keepalive.interval_s) == ('{"op":"ping"}', 18.0)
        seen += topics
    assert len(plans) == 4
    assert len(seen) == len(set(seen)) == 3 * len(symbols)


def test_no_channel_or_no_symbol_is_no_socket() -> None:
    """No channel needs no socket; an address in the settings replaces the exchange's."""
    assert Bybit().connections(["BTCUSDT"], ["volatility_index"]) == []
    assert Bybit().connections([], ["liquidations"]) == []
    (plan,) = Bybit().connections(["BTCUSDT"], ["liquidations"], "ws://127.0.0.1:1/")
    assert plan.url == "ws://127.0.0.1:1/"
    assert plan.dense == {"mark_price"}


def test_inverse_symbols_have_sockets_of_their_own() -> None:
    """Inverse symbols are on the path ``inverse``, at the exchange and in a simulation."""
    for adapter in (Bybit(), Bybit({"BTCUSD": Instrument("BTCUSD", "BTC", 1, 1.0, "usd")})):
        first, second = adapter.connections(["BTCUSD", "ETHUSDT"], ["liquidations", "trades"])
        assert (first.name, first.url) == ("linear-0", "wss://stream.bybit.com/v5/public/linear")
        assert (second.name, second.url) == ("inverse-0", "wss://stream.bybit.com/v5/public/inverse")
        assert json.loads(second.requests[0].frame)["args"] == ["allLiquidation.BTCUSD", "publicTrade.BTCUSD"]
    plans = Bybit().connections(["BTCUSD", "ETHUSDT"], ["trades"], "ws://127.0.0.1:1/v5/public/linear")
    assert [plan.url for plan in plans] == ["ws://127.0.0.1:1/v5/public/linear", "ws://127.0.0.1:1/v5/public/inverse"]
    plans = Bybit().connections(["BTCUSD", "ETHUSDT"], ["trades"], "ws://127.0.0.1:1/any")
    assert {plan.url for plan in plans} == {"ws://127.0.0.1:1/any"}
