from __future__ import annotations

from monitor.collect.pipeline.liveness import Liveness
from monitor.model.events import Liquidation, MarkPrice, Trade

SECOND = 1_000_000


def test_silence_of_the_dense_channel_is_told_with_its_last_word() -> None:
    """A dense channel that fell silent makes the stream stale; speech on a sparse one does not help."""
    liveness = Liveness(frozenset({"trades"}), 10.0, 0)
    liveness.event_us[Trade] = 5 * SECOND
    liveness.event_us[Liquidation] = 16 * SECOND
    assert liveness.silent_since(15 * SECOND) is None
    assert liveness.silent_since(15 * SECOND + 1) == 5 * SECOND


def test_one_dense_channel_that_speaks_is_proof_enough() -> None:
    """Trades of a quiet symbol may pause while its mark price goes on; only silence of all is death."""
    liveness = Liveness(frozenset({"trades", "mark_price"}), 10.0, 0)
    liveness.event_us[Trade] = 5 * SECOND
    liveness.event_us[MarkPrice] = 95 * SECOND
    assert liveness.dense_received
    assert liveness.silent_since(100 * SECOND) is None
    assert liveness.silent_since(105 * SECOND + 1) == 95 * SECOND


def test_stream_that_never_speaks_is_dead() -> None:
    """Silence from the start counts from the start."""
    liveness = Liveness(frozenset({"mark_price"}), 10.0, 3 * SECOND)
    assert not liveness.dense_received
    assert liveness.silent_since(13 * SECOND) is None
    assert liveness.silent_since(13 * SECOND + 1) == 3 * SECOND


def test_without_dense_channels_nothing_is_stale() -> None:
    """A socket of sparse channels may be silent without limit; pings detect its failure."""
    liveness = Liveness(frozenset(), 10.0, 0)
    assert liveness.dense_received
    assert liveness.silent_since(10**15) is None


def test_a_pause_of_ours_is_no_silence_of_the_exchange() -> None:
    """Pauses are subtracted until the next event, also a clock that is set back; the silence begins at the event."""
    liveness = Liveness(frozenset({"trades"}), 10.0, 0)
    liveness.event_us[Trade] = 5 * SECOND
    liveness.note_pause(60 * SECOND)
    liveness.note_pause(20 * SECOND)
    assert liveness.silent_since(95 * SECOND) is None
    assert liveness.silent_since(96 * SECOND) == 5 * SECOND
    liveness.event_us[Trade] = 100 * SECOND
    assert liveness.silent_since(111 * SECOND) == 100 * SECOND
    liveness.note_pause(-50 * SECOND)
    assert liveness.silent_since(60 * SECOND) is None
    assert liveness.silent_since(61 * SECOND) == 100 * SECOND
