"""Writes a world to files: its events, its truth, and its true minutes."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from monitor.deliver.terminal import plain_console, usd
from monitor.lab.simulate.world.settings import WorldSettings
from monitor.lab.simulate.world.truth import Episode, NearMiss
from monitor.lab.simulate.world.world import World
from monitor.model.events import MICROS

EVENTS: Final = "events.jsonl.gz"
TRUTH: Final = "truth.jsonl"
MINUTES: Final = "truth_minutes.csv.gz"
COMPRESSION: Final = 1
"""Level of gzip: a fifth of the default's time for files a fifth larger."""

_JSON: Final = msgspec.json.Encoder()


@contextmanager
def open_gzip(path: Path) -> Iterator[BinaryIO]:
    """Open a gzip file whose bytes depend on the content alone: its header has no name and no time."""
    with path.open("wb") as file:
        packed = gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0)
        with io.BufferedWriter(packed, 1 << 20) as buffered:
            yield buffered


def write_events(world: World, path: Path, progress: Progress) -> int:
    """Write the events as JSON lines and return their number."""
    written = 0
    task = progress.add_task("writing events", total=world.chunks + 1)
    with open_gzip(path) as file:
        for chunk in world.events():
            file.write(_JSON.encode_lines(chunk))
            written += len(chunk)
            progress.advance(task)
    return written


def write_truth(world: World, path: Path) -> list[Episode]:
    """Write the world's header, its cascades, near misses and decoys, and return the episodes."""
    found = world.episodes()
    path.write_bytes(_JSON.encode_lines([world.header(), *found, *world.decoys()]))
    return found


def write_minutes(world: World, path: Path) -> None:
    """Write true forced USD by minute, asset and side; minutes without any are left out."""
    with open_gzip(path) as file:
        file.write(b"minute_us,asset,side,orders,forced_usd\n")
        for minute in world.minutes():
            dollars, rest = divmod(minute.micro_usd, MICROS)
            row = f"{minute.minute_us},{minute.asset},{minute.side},{minute.orders},{dollars}.{rest // 10_000:02}\n"
            file.write(row.encode())


def run(settings: WorldSettings, out: Path, *, quiet: bool) -> int:
    """Run ``cascade-monitor simulate`` and return the exit status.

    Raises:
        OSError: the directory cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        days = -(-settings.seconds // 86_400)
        task = progress.add_task("simulating asset-days", total=days * settings.assets)
        world = World(settings, lambda: progress.advance(task))
        written = write_events(world, out / EVENTS, progress)
        found = write_truth(world, out / TRUTH)
        write_minutes(world, out / MINUTES)
    if not quiet:
        plain_console().print(_summary(world, found, written, out), markup=False, highlight=False, soft_wrap=True)
    return 0


def _summary(world: World, found: list[Episode], written: int, out: Path) -> str:
    """Return a summary of the world with the figures to which it is calibrated."""
    near = sum(isinstance(episode, NearMiss) for episode in found)
    months = world.settings.seconds / (30 * 86_400) * len(world.specs)
    forced = [sum(facts.forced_usd.values()) for facts in world.header().assets]
    interest = [facts.open_interest_usd for facts in world.header().assets]
    daily = [amount / size / world.settings.seconds * 86_400 for amount, size in zip(forced, interest, strict=True)]
    return "\n".join(
        (
            f"{written:,} events in {out / EVENTS}",
            f"{len(found) - near} cascades ({(len(found) - near) / months:.1f} per asset-month), {near} near misses, "
            f"{len(world.decoys())} decoys in {out / TRUTH}",
            f"{usd(sum(forced))} USD liquidated; a day's share of the open interest: "
            f"{min(daily):.1%} to {max(daily):.1%} by asset",
        )
    )
