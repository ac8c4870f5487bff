"""Parses the frames of a connection, counts them and publishes their events: the hot path of collecting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from monitor.collect.pipeline.liveness import Liveness
from monitor.collect.pipeline.trade_bars import TradeOverlap
from monitor.collect.pipeline.venue_publisher import VenuePublisher
from monitor.collect.quality.feed_health import FeedHealth
from monitor.collect.stats import KIND_NAMES, SessionStats
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Control, Message, Skipped
from monitor.model.events import AnyEvent, Reject, Trade

TRADE: Final = KIND_NAMES[Trade]

OnFrame = Callable[[str, str, int, bytes], None]
"""``on_frame(venue, connection name, receive time, frame)`` receives each frame before parsing; the recorder's hook."""


class Intake:
    """Processes the frames of one connection, across its sockets.

    Attributes:
        adapter: parses the frames; may be replaced at any time by one with newer instruments.
        memory: the venue's parsing state, which outlives adapters and sockets.
        stats: counters of the connection.
    """

    __slots__ = ("_due_us", "_feed_health", "_on_frame", "_overlap", "_venue_publisher", "adapter", "memory", "stats")

    def __init__(
        self,
        adapter: Adapter,
        venue_publisher: VenuePublisher,
        stats: SessionStats,
        on_frame: OnFrame | None = None,
        feed_health: FeedHealth | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Make the intake of a connection.

        ``feed_health`` checks the feed's quality; without ``memory`` the connection has a memory of its own.
        """
        self.adapter = adapter
        self.memory = memory or Memory()
        self.stats = stats
        self._venue_publisher = venue_publisher
        self._on_frame = on_frame
        self._feed_health = feed_health
        self._due_us = feed_health.due_us if feed_health is not None else None
        self._overlap: TradeOverlap | None = None

    def take(
        self, frame: bytes, received_us: int, liveness: Liveness, memory: Memory | None = None
    ) -> Sequence[Control]:
        """Publish a frame's events and return its control messages; ``memory`` is that of the frame's socket."""
        stats = self.stats
        stats.frames += 1
        stats.bytes += len(frame)
        liveness.frame_us = received_us
        if self._on_frame is not None:
            self._on_frame(stats.venue, stats.connection, received_us, frame)
        messages = self.adapter.parse(frame, received_us, memory or self.memory)
        due_us = self._due_us
        if due_us is not None and messages and received_us >= due_us.get(type(messages[0]), 0):
            self._feed_health.look(type(messages[0]), frame, received_us)  # type: ignore[union-attr]  # its own
        for message in messages:
            if type(message) is not Trade:
                return self._sort(messages, received_us, liveness)
        # Nearly every frame holds trades alone; counting them together takes a third of the time.
        if messages:
            stats.events[TRADE] += len(messages)
            liveness.event_us[Trade] = received_us
            self._publish(messages, received_us)  # type: ignore[arg-type]  # all are trades
        return ()

    def _sort(self, messages: Sequence[Message], received_us: int, liveness: Liveness) -> Sequence[Control]:
        """Publish the events among a frame's messages; return the control messages."""
        stats = self.stats
        events: list[AnyEvent] = []
        controls: list[Control] = []
        for message in messages:
            kind = type(message)
            if kind in KIND_NAMES:
                events.append(message)  # type: ignore[arg-type]  # KIND_NAMES holds event types alone
                liveness.event_us[kind] = received_us
                stats.count_event(events[-1])
            elif isinstance(message, Reject):
                self.reject(message)
            elif isinstance(message, Skipped):
                stats.skipped[message.reason] += message.rows
            else:
                controls.append(message)  # type: ignore[arg-type]  # only control messages are left
        if events:
            if self._feed_health is not None:
                self._feed_health.events(events)
            self._publish(events, received_us)
        return controls

    def _publish(self, events: list[AnyEvent], received_us: int) -> None:
        stats = self.stats
        stats.last_message_us = received_us
        stats.ages.observe(received_us - events[0].event_time_us)
        self._venue_publisher.publish(events if self._overlap is None else self._overlap.fresh(events))

    def reject(self, reject: Reject) -> None:
        """Count a reject and publish it if the rate limit permits."""
        self.stats.rejects[reject.reason] += 1
        if self._feed_health is not None:
            self._feed_health.rejected(reject)
        self._venue_publisher.reject(reject)

    @property
    def full(self) -> bool:
        """True if reading must pause for :meth:`drain`."""
        return self._venue_publisher.full

    async def room(self) -> None:
        """Wait until the bus has room; return at once if it has."""
        if self.full:
            await self.drain()

    async def drain(self) -> None:
        """Count a back-pressure pause and wait until the bus has room."""
        self.stats.drains += 1
        await self._venue_publisher.drain()

    def begin_overlap(self) -> TradeOverlap:
        """Deduplicate trades from now on, because two sockets carry the same ones."""
        self.end_overlap(self._overlap)
        self._overlap = TradeOverlap()
        return self._overlap

    def end_overlap(self, overlap: TradeOverlap | None = None) -> None:
        """End the deduplication of an overlap, or of the current one; do nothing if that overlap has ended."""
        current = self._overlap
        if current is not None and overlap in (None, current):
            self.stats.overlap_duplicates += current.duplicates
            self._overlap = None
