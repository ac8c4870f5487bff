"""Reads recordings back as events: event records unchanged, raw frames through their adapters."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from monitor.collect.recording import INSTRUMENTS, BadLine, Item
from monitor.collect.rest.instruments import instruments_in
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.registry import adapter_named
from monitor.model.errors import OperatorError
from monitor.model.events import AnyEvent, Event, Reject
from monitor.model.intake import Intake
from monitor.model.lines import RawFrame
from monitor.model.validation import UNREADABLE

EXAMPLES: Final = 5
"""Number of rejects shown after a replay, the first ones; all of them are counted."""


class Rejected(NamedTuple):
    """A line that could not be read: its place and the reason."""

    where: str
    reason: str


class FrameReader:
    """Parses a recording's raw frames into events, with the instruments that the recording holds."""

    def __init__(self) -> None:
        self._instruments: dict[str, dict[str, Instrument]] = {}
        self._adapters: dict[str, Adapter] = {}
        self._venues: dict[str, Memory] = {}
        self._sockets: dict[tuple[str, str], Memory] = {}

    def events(self, raw: RawFrame) -> list[AnyEvent | Reject]:
        """Return the events of one frame; raise ``OperatorError`` for a venue without an adapter."""
        adapter = self._adapters.get(raw.venue)
        if adapter is None:
            adapter = self._adapters[raw.venue] = _adapter(raw.venue)()
        if raw.channel == INSTRUMENTS:
            return self._learn(adapter, raw)
        memory = self._sockets.get((raw.venue, raw.channel))
        if memory is None:
            venue = self._venues.setdefault(raw.venue, Memory())
            memory = self._sockets[raw.venue, raw.channel] = venue.for_new_socket()
        messages = adapter.parse(raw.content, raw.receive_time_us, memory)
        return [message for message in messages if isinstance(message, Event | Reject)]

    def _learn(self, adapter: Adapter, raw: RawFrame) -> list[AnyEvent | Reject]:
        try:
            found = instruments_in(adapter, raw.content)
        except UNREADABLE as error:
            return [Reject(raw.venue, "malformed", f"instrument data: {error}", raw.receive_time_us)]
        known = self._instruments.setdefault(raw.venue, {})
        if found.items() <= known.items():
            return []
        known.update(found)
        self._adapters[raw.venue] = type(adapter)(known)
        return []


def _adapter(venue: str) -> type[Adapter]:
    try:
        return adapter_named(venue)
    except ValueError as error:
        raise OperatorError(str(error)) from None


class Playback:
    """Merges one or more files into one stream of events in order of arrival.

    Args:
        sources: line readers by name, each already in order of arrival.
    """

    def __init__(self, sources: Mapping[str, Iterable[Item]]) -> None:
        self._sources = sources
        self._frames = FrameReader()
        self.intake = Intake()
        self.examples: list[Rejected] = []

    def __iter__(self) -> Iterator[AnyEvent]:
        """Yield the events."""
        intake = self.intake
        streams = [self._read(name, items) for name, items in self._sources.items()]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=_arrival)
        for event in merged:
            at = event.event_time_us
            intake.events += 1
            intake.first_us = at if intake.first_us is None else min(at, intake.first_us)
            intake.last_us = at if intake.last_us is None else max(at, intake.last_us)
            yield event

    def _read(self, name: str, items: Iterable[Item]) -> Iterator[AnyEvent]:
        for item in items:
            if isinstance(item, BadLine):
                self._reject(f"{name}:{item.line}", f"{item.reason}: {item.detail}")
            elif isinstance(item, RawFrame):
                for event in self._frames.events(item):
                    if isinstance(event, Reject):
                        self._reject(f"{name}: a frame of {event.venue}", f"{event.reason}: {event.detail}")
                    else:
                        yield event
            else:
                yield item

    def note(self, rejects: Iterable[Reject]) -> None:
        """Add records that could not be applied to the examples; the caller counts them."""
        room = max(0, EXAMPLES - len(self.examples))
        self.examples += [Rejected(f"a record of {each.venue}", each.detail) for each in rejects][:room]

    def _reject(self, where: str, reason: str) -> None:
        self.intake.rejected += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(Rejected(where, reason))


def _arrival(event: AnyEvent) -> int:
    return event.receive_time_us or event.event_time_us
