"""Runs the detector over recordings; it gives the same signals as the live run, and a summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from monitor.collect.playback import Playback
from monitor.collect.recording import read, read_file
from monitor.deliver.terminal import episode_table, plain_console
from monitor.detect.detector import Detector
from monitor.detect.summary import summarise
from monitor.model.errors import OperatorError
from monitor.model.events import AnyEvent
from monitor.model.signals import Signal
from monitor.model.summary import Summary
from monitor.settings import Settings

BATCH: Final = 1_000
"""Number of events applied at once; progress is shown between two batches."""

_JSON: Final = msgspec.json.Encoder()


def play(
    playback: Playback, detector: Detector, emit: Callable[[list[Signal]], None], tick: Callable[[], None]
) -> Summary:
    """Run a playback through a detector to its end.

    Args:
        playback: source of the events.
        detector: the detector; at the end it has closed the last second that has an event.
        emit: receives the signals, batch by batch.
        tick: called after every batch, for progress.
    """
    started = time.perf_counter()
    batch: list[AnyEvent] = []
    for event in playback:
        batch.append(event)
        if len(batch) >= BATCH:
            emit(detector.apply(batch))
            playback.note(each.reject for each in detector.quarantine.take())
            batch = []
            tick()
    emit(detector.apply(batch))
    emit(detector.advance(detector.second + 1))
    playback.note(each.reject for each in detector.quarantine.take())
    playback.intake.elapsed_s = time.perf_counter() - started
    return summarise(detector, playback.intake)


def run(files: tuple[Path, ...], settings: Settings, *, as_json: bool) -> int:
    """Run ``cascade-monitor replay`` and return its exit status: 0, even if lines were rejected and counted.

    Raises:
        OperatorError: a recording is of an unknown venue, or no recording holds an event.
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
