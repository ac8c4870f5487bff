"""Defines the interface of a shard, a part of the work that detectors divide: records in, records out, saved state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from monitor.bus import codec
from monitor.bus.merge import Position
from monitor.bus.ports import Batch, Outgoing
from monitor.bus.topics import CASCADE_STATE, REJECTS, SIGNALS, state_key
from monitor.detect.quarantine import Unapplied
from monitor.detect.view import AssetView
from monitor.model.events import MICROS
from monitor.model.signals import Signal

COMMON: Final = "*"
"""Name of the part of a snapshot that is common to all assets."""


class Step(NamedTuple):
    """The output of a shard, all of which is written in one transaction.

    Attributes:
        signals: the signals among ``records``, for the counters.
        records: records to write.
        closed: the last second that was closed.
    """

    signals: Sequence[Signal]
    records: Sequence[Outgoing]
    closed: int


class Shard(Protocol):
    """A part of the work with one owner at a time: a partition's assets, or the market.

    Its output is a function of its input, so another member with the same input continues identically.
    """

    def put(self, batch: Batch) -> None:
        """Append a batch that was read."""

    def step(self, now_us: int) -> Step | None:
        """Close some or all of the seconds that the input completes; return None if it completes none.

        A step without records repeats output that was written before. ``now_us`` is only stamped on records.
        """

    def positions(self) -> Mapping[str, Position]:
        """Return by topic the position up to which the input is in the state."""

    def fetched(self) -> Mapping[str, int]:
        """Return by topic the offset at which reading continues."""

    def ahead(self) -> set[str]:
        """Return the topics to pause until the others catch up."""

    def snapshot(self) -> Mapping[str, bytes]:
        """Return by name the parts of the state that changed since the last call, always with :data:`COMMON`."""

    def mark_unsaved(self) -> None:
        """Have the next snapshot hold every part, because the saved ones are gone."""

    def heartbeats(self) -> Mapping[str, int]:
        """Return by venue the second of its last heartbeat."""

    def views(self) -> Sequence[AssetView]:
        """Return the views for metrics and the dashboard."""


def outgoing(signals: Iterable[Signal], partition: int, now_us: int) -> list[Outgoing]:
    """Return the signals with time stamp, encoded for the signals' topic and for the topic of the latest states.

    A change of phase also deletes the key of earlier versions, the asset alone, which hid one side behind the other.
    """
    records = []
    for signal in signals:
        signal.emitted_time_us = now_us
        key, value = signal.asset.encode(), codec.encode(signal)
        records.append(Outgoing(SIGNALS, partition, key, value))
        records.append(Outgoing(CASCADE_STATE, partition, state_key(signal), value))
        if signal.phase != signal.previous_phase:
            records.append(Outgoing(CASCADE_STATE, partition, key, None))
    return records


def rejected(faults: Iterable[Unapplied], partition: int, emitted: int) -> list[Outgoing]:
    """Encode records that could not be applied for the rejects' topic.

    Rejects up to the second ``emitted`` are left out, because the previous owner wrote them.
    """
    records = []
    for fault in faults:
        if fault.second > emitted:
            value, headers = codec.encode_reject(fault.reject)
            records.append(Outgoing(REJECTS, partition, fault.reject.venue.encode(), value, headers))
    return records


def after(signals: Iterable[Signal], second: int) -> list[Signal]:
    """Return the signals of the seconds after ``second``; the previous owner wrote those before."""
    return [signal for signal in signals if signal.event_time_us > (second + 1) * MICROS]
