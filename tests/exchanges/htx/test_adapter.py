"""Tests of HTX: compressed frames, sockets of each kind, instruments, and open interest."""

from __future__ import annotations

import base64
import gzip
import io
import json

import pytest

from monitor.cli.decode import FrameSource, decode
from monitor.exchanges.htx.adapter import SYMBOLS_PER_CONNECTION, Htx, day_us
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Skipped
from monitor.model.events import Liquidation, OpenInterest, Reject, Trade

NOW_MS = 1_764_000_000_000
TABLE = {
    "BTC-USDT": Instrument("BTC-USDT", "BTC", 1, 0.001, "base", product="linear"),
    "BTC-USD": Instrument("BTC-USD", "BTC", 1, 100.0, "usd", product="coin"),
}
ROW = {
    "contract_code": "BTC-USDT",
    "direction": "sell",
    "offset": "close",
    "volume": 227,
    "price": 23350.5,
    "created_at": NOW_MS,
    "amount": 0.227,
    "trade_turnover": 5300.5635,
}
FRAME = json.dumps({"op": "notify", "topic": "public.*.liquidation_orders", "data": [ROW]}).encode()


def test_compressed_and_plain_frames_are_alike() -> None:
    """Frames are compressed with gzip; a truncated one is rejected."""
    adapter = Htx(TABLE)
    packed = gzip.compress(FRAME)
    (event,) = adapter.parse(packed, 0)
    assert isinstance(event, Liquidation)
    assert [event] == adapter.parse(FRAME, 0)
    (refused,) = adapter.parse(packed[:-9], 0)
    assert isinstance(refused, Reject)
    assert refused.reason == "malformed"


def test_decode_reads_text_and_base64() -> None:
    """A line is a frame as text, or the base64 of a compressed one; base64 that is none is a fault of its line."""
    lines = [FRAME, base64.b64encode(gzip.compress(FRAME)), b"H4sI!", b""]
    out, err = io.BytesIO(), io.BytesIO()
    assert decode(lines, FrameSource(Htx, TABLE), out.write, err.write) == 1
    first, second = out.getvalue().splitlines()
    assert first == second
    assert json.loads(err.getvalue())["line"] == 3


def test_each_kind_of_socket_has_its_address() -> None:
    """Trades and notifications by product, mark prices of all on the index socket; an address for all serves all."""
    plans = {plan.name: plan for plan in Htx(TABLE).connections([*TABLE], ["liquidations", "trades", "mark_price"])}
    assert {name: plan.url.rpartition("/")[2] for name, plan in plans.items()} == {
        "linear-trades-0": "linear-swap-ws",
        "linear-notification": "linear-swap-notification",
        "coin-trades-0": "swap-ws",
        "coin-notification": "swap-notification",
        "index-0": "ws_index",
    }
    assert [key for one in plans["index-0"].requests for key in one.acks] == [
        "market.BTC-USDT.mark_price.1min",
        "market.BTC-USD.mark_price.1min",
    ]
    many = {f"C{n}-USDT": Instrument(f"C{n}-USDT", f"C{n}", 1, 1.0, "base") for n in range(SYMBOLS_PER_CONNECTION + 1)}
    assert [len(plan.symbols) for plan in Htx(many).connections([*many], ["trades"], "ws://h:1/")] == [100, 1]
    assert Htx(TABLE).connections(["FOO-USDT"], ["trades", "liquidations"]) == []
    assert [plan.url for plan in Htx(TABLE).connections(["BTC-USD"], ["mark_price"], "ws://h:1/")] == ["ws://h:1/"]


def test_instruments_of_both_products_are_read() -> None:
    """Linear contracts are worth coins and coin-margined ones dollars; dated and odd ones are left out."""
    linear, coin = Htx.instruments_requests
    rows = [
        {"contract_code": "BTC-USDT", "symbol": "BTC", "contract_size": 0.001, "create_date": "20201021"},
        {"contract_code": "BTC-USDT-261225", "symbol": "BTC", "contract_size": 0.001, "delivery_date": "20261225"},
        {"contract_code": "ETH-BTC", "symbol": "ETH", "contract_size": 1},
        {"contract_code": "NIL-USDT", "symbol": "NIL", "contract_size": 0},
        {"symbol": "BAD"},
    ]
    page = Htx().parse_instruments(json.dumps({"status": "ok", "data": rows, "ts": 1}).encode(), linear)
    opened_us = 1_603_238_400_000_000  # 2020-10-21
    assert page.instruments == [Instrument("BTC-USDT", "BTC", 1, 0.001, "base", True, opened_us, "linear")]
    assert set(page.left_out) == {"BTC-USDT-261225", "ETH-BTC", "NIL-USDT", "linear row 0"}
    rows = [{"contract_code": "BTC-USD", "symbol": "BTC", "contract_size": 100, "contract_status": 3}]
    page = Htx().parse_instruments(json.dumps({"status": "ok", "data": rows, "ts": 1}).encode(), coin)
    assert page.instruments == [Instrument("BTC-USD", "BTC", 1, 100.0, "usd", False, 0, "coin")]
    assert day_us("soon") == 0


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"status":"error","err_code":1003,"err_msg":"busy","ts":1}'])
def test_a_body_that_is_no_table_is_an_error(body: bytes) -> None:
    """An answer in another format, or an error of the exchange, raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Htx().parse_instruments(body, Htx.instruments_requests[0])


def test_trades_add_up_to_half_of_what_both_sides_traded() -> None:
    """A row counts the buyer and the seller, so the trades read from rows of any shape hold half of their amounts."""
    rows = [
        {"amount": amount, "ts": NOW_MS, "id": number, "price": 80_000, "direction": side}
        for number, (amount, side) in enumerate([(2, "buy"), (30, "sell"), (8, "buy"), (174, "sell")])
    ]
    topic = "market.BTC-USDT.trade.detail"
    frames: list[dict[str, object]] = [
        {"ch": topic, "ts": NOW_MS, "tick": {"id": 1, "ts": NOW_MS, "data": rows}},
        {"rep": topic, "id": "1", "status": "ok", "ts": NOW_MS, "data": rows},
        {"ch": topic, "status": "ok", "ts": NOW_MS, "data": [{"id": 1, "ts": NOW_MS, "data": [row]} for row in rows]},
    ]
    for frame in frames:
        trades = Htx(TABLE).parse(json.dumps(frame).encode(), 0)
        assert all(isinstance(trade, Trade) for trade in trades)
        coins = sum(trade.quantity for trade in trades if isinstance(trade, Trade))
        assert coins == pytest.approx((2 + 30 + 8 + 174) / 2 * 0.001, rel=1e-12)


def test_half_of_the_open_interest_of_both_sides_is_that_of_one() -> None:
    """Linear value is in dollars already; coin-margined contracts are. Swaps that are not watched are left."""
    adapter = Htx(TABLE)
    linear, coin = adapter.polls([*TABLE], ["open_interest"])
    assert adapter.polls([*TABLE], ["trades"]) == ()
    rows: list[dict[str, object]] = [
        {"contract_code": "BTC-USDT", "volume": 4_000_000, "amount": 4000, "value": 320_000_000},
        {"contract_code": "FOO-USDT", "volume": 1, "amount": 1, "value": 1},
        {"contract_code": "BTC-USDT", "volume": -1, "amount": -1, "value": 1},
        {"contract_code": "BTC-USDT", "volume": 1, "amount": 1},
    ]
    body = json.dumps({"status": "ok", "data": rows, "ts": NOW_MS}).encode()
    first, left, *bad = adapter.parse_rest(linear.request, body, NOW_MS * 1000).messages
    assert first == OpenInterest("htx", "BTC-USDT", "BTC", NOW_MS * 1000, NOW_MS * 1000, 2000.0, 160_000_000.0)
    assert left == Skipped("other_market", 1)
    assert [type(one) for one in bad] == [Reject, Reject]
    rows = [{"contract_code": "BTC-USD", "volume": 16_000, "amount": 20}]
    body = json.dumps({"status": "ok", "data": rows, "ts": NOW_MS}).encode()
    (only,) = adapter.parse_rest(coin.request, body, NOW_MS * 1000).messages
    assert only == OpenInterest("htx", "BTC-USD", "BTC", NOW_MS * 1000, NOW_MS * 1000, 10.0, 800_000.0)
