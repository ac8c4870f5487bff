"""Tests of Hyperliquid: sockets, accounts, lists of coins, contexts, and the fills of a gap."""

from __future__ import annotations

import json

import pytest

from monitor.detect.settings import MarketSettings
from monitor.exchanges.hyperliquid.adapter import INDEXES, LIQUIDATORS, OWN_CONTEXTS, PAGE_ROWS, Hyperliquid
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Skipped
from monitor.exchanges.rest_requests import RestRequest
from monitor.model.events import Liquidation, MarkPrice, OpenInterest, Reject, Trade

NOW_US = 1_764_000_000_000_000
ACCOUNT = "0xAbCd000000000000000000000000000000000000"
DEAD = "0x1111111111111111111111111111111111111111"


def keys(adapter: Hyperliquid, symbols: list[str], *channels: str) -> list[list[str]]:
    """Return the subscriptions of each socket."""
    plans = adapter.connections(symbols, channels)  # type: ignore[arg-type]  # the names are channels
    return [[key for one in plan.requests for key in one.acks] for plan in plans]


def test_few_coins_have_their_own_contexts_and_accounts_join_the_vaults() -> None:
    """Only the first socket has fills; the configured accounts follow the vaults, each once."""
    adapter = Hyperliquid()
    adapter.accounts = (ACCOUNT, LIQUIDATORS[0].upper())
    users = [f"userFills:{user}" for user in (*LIQUIDATORS, ACCOUNT.lower())]
    assert keys(adapter, ["BTC"], "liquidations", "trades", "mark_price") == [
        ["activeAssetCtx:BTC", *users, "trades:BTC"]
    ]
    assert keys(adapter, ["BTC"], "liquidations") == [["activeAssetCtx:BTC", *users]]
    assert keys(adapter, ["BTC"], "trades") == [["trades:BTC"]]
    assert keys(adapter, ["BTC"]) == []
    symbols = [f"C{number}" for number in range(201)]
    first, second = adapter.connections(symbols, ["liquidations", "trades", "mark_price"], "ws://h:1/")
    assert first.channels - second.channels == {"liquidations"}
    assert second.dense == {"mark_price", "trades"}


def test_many_coins_share_the_channel_of_all_contexts() -> None:
    """The channel of all contexts is on the first socket; without trades one socket is enough."""
    symbols = [f"C{number}" for number in range(OWN_CONTEXTS + 1)]
    first, second = Hyperliquid().connections(symbols, ["trades", "mark_price", "open_interest"])
    assert [one.acks for one in first.requests][:2] == [("allDexsAssetCtxs",), ("trades:C0",)]
    assert first.channels == {"trades", "mark_price", "open_interest"}
    assert second.channels == {"trades"}
    assert second.dense == {"trades"}
    assert keys(Hyperliquid(), symbols, "mark_price") == [["allDexsAssetCtxs"]]


def universe(*names: str, **changes: object) -> dict[str, object]:
    """Return the list of an exchange's coins."""
    return {
        "universe": [{"name": name, "szDecimals": 2, "maxLeverage": 20} | changes for name in names],
        "marginTables": [],
        "collateralToken": 0,
    }


def test_universes_are_read() -> None:
    """Coins that Hyperliquid lists too are the same asset; of traditional markets only the indexes are kept."""
    body = json.dumps(
        [
            universe("BTC", "kPEPE"),
            universe("xyz:XYZ100", "xyz:TSLA", "xyz:SP500"),
            universe("hyna:BTC", isDelisted=True),
        ]
    )
    page = Hyperliquid().parse_instruments(body.encode(), Hyperliquid.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTC", "BTC", 1, 1.0, "base", key=":0"),
        Instrument("kPEPE", "PEPE", 1000, 1.0, "base", key=":1"),
        Instrument("xyz:XYZ100", "XYZ:XYZ100", 1, 1.0, "base", product="xyz", key="xyz:0"),
        Instrument("xyz:SP500", "XYZ:SP500", 1, 1.0, "base", product="xyz", key="xyz:2"),
        Instrument("hyna:BTC", "BTC", 1, 1.0, "base", False, product="hyna", key="hyna:0"),
    ]
    assert set(page.left_out) == {"xyz:TSLA"}
    assert Hyperliquid().parse_instruments(b"[]", Hyperliquid.instruments_requests[0]).instruments == []
    with pytest.raises(ValueError, match=r"."):
        Hyperliquid().parse_instruments(b'{"universe":[]}', Hyperliquid.instruments_requests[0])


def test_the_detector_knows_the_indexes() -> None:
    """The indexes that are kept are those in the detector's settings, with the same names."""
    assert {name.upper() for name in INDEXES} == set(MarketSettings().indexes)


def test_all_contexts_are_told_apart_by_their_places() -> None:
    """A coin is identified by its position; unknown positions are counted, and a bad context is rejected."""
    adapter = Hyperliquid(
        {
            "BTC": Instrument("BTC", "BTC", 1, 1.0, "base", key=":0"),
            "ETH": Instrument("ETH", "ETH", 1, 1.0, "base", key=":2"),
            "xyz:SP500": Instrument("xyz:SP500", "XYZ:SP500", 1, 1.0, "base", product="xyz", key="xyz:1"),
        }
    )
    context = {"markPx": "10", "oraclePx": "11", "funding": "0.00001", "openInterest": "4"}
    ctxs = [["", [context, context, {"markPx": []}]], ["xyz", [context, context | {"markPx": "20"}]]]
    frame = json.dumps({"channel": "allDexsAssetCtxs", "data": {"ctxs": ctxs}}).encode()
    first, interest, refused, second, _, left = adapter.parse(frame, NOW_US + 1)
    assert isinstance(first, MarkPrice)
    assert (first.symbol, first.mark_price, first.next_funding_time_us) == ("BTC", 10.0, NOW_US + 3_600_000_000)
    assert interest == OpenInterest("hyperliquid", "BTC", "BTC", NOW_US + 1, NOW_US + 1, 4.0, 40.0)
    assert isinstance(refused, Reject)
    assert isinstance(second, MarkPrice)
    assert (second.symbol, second.mark_price) == ("xyz:SP500", 20.0)
    assert left == Skipped("other_market", 2)


def row(number: int, time_ms: int = NOW_US // 1000) -> dict[str, object]:
    """Return a fill in which the account is the counterparty of a liquidated long."""
    return {
        "coin": "BTC",
        "px": "80000",
        "sz": "0.5",
        "side": "B",
        "time": time_ms,
        "tid": number,
        "liquidation": {"liquidatedUser": DEAD, "markPx": "80001", "method": "backstop"},
    }


def test_a_gap_is_filled_from_the_accounts_fills() -> None:
    """Fills have the ids of the socket; a full page is continued from its last row, unless that has no progress."""
    adapter = Hyperliquid()
    asks = adapter.backfill("liquidations", ["BTC"], NOW_US - 5_000_001, NOW_US + 1)
    assert [ask.about for ask in asks] == list(LIQUIDATORS)
    assert asks[0].body == {
        "type": "userFillsByTime",
        "user": LIQUIDATORS[0],
        "startTime": 1763999994999,
        "endTime": 1764000000001,
    }
    body = json.dumps([row(1), {"coin": "BTC"}, row(2) | {"liquidation": None}]).encode()
    page = adapter.parse_rest(asks[0], body, NOW_US + 5)
    assert page.next_request is None
    first, refused = page.messages
    assert isinstance(first, Liquidation)
    assert (first.id, first.side) == ("hyperliquid:BTC:1764000000000:1", "long")
    assert isinstance(refused, Reject)
    full = json.dumps([row(number) for number in range(PAGE_ROWS)]).encode()
    following = adapter.parse_rest(asks[0], full, NOW_US + 5).next_request
    assert following is not None
    assert following.body is not None
    assert following.body["startTime"] == NOW_US // 1000
    assert adapter.parse_rest(following, full, NOW_US + 5).next_request is None
    assert adapter.backfill("trades", ["BTC"], 0, 1) == ()


@pytest.mark.parametrize("body", [b"<html>", b'{"error":"busy"}'])
def test_a_body_without_fills_is_an_error(body: bytes) -> None:
    """An answer in another format raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Hyperliquid().parse_rest(RestRequest("/info", body={}), body, NOW_US)


def test_a_trade_that_comes_minutes_late_counts() -> None:
    """The same old trade is backlog after the subscription, and a late event on the socket's later life."""
    subscription = {"type": "trades", "coin": "BTC"}
    response = {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": subscription}}
    old = {"coin": "BTC", "side": "B", "px": "80000", "sz": "0.5", "time": NOW_US // 1000 - 300_000, "tid": 7}
    frame = json.dumps({"channel": "trades", "data": [old]}).encode()
    adapter, memory = Hyperliquid({"BTC": Instrument("BTC", "BTC", 1, 1.0, "base", key=":0")}), Memory()
    assert adapter.parse(json.dumps(response).encode(), NOW_US - 20_000_000, memory) == [Ack("trades:BTC")]
    assert adapter.parse(frame, NOW_US - 15_000_000, memory) == [Skipped("backlog", 1)]
    (late,) = adapter.parse(frame, NOW_US, memory)
    assert isinstance(late, Trade)
    assert late.event_time_us == NOW_US - 300_000_000
