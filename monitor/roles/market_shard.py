"""Decides the market: combines all partitions' summaries of a second once all of them have closed it."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence

import msgspec

from monitor.bus.merge import Position
from monitor.bus.ports import Batch
from monitor.bus.topics import SUMMARIES
from monitor.detect.asset_summary import AssetSummary
from monitor.detect.detector_state import FORMAT, OtherFormatError, check_format
from monitor.detect.ingest.feeds import feeds_at
from monitor.detect.market import Market
from monitor.detect.market_state import MarketSnapshot
from monitor.detect.market_step import close_market, market_at
from monitor.detect.overview import asset_view
from monitor.detect.quarantine import Quarantine, QuarantineState
from monitor.detect.roster import DAMAGE
from monitor.detect.settings import DetectorSettings
from monitor.detect.view import AssetView
from monitor.model.signals import Closed, Signal
from monitor.model.validation import UNREADABLE
from monitor.roles.kept_parts import Note, Parts
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
    """Runs the market's decision; see :class:`monitor.roles.shard.Shard`.

    Args:
        settings: thresholds.
        partitions: number of input partitions, all of which must have closed a second.
        home: partition of its signals.

    Attributes:
        market: state of the market.
        quarantine: state of the quarantine after a summary that could not be applied.
        closed: the last second decided.
        passed_over: number of skipped records: unreadable, or of another version of the detector.
    """

    def __init__(self, settings: DetectorSettings, partitions: int, home: int) -> None:
        self.market = Market(settings)
        self.quarantine = Quarantine()
        self._ended: list[Signal] = []  # signals of a step back of the watermark, until the next step
        self._stepped_back = False  # True if a partition stepped back since the last step
        self.closed = 0
        self.passed_over = 0
        self._partitions = partitions
        self._home = home
        self._emitted = 0
        self._offset = 0
        self._closed_by: dict[int, int] = {}  # last closed second of each partition
        self._pending: dict[int, list[AssetSummary]] = {}  # by second
        self._beats: dict[int, dict[str, int]] = {}  # last heartbeats by the second of their report
        self._gaps: dict[int, dict[str, int]] = {}  # ends of gaps by the second of their report

    @classmethod
    def restoring(
        cls, parts: Parts, settings: DetectorSettings, partitions: int, home: int, *, emitted: int, note: Note
    ) -> Generator[None, None, MarketShard]:
        """Restore the shard of a :meth:`snapshot` in one step; where it is damaged or missing, begin anew.

        Args:
            parts: its saved state.
            settings: thresholds.
            partitions: how many input partitions there are.
            home: the partition of its signals.
            emitted: the second up to which the previous owner sent everything.
            note: called if it begins anew.

        Raises:
            OtherFormatError: the parts are of another format.
        """
        self = cls(settings, partitions, home)
        yield
        if COMMON in parts.whole:
            try:
                check_format(msgspec.msgpack.decode(parts.whole[COMMON], type=_Version).format)
                self._load(msgspec.msgpack.decode(parts.whole[COMMON], type=Kept))
            except OtherFormatError:
                raise
            except DAMAGE as error:
                note("market", repr(error))
                self = cls(settings, partitions, home)
        elif parts.damaged or emitted:
            note("market", parts.damaged.get(COMMON, "its state is missing"))
        self._emitted = max(self.closed, emitted)
        return self

    def _load(self, kept: Kept) -> None:
        self.market.restore(kept.market)
        self.closed, self._offset, self._closed_by = kept.closed, kept.offset, kept.closed_by
        self._pending, self._beats, self._gaps = kept.pending, kept.beats, kept.gaps
        self.quarantine.load(kept.quarantine)

    def put(self, batch: Batch) -> None:
        """Read the partitions' summaries; skip and count those of another version."""
        if batch.anew:
            self._offset = batch.first_offset
        for record in batch.records[max(0, self._offset - batch.first_offset) :]:
            if not isinstance(record, Closed):
                continue
            # Records of an older version's group may still be in the topic, whose retention is a day.
            if record.format == FORMAT:
                self._take(record)
            else:
                self.passed_over += 1
        self._offset = max(self._offset, batch.next_offset)

    def _take(self, closed: Closed) -> None:
        try:
            summaries = _SUMMARIES.decode(closed.summaries)
        except UNREADABLE as error:  # the seconds count as closed, so the market does not wait
            self.passed_over += 1
            log.error(  # noqa: TRY400  # the cause is the input
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
        """Decide the seconds that every partition has closed."""
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
        """Step back with a partition, because the seconds since were closed by a wrong clock."""
        if through >= self.closed:
            return
        self.closed = through
        self._emitted = min(self._emitted, through - 1)  # the signals that the step back ends are of this second
        self.market, ended = market_at(self.market, through)
        self._ended += ended
        self.quarantine.step_back(through)
        self._pending = {second: found for second, found in self._pending.items() if second <= through}
        self._beats = {second: beats for second, beats in self._beats.items() if second <= through}
        self._gaps = {second: ends for second, ends in self._gaps.items() if second <= through}

    def _close(self, second: int) -> list[Signal]:
        summaries = sorted(self._pending.pop(second, ()), key=lambda each: each.asset)
        # Heartbeats are reported at the end of a run of seconds within which none changed.
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

    def mark_unsaved(self) -> None:
        """Change nothing, because every snapshot is whole."""

    def heartbeats(self) -> Mapping[str, int]:
        """Return by venue the second of its last heartbeat, as the partitions reported it last."""
        found: dict[str, int] = {}
        for beats in self._beats.values():
            for venue, second in beats.items():
                found[venue] = max(second, found.get(venue, 0))
        return found

    def views(self) -> Sequence[AssetView]:
        """Return the view of the market."""
        return [asset_view(self.market)]
