"""Measures ``cascade-monitor replay`` of a file of events as a whole process, beside decoding its lines alone."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import orjson

from monitor.lab.bench.decode import prepare
from monitor.lab.bench.frames import Frame
from monitor.lab.bench.measure import Case, Group, measure
from monitor.model.events import Event

ORJSON: Final = "orjson.loads"
REPLAY: Final = "monitor"
TIMEOUT_S: Final = 600


def write_events(frames: Sequence[Frame], path: Path) -> int:
    """Write the adapters' events of the frames, one record a line, and return their number."""
    encoder = msgspec.json.Encoder()
    count = 0
    with path.open("wb") as file:
        for parse, data, received_us, memory in prepare(frames).calls():
            for message in parse(data, received_us, memory):
                if isinstance(message, Event):
                    file.write(encoder.encode(message) + b"\n")
                    count += 1
    return count


def children_cpu_s() -> float:
    """Return the CPU seconds of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_replay(path: Path) -> int:
    """Replay the file in a new process and return the number of events in its summary.

    Raises:
        CalledProcessError: the program failed.
    """
    command = [sys.executable, "-m", "monitor", "replay", str(path), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)  # noqa: S603 - our own program
    return int(orjson.loads(done.stdout.splitlines()[-1])["events"])


def run_orjson(path: Path) -> int:
    """Read and decode every line, and return their number."""
    count = 0
    with path.open("rb") as file:
        for line in file:
            orjson.loads(line)
            count += 1
    return count


def group(frames: Sequence[Frame], rounds: int, directory: Path) -> Group:
    """Measure the replay of the frames' events, start of the process included."""
    path = directory / "events.jsonl"
    count = write_events(frames, path)
    cases = [
        Case(ORJSON, "events", lambda _: run_orjson(path)),
        Case(REPLAY, "events", lambda _: run_replay(path), clock=children_cpu_s),
    ]
    notes = (
        f"{count:,} events, {path.stat().st_size / 1e6:.0f} MB; orjson only reads the lines",
        "the process's start is in the monitor's time",
    )
    return Group("replay", measure(cases, rounds), (ORJSON,), notes)
