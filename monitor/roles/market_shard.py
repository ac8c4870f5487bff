"""Judges the market: combines every partition's summaries of a second once all of them have closed it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import msgspec

from monitor.bus.merge import Position
from monitor.bus.ports import Batch
from monitor.bus.topics import SUMMARIES
from monitor.detect.asset_summary import AssetSummary
from monitor.detect.detector_state import FORMAT, check_format
from monitor.detect.ingest.feeds import feeds_at
from monitor.detect.market import Market
from monitor.detect.market_state import MarketSnapshot
from monitor.detect.market_step import close_market, market_at
from monitor.detect.overview import asset_view
from monitor.detect.quarantine import Quarantine, QuarantineState
from monitor.detect.settings import DetectorSettings
from monitor.detect.view import AssetView
from monitor.model.events import Closed, Signal
from monitor.roles.shard import COMMON, Step, after, outgoing, rejected

_SUMMARIES = msgspec.json.Decoder(list[AssetSummary])

log = logging.getLogger(__name__)


class _Version(msgspec.Struct, array_like=True):
    """The field of a snapshot that every format has."""

    format: int


class Kept(msgspec.Struct, array_like=True):
    """A snapshot: its version, and the attributes of :class:`MarketShard`."""

    format: int
    offset: int
    closed: int
    closed_by: dict[int, int]
    pending: dict[int, list[AssetSummary]]
    beats: dict[int, dict[str, int]]
    market: MarketSnapshot
    quarantine: QuarantineState
    gaps: dict[int, dict[str, int]]


class MarketShard:
    """The shard that judges the market; see :class:`monitor.roles.shard.Shard`.

    Args:
        settings: thresholds.
        partitions: how many input partitions there are; all must have closed a second.
        home: the partition of its signals.

    Attributes:
        market: the state.
        quarantine: whether it is set aside because a summary could not be applied.
        closed: the last second judged.
        passed_over: records that were left out: of another version of the detector, or summaries that are unreadable.
    """

    def __init__(self, settings: DetectorSettings, partitions: int, home: int) -> None:
        self.market = Market(settings)
        self.quarantine = Quarantine()
        self._ended: list[Signal] = []  # signals of a step back, until the next step
        self._stepped_back = False  # whether a partition did since the last step
        self.closed = 0
        self.passed_over = 0
        self._partitions = partitions
        self._home = home
        self._emitted = 0
        self._offset = 0
        self._closed_by: dict[int, int] = {}  # last closed second of each partition
        self._pending: dict[int, list[AssetSummary]] = {}  # by second
        self._beats: dict[int, dict[str, int]] = {}  # by the second at which they were reported
        self._gaps: dict[int, dict[str, int]] = {}  # the same of the ends of gaps

    @classmethod
    def restore(
        cls, parts: Mapping[str, bytes], settings: DetectorSettings, partitions: int, home: int, emitted: int
    ) -> MarketShard:
        """Return the shard of a :meth:`snapshot`, or a new one where there are no parts.

        Raises:
            ValueError: the parts are of another format.
        """
        self = cls(settings, partitions, home)
        if COMMON in parts:
            try:
                check_format(msgspec.msgpack.decode(parts[COMMON], type=_Version).format)
            except msgspec.MsgspecError as error:
                raise ValueError("not a snapshot of the market") from error
            try:
                kept = msgspec.msgpack.decode(parts[COMMON], type=Kept)
            except msgspec.MsgspecError as error:
                raise ValueError(f"the market's snapshot is damaged: {error}") from error
            self.market.restore(kept.market)
            self.closed, self._offset, self._closed_by = kept.closed, kept.offset, kept.closed_by
            self._pending, self._beats, self._gaps = kept.pending, kept.beats, kept.gaps
            self.quarantine.load(kept.quarantine)
        self._emitted = max(self.closed, emitted)
        return self

    def put(self, batch: Batch) -> None:
        """Take the partitions' summaries; those of another version are skipped and counted."""
        for record in batch.records[max(0, self._offset - batch.first_offset) :]:
            if not isinstance(record, Closed):
                continue
            # A group of an older version, from which this one took over, may have written there within a day.
            if record.format == FORMAT:
                self._take(record)
            else:
                self.passed_over += 1
        self._offset = max(self._offset, batch.next_offset)

    def _take(self, closed: Closed) -> None:
        try:
            summaries = _SUMMARIES.decode(closed.summaries)
        except msgspec.DecodeError as error:  # the seconds are closed all the same, so the market waits for nothing
            self.passed_over += 1
            log.error(  # noqa: TRY400  # what raised is the input
                "partition %d: summaries up to second %d cannot be read: %s", closed.partition, closed.second, error
            )
            summaries = []
        for summary in summaries:
            self._pending.setdefault(summary.second, []).append(summary)
        self._stepped_back |= closed.second < self._closed_by.get(closed.partition, 0)
        self._closed_by[closed.partition] = closed.second
        for reported, seconds in ((self._beats, closed.beats), (self._gaps, closed.gaps)):
            latest = reported.setdefault(closed.second, {})
            for venue, second in seconds.items():
                latest[venue] = max(second, latest.get(venue, 0))

    def step(self, now_us: int) -> Step | None:
        """Judge the seconds that every partition closed."""
        if len(self._closed_by) < self._partitions:
            return None
        through = min(self._closed_by.values())
        if self._stepped_back:
            self._stepped_back = False
            self._step_back(through)
        signals, self._ended = self._ended, []
        for second in range(self.closed + 1 if self.closed else min(self._pending, default=through), through + 1):
            signals += self._close(second)
        if through <= self.closed:
            self._ended = signals
            return None
        self.closed = through
        fresh = after(signals, self._emitted)
        records = outgoing(fresh, self._home, now_us) + rejected(self.quarantine.take(), self._home, self._emitted)
        return Step(fresh, records, self.closed)

    def _step_back(self, through: int) -> None:
        """Follow a partition that stepped back: the seconds since were closed by a clock that was wrong."""
        if through >= self.closed:
            return
        self.closed = through
        self._emitted = min(self._emitted, through - 1)  # what the step back ends is of this second
        self.market, ended = market_at(self.market, through)
        self._ended += ended
        self.quarantine.step_back(through)
        self._pending = {second: found for second, found in self._pending.items() if second <= through}
        self._beats = {second: beats for second, beats in self._beats.items() if second <= through}
        self._gaps = {second: ends for second, ends in self._gaps.items() if second <= through}

    def _close(self, second: int) -> list[Signal]:
        summaries = sorted(self._pending.pop(second, ()), key=lambda each: each.asset)
        # Reported at the end of a run of seconds, within which no venue's changed.
        while (reported := next(iter(sorted(self._beats)))) < second:
            del self._beats[reported]
            self._gaps.pop(reported, None)
        feeds = feeds_at(self._beats[reported], second, self._gaps.get(reported, {}))
        self.market, signals = close_market(self.market, self.quarantine, second, summaries, feeds)
        return signals + self.quarantine.take_ended()

    def positions(self) -> Mapping[str, Position]:
        """Return the position up to which the state holds the summaries."""
        return {SUMMARIES.name: Position(self._offset)}

    def fetched(self) -> Mapping[str, int]:
        """Return the offset to read on from."""
        return {SUMMARIES.name: self._offset}

    def ahead(self) -> set[str]:
        """Return no topic, because there is only one."""
        return set()

    def snapshot(self) -> Mapping[str, bytes]:
        """Return the whole state as one part."""
        kept = Kept(
            format=FORMAT,
            offset=self._offset,
            closed=self.closed,
            closed_by=self._closed_by,
            pending=self._pending,
            beats=self._beats,
            market=self.market.snapshot(),
            quarantine=self.quarantine.state(),
            gaps=self._gaps,
        )
        return {COMMON: msgspec.msgpack.encode(kept)}

    def views(self) -> Sequence[AssetView]:
        """Return the view of the market."""
        return [asset_view(self.market)]
