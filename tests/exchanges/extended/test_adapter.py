"""Tests of Extended: the plan of its socket, instruments, and open interest by REST."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.exchanges.extended.adapter import Extended
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Skipped
from monitor.exchanges.toolkit.listings import TRADFI
from monitor.model.events import Channel, OpenInterest

NOW_US = 1_764_000_000_000_000
ALL: tuple[Channel, ...] = ("liquidations", "trades", "mark_price", "open_interest")


def market(name: str, **more: Any) -> dict[str, Any]:
    """Return a market of the exchange's list."""
    stats = {"markPrice": "84058.5", "openInterest": "42147832.5", "openInterestBase": "501.0355"}
    row = {
        "name": name,
        "type": "PERPETUAL",
        "status": "ACTIVE",
        "tradingHours": "CONTINUOUS",
        "createdAt": 1752829532673,
        "marketStats": stats,
    }
    return row | more


def answer(*rows: Any) -> bytes:
    """Return an answer to the request for all markets."""
    return json.dumps({"status": "OK", "data": rows}).encode()


def test_one_socket_carries_all_markets() -> None:
    """Trades, funding, index and mark prices are subscribed once each, without naming a market."""
    (plan,) = Extended().connections(["BTC-USD", "ETH-USD"], ALL)
    asked = [json.loads(request.frame) for request in plan.requests]
    assert [ask["params"]["scope"] for ask in asked] == ["trades", "funding-rates", "prices", "prices"]
    assert {ask["params"]["selector"]["market"] for ask in asked} == {None}
    assert [request.acks for request in plan.requests] == [(ask["id"],) for ask in asked]
    assert plan.channels == {"liquidations", "trades", "mark_price"}


def test_liquidations_alone_bring_a_dense_channel() -> None:
    """Without trades and mark prices a stale socket could not be told from a quiet market."""
    (plan,) = Extended().connections(["BTC-USD"], ["liquidations"])
    assert plan.dense == {"mark_price"}
    assert Extended().connections(["BTC-USD"], ["volatility_index"]) == []
    assert Extended().connections([], ALL) == []


def test_perpetuals_that_trade_around_the_clock_are_listed() -> None:
    """Spot markets, markets with trading hours and unreadable rows are left out with the reason."""
    rows = [
        market("BTC-USD"),
        market("1000PEPE-USD", status="REDUCE_ONLY"),
        market("XAU-USD", tradingHours="WEEKDAYS"),
        market("BTCSPOT-USD", type="SPOT"),
        market("ETH-BTC"),
        {"name": 1},
    ]
    adapter = Extended()
    page = adapter.parse_instruments(answer(*rows), adapter.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTC-USD", "BTC", 1, 1.0, "base", True, 1752829532673000),
        Instrument("1000PEPE-USD", "PEPE", 1000, 1.0, "base", False, 1752829532673000),
    ]
    assert set(page.left_out) == {"XAU-USD", "BTCSPOT-USD", "ETH-BTC", "row 0"}
    assert page.left_out["XAU-USD"] == TRADFI


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": "ERROR", "error": {"code": 429, "message": "too many"}}, "extended answers 429: too many"),
        ({"status": "OK", "data": []}, "extended lists no market"),
    ],
)
def test_an_answer_without_markets_is_refused(body: Any, words: str) -> None:
    """An error or an empty list raises ValueError, so that the cached instruments are kept."""
    with pytest.raises(ValueError, match=words):
        Extended().parse_instruments(json.dumps(body).encode(), Extended.instruments_requests[0])


def test_open_interest_is_polled_for_all_markets_at_once() -> None:
    """Coins are valued by the mark price beside them; other markets and markets without a price are skipped."""
    adapter = Extended({name: Instrument(name, name[:3], 1, 1.0, "base") for name in ("BTC-USD", "ETH-USD")})
    assert adapter.polls(["BTC-USD"], ["trades"]) == ()
    (poll,) = adapter.polls(["BTC-USD"], ALL)
    body = answer(market("BTC-USD"), market("SOL-USD"), market("ETH-USD", marketStats={}))
    interest, *skipped = adapter.parse_rest(poll.request, body, NOW_US).messages
    assert isinstance(interest, OpenInterest)
    assert (interest.symbol, interest.open_interest, interest.event_time_us) == ("BTC-USD", 501.0355, NOW_US)
    assert interest.open_interest_usd == pytest.approx(501.0355 * 84058.5)
    assert skipped == [Skipped("other_market", 1), Skipped("unpriced", 1)]
