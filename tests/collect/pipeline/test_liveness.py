from __future__ import annotations

from monitor.collect.pipeline.liveness import Pulse
from monitor.model.events import Liquidation, MarkPrice, Trade

SECOND = 1_000_000


def test_silence_of_the_dense_channel_is_told_with_its_last_word() -> None:
    """A dense channel that fell silent makes the stream stale; speech on a sparse one does not help."""
    pulse = Pulse(frozenset({"trades"}), 10.0, 0)
    pulse.heard[Trade] = 5 * SECOND
    pulse.heard[Liquidation] = 16 * SECOND
    assert pulse.silent_since(15 * SECOND) is None
    assert pulse.silent_since(15 * SECOND + 1) == 5 * SECOND


def test_one_dense_channel_that_speaks_is_proof_enough() -> None:
    """Trades of a quiet symbol may pause while its mark price goes on; only silence of all is death."""
    pulse = Pulse(frozenset({"trades", "mark_price"}), 10.0, 0)
    pulse.heard[Trade] = 5 * SECOND
    pulse.heard[MarkPrice] = 95 * SECOND
    assert pulse.dense_heard
    assert pulse.silent_since(100 * SECOND) is None
    assert pulse.silent_since(105 * SECOND + 1) == 95 * SECOND


def test_stream_that_never_speaks_is_dead() -> None:
    """Silence from the start counts from the start."""
    pulse = Pulse(frozenset({"mark_price"}), 10.0, 3 * SECOND)
    assert not pulse.dense_heard
    assert pulse.silent_since(13 * SECOND) is None
    assert pulse.silent_since(13 * SECOND + 1) == 3 * SECOND


def test_without_dense_channels_nothing_is_stale() -> None:
    """A socket of sparse channels may be quiet for ever; pings watch over it."""
    pulse = Pulse(frozenset(), 10.0, 0)
    assert pulse.dense_heard
    assert pulse.silent_since(10**15) is None
