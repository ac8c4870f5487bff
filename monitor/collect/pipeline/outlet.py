"""Where one venue's events leave the adapters: towards the bus, trades each or as bars, rejects within a rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.bus.ports import Publisher
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.trade_bars import TradeFolder
from monitor.model.events import AnyEvent, Gap, Heartbeat, Reject, Trade

OnEvent = Callable[[AnyEvent], None]
"""Sees the events that no frame of a socket holds, so that a recording of frames can be played with them: the
collector's own, and those that were asked for."""

OnGap = Callable[[Gap, Sequence[str]], None]
"""Sees the gaps, and the symbols of the socket that was lost, to fill them."""


class Outlet:
    """One venue's way to the publisher, shared by its sessions.

    Args:
        publisher: the bus.
        switch: whether trades are folded now.
        gate: the limit on published rejects.
        clock: the machine's time in microseconds.
        on_event: sees every gap and heartbeat as it is published, and every event that was asked for.

    Attributes:
        on_gap: sees every gap after it is published; None where nobody fills gaps.
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
        """Hand events to the bus, or their trades to the open bars."""
        if self.switch.folding:
            trades = [event for event in events if type(event) is Trade]
            if trades:
                rest: list[AnyEvent] = [event for event in events if type(event) is not Trade]
                rest += self.folder.fold(trades)
                events = rest
        if events:
            self._publisher.write(events)

    def announce(self, events: Sequence[Gap | Heartbeat]) -> None:
        """Publish what the collector itself says of the venue's channels."""
        self._publisher.write(events)
        self._show(events)

    def announce_gaps(self, gaps: Sequence[Gap], symbols: Sequence[str]) -> None:
        """As :meth:`announce`, for what a lost socket hid of its symbols; whoever fills gaps hears of it."""
        self.announce(gaps)
        if self.on_gap is not None:
            for gap in gaps:
                self.on_gap(gap, symbols)

    def publish_asked(self, events: Sequence[AnyEvent]) -> None:
        """As :meth:`publish`, for events that came by REST."""
        self._show(events)
        self.publish(events)

    def _show(self, events: Sequence[AnyEvent]) -> None:
        if self._on_event is not None:
            for event in events:
                self._on_event(event)

    def reject(self, reject: Reject) -> None:
        """Publish a reject as far as the rate allows; the caller has counted it."""
        if self.gate.allows(reject.receive_time_us):
            self._publisher.write((reject,))

    def flush_ended(self) -> None:
        """Publish the bars whose interval is over; call this about once an interval."""
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
        """Whether to await :meth:`drain` before reading on."""
        return self._publisher.full

    async def drain(self) -> None:
        """Wait until the bus has room; from now on trades are folded until it has been calm for a while."""
        self.switch.pressed(self._clock())
        await self._publisher.drain()
        self.switch.pressed(self._clock())
