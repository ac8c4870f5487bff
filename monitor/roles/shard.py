"""What the parts of the work that detectors divide have in common: records in, records out, state to keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from monitor.bus import codec
from monitor.bus.merge import Position
from monitor.bus.ports import Batch, Outgoing
from monitor.bus.topics import CASCADE_STATE, REJECTS, SIGNALS
from monitor.detect.quarantine import Unapplied
from monitor.detect.view import AssetView
from monitor.model.events import MICROS, Signal

COMMON: Final = "*"
"""Name of the part of a snapshot that belongs to no asset."""


class Step(NamedTuple):
    """What a shard has to say: all of it is written in one transaction.

    Attributes:
        signals: those among ``records``, for the counters.
        records: what to write.
        closed: the last second that was closed.
    """

    signals: Sequence[Signal]
    records: Sequence[Outgoing]
    closed: int


class Shard(Protocol):
    """A part of the work that one member does at a time: a partition's assets, or the market.

    Pure: what it says is a function of what it was given, so another member that is given the same goes on alike.
    """

    def put(self, batch: Batch) -> None:
        """Take what was read."""

    def step(self, now_us: int) -> Step | None:
        """Close the seconds that the input completes, or some of them; None where it completes none.

        A step without records repeats what was said before. ``now_us`` only stamps.
        """

    def positions(self) -> Mapping[str, Position]:
        """By topic how far the input was taken."""

    def fetched(self) -> Mapping[str, int]:
        """By topic the offset to read on from."""

    def ahead(self) -> set[str]:
        """Topics that should not be read on for now."""

    def snapshot(self) -> Mapping[str, bytes]:
        """By name the parts of the state that changed since the last call, :data:`COMMON` always among them."""

    def views(self) -> Sequence[AssetView]:
        """What may be shown."""


def outgoing(signals: Iterable[Signal], partition: int, now_us: int) -> list[Outgoing]:
    """Signals stamped and encoded, for their stream and for the latest of each asset."""
    records = []
    for signal in signals:
        signal.emitted_time_us = now_us
        key, value = signal.asset.encode(), codec.encode(signal)
        records += [Outgoing(topic, partition, key, value) for topic in (SIGNALS, CASCADE_STATE)]
    return records


def rejected(faults: Iterable[Unapplied], partition: int, emitted: int) -> list[Outgoing]:
    """Encode what could not be applied for the rejects' topic, but what was sent before: up to second ``emitted``."""
    records = []
    for fault in faults:
        if fault.second > emitted:
            value, headers = codec.encode_reject(fault.reject)
            records.append(Outgoing(REJECTS, partition, fault.reject.venue.encode(), value, headers))
    return records


def after(signals: Iterable[Signal], second: int) -> list[Signal]:
    """The signals of the seconds after ``second``; those before were sent by whoever did the work until now."""
    return [signal for signal in signals if signal.event_time_us > (second + 1) * MICROS]
