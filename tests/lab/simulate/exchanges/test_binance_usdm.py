from __future__ import annotations

import json

import pytest

from monitor.lab.simulate.exchanges.binance_usdm import BinanceUsdm
from monitor.lab.simulate.ledger import Amount
from monitor.lab.simulate.listings import ASSETS
from tests.lab.simulate.builders import QUOTES, T0, order, read_binance, step, trade

VENUE = "binance-usdm"
PATH = "/market/stream"


@pytest.fixture
def dialect() -> BinanceUsdm:
    """A fresh exchange."""
    return BinanceUsdm(ASSETS, QUOTES, T0)


def test_a_forced_order_is_shown_a_second_after_it(dialect: BinanceUsdm) -> None:
    """SELL closes a long; z at ap is what was executed, p the bankruptcy price 0.4 % beyond, l the last fill."""
    assert not [one for one in dialect.frames_for(step(400, [order(VENUE, 350)])) if one.shown]
    assert not [one for one in dialect.frames_for(step(1_000)) if one.shown]
    outgoing = [one for one in dialect.frames_for(step(1_400)) if one.shown]
    assert [one.topic for one in outgoing] == ["btcusdt@forceOrder", "!forceOrder@arr"]
    frame = json.loads(dialect.envelope(PATH, outgoing[0].topic, outgoing[0].frame))
    assert frame == {
        "stream": "btcusdt@forceOrder",
        "data": {
            "e": "forceOrder",
            "E": T0 // 1_000 + 1_400,
            "st": 1,
            "o": {
                "s": "BTCUSDT",
                "S": "SELL",
                "o": "LIMIT",
                "f": "IOC",
                "q": "0.115",
                "p": "64740",
                "ap": "65000",
                "X": "FILLED",
                "l": "0.001",
                "z": "0.115",
                "T": T0 // 1_000 + 350,
            },
        },
    }
    assert dialect.ledger.shown == {("BTCUSDT", "long"): Amount(1, 7_475_000_000)}
    assert read_binance(frame) == [("BTCUSDT", "long", 7_475_000_000)]


def test_only_the_first_of_a_second_is_shown(dialect: BinanceUsdm) -> None:
    """The ledger has all executed orders, the feed the first one of each symbol."""
    orders = [order(VENUE, 10 * number, lots=number + 1, number=number) for number in range(5)]
    short = order(VENUE, 60, "short", "ETH", number=9)
    dialect.frames_for(step(100, [*orders, short, order("bybit", 70)]))
    outgoing = dialect.frames_for(step(1_100))
    frames = [json.loads(one.frame) for one in outgoing if "!" not in one.topic]
    read = [entry for frame in frames for entry in read_binance(frame)]
    assert read == [dialect.entry(orders[0]), dialect.entry(short)]
    assert dialect.ledger.executed["BTCUSDT", "long"].orders == 5
    assert dialect.ledger.executed["BTCUSDT", "long"].micro_usd == 15 * 65_000_000
    assert dialect.ledger.shown["ETHUSDT", "short"] == dialect.ledger.executed["ETHUSDT", "short"]


def test_flush_shows_what_waits(dialect: BinanceUsdm) -> None:
    """At the end the orders of the open second come out."""
    dialect.frames_for(step(100, [order(VENUE, 10, "short")]))
    assert json.loads(dialect.flush()[0].frame)["o"]["S"] == "BUY"
    assert dialect.flush() == []


def test_array_streams_carry_coin_margined_rows_too(dialect: BinanceUsdm) -> None:
    """Since the merge rows with st 2 come along: never on a symbol's stream, never in the ledger."""
    for second in range(1, 7):
        outgoing = dialect.frames_for(step(1_000 * second, [order(VENUE, 1_000 * second - 50)]))
    forced = [one for one in outgoing if one.topic == "!forceOrder@arr"]
    assert [json.loads(one.frame)["st"] for one in forced] == [1, 2]
    assert forced[1].shown == ()
    assert read_binance(json.loads(forced[1].frame)) == []
    marks = next(json.loads(one.frame) for one in outgoing if one.topic == "!markPrice@arr@1s")
    assert [row["st"] for row in marks] == [1] * len(ASSETS) + [2]
    assert dialect.ledger.shown["BTCUSDT", "long"].orders == 5


def test_trades_of_one_price_and_taker_are_one(dialect: BinanceUsdm) -> None:
    """Aggregate ids count up by one; m is true where the taker sold; f and l count the fills."""
    prints = [trade(VENUE, 10), trade(VENUE, 20, lots=3), trade(VENUE, 30, "buy"), trade(VENUE, 40, ticks=650_001)]
    rows = [json.loads(one.frame) for one in dialect.frames_for(step(100, prints=[*prints, trade("okx", 50)]))]
    assert [row["e"] for row in rows] == ["aggTrade"] * 3
    assert [row["q"] for row in rows] == ["0.01", "0.007", "0.007"]
    assert [row["m"] for row in rows] == [True, False, True]
    assert [row["a"] - rows[0]["a"] for row in rows] == [0, 1, 2]
    assert [row["l"] - row["f"] for row in rows] == [1, 0, 0]
    assert rows[0]["T"] == T0 // 1_000 + 10


def test_mark_prices_come_once_a_second(dialect: BinanceUsdm) -> None:
    """Field r is the funding rate, T the next funding, P an estimated price and no rate."""
    assert dialect.frames_for(step(900)) == []
    outgoing = dialect.frames_for(step(1_000))
    row = json.loads(outgoing[0].frame)
    assert outgoing[0].topic == "btcusdt@markPrice@1s"
    assert (row["e"], row["s"], row["p"], row["P"], row["r"]) == (
        "markPriceUpdate",
        "BTCUSDT",
        "65000",
        "65000",
        "0.00010000",
    )
    assert row["T"] == QUOTES["BTC"].next_funding_us // 1_000
    assert len(outgoing) == len(ASSETS) + 1


def test_subscribing(dialect: BinanceUsdm) -> None:
    """SUBSCRIBE is acknowledged by its id; the address may name streams itself."""
    answer = dialect.answer('{"method":"SUBSCRIBE","params":["btcusdt@forceOrder"],"id":7}', PATH, 1)
    assert [json.loads(frame) for frame in answer.frames] == [{"result": None, "id": 7}]
    assert answer.subscribe == ("btcusdt@forceOrder",)
    gone = dialect.answer('{"method":"UNSUBSCRIBE","params":["btcusdt@forceOrder"],"id":8}', PATH, 1)
    assert (gone.subscribe, gone.unsubscribe) == ((), ("btcusdt@forceOrder",))
    assert dialect.opening(PATH, {"streams": "a@aggTrade/!forceOrder@arr"}) == ("a@aggTrade", "!forceOrder@arr")
    assert dialect.opening("/market/ws/btcusdt@aggTrade", {}) == ("btcusdt@aggTrade",)
    assert dialect.opening("/market/ws", {}) == ()
    assert dialect.carries_liquidations("!forceOrder@arr")
    assert not dialect.carries_liquidations("btcusdt@aggTrade")


@pytest.mark.parametrize("path", ["/ws", "/stream", "/ws/btcusdt@forceOrder"])
def test_old_paths_connect_and_stay_silent(dialect: BinanceUsdm, path: str) -> None:
    """The paths from before the split acknowledge everything and deliver nothing."""
    answer = dialect.answer('{"method":"SUBSCRIBE","params":["btcusdt@forceOrder"],"id":1}', path, 1)
    assert dialect.serves(path)
    assert json.loads(answer.frames[0]) == {"result": None, "id": 1}
    assert answer.subscribe == ()
    assert dialect.opening(path, {"streams": "btcusdt@forceOrder"}) == ()


@pytest.mark.parametrize(
    "frame", ["nonsense", "[]", "{}", '{"method":"SUBSCRIBE","params":7}', '{"method":"X","id":1}']
)
def test_unreadable_requests_are_refused(dialect: BinanceUsdm, frame: str) -> None:
    """A request that makes no sense brings an error and no subscription."""
    answer = dialect.answer(frame, PATH, 1)
    assert json.loads(answer.frames[0])["error"]["code"] == 2
    assert answer.subscribe == ()


def test_paths_and_envelopes(dialect: BinanceUsdm) -> None:
    """Raw streams come bare, combined ones wrapped; other paths do not exist."""
    assert dialect.envelope("/market/ws", "x@aggTrade", b"{}") == b"{}"
    assert dialect.envelope(PATH, "x@aggTrade", b"{}") == b'{"stream":"x@aggTrade","data":{}}'
    assert dialect.serves("/market/ws/btcusdt@aggTrade")
    assert not dialect.serves("/public/stream")
    assert dialect.greeting("btcusdt@aggTrade") is None


def test_rest(dialect: BinanceUsdm) -> None:
    """Instruments with their steps, open interest in coins, nothing elsewhere."""
    body = dialect.rest("/fapi/v1/exchangeInfo", {})
    assert body is not None
    symbols = json.loads(body)["symbols"]
    assert [row["baseAsset"] for row in symbols] == ["BTC", "ETH", "SOL", "XRP", "DOGE", "1000PEPE"]
    assert {row["contractType"] for row in symbols} == {"PERPETUAL"}
    assert symbols[0]["filters"][1] == {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"}
    interest = dialect.rest("/fapi/v1/openInterest", {"symbol": "BTCUSDT"})
    assert interest is not None
    assert json.loads(interest) == {"symbol": "BTCUSDT", "openInterest": "1", "time": T0 // 1_000}
    assert dialect.rest("/fapi/v1/openInterest", {"symbol": "NONE"}) is None
    assert dialect.rest("/fapi/v1/ping", {"symbol": "BTCUSDT"}) is None
