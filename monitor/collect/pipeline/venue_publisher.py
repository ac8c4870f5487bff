"""Publishes one venue's events on the bus: trades singly or as bars, and rejects within a rate limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.bus.ports import Publisher
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.trade_bars import TradeFolder
from monitor.model.events import AnyEvent, Gap, Heartbeat, Reject, Trade

OnEvent = Callable[[AnyEvent], None]
"""Receives the events that no frame of a socket holds (the collector's own, and those fetched by REST), so that a
recording of frames can be replayed with them."""

OnGap = Callable[[Gap, Sequence[str]], None]
"""Receives a gap and the symbols of the lost socket, to backfill it."""


class VenuePublisher:
    """Publishes the events of one venue; its sessions share it.

    Args:
        publisher: the bus.
        switch: decides if trades are folded into bars.
        gate: rate limit of published rejects.
        clock: returns the machine's time in microseconds.
        on_event: receives every published gap and heartbeat, and every event that was fetched by REST.

    Attributes:
        on_gap: receives every gap after it is published; None if gaps are not backfilled.
    """

    __slots__ = ("_clock", "_on_event", "_publisher", "folder", "gate", "on_gap", "switch")

    def __init__(
        self,
        publisher: Publisher,
        switch: OverloadSwitch,
        gate: RejectGate,
        clock: Callable[[], int],
        on_event: OnEvent | None = None,
    ) -> None:
        self._publisher = publisher
        self._clock = clock
        self._on_event = on_event
        self.on_gap: OnGap | None = None
        self.switch = switch
        self.gate = gate
        self.folder = TradeFolder()

    def publish(self, events: Sequence[AnyEvent]) -> None:
        """Publish events; while folding is on, add their trades to the open bars instead."""
        if self.switch.folding:
            trades = [event for event in events if type(event) is Trade]
            if trades:
                rest: list[AnyEvent] = [event for event in events if type(event) is not Trade]
                rest += self.folder.fold(trades)
                events = rest
        if events:
            self._publisher.write(events)

    def announce(self, events: Sequence[Gap | Heartbeat]) -> None:
        """Publish the collector's own records about the venue's channels."""
        self._publisher.write(events)
        self._show(events)

    def announce_gaps(self, gaps: Sequence[Gap], symbols: Sequence[str]) -> None:
        """Publish the gaps of a lost socket and pass them to ``on_gap`` with its symbols."""
        self.announce(gaps)
        if self.on_gap is not None:
            for gap in gaps:
                self.on_gap(gap, symbols)

    def publish_rest(self, events: Sequence[AnyEvent]) -> None:
        """Publish events that were fetched by REST."""
        self._show(events)
        self.publish(events)

    def _show(self, events: Sequence[AnyEvent]) -> None:
        if self._on_event is not None:
            for event in events:
                self._on_event(event)

    def reject(self, reject: Reject) -> None:
        """Publish a reject if the rate limit permits; the caller has counted it."""
        if self.gate.allows(reject.receive_time_us):
            self._publisher.write((reject,))

    def flush_ended(self) -> None:
        """Publish the bars whose interval has ended; call it about once per interval."""
        now_us = self._clock()
        relaxed = not self.full and self.switch.relax(now_us)
        bars = self.folder.flush() if relaxed else self.folder.flush_ended(now_us)
        if bars:
            self._publisher.write(bars)

    def flush(self) -> None:
        """Publish every open bar."""
        bars = self.folder.flush()
        if bars:
            self._publisher.write(bars)

    @property
    def full(self) -> bool:
        """True if the caller must await :meth:`drain` before it reads on."""
        return self._publisher.full

    async def drain(self) -> None:
        """Wait until the bus has room; from then on trades are folded until the bus has been calm for a while."""
        self.switch.pressed(self._clock())
        await self._publisher.drain()
        self.switch.pressed(self._clock())
