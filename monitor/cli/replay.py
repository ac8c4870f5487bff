"""Run the detector over recordings: the same signals as the live run gave, and a summary."""

from __future__ import annotations

import heapq
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from monitor.collect.recording import INSTRUMENTS, BadLine, Item, RawFrame, read, read_file
from monitor.collect.rest.instruments import instruments_in
from monitor.deliver.terminal import episode_table, plain_console
from monitor.detect.detector import Detector
from monitor.detect.quarantine import Unapplied
from monitor.detect.summary import Intake, Summary, summarise
from monitor.exchanges.adapter import Ack, Adapter, Instrument, Notice, Ping, Pong, Refusal, Skipped
from monitor.exchanges.memory import Memory
from monitor.exchanges.registry import adapter_named
from monitor.model.errors import OperatorError
from monitor.model.events import AnyEvent, Reject, Signal
from monitor.model.validation import UNREADABLE
from monitor.settings import Settings

BATCH: Final = 1_000
"""Events given to the detector at once; progress is shown between two batches."""
EXAMPLES: Final = 5
"""Rejects that are shown after a replay, the first ones; all of them are counted."""

_CONTROL: Final = (Ack, Refusal, Pong, Ping, Notice, Skipped)
_JSON: Final = msgspec.json.Encoder()


class Rejected(NamedTuple):
    """A line that could not be read, and its place."""

    where: str
    reason: str


class FrameReader:
    """Turns a recording's raw frames into events, with the contract data that the recording holds."""

    def __init__(self) -> None:
        self._instruments: dict[str, dict[str, Instrument]] = {}
        self._adapters: dict[str, Adapter] = {}
        self._venues: dict[str, Memory] = {}
        self._sockets: dict[tuple[str, str], Memory] = {}

    def events(self, raw: RawFrame) -> list[AnyEvent | Reject]:
        """Return the events of one frame. Raises ``OperatorError`` for a venue that there is no adapter for."""
        adapter = self._adapters.get(raw.venue)
        if adapter is None:
            adapter = self._adapters[raw.venue] = _adapter(raw.venue)()
        if raw.channel == INSTRUMENTS:
            return self._learn(adapter, raw)
        memory = self._sockets.get((raw.venue, raw.channel))
        if memory is None:
            venue = self._venues.setdefault(raw.venue, Memory())
            memory = self._sockets[raw.venue, raw.channel] = venue.of_socket()
        messages = adapter.parse(raw.content, raw.receive_time_us, memory)
        return [message for message in messages if not isinstance(message, _CONTROL)]

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
    """One or more files as one stream of events in the order of their arrival.

    Args:
        sources: line readers by name; each is taken to be in order already, several are merged by arrival.
    """

    def __init__(self, sources: Mapping[str, Iterable[Item]]) -> None:
        self._sources = sources
        self._frames = FrameReader()
        self.intake = Intake()
        self.examples: list[Rejected] = []

    def __iter__(self) -> Iterator[AnyEvent]:
        """The events."""
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

    def note(self, faults: Iterable[Unapplied]) -> None:
        """Add a record that could not be applied to the examples; the summary counts it by itself."""
        room = max(0, EXAMPLES - len(self.examples))
        self.examples += [Rejected(f"a record of {each.reject.venue}", each.reject.detail) for each in faults][:room]

    def _reject(self, where: str, reason: str) -> None:
        self.intake.rejected += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(Rejected(where, reason))


def _arrival(event: AnyEvent) -> int:
    return event.receive_time_us or event.event_time_us


def play(
    playback: Playback, detector: Detector, emit: Callable[[list[Signal]], None], tick: Callable[[], None]
) -> Summary:
    """Run a playback through a detector to its end.

    Args:
        playback: the events.
        detector: decides; closed up to the last second that has an event.
        emit: takes the signals, batch by batch.
        tick: called after every batch, for progress.
    """
    started = time.perf_counter()
    batch: list[AnyEvent] = []
    for event in playback:
        batch.append(event)
        if len(batch) >= BATCH:
            emit(detector.apply(batch))
            playback.note(detector.quarantine.take())
            batch = []
            tick()
    emit(detector.apply(batch))
    emit(detector.advance(detector.second + 1))
    playback.note(detector.quarantine.take())
    playback.intake.elapsed_s = time.perf_counter() - started
    return summarise(detector, playback.intake)


def run(files: tuple[Path, ...], settings: Settings, *, as_json: bool) -> int:
    """Run ``cascade-monitor replay`` and return its exit status: 0, even if lines were rejected and counted.

    Raises:
        OperatorError: a recording is of a venue that is not known, or holds no event at all.
        OSError: a file cannot be read.
    """
    sources = {str(path): read(sys.stdin.buffer) if str(path) == "-" else read_file(path) for path in files}
    playback = Playback(sources)
    detector = Detector(settings.detector)
    errors = Console(stderr=True)
    if as_json:
        summary = play(playback, detector, lambda signals: _print(signals, sys.stdout.buffer), lambda: None)
        sys.stdout.buffer.write(_JSON.encode(summary) + b"\n")
        sys.stdout.buffer.flush()
    else:
        columns = (SpinnerColumn(), TextColumn("{task.completed:,} events, {task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=errors, transient=True) as progress:
            task = progress.add_task("reading", total=None)

            def tick() -> None:
                open_episodes = sum(episode.ended_us is None for episode in detector.episodes())
                progress.update(task, completed=playback.intake.events, description=f"{open_episodes} open episodes")

            summary = play(playback, detector, lambda _signals: None, tick)
        console = plain_console()
        console.print(episode_table(summary.episodes))
        console.print(_in_words(summary), markup=False, soft_wrap=True)
    for example in playback.examples:
        errors.print(f"rejected {example.where}: {example.reason}", markup=False, highlight=False, soft_wrap=True)
    if not playback.intake.events:
        raise OperatorError(f"no event in {', '.join(sources)}: a recording holds events or frames as JSON lines")
    return 0


def _print(signals: list[Signal], stream: BinaryIO) -> None:
    """Write signals as JSON lines, stamped with the time of their sending."""
    now_us = time.time_ns() // 1_000
    for signal in signals:
        signal.emitted_time_us = now_us
    if signals:
        stream.write(_JSON.encode_lines(signals))


def _in_words(summary: Summary) -> str:
    total = summary.liquidated_usd
    lines = [
        f"{summary.events:,} events in {summary.elapsed_s:.1f} s ({summary.events_per_s:,.0f} a second), "
        f"{summary.rejected:,} rejected, {summary.unapplied:,} not applied, {summary.duplicates:,} seen twice",
        f"{summary.liquidations:,} liquidations: {total.long:,.2f} USD of longs, {total.short:,.2f} USD of shorts",
        *(f"Note: {note}" for note in summary.notes),
    ]
    return "\n".join(lines)
