from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.lab.simulate.exchanges.okx import Okx
from monitor.lab.simulate.listings import ASSETS
from monitor.model.events import MICROS
from tests.lab.simulate.builders import QUOTES, T0, contract_values, order, read_okx, step, trade

VENUE = "okx"
PATH = "/ws/v5/public"
SWAP = {"channel": "liquidation-orders", "instType": "SWAP"}


@pytest.fixture
def dialect() -> Okx:
    """A fresh exchange at a moment at which no channel is due."""
    return Okx(ASSETS, QUOTES, T0)


def pushed(dialect: Okx, end_ms: int, channel: str, **parts: Any) -> list[dict[str, Any]]:
    """The frames of one channel that a step brings."""
    outgoing = dialect.frames_for(step(end_ms, **parts))
    return [json.loads(one.frame) for one in outgoing if one.topic.startswith(channel)]


def next_push_ms() -> int:
    """The first end of a batch after T0."""
    return (1_500_000 - T0 % 1_500_000) // 1_000


def test_forced_orders_come_in_contracts_with_all_details(dialect: Okx) -> None:
    """A frame has one row a contract, newest detail first; at most one order a contract and second passes."""
    end = next_push_ms()
    first, hidden, second = (order(VENUE, at, number=at) for at in (end - 1_400, end - 900, end - 350))
    other = order(VENUE, end - 300, "short", "PEPE", lots=4, number=2)
    forced = [first, hidden, second, other, order("bybit", end - 200)]
    frames = pushed(dialect, end, "liquidation-orders", forced=forced)
    assert len(frames) == 1
    assert frames[0]["arg"] == SWAP
    rows = {row["instId"]: row["details"] for row in frames[0]["data"]}
    assert [one["ts"] for one in rows["BTC-USDT-SWAP"]] == [str(one.time_us // 1_000) for one in (second, first)]
    detail = rows["BTC-USDT-SWAP"][0]
    assert (detail["side"], detail["sz"], detail["bkPx"], detail["bkLoss"]) == ("sell", "11.5", "64740", "0")
    assert rows["PEPE-USDT-SWAP"][0]["sz"] == "0.4"
    assert rows["PEPE-USDT-SWAP"][0]["side"] == "buy"
    read = read_okx(frames[0], contract_values(dialect), 0)
    assert sorted(read) == sorted(dialect.entry(one) for one in (first, second, other))
    assert dialect.ledger.executed["BTC-USDT-SWAP", "long"].orders == 3
    assert dialect.ledger.shown["BTC-USDT-SWAP", "long"].orders == 2


def test_some_accounts_are_in_net_mode(dialect: Okx) -> None:
    """Field posSide is net for every third order, where only side names the side."""
    forced = [order(VENUE, 10, asset=asset.name, number=number) for number, asset in enumerate(ASSETS, 1)]
    dialect.frames_for(step(100, forced))
    rows = json.loads(dialect.flush()[0].frame)["data"]
    assert sorted(row["details"][0]["posSide"] for row in rows) == ["long"] * 4 + ["net"] * 2
    assert {row["details"][0]["side"] for row in rows} == {"sell"}
    assert dialect.flush() == []


def test_a_subscriber_is_greeted_with_an_old_order(dialect: Okx) -> None:
    """The first frame repeats an order of ten minutes ago, which is in no ledger."""
    greeting = dialect.greeting("liquidation-orders:SWAP")
    assert greeting is not None
    frame = json.loads(greeting)
    assert int(frame["data"][0]["details"][0]["ts"]) == (T0 - 600 * MICROS) // 1_000
    assert read_okx(frame, contract_values(dialect)) == []
    assert dialect.ledger.shown == {}


def test_trades_come_one_a_frame(dialect: Okx) -> None:
    """Field sz is in contracts, side the taker's, ids count up."""
    frames = pushed(dialect, 100, "trades", prints=[trade(VENUE, 10), trade(VENUE, 20, "buy"), trade("bybit", 30)])
    rows = [frame["data"][0] for frame in frames]
    assert [(row["side"], row["sz"], row["px"], row["count"]) for row in rows] == [
        ("sell", "0.7", "65000", "1"),
        ("buy", "0.7", "65000", "1"),
    ]
    assert int(rows[1]["tradeId"]) == int(rows[0]["tradeId"]) + 1
    assert frames[0]["arg"] == {"channel": "trades", "instId": "BTC-USDT-SWAP"}


def test_state_comes_at_its_own_pace(dialect: Okx) -> None:
    """Mark prices every 200 ms, open interest every 3 s, funding every 30 s."""
    counts = {"mark-price": 0, "open-interest": 0, "funding-rate": 0}
    for end in range(100, 30_001, 100):
        for outgoing in dialect.frames_for(step(end)):
            counts[outgoing.topic.partition(":")[0]] += 1
    assert counts == {"mark-price": 150 * 6, "open-interest": 10 * 6, "funding-rate": 6}


def test_state_greets_its_subscribers(dialect: Okx) -> None:
    """State channels begin with their state: open interest in contracts, coins and USD; trades have none."""

    def row(channel: str) -> dict[str, Any]:
        greeting = dialect.greeting(f"{channel}:BTC-USDT-SWAP")
        assert greeting is not None
        only: dict[str, Any] = json.loads(greeting)["data"][0]
        return only

    interest, funding = row("open-interest"), row("funding-rate")
    assert (interest["oi"], interest["oiCcy"], interest["oiUsd"]) == ("100", 1.0, "65000.00")
    assert (funding["fundingRate"], funding["nextFundingRate"]) == ("0.00010000", "")
    assert int(funding["nextFundingTime"]) - int(funding["fundingTime"]) == 8 * 3_600_000
    assert row("mark-price")["markPx"] == "65000"
    assert dialect.greeting("trades:BTC-USDT-SWAP") is None


def test_subscribing_answers_each_argument(dialect: Okx) -> None:
    """Every argument gets its own answer; forced orders go by instType alone (60018 otherwise)."""
    args = [SWAP, {"channel": "trades", "instId": "BTC-USDT-SWAP"}, {"channel": "trades", "instId": "NONE"}]
    args.append({"channel": "liquidation-orders", "instType": "SWAP", "instId": "BTC-USDT-SWAP"})
    answer = dialect.answer(json.dumps({"op": "subscribe", "args": args}), PATH, 1)
    replies = [json.loads(frame) for frame in answer.frames]
    assert [reply["event"] for reply in replies] == ["subscribe", "subscribe", "error", "error"]
    assert replies[0]["arg"] == SWAP
    assert {reply["code"] for reply in replies[2:]} == {"60018"}
    assert answer.subscribe == ("liquidation-orders:SWAP", "trades:BTC-USDT-SWAP")
    gone = dialect.answer(json.dumps({"op": "unsubscribe", "args": [SWAP]}), PATH, 1)
    assert gone.unsubscribe == ("liquidation-orders:SWAP",)
    assert dialect.carries_liquidations(answer.subscribe[0])


def test_ping_is_text(dialect: Okx) -> None:
    """The text ping brings the text pong."""
    assert dialect.answer("ping", PATH, 1).frames == (b"pong",)


@pytest.mark.parametrize("frame", ["nonsense", "[]", "{}", '{"op":"x","args":[]}', '{"op":"subscribe","args":[{}]}'])
def test_unreadable_requests_are_refused(dialect: Okx, frame: str) -> None:
    """A request that makes no sense brings error 60012."""
    answer = dialect.answer(frame, PATH, 1)
    assert json.loads(answer.frames[0])["code"] == "60012"
    assert answer.subscribe == ()


def test_rest(dialect: Okx) -> None:
    """Contract values by instrument; nothing elsewhere."""
    assert contract_values(dialect) == {
        "BTC-USDT-SWAP": "0.01",
        "ETH-USDT-SWAP": "0.1",
        "SOL-USDT-SWAP": "1",
        "XRP-USDT-SWAP": "100",
        "DOGE-USDT-SWAP": "1000",
        "PEPE-USDT-SWAP": "10000000",
    }
    futures = dialect.rest("/api/v5/public/instruments", {"instType": "FUTURES"})
    assert futures is not None
    assert json.loads(futures)["data"] == []
    assert dialect.rest("/api/v5/public/instruments", {"instType": "OPTION"}) is None
    assert dialect.rest("/api/v5/public/time", {}) is None
