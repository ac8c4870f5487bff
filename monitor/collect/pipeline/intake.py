"""From a connection's frames to the venue's outlet: parse, count, publish. The hot path of collecting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from monitor.collect.pipeline.liveness import Pulse
from monitor.collect.pipeline.outlet import Outlet
from monitor.collect.pipeline.trade_bars import TradeOverlap
from monitor.collect.quality.feed_health import Watch
from monitor.collect.stats import KIND_NAMES, SessionStats
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Control, Message, Skipped
from monitor.model.events import AnyEvent, Reject, Trade

TRADE: Final = KIND_NAMES[Trade]

OnFrame = Callable[[str, str, int, bytes], None]
"""``on_frame(venue, connection name, receive time, frame)``: the tap of the recorder, before parsing."""


class Intake:
    """Reads the frames of one connection, whichever socket they come on.

    Attributes:
        adapter: reads the frames; may be replaced at any time by one with newer instruments.
        memory: the venue's, which outlives adapters and sockets.
        stats: what is counted.
    """

    __slots__ = ("_due_us", "_on_frame", "_outlet", "_overlap", "_watch", "adapter", "memory", "stats")

    def __init__(
        self,
        adapter: Adapter,
        outlet: Outlet,
        stats: SessionStats,
        on_frame: OnFrame | None = None,
        watch: Watch | None = None,
        memory: Memory | None = None,
    ) -> None:
        """``watch`` judges whether the feed can be believed; without ``memory`` the connection has one of its own."""
        self.adapter = adapter
        self.memory = memory or Memory()
        self.stats = stats
        self._outlet = outlet
        self._on_frame = on_frame
        self._watch = watch
        self._due_us = watch.due_us if watch is not None else None
        self._overlap: TradeOverlap | None = None

    def take(self, frame: bytes, received_us: int, pulse: Pulse, memory: Memory | None = None) -> Sequence[Control]:
        """Publish what a frame holds and return its control messages; ``memory`` is that of the frame's socket."""
        stats = self.stats
        stats.frames += 1
        stats.bytes += len(frame)
        pulse.frame_us = received_us
        if self._on_frame is not None:
            self._on_frame(stats.venue, stats.connection, received_us, frame)
        messages = self.adapter.parse(frame, received_us, memory or self.memory)
        due_us = self._due_us
        if due_us is not None and messages and received_us >= due_us.get(type(messages[0]), 0):
            self._watch.look(type(messages[0]), frame, received_us)  # type: ignore[union-attr]  # it gave the dates
        for message in messages:
            if type(message) is not Trade:
                return self._sort(messages, received_us, pulse)
        # Trades and nothing else, which is nearly every frame: counting them together takes a third of the time.
        if messages:
            stats.events[TRADE] += len(messages)
            pulse.heard[Trade] = received_us
            self._publish(messages, received_us)  # type: ignore[arg-type]  # they are trades
        return ()

    def _sort(self, messages: Sequence[Message], received_us: int, pulse: Pulse) -> Sequence[Control]:
        """Publish the events among the messages of a frame; returns the control messages."""
        stats = self.stats
        events: list[AnyEvent] = []
        controls: list[Control] = []
        for message in messages:
            kind = type(message)
            if kind in KIND_NAMES:
                events.append(message)  # type: ignore[arg-type]  # the table holds event types alone
                pulse.heard[kind] = received_us
                stats.count_event(events[-1])
            elif isinstance(message, Reject):
                self.reject(message)
            elif isinstance(message, Skipped):
                stats.skipped[message.reason] += message.rows
            else:
                controls.append(message)  # type: ignore[arg-type]  # what is left
        if events:
            if self._watch is not None:
                self._watch.events(events)
            self._publish(events, received_us)
        return controls

    def _publish(self, events: list[AnyEvent], received_us: int) -> None:
        stats = self.stats
        stats.last_message_us = received_us
        stats.ages.observe(received_us - events[0].event_time_us)
        self._outlet.publish(events if self._overlap is None else self._overlap.fresh(events))

    def reject(self, reject: Reject) -> None:
        """Count a reject and publish it as far as the rate allows."""
        self.stats.rejects[reject.reason] += 1
        if self._watch is not None:
            self._watch.rejected(reject)
        self._outlet.reject(reject)

    @property
    def full(self) -> bool:
        """Whether to drain before reading on."""
        return self._outlet.full

    async def room(self) -> None:
        """Wait until the bus has room, if it has none."""
        if self.full:
            await self.drain()

    async def drain(self) -> None:
        """Wait until the bus has room."""
        self.stats.drains += 1
        await self._outlet.drain()

    def begin_overlap(self) -> TradeOverlap:
        """Two sockets carry the same trades from now on: each is passed once."""
        self.end_overlap(self._overlap)
        self._overlap = TradeOverlap()
        return self._overlap

    def end_overlap(self, overlap: TradeOverlap | None = None) -> None:
        """The overlap, or whichever is in force, is over; one that is no longer in force is let be."""
        current = self._overlap
        if current is not None and overlap in (None, current):
            self.stats.overlap_duplicates += current.duplicates
            self._overlap = None
