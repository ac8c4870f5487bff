from __future__ import annotations

from monitor.adapters.staleness import Pulse
from monitor.events import Liquidation, MarkPrice, Trade

SECOND = 1_000_000


def test_silence_of_a_dense_channel_is_told_with_its_last_word() -> None:
    """A dense channel that spoke and fell silent is named; speech on a sparse one does not help."""
    pulse = Pulse(frozenset({"trades"}), 10.0, 0)
    pulse.heard[Trade] = 5 * SECOND
    pulse.heard[Liquidation] = 16 * SECOND
    assert pulse.silent(15 * SECOND) is None
    assert pulse.silent(15 * SECOND + 1) == ("trades", 5 * SECOND)


def test_each_dense_channel_that_spoke_must_go_on() -> None:
    """One dense channel does not speak for another."""
    pulse = Pulse(frozenset({"trades", "mark_price"}), 10.0, 0)
    pulse.heard[Trade] = 20 * SECOND
    pulse.heard[MarkPrice] = 5 * SECOND
    assert pulse.silent(20 * SECOND) == ("mark_price", 5 * SECOND)


def test_dense_channel_that_never_spoke_is_excused_by_one_that_does() -> None:
    """A refused subscription must not cost the others their socket."""
    pulse = Pulse(frozenset({"trades", "mark_price"}), 10.0, 0)
    pulse.heard[Trade] = 95 * SECOND
    assert pulse.dense_heard
    assert pulse.silent(100 * SECOND) is None


def test_stream_that_never_speaks_is_dead() -> None:
    """Silence from the start counts from the start."""
    pulse = Pulse(frozenset({"mark_price"}), 10.0, 3 * SECOND)
    assert not pulse.dense_heard
    assert pulse.silent(13 * SECOND) is None
    assert pulse.silent(13 * SECOND + 1) == ("mark_price", 3 * SECOND)


def test_without_dense_channels_nothing_is_stale() -> None:
    """A socket of sparse channels may be quiet for ever; pings watch over it."""
    pulse = Pulse(frozenset(), 10.0, 0)
    assert pulse.dense_heard
    assert pulse.silent(10**15) is None
