"""Tests venues without liquidations: instruments, sockets, REST requests and addresses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.exchanges.adapter import Adapter
from monitor.exchanges.bingx.adapter import INTEREST, PREMIUM, Bingx
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.kucoin.adapter import Kucoin
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Skipped
from monitor.exchanges.mexc.adapter import Mexc
from monitor.exchanges.phemex.adapter import Phemex
from monitor.model.events import Channel, MarkPrice, OpenInterest, Reject, Trade

NOW_US = 1_764_000_000_000_000
CHANNELS: tuple[Channel, ...] = ("liquidations", "trades", "mark_price", "open_interest")


def page(kind: type[Adapter], content: Any) -> tuple[list[Instrument], dict[str, str]]:
    """Return the result of reading an answer to an adapter's first instruments request."""
    found = kind().parse_instruments(json.dumps(content).encode(), kind.instruments_requests[0])
    assert found.next_request is None
    return found.instruments, found.left_out


def contract(symbol: str, **more: Any) -> dict[str, Any]:
    """Return a contract of KuCoin."""
    row = {
        "symbol": symbol,
        "baseCurrency": "XBT",
        "quoteCurrency": "USDT",
        "multiplier": 0.001,
        "isInverse": False,
        "status": "Open",
        "firstOpenDate": 1585555200000,
        "openInterest": "2000000",
        "markPrice": 95000.0,
        "nextFundingRateDateTime": 1764028800000,
    }
    return row | more


def test_kucoin_lists_perpetuals_with_their_multiplier() -> None:
    """KuCoin's linear contracts are in coins, inverse ones in dollars; dated, invalid and other quotes are left out."""
    rows = [
        contract("XBTUSDTM"),
        contract("XBTUSDM", quoteCurrency="USD", multiplier=-1.0, isInverse=True, status="Paused"),
        contract("XBTMZ25", expireDate=1766736000000),
        contract("ETHBTCM", quoteCurrency="XBT"),
        contract("NILUSDTM", multiplier=0),
        {"symbol": 1},
    ]
    instruments, left_out = page(Kucoin, {"code": "200000", "data": rows})
    assert instruments == [
        Instrument("XBTUSDTM", "BTC", 1, 0.001, "base", True, 1585555200000000),
        Instrument("XBTUSDM", "BTC", 1, 1.0, "usd", False, 1585555200000000),
    ]
    assert set(left_out) == {"XBTMZ25", "ETHBTCM", "NILUSDTM", "row 0"}


def test_kucoin_is_dialled_by_token() -> None:
    """KuCoin's address is made of the first server and the token; an answer without a server raises ValueError."""
    given = {"code": "200000", "data": {"token": "a b", "instanceServers": [{"endpoint": "wss://one.example/"}]}}
    url = Kucoin().dial_url("wss://x/", json.dumps(given).encode())
    assert url == "wss://one.example/?token=a+b&connectId=cascade-monitor"
    given["data"] = {"token": "a", "instanceServers": []}
    with pytest.raises(ValueError, match="no server"):
        Kucoin().dial_url("wss://x/", json.dumps(given).encode())


def test_kucoin_s_open_interest_is_asked_for_all_at_once() -> None:
    """KuCoin's contracts are converted to coins and USD; the next funding time is added to the next mark price."""
    known = {"XBTUSDTM": Instrument("XBTUSDTM", "BTC", 1, 0.001, "base")}
    adapter, memory = Kucoin(known), Memory()
    (poll,) = adapter.polls(["XBTUSDTM"], CHANNELS)
    body = {"code": "200000", "data": [contract("XBTUSDTM"), contract("ETHUSDTM")]}
    messages = adapter.parse_rest(poll.request, json.dumps(body).encode(), NOW_US, memory).messages
    (interest,) = [message for message in messages if isinstance(message, OpenInterest)]
    assert (interest.open_interest, interest.open_interest_usd) == (2000.0, 190_000_000.0)
    data = {"markPrice": 1.0, "indexPrice": 1.0, "timestamp": 1764000000000}
    frame = {"type": "message", "topic": "/contract/instrument:XBTUSDTM", "data": data}
    (mark,) = adapter.parse(json.dumps(frame).encode(), 0, memory)
    assert isinstance(mark, MarkPrice)
    assert mark.next_funding_time_us == 1764028800000000


def test_an_error_in_place_of_an_answer_is_refused_in_words() -> None:
    """An answer with an error code raises ValueError with the exchange's message."""
    for kind, content in (
        (Kucoin, {"code": "429000", "msg": "too many", "data": None}),
        (Mexc, {"success": False, "code": 510, "message": "too many"}),
        (Bingx, {"code": 100410, "msg": "too many"}),
        (Phemex, {"code": 10500, "msg": "too many"}),
    ):
        with pytest.raises(ValueError, match=f"{kind.venue} answer(s|ed) .*too many"):
            page(kind, content)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Kucoin, {"code": "200000", "data": []}),
        (Mexc, {"success": True, "code": 0, "data": []}),
        (Bingx, {"code": 0, "data": []}),
        (Phemex, {"code": 0, "data": {"perpProductsV2": []}}),
    ],
)
def test_an_empty_list_is_no_answer(kind: type[Adapter], content: Any) -> None:
    """An empty list of instruments raises ValueError, so that the cached instruments are kept."""
    with pytest.raises(ValueError, match="lists no"):
        page(kind, content)


def test_mexc_lists_contracts_by_what_they_are_settled_in() -> None:
    """MEXC's contracts are in coins if settled in dollars and in USD if settled in coins; others are left out."""
    common = {
        "symbol": "BTC_USDT",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "contractSize": 0.0001,
    }
    rows = [
        common,
        common | {"symbol": "BTC_USD", "quoteCoin": "USD", "settleCoin": "BTC", "contractSize": 100, "state": 4},
        common | {"symbol": "TSLASTOCK_USDT", "baseCoin": "TSLASTOCK"},
        common | {"symbol": "A_B", "settleCoin": "ETH"},
        common | {"symbol": "ETH_BTC", "quoteCoin": "BTC"},
        common | {"symbol": "NIL_USDT", "contractSize": 0},
    ]
    instruments, left_out = page(Mexc, {"success": True, "code": 0, "data": rows})
    assert instruments == [
        Instrument("BTC_USDT", "BTC", 1, 0.0001, "base", True),
        Instrument("BTC_USD", "BTC", 1, 100.0, "usd", False),
    ]
    assert set(left_out) == {"TSLASTOCK_USDT", "A_B", "ETH_BTC", "NIL_USDT"}


def test_mexc_s_confirmations_are_numbered_by_socket() -> None:
    """MEXC's n-th confirmation of a channel belongs to its n-th request; the count is kept for each socket."""
    adapter = Mexc()
    frame = b'{"channel":"rs.sub.deal","data":"success","ts":1}'
    one, other = Memory(), Memory()
    assert [adapter.parse(frame, 0, memory) for memory in (one, one, other)] == [
        [Ack("deal:1")],
        [Ack("deal:2")],
        [Ack("deal:1")],
    ]
    (plan,) = adapter.connections(["A_USDT", "B_USDT"], ["trades"])
    assert [request.acks for request in plan.requests if '"sub.deal"' in request.frame] == [("deal:1",), ("deal:2",)]


def test_bingx_lists_what_is_quoted_in_dollars() -> None:
    """Instruments of traditional markets and with other quote currencies are left out."""
    rows = [
        {"symbol": "BTC-USDT"},
        {"symbol": "NCSKTSLA2USD-USDT"},
        {"symbol": "ETH-BTC"},
        {"symbol": "X-USDC", "status": 25},
    ]
    instruments, left_out = page(Bingx, {"code": 0, "data": rows})
    assert [(one.symbol, one.asset, one.trading) for one in instruments] == [
        ("BTC-USDT", "BTC", True),
        ("X-USDC", "X", False),
    ]
    assert set(left_out) == {"NCSKTSLA2USD-USDT", "ETH-BTC"}


def test_bingx_s_coin_margined_contracts_are_read_with_their_sizes() -> None:
    """With a table that has them, contracts of ``BTC-USD`` become coins; without one they are quarantined."""
    row = {"q": "5", "p": "80000", "T": 1_764_000_000_120, "m": False, "s": "BTC-USD"}
    frame = json.dumps({"dataType": "BTC-USD@trade", "data": [row]}).encode()
    (trade,) = Bingx({"BTC-USD": Instrument("BTC-USD", "BTC", 1, 100.0, "usd")}).parse(frame, 0)
    assert isinstance(trade, Trade)
    assert (trade.quantity, trade.notional_usd) == (5 * 100 / 80_000, 500.0)
    (refused,) = Bingx().parse(frame, 0)
    assert isinstance(refused, Reject)
    assert "BTC-USD" in page(Bingx, {"code": 0, "data": [{"symbol": "BTC-USDT"}, {"symbol": "BTC-USD"}]})[1]


def test_bingx_s_open_interest_waits_for_a_price() -> None:
    """BingX sends open interest in dollars, so it is converted to coins only once a mark price is known."""
    adapter, memory = Bingx(), Memory()
    premium, interest = adapter.polls(["BTC-USDT"], CHANNELS)
    assert (premium.request.path, interest.request.path, interest.request.query) == (
        PREMIUM,
        INTEREST,
        {"symbol": "BTC-USDT"},
    )
    said = {"code": 0, "data": {"symbol": "BTC-USDT", "openInterest": "190000000", "time": 1764000000000}}
    body = json.dumps(said).encode()
    assert adapter.parse_rest(interest.request, body, NOW_US, memory).messages == [Skipped("unpriced", 1)]
    row = {
        "symbol": "BTC-USDT",
        "markPrice": "95000",
        "indexPrice": "95010",
        "lastFundingRate": "0.0001",
        "nextFundingTime": 1764028800000,
    }
    (mark,) = adapter.parse_rest(
        premium.request, json.dumps({"code": 0, "data": [row]}).encode(), NOW_US, memory
    ).messages
    assert isinstance(mark, MarkPrice)
    assert (mark.funding_rate, mark.next_funding_time_us) == (0.0001, 1764028800000000)
    (found,) = adapter.parse_rest(interest.request, body, NOW_US, memory).messages
    assert isinstance(found, OpenInterest)
    assert (found.open_interest, found.open_interest_usd) == (2000.0, 190_000_000.0)


def test_phemex_lists_perpetuals_against_dollars() -> None:
    """Phemex' instruments are read from their names, with the time of listing."""
    rows = [
        {"symbol": "BTCUSDT", "type": "PerpetualV2", "status": "Listed", "listTime": 1611916828000},
        {"symbol": "ETHBTC", "status": "Listed"},
        {"symbol": "OLDUSDT", "status": "Delisted"},
    ]
    instruments, left_out = page(Phemex, {"code": 0, "data": {"perpProductsV2": rows}})
    assert instruments == [
        Instrument("BTCUSDT", "BTC", 1, 1.0, "base", True, 1611916828000000),
        Instrument("OLDUSDT", "OLD", 1, 1.0, "base", False),
    ]
    assert set(left_out) == {"ETHBTC"}


def test_phemex_has_all_tickers_on_the_first_socket() -> None:
    """Phemex' sockets have at most twenty subscriptions; without trades one socket is enough."""
    symbols = [f"A{number}USDT" for number in range(25)]
    first, second = Phemex().connections(symbols, CHANNELS)
    assert (len(first.requests), len(second.requests)) == (20, 6)
    assert sorted(first.channels) == ["mark_price", "open_interest", "trades"]
    assert sorted(second.channels) == ["trades"]
    (only,) = Phemex().connections(symbols, ["mark_price"])
    assert len(only.requests) == 1


@pytest.mark.parametrize("kind", [Kucoin, Mexc, Bingx, Phemex])
def test_every_symbol_is_on_one_socket(kind: type[Adapter]) -> None:
    """Tickers of all symbols need one socket; no socket is planned if none of the channels is on sockets."""
    symbols = [f"S{number}" for number in range(230)]
    plans = kind().connections(symbols, CHANNELS, "ws://127.0.0.1:1/x")
    assert sum(len(plan.symbols) for plan in plans) == len(symbols)
    assert {plan.url for plan in plans} == {"ws://127.0.0.1:1/x"}
    assert len({plan.name for plan in plans}) == len(plans)
    assert kind().connections(symbols, []) == []
