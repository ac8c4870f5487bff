"""Runs ``cascade-monitor bench``: measures, and prints tables or JSON."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from monitor.lab.bench import decode, kafka, latency, page, peers, replay, scrape, windows
from monitor.lab.bench.frames import generate
from monitor.lab.bench.latency import Delays
from monitor.lab.bench.measure import Group

PARTS: Final = ("decode", "windows", "replay", "scrape", "page", "kafka", "latency")
NEED_KAFKA: Final = frozenset({"kafka", "latency"})
PACKAGES: Final = ("orjson", "msgspec", "numpy", "prometheus_client", "aiokafka", "cryptofeed", "river")


def measure_parts(parts: Sequence[str], frames: int, rounds: int, bootstrap: str | None) -> Iterator[Group | Delays]:
    """Measure the named parts one after another; parts that need a broker are skipped without one."""
    made = list(generate(frames)) if {"decode", "replay", "kafka"} & set(parts) else []
    if "decode" in parts:
        yield decode.group(made, rounds)
    if "windows" in parts:
        for per_second in windows.DENSITIES:
            yield windows.group(per_second, rounds)
    if "replay" in parts:
        with tempfile.TemporaryDirectory() as directory:
            yield replay.group(made, rounds, Path(directory))
    if "scrape" in parts:
        yield scrape.group(rounds)
    if "page" in parts:
        yield page.group(rounds)
    if "kafka" in parts and bootstrap is not None:
        yield from kafka.groups(bootstrap, made, rounds)
    if "latency" in parts and bootstrap is not None:
        with tempfile.TemporaryDirectory() as directory:
            yield latency.group(bootstrap, Path(directory))


def table(group: Group | Delays) -> Table:
    """Return a group as a table."""
    return rate_table(group) if isinstance(group, Group) else delay_table(group)


def delay_table(group: Delays) -> Table:
    """Return the table of delays by rate."""
    shown = Table(title=group.title, title_justify="left", caption="\n".join(group.notes), caption_justify="left")
    for column in ("frames/s", "read/s", "signals of assets", "p50 ms", "p99 ms", "of the market", "p50 ms", "p99 ms"):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in group.rows:
        cells: list[float] = [row.frames_per_s, row.read_per_s]
        for delays in (row.assets_ms, row.market_ms):
            cells += [len(delays), latency.quantile(delays, 0.5), latency.quantile(delays, 0.99)]
        shown.add_row(*(f"{cell:,.0f}" for cell in cells))
    return shown


def rate_table(group: Group) -> Table:
    """Return the table of rates and their ratios."""
    shown = Table(
        "case", title=group.title, title_justify="left", caption="\n".join(group.notes), caption_justify="left"
    )
    for column in ("per CPU s", "min", "max", *(f"x {reference}" for reference in group.references)):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in group.rows:
        ratios = [f"{median(group.ratios(row, reference)):.2f}" for reference in group.references]
        shown.add_row(row.name, *(f"{rate:,.0f}" for rate in (row.median, min(row.rates), max(row.rates))), *ratios)
    return shown


def environment() -> dict[str, str]:
    """Return the versions with which the figures were measured."""
    versions = {package: peers.version(package) or "not installed" for package in PACKAGES}
    return {"python": platform.python_version(), "machine": platform.machine(), **versions}


def record(group: Group | Delays) -> dict[str, object]:
    """Return a group as a JSON object."""
    if isinstance(group, Delays):
        return {"title": group.title, "notes": group.notes, "rows": [row._asdict() for row in group.rows]}
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


def run(parts: Sequence[str], frames: int, rounds: int, bootstrap: str | None, *, as_json: bool) -> int:
    """Measure the parts, all of them if none is named, print the results, and return the exit status."""
    wanted = parts or PARTS
    if bootstrap is None and not NEED_KAFKA.isdisjoint(wanted):
        click.echo("kafka and latency are left out: they need a broker, named by --kafka HOST:PORT", err=True)
    groups = measure_parts(wanted, frames, rounds, bootstrap)
    if as_json:
        answer = {"type": "bench", "environment": environment(), "groups": [record(group) for group in groups]}
        click.echo(msgspec.json.encode(answer).decode())
        return 0
    console = Console()
    console.print(", ".join(f"{name} {version}" for name, version in environment().items()))
    for group in groups:
        console.print(table(group))
    return 0
