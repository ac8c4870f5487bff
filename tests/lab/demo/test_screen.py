from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from monitor.detect.detector import Detector
from monitor.lab.demo.screen import screen
from monitor.lab.demo.story import DETECTOR
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import SHORT
from monitor.model.events import AnyEvent, Liquidation, MarkPrice, Side

T0 = 1_790_000_000_000_000


def crashed(side: Side) -> Detector:
    """Return a detector in a cascade of BTC, with some ETH beside it."""
    detector = Detector(DETECTOR)
    fall = -0.01 if side == "long" else 0.01
    events: list[AnyEvent] = []
    for second in range(12):
        at_us = T0 + second * 1_000_000
        events.append(
            MarkPrice(
                venue="bybit",
                symbol="BTCUSDT",
                asset="BTC",
                event_time_us=at_us,
                receive_time_us=at_us,
                mark_price=65_000.0 * (1 + fall * second),
            )
        )
        events += [
            Liquidation(
                venue=venue,
                symbol="BTCUSDT",
                asset="BTC",
                event_time_us=at_us,
                receive_time_us=at_us,
                side=side,
                notional_usd=4e6,
                coverage="complete",
                id=f"{venue}{second}{number}",
            )
            for venue in ("bybit", "okx")
            for number in range(10)
        ]
        events.append(
            Liquidation(
                venue="okx",
                symbol="ETH-USDT-SWAP",
                asset="ETH",
                event_time_us=at_us,
                receive_time_us=at_us,
                side="short",
                notional_usd=900.0,
                coverage="sampled",
                id=str(second),
            )
        )
    detector.apply(events)
    return detector


def drawn(detector: Detector, height: int, width: int = 130) -> str:
    """Return the screen as text."""
    monitor: Any = SimpleNamespace(detector=detector, url="http://127.0.0.1:1234")
    stream = io.StringIO()
    Console(file=stream, width=width, height=height).print(screen(Arena(SHORT), monitor, height))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("side", "words", "move"),
    [("long", "longs are being liquidated", "-"), ("short", "shorts are being liquidated", "+")],
)
def test_cascade_is_shown_with_its_reasons(side: Side, words: str, move: str) -> None:
    """Phase, direction, price and move, dollars by side and exchange, evidence, episodes and the metrics' address."""
    text = drawn(crashed(side), 50)
    assert "monitor: CASCADE" in text
    assert words in text
    (row,) = [line for line in text.splitlines() if re.match(r"\W*BTC\b", line) and "%" in line]
    price = "58,500" if side == "long" else "71,500"
    assert price in row
    assert f"{move}10.00 %" in row
    assert "cascade" in row
    for title in ("Risk and phase", "Liquidations in 5 minutes", "Why: ", "Episodes"):
        assert title in text
    (okx,) = [line for line in text.splitlines() if re.match(r"\W*okx\b", line)]
    assert ("440.00M" if side == "long" else "440.01M") in okx
    assert "dashboard at http://127.0.0.1:1234/" in text
    assert "252 liquidations" in text


def test_before_anything_happened_it_is_calm() -> None:
    """Without any event there is a screen too, with dashes where nothing is known."""
    text = drawn(Detector(DETECTOR), 50)
    assert "monitor: CALM" in text
    assert "0 liquidations, 0 signals" in text
    (row,) = [line for line in text.splitlines() if re.match(r"\W*MARKET\b", line)]
    assert " - " in row
    assert "+0.00 %" in row


def test_low_terminal_loses_the_episodes_first() -> None:
    """The lower tables are cut before the figures that matter."""
    text = drawn(crashed("long"), 30)
    assert "Episodes" not in text
    assert "Risk and phase" in text


def test_narrow_terminal_keeps_every_line_within(tmp_path: Path) -> None:
    """Nothing is wider than the terminal."""
    assert max(len(line) for line in drawn(crashed("long"), 50, width=100).splitlines()) <= 100
