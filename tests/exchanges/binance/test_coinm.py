"""Tests of Binance COIN-M: rows against a slow reference, sockets, and instruments with contract sizes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.exchanges.binance.coinm import BinanceCoinm
from monitor.exchanges.instrument import Instrument
from monitor.model.events import Reject
from tests.exchanges.reference import NOW_MS, NOW_US, Expected, check, is_number, is_time, numbers, times_ms

TABLE = {
    "BTCUSD_PERP": Instrument("BTCUSD_PERP", "BTC", 1, 100.0, "usd"),
    "ETHUSD_PERP": Instrument("ETHUSD_PERP", "ETH", 1, 10.0, "usd"),
}
symbols = st.sampled_from([*TABLE, "FOOUSD_PERP"])


def reference(symbol: str, side: str, price: str, contracts: str, time_ms: int) -> list[Expected]:
    """Return the expected event of a row, or none: contracts are dollars, and coins are dollars over the price."""
    if symbol not in TABLE or not (is_number(price) and is_number(contracts) and is_time(time_ms)):
        return []
    usd = Decimal(contracts) * int(TABLE[symbol].contract_size)
    return [(TABLE[symbol].asset, side, Decimal(price), usd / Decimal(price), usd, time_ms)]


@given(symbol=symbols, price=numbers, quantity=numbers, time_ms=times_ms, maker=st.booleans())
def test_trades_are_those_of_a_slow_reference(
    symbol: str, price: str, quantity: str, time_ms: int, maker: bool
) -> None:
    """A row becomes a trade if and only if all its values are plausible, with the reference's numbers."""
    row = {"e": "aggTrade", "s": symbol, "a": 7, "p": price, "q": quantity, "f": 5, "l": 6, "T": time_ms, "m": maker}
    frame = json.dumps({"stream": "x", "data": row | {"st": 2}}).encode()
    expected = reference(symbol, "sell" if maker else "buy", price, quantity, time_ms)
    check(BinanceCoinm(TABLE).parse(frame, NOW_US), expected, 1)


@given(symbol=symbols, price=numbers, filled=numbers, time_ms=times_ms, side=st.sampled_from(["BUY", "SELL"]))
def test_liquidations_are_those_of_a_slow_reference(
    symbol: str, price: str, filled: str, time_ms: int, side: str
) -> None:
    """A sell order closes a long, with the filled contracts and the average price."""
    order = {"s": symbol, "S": side, "q": "9", "p": price, "ap": price, "z": filled, "X": "FILLED", "T": time_ms}
    frame = json.dumps({"stream": "x", "data": {"e": "forceOrder", "E": 1, "st": 2, "o": order}}).encode()
    expected = reference(symbol, "long" if side == "SELL" else "short", price, filled, time_ms)
    check(BinanceCoinm(TABLE).parse(frame, NOW_US), expected, 1)


def test_without_a_table_the_reject_names_the_remedy() -> None:
    """Without contract sizes every row is rejected, and the message names the option to set them."""
    row = {"e": "markPriceUpdate", "E": NOW_MS, "s": "BTCUSD_PERP", "p": "1", "st": 2}
    (message,) = BinanceCoinm().parse(json.dumps(row).encode(), NOW_US)
    assert isinstance(message, Reject)
    assert message.reason == "unknown_symbol"
    assert "--instruments" in message.detail


def test_its_sockets_are_on_its_own_host() -> None:
    """The streams have the names of USD-M; an address in the settings replaces the exchange's."""
    (plan,) = BinanceCoinm(TABLE).connections(["BTCUSD_PERP"], ["liquidations"])
    assert plan.url == "wss://dstream.binance.com/stream"
    assert json.loads(plan.requests[0].frame)["params"] == ["btcusd_perp@forceOrder", "btcusd_perp@markPrice@1s"]
    (plan,) = BinanceCoinm(TABLE).connections(["BTCUSD_PERP"], ["trades"], "ws://127.0.0.1:1/")
    assert plan.url == "ws://127.0.0.1:1/"


def test_the_table_holds_contract_sizes_and_says_what_it_leaves_out() -> None:
    """A contract is worth dollars; dated futures and contracts without a size are left out."""
    known = {
        "symbol": "BTCUSD_PERP",
        "pair": "BTCUSD",
        "contractType": "PERPETUAL",
        "contractStatus": "TRADING",
        "contractSize": 100,
        "baseAsset": "BTC",
        "quoteAsset": "USD",
        "onboardDate": 1597042800000,
    }
    symbols = [
        known,
        known | {"symbol": "ETHUSD_PERP", "baseAsset": "ETH", "contractSize": 10, "contractStatus": "PRE_DELIVERING"},
        known | {"symbol": "BTCUSD_261225", "contractType": "CURRENT_QUARTER"},
        known | {"symbol": "NILUSD_PERP", "contractSize": 0},
        {"symbol": "X"},
    ]
    body = json.dumps({"symbols": symbols}).encode()
    page = BinanceCoinm().parse_instruments(body, BinanceCoinm.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTCUSD_PERP", "BTC", 1, 100.0, "usd", True, 1597042800000000),
        Instrument("ETHUSD_PERP", "ETH", 1, 10.0, "usd", False, 1597042800000000),
    ]
    assert set(page.left_out) == {"BTCUSD_261225", "NILUSD_PERP", "row 4"}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_a_body_that_is_no_table_is_an_error(body: bytes) -> None:
    """A body other than exchangeInfo raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        BinanceCoinm().parse_instruments(body, BinanceCoinm.instruments_requests[0])
