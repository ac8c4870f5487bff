"""Frames that are damaged, huge, untrue or unknown, over real sockets into the real program."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.exchanges.dialect import Outgoing
from monitor.lab.simulate.exchanges.okx import LIQUIDATIONS_ARG, topic_of
from monitor.lab.simulate.scenario import CALM
from tests.e2e.stage import Program, reached, scrape, value, write_config
from tests.logs import faults
from tests.waiting import patient
from tests.web import get

HOUR_MS = 3_600_000
OVERSIZED = b'{"x":"' + b"x" * 10_000_000 + b'"}'

Frame = Callable[[str, str, str, int], dict[str, Any]]
"""A liquidation of a venue: symbol, quantity, price, milliseconds since the epoch."""


def binance(symbol: str, quantity: str, price: str, at_ms: int) -> dict[str, Any]:
    """A filled forced order."""
    order = {
        "s": symbol,
        "S": "SELL",
        "o": "LIMIT",
        "f": "IOC",
        "q": quantity,
        "p": price,
        "ap": price,
        "X": "FILLED",
        "l": quantity,
        "z": quantity,
        "T": at_ms,
    }
    return {"e": "forceOrder", "E": at_ms, "st": 1, "o": order}


def bybit(symbol: str, quantity: str, price: str, at_ms: int) -> dict[str, Any]:
    """A liquidated long."""
    row = {"T": at_ms, "s": symbol, "S": "Buy", "v": quantity, "p": price}
    return {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": at_ms, "data": [row]}


def okx(symbol: str, quantity: str, price: str, at_ms: int) -> dict[str, Any]:
    """A liquidated long of so many contracts."""
    detail = {
        "side": "sell",
        "posSide": "long",
        "bkPx": price,
        "sz": quantity,
        "bkLoss": "0",
        "ccy": "",
        "ts": str(at_ms),
    }
    row = {"instType": "SWAP", "instId": symbol, "uly": "BTC-USDT", "instFamily": "BTC-USDT", "details": [detail]}
    return {"arg": LIQUIDATIONS_ARG, "data": [row]}


VENUES: dict[str, tuple[str, Frame, str]] = {
    "binance-usdm": ("btcusdt@forceOrder", binance, "BTCUSDT"),
    "bybit": ("allLiquidation.BTCUSDT", bybit, "BTCUSDT"),
    "okx": (topic_of(LIQUIDATIONS_ARG), okx, "BTC-USDT-SWAP"),
}
PRICE = "65000"
REASONS = ("malformed", "not_finite", "not_positive", "future_time", "unknown_symbol", "oversized")


def hostile(frame: Frame, symbol: str) -> list[bytes]:
    """One frame for each reason but the size."""
    now_ms = time.time_ns() // 1_000_000
    return [
        b'{"data": [}',
        json.dumps(frame(symbol, "1", "NaN", now_ms)).encode(),
        json.dumps(frame(symbol, "-1", PRICE, now_ms)).encode(),
        json.dumps(frame(symbol, "1", PRICE, now_ms + HOUR_MS)).encode(),
        json.dumps(frame("NOSUCHUSDT" if symbol == "BTCUSDT" else "NOSUCH-USDT-SWAP", "1", PRICE, now_ms)).encode(),
    ]


@pytest.mark.parametrize("venue", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in VENUES])
async def test_hostile_frames_are_counted_and_nothing_valid_is_lost(venue: str, tmp_path: Path) -> None:
    """Each bad frame is counted by its reason; a valid one after each is counted too, by the same process."""
    topic, frame, symbol = VENUES[venue]
    async with Arena(CALM) as arena, Program(write_config(arena, tmp_path)) as program:
        exchange = arena.exchanges[venue]
        url = await program.url()
        valid = 0

        def send(*frames: bytes) -> None:
            exchange.publish(Outgoing(topic, one) for one in frames)

        def send_valid() -> None:
            nonlocal valid
            valid += 1
            send(json.dumps(frame(symbol, "2", PRICE, time.time_ns() // 1_000_000 - valid)).encode())

        async def all_received() -> None:
            await reached(url, valid, "events_received_total", venue=venue, type="liquidation")

        await asyncio.wait_for(exchange.watched(), patient(20))
        for bad in hostile(frame, symbol):
            send(bad)
            send_valid()
        await all_received()
        send(OVERSIZED)
        await reached(url, 1, "frames_rejected_total", venue=venue, reason="oversized")
        await asyncio.wait_for(exchange.watched(), patient(10))
        send_valid()
        await all_received()
        metrics = await scrape(url)
        assert (await get(f"{url}/livez")).is_success
        assert program.process.poll() is None
        assert await program.stop() == 0
    rejected = {reason: value(metrics, "frames_rejected_total", venue=venue, reason=reason) for reason in REASONS}
    assert rejected == dict.fromkeys(REASONS, 1.0)
    assert sum(sample for (name, _), sample in metrics.items() if name == "cascade_frames_rejected_total") == len(
        REASONS
    )
    assert value(metrics, "events_received_total", venue=venue, type="liquidation") == valid == len(REASONS)
    usd = value(metrics, "liquidated_usd_total", venue=venue, side="long")
    size = 0.01 if venue == "okx" else 1.0
    assert usd == pytest.approx(valid * 2 * size * float(PRICE), abs=1e-6)
    assert value(metrics, "feed_crashes_total", venue=venue) == 0
    assert faults(program.log) == []
