"""Tests that the fast path for trades gives the same events as the slow path, which checks each number."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import pytest

from monitor.exchanges.adapter import Adapter
from monitor.exchanges.messages import Message
from monitor.exchanges.registry import ADAPTERS
from monitor.lab.bench.frames import SHARES, Frame, generate, instruments
from monitor.model.events import Event, Reject, Trade

FRAMES = [frame for frame in generate(600) if b"Trade" in frame.data or b'"trades"' in frame.data]
ROW_US = FRAMES[0].received_us // 1_000 * 1_000


def of_venue(venue: str) -> list[Frame]:
    """Return the trade frames of a venue."""
    return [frame for frame in FRAMES if frame.venue == venue]


def received_at(messages: Sequence[Message], received_us: int) -> list[Message]:
    """Return the same events with another time of receipt."""
    return [
        msgspec.structs.replace(message, receive_time_us=received_us) if isinstance(message, Event) else message
        for message in messages
    ]


class LongWay(dict[str, object]):
    """Replaces the lookup of symbols on the fast path, and finds none."""


def adapters(venue: str) -> tuple[Adapter, Adapter]:
    """Return two equal adapters, the second of which never takes the fast path."""
    short, long = ADAPTERS[venue](instruments(venue)), ADAPTERS[venue](instruments(venue))
    long._plain = LongWay().get  # type: ignore[attr-defined]  # each adapter has it
    return short, long


@pytest.mark.parametrize("venue", SHARES)
@pytest.mark.parametrize("early_us", [0, 1_000, 60_000, 4_000_000, 7_000_000])
def test_the_short_way_gives_what_the_long_way_gives(venue: str, early_us: int) -> None:
    """Both paths give the same events and rejects for any time of receipt, also one before the trades."""
    short, long = adapters(venue)
    frames = of_venue(venue)
    assert frames
    for frame in frames:
        received_us = frame.received_us - early_us
        messages = short.parse(frame.data, received_us)
        assert messages == long.parse(frame.data, received_us)
        assert all(isinstance(message, Reject if early_us > 5_040_000 else Trade) for message in messages)
        if early_us == 0:
            assert received_at(messages, 0) == short.parse(frame.data, 0)
            assert len(messages) == frame.events


def test_a_row_ahead_of_the_clock_is_refused_alone() -> None:
    """Of three trades in a frame, only the one with a time in the future is rejected."""
    rows = [
        {"T": ROW_US // 1_000 + ahead_ms, "s": "BTCUSDT", "S": side, "v": "2", "p": "3", "i": str(number)}
        for number, (ahead_ms, side) in enumerate([(0, "Buy"), (6_000, "Sell"), (0, "Sell")])
    ]
    frame = json.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 0, "data": rows}).replace(" ", "")
    messages = ADAPTERS["bybit"](instruments("bybit")).parse(frame.encode(), ROW_US)
    assert [(m.id, m.taker_side, m.notional_usd) for m in messages if isinstance(m, Trade)] == [
        ("0", "buy", 6.0),
        ("2", "sell", 6.0),
    ]
    assert [m.reason for m in messages if isinstance(m, Reject)] == ["future_time"]
