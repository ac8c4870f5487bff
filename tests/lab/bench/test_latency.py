from __future__ import annotations

import math
from pathlib import Path

import pytest

from monitor.exchanges.bybit.adapter import Bybit
from monitor.exchanges.instrument import Instrument
from monitor.lab.bench import feed, latency
from monitor.model.events import Liquidation, Trade


@pytest.mark.deep("measures the two roles for seconds at a rate; tests/kafka runs both every day")
@pytest.mark.kafka
def test_every_rate_has_signals_and_all_frames_are_read(kafka_bootstrap: str, tmp_path: Path) -> None:
    """The exchange, the two roles and the broker work together; a signal is read after its second's end."""
    (row,) = latency.measure(kafka_bootstrap, tmp_path, rates=(200,), seconds=2.0)
    assert row.assets_ms
    assert row.assets_ms[0] > 0
    assert row.read_per_s == pytest.approx(200 + 10 * feed.STRESSED, rel=0.3)


def test_quantiles_are_by_nearest_rank() -> None:
    """Of ten delays the median is the sixth, the 99th percentile the last; of none there is none."""
    delays = [float(each) for each in range(1, 11)]
    assert (latency.quantile(delays, 0.5), latency.quantile(delays, 0.99)) == (6.0, 10.0)
    assert math.isnan(latency.quantile([], 0.5))


def test_frames_are_the_exchanges_own() -> None:
    """The adapter makes a trade and a liquidation of what the exchange pushes."""
    adapter = Bybit({"BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base")})
    now_us = feed.now_us()
    ms = now_us // 1_000
    trade = feed.TRADE % ("BTCUSDT", ms, ms, "BTCUSDT", "Buy", 1.5, 100.0, 7, 7)
    forced = feed.LIQUIDATION % ("BTCUSDT", ms, ms, "BTCUSDT", 2.0, 100.0)
    made = [message for text in (trade, forced) for message in adapter.parse(text.encode(), now_us)]
    assert [type(message) for message in made] == [Trade, Liquidation]


@pytest.mark.parametrize("length", [1, 125, 126, 65_535])
def test_frames_carry_their_length(length: int) -> None:
    """Short lengths stand in the second byte, longer ones in two bytes after it (RFC 6455, 5.2)."""
    sent = feed.framed("x" * length)
    head = 2 if length < 126 else 4
    assert len(sent) == head + length
    assert (sent[1] if head == 2 else int.from_bytes(sent[2:4])) == length
