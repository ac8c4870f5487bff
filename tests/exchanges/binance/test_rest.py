"""Tests of Binance's REST: current open interest, its last thirty days, and the trades of a gap."""

from __future__ import annotations

import json

import pytest

from monitor.exchanges.binance.coinm import BinanceCoinm
from monitor.exchanges.binance.usdm import BinanceUsdm
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.rest_requests import RestRequest
from monitor.model.events import OpenInterest, Reject, Trade
from tests.exchanges.reference import NOW_MS, NOW_US

USDM = BinanceUsdm(
    {
        "BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base"),
        "1000PEPEUSDT": Instrument("1000PEPEUSDT", "PEPE", 1000, 1.0, "base"),
    }
)
COINM = BinanceCoinm({"BTCUSD_PERP": Instrument("BTCUSD_PERP", "BTC", 1, 100.0, "usd")})
HOUR_MS = 3_600_000


def encoded(content: object) -> bytes:
    """Return the body of an answer."""
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("adapter", "symbol", "amount", "listed", "coins", "usd"),
    [
        (USDM, "BTCUSDT", "10659.5", False, 10659.5, 426_380_000.0),
        (USDM, "1000PEPEUSDT", "3", False, 3000.0, 120_000.0),
        (COINM, "BTCUSD_PERP", "15004", True, 37.51, 1_500_400.0),
        (USDM, "BTCUSDT", "0", False, 0.0, 0.0),
    ],
)
def test_open_interest_takes_its_price_from_a_second_request(
    adapter: BinanceUsdm | BinanceCoinm, symbol: str, amount: str, listed: bool, coins: float, usd: float
) -> None:
    """The first answer has amount and time, the second the mark price, which is in an array on COIN-M."""
    (poll,) = adapter.polls([symbol], ["open_interest"])
    assert poll.channel == "open_interest"
    first = adapter.parse_rest(
        poll.request, encoded({"symbol": symbol, "openInterest": amount, "time": NOW_MS}), NOW_US
    )
    assert first.messages == []
    second = first.next_request
    assert second is not None
    assert (second.path.rpartition("/")[2], second.query) == ("premiumIndex", {"symbol": symbol})
    price = {"symbol": symbol, "markPrice": "40000", "indexPrice": "1", "lastFundingRate": "0", "time": NOW_MS}
    page = adapter.parse_rest(second, encoded([price] if listed else price), NOW_US)
    (message,) = page.messages
    assert isinstance(message, OpenInterest)
    assert (message.symbol, message.event_time_us) == (symbol, NOW_US)
    assert message.open_interest == pytest.approx(coins)
    assert message.open_interest_usd == pytest.approx(usd)
    assert page.next_request is None


def test_open_interest_without_a_believable_price_is_refused() -> None:
    """An answer without a price or for an unknown symbol gives no open interest."""
    request = RestRequest("/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"}, about=f"BTCUSDT 5 {NOW_MS}")
    for body in (encoded({"symbol": "BTCUSDT", "markPrice": "0"}), b"[]"):
        (message,) = USDM.parse_rest(request, body, NOW_US).messages
        assert isinstance(message, Reject)
        assert message.reason == "not_positive"
    unlisted = request._replace(about=f"FOO 5 {NOW_MS}")
    (message,) = USDM.parse_rest(unlisted, encoded({"symbol": "FOO", "markPrice": "1"}), NOW_US).messages
    assert isinstance(message, Reject)
    assert message.reason == "unknown_symbol"
    with pytest.raises(ValueError, match=r"."):
        USDM.parse_rest(request, b"<html>", NOW_US)


def test_polls_stay_within_the_budget() -> None:
    """Few symbols are polled every 15 s; for many, the interval grows so that 60 % of the weight suffice."""
    assert list(USDM.polls(["BTCUSDT"], ["trades"])) == []
    assert {poll.interval_s for poll in USDM.polls(["BTCUSDT"], ["open_interest"])} == {15.0}
    polls = USDM.polls([f"C{number}USDT" for number in range(540)], ["open_interest"])
    per_minute = sum(60 / poll.interval_s * 2 for poll in polls)
    assert per_minute == pytest.approx(0.6 * BinanceUsdm.rest_weight_per_minute)
    assert BinanceUsdm.rest_pool == BinanceCoinm.rest_pool == "binance"


def test_a_month_is_asked_by_the_hour_in_two_parts() -> None:
    """The two requests leave no gap, fit into one answer each, and begin within thirty days."""
    requests = USDM.history(["BTCUSDT"], NOW_US)
    spans = [(int(request.query["startTime"]), int(request.query["endTime"])) for request in requests]
    assert len(spans) == 2
    assert spans[1][0] - spans[0][1] == HOUR_MS
    assert all((end - begin) // HOUR_MS < 500 for begin, end in spans)
    assert NOW_MS - 30 * 24 * HOUR_MS < spans[0][0] < NOW_MS - 29 * 24 * HOUR_MS
    assert NOW_MS - HOUR_MS < spans[1][1] <= NOW_MS
    assert {request.query["symbol"] for request in requests} == {"BTCUSDT"}
    assert COINM.history(["BTCUSD_PERP"], NOW_US)[0].query.items() >= {
        ("pair", "BTCUSD"),
        ("contractType", "PERPETUAL"),
        ("period", "1h"),
    }


def test_history_is_amount_and_value() -> None:
    """History is in coins and dollars on USD-M, in contracts and coins on COIN-M; only a bad row is rejected."""
    row = {"sumOpenInterest": "34085", "sumOpenInterestValue": "1927265695.5", "timestamp": NOW_MS}
    rows = [row, row | {"sumOpenInterest": "-1"}, {"timestamp": NOW_MS}]
    messages = USDM.parse_rest(USDM.history(["BTCUSDT"], NOW_US)[0], encoded(rows), NOW_US).messages
    assert messages[0] == OpenInterest("binance-usdm", "BTCUSDT", "BTC", NOW_US, NOW_US, 34085.0, 1927265695.5)
    assert [message.reason for message in messages if isinstance(message, Reject)] == ["not_positive", "malformed"]
    row = {"sumOpenInterest": "27654", "sumOpenInterestValue": "69.135", "timestamp": NOW_MS, "pair": "BTCUSD"}
    messages = COINM.parse_rest(COINM.history(["BTCUSD_PERP"], NOW_US)[0], encoded([row]), NOW_US).messages
    assert messages == [OpenInterest("binance-coinm", "BTCUSD_PERP", "BTC", NOW_US, NOW_US, 69.135, 2765400.0)]
    with pytest.raises(ValueError, match="no open interest"):
        USDM.parse_rest(USDM.history(["BTCUSDT"], NOW_US)[0], b'{"code":-1121}', NOW_US)


def trade(number: int, time_ms: int) -> dict[str, object]:
    """Return a row of ``aggTrades``."""
    return {"a": number, "p": "40000", "q": "2", "f": 1, "l": 3, "T": time_ms, "m": True}


def test_trades_of_a_gap_have_the_ids_of_the_socket() -> None:
    """A gap is requested in spans of less than an hour; a full answer is continued from its last millisecond."""
    assert USDM.backfill("liquidations", ["BTCUSDT"], NOW_US, NOW_US + 1) == ()
    requests = USDM.backfill("trades", ["BTCUSDT"], NOW_US - 3_600_000_000, NOW_US)
    spans = [(int(r.query["startTime"]) - NOW_MS, int(r.query["endTime"]) - NOW_MS) for r in requests]
    assert spans == [(-3_600_000, -2), (-1, -1)]
    first = requests[0]
    assert first.weight == 20
    page = USDM.parse_rest(first, encoded([trade(7, NOW_MS - 5), {"a": 1}]), NOW_US)
    read, bad = page.messages
    assert read == Trade(
        "binance-usdm", "BTCUSDT", "BTC", NOW_US - 5_000, NOW_US, "sell", 40000.0, 2.0, 80000.0, 3, "7"
    )
    assert isinstance(bad, Reject)
    assert page.next_request is None
    rows = [trade(number, NOW_MS - 2_000 + number) for number in range(1000)]
    further = USDM.parse_rest(first, encoded(rows), NOW_US).next_request
    assert further is not None
    assert further.query == {**first.query, "startTime": str(NOW_MS - 1_001)}
    assert USDM.parse_rest(further, encoded([trade(1, NOW_MS - 1_001)] * 1000), NOW_US).next_request is None
    with pytest.raises(ValueError, match="no trades"):
        USDM.parse_rest(first, b'{"code":-1003,"msg":"Too many requests"}', NOW_US)
