"""Tests of Binance USD-M: rows against a slow reference, sockets within the limits, and instruments."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.exchanges.binance.usdm import STREAMS_PER_CONNECTION, BinanceUsdm
from monitor.exchanges.instrument import Instrument
from monitor.model.events import MarkPrice, Reject
from tests.exchanges.reference import NOW_US, Expected, check, is_number, is_time, numbers, times_ms

SYMBOLS = {"BTCUSDT": ("BTC", 1), "1000PEPEUSDT": ("PEPE", 1000), "1000000MOGUSDC": ("MOG", 1_000_000)}
symbols = st.sampled_from([*SYMBOLS, "FOO", "ETHBTC"])


@given(symbol=symbols, price=numbers, quantity=numbers, time_ms=times_ms, maker=st.booleans(), fills=st.integers(0, 9))
def test_trades_are_those_of_a_slow_reference(
    symbol: str, price: str, quantity: str, time_ms: int, maker: bool, fills: int
) -> None:
    """A row becomes a trade if and only if all its values are plausible, with the reference's numbers."""
    row = {"e": "aggTrade", "s": symbol, "a": 7, "p": price, "q": quantity, "f": 5, "l": 5 + fills, "T": time_ms}
    frame = json.dumps({"stream": "x", "data": row | {"m": maker}}).encode()
    expected: list[Expected] = []
    if symbol in SYMBOLS and is_number(price) and is_number(quantity) and is_time(time_ms):
        asset, units = SYMBOLS[symbol]
        p, q = Decimal(price), Decimal(quantity)
        expected.append((asset, "sell" if maker else "buy", p / units, q * units, p * q, time_ms))
    check(BinanceUsdm().parse(frame, NOW_US), expected, 1)


order = st.fixed_dictionaries(
    {
        "s": symbols,
        "S": st.sampled_from(["BUY", "SELL", "SELL", "NONE"]),
        "q": numbers,
        "p": numbers,
        "ap": st.one_of(numbers, st.just("0")),
        "z": numbers,
        "X": st.sampled_from(["FILLED", "FILLED", "FILLED", "NEW", "PARTIALLY_FILLED"]),
        "T": times_ms,
    }
)


@given(orders=st.lists(order, max_size=4))
def test_liquidations_are_those_of_a_slow_reference(orders: list[dict[str, Any]]) -> None:
    """Only filled orders are counted, at the average price if there is one; a bad row does not lose the others."""
    expected: list[Expected] = []
    skipped = 0
    for o in orders:
        readable = all(is_float(o[key]) for key in ("q", "p", "ap", "z"))
        if readable and o["X"] != "FILLED":
            skipped += 1
            continue
        price = o["p"] if readable and float(o["ap"]) == 0 else o["ap"]
        sound = readable and is_number(price) and is_number(o["z"]) and is_time(o["T"])
        if sound and o["s"] in SYMBOLS and o["S"] != "NONE":
            asset, units = SYMBOLS[o["s"]]
            p, z = Decimal(price), Decimal(o["z"])
            side = "long" if o["S"] == "SELL" else "short"
            expected.append((asset, side, p / units, z * units, p * z, o["T"]))
    frame = json.dumps({"stream": "x", "data": [{"e": "forceOrder", "E": 1, "o": o} for o in orders]}).encode()
    check(BinanceUsdm().parse(frame, NOW_US), expected, len(orders) - skipped)


def is_float(text: str) -> bool:
    """Return whether a text is a number within the range of a float, or the name of an infinity or of NaN."""
    try:
        value = float(text)
    except ValueError:
        return False
    return abs(value) != float("inf") or "e" not in text


@given(price=numbers, index=numbers, rate=st.one_of(numbers, st.just("-0.0001")), time_ms=times_ms)
def test_mark_prices_keep_what_is_known(price: str, index: str, rate: str, time_ms: int) -> None:
    """A bad index price or rate is omitted; a bad mark price or time, or a rate above 1, gives a reject."""
    row = {"e": "markPriceUpdate", "E": time_ms, "s": "1000PEPEUSDT", "p": price, "i": index, "r": rate, "T": 0}
    (message,) = BinanceUsdm().parse(json.dumps(row).encode(), NOW_US)
    absurd_rate = is_number(rate) and float(rate) > 1
    if is_number(price) and is_time(time_ms) and not absurd_rate:
        assert isinstance(message, MarkPrice)
        assert message.mark_price == pytest.approx(float(price) / 1000)
        assert isinstance(message.index_price, float) is is_number(index)
    else:
        assert isinstance(message, Reject)


def test_with_a_table_only_its_symbols_are_read() -> None:
    """A symbol that is not in the instrument table is rejected, even if its asset could be derived from its name."""
    adapter = BinanceUsdm({"BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base")})
    row = {"e": "markPriceUpdate", "E": NOW_US // 1000, "s": "ETHUSDT", "p": "1"}
    (message,) = adapter.parse(json.dumps(row).encode(), NOW_US)
    assert isinstance(message, Reject)
    assert message.reason == "unknown_symbol"


def test_sockets_stay_within_the_limit_and_carry_a_dense_channel() -> None:
    """Each socket has at most 200 streams: liquidations first, then the dense streams of the same symbols."""
    symbols = [f"C{number}USDT" for number in range(150)]
    plans = BinanceUsdm().connections(symbols, ["trades", "liquidations", "mark_price", "open_interest"])
    assert [len(plan.symbols) for plan in plans] == [66, 66, 18]
    assert len({plan.name for plan in plans}) == 3
    for plan in plans:
        requests = [json.loads(request.frame) for request in plan.requests]
        streams = [stream for request in requests for stream in request["params"]]
        assert len(streams) == len(set(streams)) == 3 * len(plan.symbols) <= STREAMS_PER_CONNECTION
        assert all(stream.endswith("@forceOrder") for stream in streams[: len(plan.symbols)])
        assert [request.acks for request in plan.requests] == [(str(content["id"]),) for content in requests]
        assert plan.dense == {"mark_price", "trades"}
        assert plan.channels == {"liquidations", "mark_price", "trades"}
        assert (plan.url, plan.max_age_s, plan.keepalive) == (BinanceUsdm.ws_url, 84_600.0, None)


def test_liquidations_alone_get_the_mark_price_beside_them() -> None:
    """A sparse channel is never alone on a socket; without a supported channel there is no socket."""
    (plan,) = BinanceUsdm().connections(["BTCUSDT"], ["liquidations"], "ws://127.0.0.1:1/x")
    assert plan.url == "ws://127.0.0.1:1/x"
    assert plan.dense == {"mark_price"}
    assert BinanceUsdm().connections(["BTCUSDT"], ["open_interest"]) == []
    assert BinanceUsdm().connections([], ["liquidations"]) == []


def listed(symbol: str, base: str, **changes: object) -> dict[str, object]:
    """Return one symbol of exchangeInfo."""
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "onboardDate": 1569398400000,
        "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.10"}],
        **changes,
    }


def test_the_table_holds_dollar_perpetuals_and_says_what_it_leaves_out() -> None:
    """Dated futures, traditional markets, other quotes and unreadable rows are left out with the reason."""
    body = {
        "timezone": "UTC",
        "symbols": [
            listed("BTCUSDT", "BTC"),
            listed("1000PEPEUSDC", "1000PEPE", quoteAsset="USDC", status="SETTLING"),
            listed("BTCUSDT_261225", "BTC", contractType="CURRENT_QUARTER"),
            listed("TSLAUSDT", "TSLA", contractType="TRADIFI_PERPETUAL"),
            listed("ETHBTC", "ETH", quoteAsset="BTC"),
            {"symbol": "X"},
        ],
    }
    page = BinanceUsdm().parse_instruments(json.dumps(body).encode(), BinanceUsdm.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTCUSDT", "BTC", 1, 1.0, "base", True, 1569398400000000),
        Instrument("1000PEPEUSDC", "PEPE", 1000, 1.0, "base", False, 1569398400000000),
    ]
    assert set(page.left_out) == {"BTCUSDT_261225", "TSLAUSDT", "ETHBTC", "row 5"}
    assert page.next_request is None


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"symbols":{}}'])
def test_a_body_that_is_no_table_is_an_error(body: bytes) -> None:
    """A body other than exchangeInfo raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        BinanceUsdm().parse_instruments(body, BinanceUsdm.instruments_requests[0])


def test_a_bare_array_with_a_bad_row_costs_that_row_alone() -> None:
    """Rows in an array without an envelope are checked one by one."""
    good = {
        "e": "markPriceUpdate",
        "E": NOW_US // 1000,
        "s": "BTCUSDT",
        "p": "65000",
        "i": "65000",
        "r": "0.0001",
        "T": 0,
    }
    messages = BinanceUsdm().parse(json.dumps([good, {**good, "p": []}]).encode(), NOW_US)
    assert [type(message) for message in messages] == [MarkPrice, Reject]
