"""The program as its users start it, beside an arena that plays in the test: settings, the process, what it serves."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import yaml
from prometheus_client.parser import text_string_to_metric_families

from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.ledger import Amount, Ledger, by_side
from monitor.model.events import MICROS, AnyEvent, Side
from monitor.roles import state_file
from tests.logs import JSON_LOG
from tests.paths import ROOT
from tests.waiting import patient, until
from tests.web import get

WARMUP_S: Final = 600
"""Ten minutes of calm: enough for the demo's detector to know what is normal."""
CHANNELS: Final = ("liquidations", "trades", "mark_price")

Metrics = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def environment(*, traced: bool = True) -> dict[str, str]:
    """This environment without the program's own variables, and without a proxy: everything is on loopback.

    Not ``traced`` leaves a long process out of the coverage, where shorter tests run the same lines.
    """
    away = ("CASCADE_",) if traced else ("CASCADE_", "COVERAGE_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(away)}
    return kept | {"NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT)}


def write_config(arena: Arena, folder: Path, **delivery: object) -> Path:
    """A settings file that dials the arena, keeps its state in ``folder``, and judges as the demo does."""
    venues = {
        venue: {"ws_url": exchange.ws_url, "rest_url": exchange.rest_url, "channels": list(CHANNELS)}
        for venue, exchange in arena.exchanges.items()
    }
    tree = {
        "venues": venues,
        "collector": {
            "history": False,  # the simulated exchanges keep none
            "backfill": False,
            "instruments_cache": str(folder / "instruments"),
            "record_path": str(folder / "recording.jsonl.gz"),
        },
        "detector": DETECTOR.model_dump(mode="json"),
        "log": JSON_LOG,
        "delivery": {
            "port": 0,
            "state_file": str(folder / "detector.state"),
            "signals_output": str(folder / "signals.jsonl"),
        }
        | delivery,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def learn(arena: Arena, folder: Path) -> Detector:
    """Let a detector learn the arena's calm; its state and the calm's events are left in ``folder``."""
    history: list[AnyEvent] = list(arena.history())
    (folder / "history.jsonl").write_bytes(msgspec.json.Encoder().encode_lines(history))
    detector = Detector(DETECTOR)
    detector.apply(history)
    state_file.save(folder / "detector.state", detector.snapshot())
    return detector


class Program:
    """``cascade-monitor run`` as a process of its own, killed at the end at the latest."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._log = config.parent / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._said = 0

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            await asyncio.to_thread(self.process.wait, patient(10))

    def start(self) -> None:
        """Start it, also again."""
        self._said = len(self.log)
        command = [sys.executable, "-m", "monitor", "run", "--config", str(self._config)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._config.parent, env=environment(), stderr=log)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        """Everything that it said on standard error."""
        return self._log.read_text() if self._log.exists() else ""

    async def url(self) -> str:
        """Where it serves HTTP."""
        found: list[str] = []

        def said() -> bool:
            assert self.process.poll() is None, self.log
            found[:] = re.findall(r"metrics at (http://[^/\s]+)/metrics", self.log[self._said :])
            return bool(found)

        await until(said)
        return found[-1]

    async def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; returns the exit status."""
        self.process.send_signal(signum)
        return await asyncio.to_thread(self.process.wait, patient(30))


async def scrape(url: str) -> Metrics:
    """Everything that ``/metrics`` says, by name and labels."""
    answer = await get(f"{url}/metrics")
    answer.raise_for_status()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(metrics: Metrics, metric: str, **labels: str) -> float:
    """One sample's value."""
    return metrics[f"cascade_{metric}", frozenset(labels.items())]


async def settled(url: str, after_s: float) -> Metrics:
    """The scrape once the detector has closed the second ``after_s``."""
    metrics: Metrics = {}

    async def closed() -> bool:
        nonlocal metrics
        metrics = await scrape(url)
        return value(metrics, "decided_timestamp_seconds") > after_s

    await until(closed, every_s=0.1)
    return metrics


async def is_ready(url: str) -> bool:
    """Whether ``/readyz`` has nothing to object."""
    return (await get(f"{url}/readyz")).status_code == HTTPStatus.OK


async def reached(url: str, least: float, metric: str, **labels: str) -> None:
    """Wait until a sample is at least so much."""

    async def enough() -> bool:
        return value(await scrape(url), metric, **labels) >= least

    await until(enough, every_s=0.05)


def counted(metrics: Metrics, venues: Iterable[str]) -> dict[tuple[str, str], int]:
    """Micro-USD by venue and side as the monitor counted them."""
    return {
        (venue, side): round(value(metrics, "liquidated_usd_total", venue=venue, side=side) * MICROS)
        for venue in venues
        for side in ("long", "short")
    }


def books(arena: Arena, of: Callable[[Ledger], dict[tuple[str, Side], Amount]]) -> dict[tuple[str, str], int]:
    """Micro-USD by venue and side as the exchanges' ledgers have them."""
    return {
        (venue, side): amount.micro_usd
        for venue in arena.exchanges
        for side, amount in by_side(of(arena.ledger(venue))).items()
    }


def replay(
    *arguments: str | Path, cwd: Path, stdin: bytes = b"", traced: bool = True, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """``cascade-monitor replay`` as a process of its own."""
    environ = environment(traced=traced) | variables
    return subprocess.run(
        [sys.executable, "-m", "monitor", "replay", *map(str, arguments)],
        cwd=cwd,
        env=environ,
        input=stdin,
        capture_output=True,
        timeout=patient(280),
        check=False,
    )


def lines(text: bytes) -> list[dict[str, Any]]:
    """JSON lines."""
    return [msgspec.json.decode(line) for line in text.splitlines()]


CLOCK_FIELDS: Final = re.compile(rb'"(emitted_time_us|elapsed_s|events_per_s)":[0-9.e+-]+')


def without_clock(text: bytes) -> bytes:
    """The output with 0 in the fields that the contract lets differ between two runs."""
    return CLOCK_FIELDS.sub(rb'"\1":0', text)
