"""``cascade-monitor bench``: measures, prints a table, or JSON for a machine."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from monitor.bench import decode, kafka, peers, replay, windows
from monitor.bench.frames import generate
from monitor.bench.measure import Group

PARTS: Final = ("decode", "windows", "replay", "kafka")
PACKAGES: Final = ("orjson", "msgspec", "numpy", "cryptofeed", "river")


def measure_parts(parts: tuple[str, ...], frames: int, rounds: int) -> Iterator[Group]:
    """Measure the named parts one after another."""
    made = list(generate(frames)) if {"decode", "replay"} & set(parts) else []
    if "decode" in parts:
        yield decode.group(made, rounds)
    if "windows" in parts:
        for per_second in windows.DENSITIES:
            yield windows.group(per_second, rounds)
    if "replay" in parts:
        with tempfile.TemporaryDirectory() as directory:
            yield replay.group(made, rounds, Path(directory))
    if "kafka" in parts and (bootstrap := os.environ.get("CASCADE_TEST_KAFKA")):
        yield from kafka.groups(bootstrap, frames, rounds)


def table(group: Group) -> Table:
    """A group as people read it."""
    shown = Table(
        "what", title=group.title, title_justify="left", caption="\n".join(group.notes), caption_justify="left"
    )
    for column in ("per CPU s", "min", "max", *(f"x {reference}" for reference in group.references)):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in group.rows:
        ratios = [f"{median(group.ratios(row, reference)):.2f}" for reference in group.references]
        shown.add_row(row.name, *(f"{rate:,.0f}" for rate in (row.median, min(row.rates), max(row.rates))), *ratios)
    return shown


def environment() -> dict[str, str]:
    """What the figures were measured with."""
    versions = {package: peers.version(package) or "not installed" for package in PACKAGES}
    return {"python": platform.python_version(), "machine": platform.machine(), **versions}


def record(group: Group) -> dict[str, object]:
    """A group as programs read it."""
    rows = [
        {
            "name": row.name,
            "unit": f"{row.unit}/cpu-s",
            "rates": row.rates,
            "ratios": {reference: median(group.ratios(row, reference)) for reference in group.references},
        }
        for row in group.rows
    ]
    return {"title": group.title, "notes": group.notes, "rows": rows}


def run(parts: tuple[str, ...], frames: int, rounds: int, *, as_json: bool) -> int:
    """Measure and print; no parts means all of them."""
    groups = measure_parts(parts or PARTS, frames, rounds)
    if as_json:
        answer = {"type": "bench", "environment": environment(), "groups": [record(group) for group in groups]}
        click.echo(msgspec.json.encode(answer).decode())
        return 0
    console = Console()
    console.print(", ".join(f"{name} {version}" for name, version in environment().items()))
    for group in groups:
        console.print(table(group))
    return 0
