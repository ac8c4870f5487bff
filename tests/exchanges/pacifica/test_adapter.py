"""Tests of Pacifica: the plan of its sockets, and instruments."""

from __future__ import annotations

import json

import pytest

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.pacifica.adapter import SYMBOLS_PER_CONNECTION, Pacifica
from monitor.model.events import Channel

ALL: tuple[Channel, ...] = ("liquidations", "trades", "mark_price", "open_interest")


def test_a_socket_has_twenty_subscriptions_of_trades() -> None:
    """The first socket has the prices of all markets besides; the confirmations name source and symbol."""
    symbols = [f"COIN{number}" for number in range(SYMBOLS_PER_CONNECTION + 1)]
    first, second = Pacifica().connections(symbols, ALL)
    assert [len(plan.requests) for plan in (first, second)] == [21, 1]
    assert first.requests[0].acks == ("prices",)
    assert second.requests[0].acks == ("trades:COIN20",)
    assert json.loads(second.requests[0].frame)["params"] == {"source": "trades", "symbol": "COIN20"}
    assert second.channels == {"liquidations", "trades"}


def test_prices_alone_need_one_socket() -> None:
    """Without trades no further socket is opened; without a channel that it has, none."""
    symbols = [f"COIN{number}" for number in range(50)]
    (only,) = Pacifica().connections(symbols, ["open_interest"])
    assert only.dense == {"mark_price"}
    assert Pacifica().connections(symbols, ["volatility_index"]) == []


def test_perpetuals_are_listed() -> None:
    """Spot markets and unreadable rows are left out; one unit of ``kBONK`` is a thousand coins."""
    rows = [
        {"symbol": "BTC", "instrument_type": "perpetual", "created_at": 1748881333944},
        {"symbol": "kBONK"},
        {"symbol": "SOL-USDC", "instrument_type": "spot"},
        {"symbol": 1},
    ]
    body = json.dumps({"success": True, "data": rows, "error": None, "code": None}).encode()
    page = Pacifica().parse_instruments(body, Pacifica.instruments_requests[0])
    assert page.instruments == [
        Instrument("BTC", "BTC", 1, 1.0, "base", onboard_us=1748881333944000),
        Instrument("kBONK", "BONK", 1000, 1.0, "base"),
    ]
    assert set(page.left_out) == {"SOL-USDC", "row 0"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"success": False, "data": None, "error": "too many", "code": 429}, "pacifica answers 429: too many"),
        ({"success": True, "data": []}, "pacifica lists no market"),
    ],
)
def test_an_answer_without_markets_is_refused(body: object, words: str) -> None:
    """An error or an empty list raises ValueError, so that the cached instruments are kept."""
    with pytest.raises(ValueError, match=words):
        Pacifica().parse_instruments(json.dumps(body).encode(), Pacifica.instruments_requests[0])
