"""Runs the detector over one input partition and returns its signals and, for the market shard, its summaries."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Final

import msgspec

from monitor.bus import codec
from monitor.bus.merge import Merge, Position
from monitor.bus.ports import Batch, Outgoing
from monitor.bus.topics import MARKET_TOPICS, SIGNALS, SUMMARIES
from monitor.detect.detector import Detector, new_watermark
from monitor.detect.detector_state import FORMAT, OtherFormatError
from monitor.detect.overview import asset_view
from monitor.detect.roster import DAMAGE
from monitor.detect.settings import DetectorSettings
from monitor.detect.view import AssetView
from monitor.model.events import (
    ALL,
    MICROS,
    MONITOR,
    Gap,
    Heartbeat,
)
from monitor.model.signals import Closed, Signal
from monitor.model.watermark import Watermark, WatermarkState
from monitor.roles.kept_parts import Note, Parts
from monitor.roles.shard import COMMON, Step, after, outgoing, rejected

STEP_RECORDS: Final = 5_000
"""Approximate number of records of one step, 50 ms of work, so that the group's heartbeats are sent in time."""
BEAT_S: Final = 5
"""Interval between two heartbeats among the signals, seconds of market time."""


class Kept(msgspec.Struct, array_like=True):
    """The common part of a snapshot: positions by topic, last closed second, the detector's own state, assets' names.

    Snapshots of old versions have a number instead of a mark (the watermark alone), and do not list the assets.
    """

    positions: Mapping[str, tuple[int, WatermarkState | int]]
    closed: int
    detector: bytes
    assets: list[str] | None = None


class AssetShard:
    """Holds the assets of one input partition; see :class:`monitor.roles.shard.Shard`.

    Args:
        partition: number of the input partition.
        detector: state of its assets.
        positions: by topic, the position at which reading continues.
        closed: the last second that it closed.
        emitted: the second up to which the previous owner wrote everything.
    """

    def __init__(
        self, partition: int, detector: Detector, positions: Mapping[str, Position], closed: int, emitted: int
    ) -> None:
        self.detector = detector
        self.closed = closed
        self._partition = partition
        self._merge = Merge(positions, lambda mark: new_watermark(detector.settings, mark))
        self._steps_back = 0
        self._ended: list[Signal] = []  # signals of a step back of the watermark, until the next step
        self._emitted = max(closed, emitted)

    @classmethod
    def restoring(
        cls, partition: int, parts: Parts, settings: DetectorSettings, emitted: int, note: Note
    ) -> Generator[None, None, AssetShard]:
        """Restore the shard of a :meth:`snapshot`, one asset a step; without parts a new one.

        An asset whose part is damaged or missing begins without history. Where the common part is, all begin anew and
        read the topics from their beginning.

        Args:
            partition: the number of the input partition.
            parts: its saved state.
            settings: thresholds.
            emitted: the second up to which the previous owner sent everything.
            note: called for what begins anew.

        Raises:
            OtherFormatError: the parts are of another format.
        """
        kept = cls._common(parts, emitted, note)
        if kept is not None:
            try:
                detector = yield from cls._detector(kept, parts, settings, note)
            except OtherFormatError:
                raise
            except ValueError as error:
                note("shard", str(error))
            else:
                positions = {
                    topic: Position(offset, WatermarkState(state, state) if isinstance(state, int) else state)
                    for topic, (offset, state) in kept.positions.items()
                }
                return cls(partition, detector, positions, kept.closed, emitted)
        positions = {topic.name: Position(0) for topic in MARKET_TOPICS}
        return cls(partition, Detector(settings, with_market=False), positions, 0, emitted)

    @staticmethod
    def _detector(kept: Kept, parts: Parts, settings: DetectorSettings, note: Note) -> Generator[None, None, Detector]:
        """Restore the detector of the assets whose parts are whole."""
        assets = {name: part for name, part in parts.whole.items() if name != COMMON}
        if kept.assets is not None:
            for name in sorted(set(kept.assets) - assets.keys()):
                note("asset", f"{name}: {parts.damaged.get(name, 'its part is missing')}")
            assets = {name: assets[name] for name in kept.assets if name in assets}
        return (
            yield from Detector.assembling(
                kept.detector,
                assets,
                settings,
                with_market=False,
                on_damaged=lambda name, error: note("asset", f"{name}: {error!r}"),
            )
        )

    @staticmethod
    def _common(parts: Parts, emitted: int, note: Note) -> Kept | None:
        """Return the common part, or None where the shard begins anew."""
        if COMMON not in parts.whole:
            if parts.whole or parts.damaged or emitted:
                note("shard", parts.damaged.get(COMMON, "the common part of its state is missing"))
            return None
        try:
            return msgspec.msgpack.decode(parts.whole[COMMON], type=Kept)
        except DAMAGE as error:
            note("shard", f"the common part of its state: {error}")
            return None

    def put(self, batch: Batch) -> None:
        """Append a batch of one topic; a gap of removed records starts where reading had stopped."""
        first = batch.records[0]
        if isinstance(first, Gap) and first.reason == "offsets_lost" and not first.from_us:
            from_us = min(self._merge.lanes[batch.partition.topic].reached_us, first.to_us)
            batch = batch._replace(records=[msgspec.structs.replace(first, from_us=from_us), *batch.records[1:]])
        self._merge.put(batch)

    def step(self, now_us: int) -> Step | None:
        """Decide complete seconds, up to about :data:`STEP_RECORDS` records."""
        self._follow_back()
        detector, merge, emitted = self.detector, self._merge, self._emitted
        signals: list[Signal] = []
        records: list[Outgoing] = []
        budget, before = STEP_RECORDS, self.closed
        while budget > 0:
            for events in merge.take(detector.second):
                detector.place(events)
                budget -= len(events)
            second = merge.next_second()
            if second <= detector.second:
                break
            signals += detector.advance(second)
            self.closed = second - 1
            closed = self._closed_record()
            # Rejects of closed seconds alone, which a new owner does not repeat.
            records += rejected(detector.quarantine.take(detector.second), self._partition, emitted)
            if self.closed > emitted:
                records.append(closed)
        if self.closed == before:
            return None
        if self.closed > emitted and (self.closed + 1) // BEAT_S > (before + 1) // BEAT_S:
            records.append(self._beat(now_us))
        signals, self._ended = self._ended + signals, []
        fresh = after(signals, emitted)
        return Step(fresh, outgoing(fresh, self._partition, now_us) + records, self.closed)

    def _follow_back(self) -> None:
        """Step back with a topic's watermark, because the seconds since were closed by a wrong clock."""
        if self._merge.steps_back == self._steps_back:
            return
        self._steps_back = self._merge.steps_back
        second = self._merge.next_second()
        if second < self.detector.second:
            self._ended += self.detector.step_back(second)
            self.closed = min(self.closed, second - 1)
            self._emitted = min(self._emitted, self.closed)

    def _closed_record(self) -> Outgoing:
        """Return the summaries of the seconds just closed, for the market shard."""
        summaries = [each for each in self.detector.take_summaries() if each.second > self._emitted]
        raw = msgspec.Raw(msgspec.json.encode(summaries))
        closed = Closed(
            self._partition, self.closed, self.detector.feeds.heartbeats, raw, FORMAT, self.detector.feeds.holes.ends()
        )
        return Outgoing(SUMMARIES, 0, b"%d" % self._partition, codec.encode(closed))

    def _beat(self, now_us: int) -> Outgoing:
        beat = Heartbeat(MONITOR, ALL, ALL, (self.closed + 1) * MICROS, now_us, "signals")
        return Outgoing(SIGNALS, self._partition, ALL.encode(), codec.encode(beat))

    def positions(self) -> Mapping[str, Position]:
        """Return by topic the position up to which records are in the state."""
        return self._merge.positions()

    def fetched(self) -> Mapping[str, int]:
        """Return by topic the offset at which reading continues."""
        return {topic: lane.fetched for topic, lane in self._merge.lanes.items()}

    def ahead(self) -> set[str]:
        """Return the topics to pause until the others catch up."""
        return self._merge.ahead()

    def snapshot(self) -> Mapping[str, bytes]:
        """Return the states of the assets that changed since the last call, and the common state."""
        detector = self.detector
        parts = {name: detector.asset_state(name) for name in detector.roster.changed}
        detector.roster.changed.clear()
        positions = {topic: (at.offset, at.watermark) for topic, at in self.positions().items()}
        return parts | {
            COMMON: msgspec.msgpack.encode(Kept(positions, self.closed, detector.common_state(), list(detector.assets)))
        }

    def mark_unsaved(self) -> None:
        """Have the next snapshot hold every asset."""
        self.detector.roster.changed |= dict.fromkeys(self.detector.assets)

    def watermarks(self) -> Sequence[Watermark]:
        """Return the watermarks of its topics."""
        return self._merge.watermarks()

    def heartbeats(self) -> Mapping[str, int]:
        """Return by venue the second of its last heartbeat."""
        return self.detector.feeds.heartbeats

    def views(self) -> Sequence[AssetView]:
        """Return the views of its assets."""
        return [asset_view(asset) for asset in self.detector.assets.values()]
