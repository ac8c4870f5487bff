"""Tests of Bybit's REST: instruments, latest trades, and thirty days of open interest with hourly prices."""

from __future__ import annotations

import itertools
import json

import pytest

from monitor.exchanges.bybit.adapter import Bybit
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Skipped
from monitor.model.events import OpenInterest, Reject, Trade
from tests.exchanges.reference import NOW_MS, NOW_US

HOUR_MS = 3_600_000
ADAPTER = Bybit(
    {
        "BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base", product="linear"),
        "BTCUSD": Instrument("BTCUSD", "BTC", 1, 1.0, "usd", product="inverse"),
    }
)


def answer(*rows: object) -> bytes:
    """Return the body of a REST answer."""
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": rows}}).encode()


def test_trades_of_a_gap_are_those_of_the_latest_that_lie_in_it() -> None:
    """Trades have the ids of the socket; those outside the gap are ignored, and bad rows are rejected."""
    assert ADAPTER.backfill("liquidations", ["BTCUSDT"], 0, NOW_US) == ()
    linear, inverse = ADAPTER.backfill("trades", ["BTCUSDT", "BTCUSD"], NOW_US - 1_000_000, NOW_US)
    assert linear.query == {"category": "linear", "symbol": "BTCUSDT", "limit": "1000"}
    assert inverse.query["category"] == "inverse"
    row = {"execId": "2100", "symbol": "BTCUSDT", "price": "40000", "size": "0.5", "side": "Buy", "isBlockTrade": False}
    times = (NOW_MS, NOW_MS - 1, NOW_MS - 1_000, NOW_MS - 1_001)
    body = answer(*(row | {"time": str(time_ms)} for time_ms in times), row | {"time": "x"})
    messages = ADAPTER.parse_rest(linear, body, NOW_US).messages
    read = [message for message in messages if isinstance(message, Trade)]
    assert [(trade.event_time_us, trade.taker_side, trade.notional_usd, trade.id) for trade in read] == [
        (NOW_US - 1_000, "buy", 20_000.0, "2100"),
        (NOW_US - 1_000_000, "buy", 20_000.0, "2100"),
    ]
    assert [message.reason for message in messages if isinstance(message, Reject)] == ["malformed"]
    body = answer(row | {"symbol": "BTCUSD", "size": "400", "side": "Sell", "time": str(NOW_MS - 1)})
    (trade,) = ADAPTER.parse_rest(inverse, body, NOW_US).messages
    assert isinstance(trade, Trade)
    assert (trade.symbol, trade.taker_side, trade.quantity, trade.notional_usd) == ("BTCUSD", "sell", 0.01, 400.0)


def test_block_trades_of_a_gap_are_left_out() -> None:
    """Block trades are skipped, on the socket and from REST."""
    (request,) = ADAPTER.backfill("trades", ["BTCUSDT"], NOW_US - 1_000_000, NOW_US)
    row = {"execId": "1", "symbol": "BTCUSDT", "price": "4", "size": "5", "side": "Buy", "time": str(NOW_MS - 1)}
    assert ADAPTER.parse_rest(request, answer(row | {"isBlockTrade": True}), NOW_US).messages == [
        Skipped("off_book", 1)
    ]


def test_a_month_is_asked_by_the_hour_in_four_parts() -> None:
    """The requests leave no gap and fit into one answer each."""
    requests = ADAPTER.history(["BTCUSDT"], NOW_US)
    spans = [(int(request.query["start"]), int(request.query["end"])) for request in requests]
    assert len(spans) == 4
    assert all((end - begin) // HOUR_MS == 179 for begin, end in spans)
    assert all(later[0] - earlier[1] == HOUR_MS for earlier, later in itertools.pairwise(spans))
    assert spans[-1][1] == NOW_MS // HOUR_MS * HOUR_MS
    assert spans[-1][1] - spans[0][0] == 719 * HOUR_MS


@pytest.mark.parametrize(
    ("symbol", "amount", "coins", "usd"), [("BTCUSDT", "50", 50.0, 2e6), ("BTCUSD", "2000000", 50.0, 2e6)]
)
def test_open_interest_of_the_past_takes_the_price_at_its_hour(
    symbol: str, amount: str, coins: float, usd: float
) -> None:
    """The opening prices of the hours are requested first; an hour without one is rejected."""
    first = ADAPTER.history([symbol], NOW_US)[-1]
    hour_ms = int(first.query["end"])
    page = ADAPTER.parse_rest(first, answer([str(hour_ms), "40000", "41000", "39000", "39500"], ["x"]), NOW_US)
    assert page.messages == []
    second = page.next_request
    assert second is not None
    assert second.path == "/v5/market/open-interest"
    assert second.query["symbol"] == symbol
    assert (second.query["intervalTime"], second.query["endTime"]) == ("1h", str(hour_ms))
    rows = [
        {"openInterest": amount, "timestamp": str(hour_ms)},
        {"openInterest": amount, "timestamp": str(hour_ms - HOUR_MS)},
        {"timestamp": "1"},
    ]
    messages = ADAPTER.parse_rest(second, answer(*rows), NOW_US).messages
    assert messages[0] == OpenInterest("bybit", symbol, "BTC", hour_ms * 1000, NOW_US, coins, usd)
    assert [message.reason for message in messages if isinstance(message, Reject)] == ["not_positive", "malformed"]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"retCode":10006,"retMsg":"Too many visits!"}'])
def test_a_body_that_is_no_answer_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    (trades,) = ADAPTER.backfill("trades", ["BTCUSDT"], 0, NOW_US)
    for request in (trades, ADAPTER.history(["BTCUSDT"], NOW_US)[0]):
        with pytest.raises(ValueError, match=r"."):
            ADAPTER.parse_rest(request, body, NOW_US)


def listed(symbol: str, base: str, **changes: object) -> dict[str, object]:
    """Return one instrument of the table."""
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": base,
        "quoteCoin": "USDT",
        "launchTime": "1585526400000",
        "symbolType": "",
        "lotSizeFilter": {"qtyStep": "0.001"},
        **changes,
    }


def test_the_table_comes_in_pages_and_says_what_it_leaves_out() -> None:
    """A cursor gives the request of the next page; dated futures, stocks and other quotes are left out."""
    rows = [
        listed("BTCUSDT", "BTC"),
        listed("SHIB1000USDT", "SHIB1000", status="PreLaunch", launchTime="", symbolType="innovation"),
        listed("BTC-26SEP25", "BTC", contractType="LinearFutures"),
        listed("TSLAUSDT", "TSLA", symbolType="stock"),
        listed("BTCEUR", "BTC", quoteCoin="EUR"),
        {"symbol": 1},
    ]
    body = {"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": rows, "nextPageCursor": "a%3D"}}
    page = Bybit().parse_instruments(json.dumps(body).encode(), Bybit.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTCUSDT", "BTC", 1, 1.0, "base", True, 1585526400000000, "linear"),
        Instrument("SHIB1000USDT", "SHIB", 1000, 1.0, "base", False, 0, "linear"),
    ]
    assert set(page.left_out) == {"BTC-26SEP25", "TSLAUSDT", "BTCEUR", "row 5"}
    assert page.next_request is not None
    assert page.next_request.query == {"category": "linear", "limit": "1000", "cursor": "a%3D"}
    body["result"] = {"list": [], "nextPageCursor": ""}
    assert Bybit().parse_instruments(json.dumps(body).encode(), Bybit.instruments_requests[0]).next_request is None


def test_inverse_symbols_are_a_table_of_their_own() -> None:
    """Inverse contracts are worth one dollar; dated ones are left out."""
    rows = [
        listed("BTCUSD", "BTC", quoteCoin="USD", contractType="InversePerpetual"),
        listed("BTCUSDZ25", "BTC", quoteCoin="USD", contractType="InverseFutures"),
    ]
    body = json.dumps({"retCode": 0, "result": {"category": "inverse", "list": rows}}).encode()
    assert [request.query["category"] for request in Bybit.instruments_requests] == ["linear", "inverse"]
    page = Bybit().parse_instruments(body, Bybit.instruments_requests[1])
    assert page.instruments == [Instrument("BTCUSD", "BTC", 1, 1.0, "usd", True, 1585526400000000, "inverse")]
    assert set(page.left_out) == {"BTCUSDZ25"}


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"retCode":10006,"retMsg":"Too many visits!"}'])
def test_a_body_that_is_no_table_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Bybit().parse_instruments(body, Bybit.instruments_requests[0])
