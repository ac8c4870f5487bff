from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.lab.simulate.exchanges.bybit import Bybit
from monitor.lab.simulate.listings import ASSETS
from tests.lab.simulate.builders import QUOTES, T0, order, read_bybit, step, trade

VENUE = "bybit"
PATH = "/v5/public/linear"


@pytest.fixture
def dialect() -> Bybit:
    """A fresh exchange."""
    return Bybit(ASSETS, QUOTES, T0)


def pushed(dialect: Bybit, end_ms: int, channel: str, **parts: Any) -> list[dict[str, Any]]:
    """The frames of one channel that a step brings."""
    outgoing = dialect.frames_for(step(end_ms, **parts))
    return [json.loads(one.frame) for one in outgoing if one.topic.startswith(channel)]


def test_forced_orders_come_complete_in_half_seconds(dialect: Bybit) -> None:
    """S is the position's side, p the bankruptcy price, v the executed size; a batch has all rows of a symbol."""
    orders = [order(VENUE, 50, number=1), order(VENUE, 50, number=2), order(VENUE, 60, "short", number=3)]
    assert pushed(dialect, 100, "allLiquidation", forced=[*orders, order("okx", 70)]) == []
    later = order(VENUE, 410, "short", "ETH", number=4)
    frames = pushed(dialect, 500, "allLiquidation", forced=[later])
    assert [frame["topic"] for frame in frames] == ["allLiquidation.BTCUSDT", "allLiquidation.ETHUSDT"]
    assert (frames[0]["type"], frames[0]["ts"]) == ("snapshot", T0 // 1_000 + 500)
    row = {"T": T0 // 1_000 + 50, "s": "BTCUSDT", "S": "Buy", "v": "0.115", "p": "64740"}
    assert frames[0]["data"][:2] == [row, row]
    assert [one["S"] for one in frames[0]["data"]] == ["Buy", "Buy", "Sell"]
    read = [entry for frame in frames for entry in read_bybit(frame)]
    assert read == [dialect.entry(one) for one in (*orders, later)]
    assert dialect.ledger.shown == dialect.ledger.executed
    assert pushed(dialect, 1_000, "allLiquidation") == []


def test_flush_pushes_the_open_batch(dialect: Bybit) -> None:
    """At the end what waits comes out."""
    dialect.frames_for(step(100, [order(VENUE, 50)]))
    assert len(dialect.flush()) == 1
    assert dialect.flush() == []


def test_trades_of_a_step_share_a_frame(dialect: Bybit) -> None:
    """S is the taker's side; ids differ, sequences rise."""
    frames = pushed(dialect, 100, "publicTrade", prints=[trade(VENUE, 10), trade(VENUE, 20, "buy"), trade("okx", 30)])
    assert len(frames) == 1
    rows = frames[0]["data"]
    assert [(row["S"], row["v"], row["p"]) for row in rows] == [("Sell", "0.007", "65000"), ("Buy", "0.007", "65000")]
    assert len({row["i"] for row in rows}) == 2
    assert rows[0]["seq"] < rows[1]["seq"]


def test_tickers_begin_whole_and_go_on_with_what_changed(dialect: Bybit) -> None:
    """The greeting has every field; a delta only changed ones; openInterest counts both sides."""
    greeting = dialect.greeting("tickers.BTCUSDT")
    assert greeting is not None
    whole = json.loads(greeting)
    assert whole["type"] == "snapshot"
    assert (whole["data"]["openInterest"], whole["data"]["singleOpenInterest"]) == ("2", "1")
    assert whole["data"]["openInterestValue"] == "130000.00"
    assert pushed(dialect, 100, "tickers") == []
    moved = QUOTES | {"BTC": QUOTES["BTC"]._replace(mark_price=65_010.0)}
    deltas = pushed(dialect, 200, "tickers", quotes=moved)
    assert [(one["type"], one["data"]) for one in deltas] == [
        ("delta", {"symbol": "BTCUSDT", "lastPrice": "65010", "markPrice": "65010"})
    ]
    deltas = pushed(dialect, 1_000, "tickers", quotes=moved)
    assert set(deltas[0]["data"]) == {"symbol", "openInterestValue", "singleOpenInterestValue"}
    assert dialect.greeting("publicTrade.BTCUSDT") is None


def test_observe_renews_the_snapshot(dialect: Bybit) -> None:
    """The next subscriber gets the snapshot of a market that advanced without frames."""
    moved = QUOTES | {"BTC": QUOTES["BTC"]._replace(mark_price=60_000.0)}
    dialect.observe(moved, T0 + 5_000_000)
    greeting = dialect.greeting("tickers.BTCUSDT")
    assert greeting is not None
    assert json.loads(greeting)["data"]["markPrice"] == "60000"
    assert json.loads(greeting)["ts"] == T0 // 1_000 + 5_000


def test_subscribing_and_ping(dialect: Bybit) -> None:
    """Each request has one answer with its req_id; a ping is answered by pong with op ping."""
    answer = dialect.answer('{"op":"subscribe","args":["allLiquidation.BTCUSDT"],"req_id":"a"}', PATH, 3)
    reply = json.loads(answer.frames[0])
    assert (reply["success"], reply["op"], reply["req_id"]) == (True, "subscribe", "a")
    assert answer.subscribe == ("allLiquidation.BTCUSDT",)
    gone = dialect.answer('{"op":"unsubscribe","args":["allLiquidation.BTCUSDT"]}', PATH, 3)
    assert gone.unsubscribe == ("allLiquidation.BTCUSDT",)
    pong = json.loads(dialect.answer('{"op":"ping"}', PATH, 3).frames[0])
    assert (pong["success"], pong["ret_msg"], pong["op"]) == (True, "pong", "ping")
    assert dialect.carries_liquidations("allLiquidation.BTCUSDT")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("nonsense", "Params Error"),
        ("[]", "Params Error"),
        ('{"op":"subscribe","args":7}', "Params Error"),
        ('{"op":"auth","args":[]}', "invalid op:auth"),
        ('{"op":"subscribe","args":["allLiquidation.NONE"]}', "handler not found,topic:allLiquidation.NONE"),
        ('{"op":"subscribe","args":["liquidation.BTCUSDT"]}', "handler not found"),
        (json.dumps({"op": "subscribe", "args": ["publicTrade.BTCUSDT"] * 1_200}), "args size >21000"),
    ],
)
def test_refusals(dialect: Bybit, frame: str, reason: str) -> None:
    """Unknown topics, too many of them, and nonsense bring success false and no subscription."""
    answer = dialect.answer(frame, PATH, 1)
    reply = json.loads(answer.frames[0])
    assert reply["success"] is False
    assert reason in reply["ret_msg"]
    assert answer.subscribe == ()


def test_rest_pages(dialect: Bybit) -> None:
    """Instruments come in pages of the requested size, chained by cursors; other paths have nothing."""
    path, query = "/v5/market/instruments-info", {"category": "linear", "limit": "4"}
    first = dialect.rest(path, query)
    assert first is not None
    result = json.loads(first)["result"]
    second = dialect.rest(path, query | {"cursor": result["nextPageCursor"]})
    assert second is not None
    rest = json.loads(second)["result"]
    assert [row["baseCoin"] for row in result["list"] + rest["list"]][-2:] == ["DOGE", "1000PEPE"]
    assert (len(result["list"]), len(rest["list"]), rest["nextPageCursor"]) == (4, 2, "")
    assert result["list"][0]["lotSizeFilter"]["qtyStep"] == "0.001"
    inverse = dialect.rest(path, {"category": "inverse"})
    assert inverse is not None
    assert json.loads(inverse)["result"]["list"] == []
    assert dialect.rest(path, {"category": "option"}) is None
    assert dialect.rest("/v5/market/time", query) is None
