"""Records of a shard: all its signals on the signals' topic, the latest of each side on the states' topic."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from monitor.bus import codec
from monitor.bus.topics import CASCADE_STATE, SIGNALS
from monitor.model.events import Side
from monitor.model.signals import Phase, Signal
from monitor.roles.shard import outgoing
from tests.bus import records as make


def signal(number: int, direction: Side, phase: Phase, previous: Phase | None = None) -> Signal:
    """Return a signal of BTC; without a previous phase it changes none."""
    return replace(make.signal(number), direction=direction, phase=phase, previous_phase=previous or phase)


def compacted(signals: Iterable[Signal], found: dict[bytes, bytes | None]) -> dict[bytes, bytes | None]:
    """Return what a consumer that starts finds on the states' topic, beside what was there before."""
    for record in outgoing(signals, 3, 1):
        if record.topic is CASCADE_STATE:
            found[record.key] = record.value
    return {key: value for key, value in found.items() if value is not None}


def test_a_building_of_one_side_does_not_hide_the_cascade_of_the_other() -> None:
    """Both sides have a key, so the cascade is found though the short side signalled last."""
    sent = [
        signal(1, "long", "cascade", "building"),
        signal(2, "short", "building", "calm"),
        signal(3, "short", "building"),
    ]
    latest = compacted(sent, {})
    assert latest == {b"BTC|long": codec.encode(sent[0]), b"BTC|short": codec.encode(sent[2])}


def test_the_key_of_earlier_versions_is_deleted_at_a_change_of_phase() -> None:
    """A state under the asset alone stays until its asset's next change of phase, and is then gone."""
    before: dict[bytes, bytes | None] = {b"BTC": b"old"}
    assert b"BTC" in compacted([signal(1, "long", "cascade")], dict(before))
    assert compacted([signal(1, "long", "relief", "cascade")], dict(before)).keys() == {b"BTC|long"}


def test_signals_keep_the_asset_as_key_and_the_partition() -> None:
    """Readers of the signals find them as before, and both topics have an asset in the same partition."""
    records = outgoing([signal(1, "long", "cascade", "building")], 3, 1)
    assert [(record.topic, record.key) for record in records if record.value is not None] == [
        (SIGNALS, b"BTC"),
        (CASCADE_STATE, b"BTC|long"),
    ]
    assert {record.partition for record in records} == {3}
