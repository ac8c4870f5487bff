"""Tests of Gate: rows against a slow reference, sockets, contracts, and the liquidations of a gap."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.exchanges.adapter import SEND_TIME
from monitor.exchanges.gate.adapter import Gate
from monitor.exchanges.instrument import Instrument
from monitor.model.events import Liquidation, Reject
from tests.exchanges.reference import NOW_MS, NOW_US, Expected, check, is_number, is_time, numbers, times_ms

TABLE = {
    "BTC_USDT": Instrument("BTC_USDT", "BTC", 1, 0.0001, "base", product="usdt"),
    "BTC_USD": Instrument("BTC_USD", "BTC", 1, 1.0, "usd", product="btc"),
}
row = st.fixed_dictionaries(
    {
        "contract": st.sampled_from([*TABLE, "FOO_USDT"]),
        "price": numbers,
        "size": st.integers(-500, 500),
        "time": times_ms.filter(lambda time_ms: not 0 < time_ms < 10**10),  # which would be taken for seconds
    }
)


def reference(rows: list[dict[str, Any]], sides: tuple[str, str]) -> list[Expected]:
    """Return the expected events of rows by the sign of their size, computed one by one with Decimals."""
    expected: list[Expected] = []
    for r in rows:
        if r["contract"] in TABLE and is_number(r["price"]) and r["size"] and is_time(r["time"]):
            price, contracts = Decimal(r["price"]), Decimal(abs(r["size"]))
            coins, usd = contracts / 10_000, contracts / 10_000 * price
            if r["contract"] == "BTC_USD":
                coins, usd = contracts / price, contracts
            expected.append(("BTC", sides[r["size"] < 0], price, coins, usd, r["time"]))
    return expected


@given(rows=st.lists(row, max_size=5))
def test_liquidations_are_those_of_a_slow_reference(rows: list[dict[str, Any]]) -> None:
    """Each row is checked alone; an order with a negative size closed a long."""
    frame = {"time": 1, "channel": "futures.public_liquidates", "event": "update", "result": rows}
    check(Gate(TABLE).parse(json.dumps(frame).encode(), NOW_US), reference(rows, ("short", "long")), len(rows))


@given(rows=st.lists(row, max_size=5))
def test_trades_are_those_of_a_slow_reference(rows: list[dict[str, Any]]) -> None:
    """Each row is checked alone; a negative size means that the taker sold."""
    trades = [r | {"id": 1, "create_time_ms": r["time"]} for r in rows]
    frame = {"time": 1, "channel": "futures.trades", "event": "update", "result": trades}
    check(Gate(TABLE).parse(json.dumps(frame).encode(), NOW_US), reference(rows, ("buy", "sell")), len(rows))


def test_without_a_table_the_reject_names_the_remedy() -> None:
    """Without contract sizes every row is rejected, and the message names the option to set them."""
    result = {"contract": "BTC_USDT", "price": "1", "size": 1, "time": NOW_MS}
    frame = {"time": 1, "channel": "futures.public_liquidates", "event": "update", "result": result}
    (message,) = Gate().parse(json.dumps(frame).encode(), NOW_US)
    assert isinstance(message, Reject)
    assert message.reason == "unknown_symbol"
    assert "--instruments" in message.detail


def test_each_settlement_has_its_sockets_and_its_first_one_the_liquidations() -> None:
    """Each settlement has a path; a request gets its time when it is sent, and is acknowledged by its id."""
    names = [f"COIN{number:03}_USDT" for number in range(101)]
    plans = Gate().connections([*names, "BTC_USD"], ["liquidations", "trades", "mark_price"])
    assert [(plan.name, plan.url.rpartition("/")[2], len(plan.symbols)) for plan in plans] == [
        ("usdt-0", "usdt", 100),
        ("usdt-1", "usdt", 1),
        ("btc-0", "btc", 1),
    ]
    assert ["liquidations" in plan.channels for plan in plans] == [True, False, True]
    first = [json.loads(request.frame) for request in plans[0].requests]
    assert [content["channel"].removeprefix("futures.") for content in first] == [
        "public_liquidates",
        "tickers",
        "tickers",
        "trades",
        "trades",
    ]
    assert first[0]["payload"] == ["!all"]
    assert {len(content["payload"]) for content in first[1:]} == {50}
    assert all(content["time"] == SEND_TIME for content in first)
    assert [request.acks for request in plans[0].requests] == [(str(content["id"]),) for content in first]
    assert all(plan.dense == {"mark_price", "trades"} and plan.keepalive is not None for plan in plans)


def test_no_channel_or_no_symbol_is_no_socket() -> None:
    """No channel needs no socket; an address with a settlement is adapted to the other one, any other serves both."""
    assert Gate().connections(["BTC_USDT"], ["volatility_index"]) == []
    assert Gate().connections([], ["liquidations"]) == []
    for url, other in (("ws://127.0.0.1:1/v4/ws/usdt", "ws://127.0.0.1:1/v4/ws/btc"), ("ws://127.0.0.1:1/",) * 2):
        plans = Gate().connections(["BTC_USDT", "BTC_USD"], ["liquidations"], url)
        assert [plan.url for plan in plans] == [url, other]
        assert all(plan.dense == {"mark_price"} for plan in plans)


def listed(name: str, **changes: object) -> dict[str, object]:
    """Return one contract of the table."""
    known = {"name": name, "type": "direct", "quanto_multiplier": "0.0001", "in_delisting": False}
    return known | {"create_time": 1546300800.0, "mark_type": "index", "order_price_round": "0.1"} | changes


@pytest.mark.parametrize("created", [1e300, -1.0, "NaN", "inf"])
def test_a_contract_whose_beginning_is_no_time_is_listed_all_the_same(created: float | str) -> None:
    """A bad time of listing is taken as unknown, and loses neither its contract nor others."""
    rows = [listed("BTC_USDT", create_time=created), listed("ETH_USDT")]
    page = Gate().parse_instruments(json.dumps(rows).encode(), Gate.instruments_requests[0])
    assert [(one.symbol, one.onboard_us) for one in page.instruments] == [
        ("BTC_USDT", 0),
        ("ETH_USDT", 1_546_300_800_000_000),
    ]


def test_the_table_holds_contract_sizes_and_says_what_it_leaves_out() -> None:
    """An inverse contract is worth one dollar; quanto, traditional and sizeless ones are left out."""
    rows = [
        listed("BTC_USDT"),
        listed("1000PEPE_USDT", quanto_multiplier="10", in_delisting=True, create_time=0),
        listed("TSLAX_USDT", contract_type="stocks"),
        listed("BTC_EUR"),
        listed("NIL_USDT", quanto_multiplier="0"),
        {"name": "X"},
    ]
    page = Gate().parse_instruments(json.dumps(rows).encode(), Gate.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTC_USDT", "BTC", 1, 0.0001, "base", True, 1546300800000000, "usdt"),
        Instrument("1000PEPE_USDT", "PEPE", 1000, 10.0, "base", False, 0, "usdt"),
    ]
    assert set(page.left_out) == {"TSLAX_USDT", "BTC_EUR", "NIL_USDT", "row 5"}
    assert page.next_request is None
    rows = [
        listed("BTC_USD", type="inverse", quanto_multiplier="0"),
        listed("ETH_USD", type="direct", quanto_multiplier="0.000001"),
        listed("ODD_USD", type="inverse", quanto_multiplier="5"),
    ]
    page = Gate().parse_instruments(json.dumps(rows).encode(), Gate.instruments_requests[1])
    assert page.instruments == [Instrument("BTC_USD", "BTC", 1, 1.0, "usd", True, 1546300800000000, "btc")]
    assert set(page.left_out) == {"ETH_USD", "ODD_USD"}
    assert [request.path for request in Gate.instruments_requests] == [
        "/api/v4/futures/usdt/contracts",
        "/api/v4/futures/btc/contracts",
        "/api/v4/futures/usd1/contracts",
    ]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"label":"INVALID","message":"no"}'])
def test_a_body_that_is_no_array_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Gate().parse_instruments(body, Gate.instruments_requests[0])
    (request,) = Gate(TABLE).backfill("liquidations", ["BTC_USDT"], NOW_US, NOW_US + 1_000_000)
    with pytest.raises(ValueError, match=r"."):
        Gate(TABLE).parse_rest(request, body, NOW_US)


def test_liquidations_of_a_gap_are_asked_by_the_hour_and_read_by_the_positions_sign() -> None:
    """Requests cover the whole seconds of a gap; a positive size is a long, at its average fill price."""
    adapter = Gate(TABLE)
    begin = NOW_MS // 1000
    assert adapter.backfill("trades", ["BTC_USDT"], 0, NOW_US) == ()
    assert adapter.backfill("liquidations", ["BTC_USDT"], NOW_US + 1, NOW_US + 999_999) == []
    requests = adapter.backfill("liquidations", ["BTC_USDT", "BTC_USD"], NOW_US - 1, NOW_US + 3_601_500_000)
    assert [(r.about, int(r.query["from"]) - begin, int(r.query["to"]) - begin) for r in requests] == [
        ("usdt", 0, 3_599),
        ("usdt", 3_600, 3_600),
        ("btc", 0, 3_599),
        ("btc", 3_600, 3_600),
    ]
    order = {"time": begin, "contract": "BTC_USDT", "size": 600, "order_size": -500, "order_price": "39900"}
    rows = [order | {"fill_price": "40000"}, order | {"size": -600, "order_size": 500, "fill_price": "0"}, {}]
    page = adapter.parse_rest(requests[0], json.dumps(rows).encode(), NOW_US)
    assert [
        (m.side, m.price, m.price_kind, m.quantity, m.notional_usd, m.coverage, m.id, m.event_time_us)
        for m in page.messages
        if isinstance(m, Liquidation)
    ] == [
        (
            "long",
            40000.0,
            "average_fill",
            0.05,
            2000.0,
            "sampled",
            f"gate:BTC_USDT:{begin}:-500.0:39900.0:40000.0",
            NOW_US,
        ),
        ("short", 39900.0, "order", 0.05, 1995.0, "sampled", f"gate:BTC_USDT:{begin}:500.0:39900.0:0.0", NOW_US),
    ]
    assert [m.reason for m in page.messages if isinstance(m, Reject)] == ["malformed"]
    assert page.next_request is None


def test_a_full_answer_is_continued_before_its_oldest_row() -> None:
    """After a full answer of 1,000 rows older ones are requested, unless one second fills the answer."""
    adapter = Gate(TABLE)
    (request,) = adapter.backfill("liquidations", ["BTC_USDT"], NOW_US, NOW_US + 60_000_000)
    oldest = NOW_MS // 1000 + 30
    order = {"time": oldest, "contract": "BTC_USDT", "size": 1, "order_price": "1", "fill_price": "1"}
    body = json.dumps([order] * 1000).encode()
    further = adapter.parse_rest(request, body, NOW_US + 60_000_000).next_request
    assert further is not None
    assert further.query == {**request.query, "to": str(oldest)}
    assert adapter.parse_rest(further, body, NOW_US + 60_000_000).next_request is None


def test_contracts_settled_in_usd1_have_their_own_address_and_table() -> None:
    """The settlement is read off the quote, and each is subscribed where it is traded."""
    table = TABLE | {"BTC_USD1": Instrument("BTC_USD1", "BTC", 1, 0.0001, "base", product="usd1")}
    plans = Gate(table).connections([*table], ["liquidations", "trades"])
    assert {plan.url.rpartition("/")[2]: plan.symbols for plan in plans} == {
        "usdt": ("BTC_USDT",),
        "btc": ("BTC_USD",),
        "usd1": ("BTC_USD1",),
    }
    (request,) = (one for one in Gate.instruments_requests if one.about == "usd1")
    assert request.path == "/api/v4/futures/usd1/contracts"
    page = Gate().parse_instruments(json.dumps([listed("BTC_USD1")]).encode(), request)
    assert [(one.symbol, one.asset, one.product) for one in page.instruments] == [("BTC_USD1", "BTC", "usd1")]
    (gap,) = Gate(table).backfill("liquidations", ["BTC_USD1"], NOW_US, NOW_US + 2_000_000)
    assert gap.path == "/api/v4/futures/usd1/liq_orders"
