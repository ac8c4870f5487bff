"""Detectors as processes of their own, and what a desk reads of them."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.topics import SIGNALS
from monitor.lab.demo.story import DETECTOR
from monitor.lab.simulate.arena import Arena
from monitor.model.events import Heartbeat
from monitor.model.signals import Signal
from monitor.settings import Settings
from tests.e2e.stage import CHANNELS, environment
from tests.kafka.story import Told, differences, told
from tests.logs import JSON_LOG
from tests.waiting import patient, until

SESSION_S: Final = 4.0
"""Short, so that a test sees another member take over; the program's default is six."""


def kafka_section(connection: KafkaConnection, **more: object) -> dict[str, Any]:
    """``bus`` as the settings file has it."""
    return {
        "kind": "kafka",
        "kafka": {
            "bootstrap_servers": connection.bootstrap_servers,
            "partitions": connection.partitions,
            "topic_prefix": connection.topic_prefix,
            "group": connection.topic_prefix + "detector",
        }
        | more,
    }


def detector_settings(connection: KafkaConnection) -> Settings:
    """Settings of a detector that runs within the test."""
    shared = {"security_protocol", "username", "password", "ssl_cafile"}
    more = {name: value for name in shared if (value := getattr(connection, name)) is not None}
    bus = kafka_section(connection, **more, snapshot_s=1.0, session_timeout_s=SESSION_S)
    return Settings.model_validate(
        {"role": "detector", "bus": bus, "detector": DETECTOR.model_dump(), "delivery": {"port": 0}}
    )


class Process:
    """``cascade-monitor run`` in a role, killed at the end at the latest."""

    def __init__(self, folder: Path, name: str, settings: dict[str, Any]) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._config = folder / f"{name}.yaml"
        self._config.write_text(yaml.safe_dump(settings | {"log": JSON_LOG}))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, also again."""
        command = [sys.executable, "-m", "monitor", "run", "--config", str(self._config)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._config.parent, env=environment(), stderr=log)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The one that was started last."""
        assert self._process is not None
        return self._process

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it said."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def send(self, signum: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(signum)

    async def stop(self) -> int:
        """SIGTERM, the regular end; returns the exit status."""
        self.send(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, patient(30))

    def kill(self) -> None:
        """SIGKILL."""
        if self.running:
            self.process.kill()
            self.process.wait(patient(10))

    async def url(self) -> str:
        """Where it serves HTTP."""
        await until(lambda: "metrics at" in self.log or not self.running)
        assert self.running, self.log
        return str(re.findall(r"metrics at (http://[^/\s]+)/metrics", self.log)[-1])

    def memory_mb(self) -> float:
        """What it holds in memory (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    def warm_times(self) -> list[float]:
        """Seconds from taking up each share of assets to its first transaction; the market waits for all of them."""
        return [float(found) for found in re.findall(r"assets-\d+: warm in ([0-9.]+) s", self.log)]


def collector(connection: KafkaConnection, arena: Arena, folder: Path, name: str, **more: object) -> Process:
    """A collector that dials the arena."""
    venues = {
        venue: {"ws_url": exchange.ws_url, "rest_url": exchange.rest_url, "channels": list(CHANNELS)}
        for venue, exchange in arena.exchanges.items()
    }
    settings = {
        "role": "collector",
        "venues": venues,
        "bus": kafka_section(connection, **more),
        "collector": {"instruments_cache": str(folder / name), "hold_s": 2.0},
        "delivery": {"port": 0},
    }
    return Process(folder, name, settings)


class Members:
    """Detectors of one group. Use as a context manager."""

    def __init__(self, connection: KafkaConnection, folder: Path, count: int, **more: object) -> None:
        self.connection = connection
        self.processes = [
            Process(
                folder,
                f"detector-{number}",
                {
                    "role": "detector",
                    "bus": kafka_section(
                        connection,
                        **{"instance_id": f"d{number}", "session_timeout_s": SESSION_S, "snapshot_s": 2.0} | more,
                    ),
                    "detector": DETECTOR.model_dump(mode="json"),
                    "delivery": {"port": 0},
                },
            )
            for number in range(count)
        ]

    def __enter__(self) -> Self:
        """Start them all."""
        for process in self.processes:
            process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()

    @property
    def log(self) -> str:
        """What all of them said."""
        return "\n".join(f"--- {process.name}\n{process.log}" for process in self.processes)


class Desk:
    """Reads committed signals as a desk does, from the beginning."""

    def __init__(self, connection: KafkaConnection, group: str = "desk") -> None:
        self.signals: list[Signal] = []
        self.beats: list[Heartbeat] = []
        self.seen: dict[tuple[str, int], int] = defaultdict(int)
        self._reader = KafkaSubscriber(connection, [SIGNALS], group=connection.topic_prefix + group)

    async def __aenter__(self) -> Self:
        await self._reader.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reader.close()

    async def read(self, timeout_s: float = 0.1) -> None:
        """What is there."""
        for batch in await self._reader.poll(timeout_s):
            for record in batch.records:
                if isinstance(record, Signal):
                    self.signals.append(record)
                    self.seen[record.episode_id, record.revision] += 1
                elif isinstance(record, Heartbeat):
                    self.beats.append(record)

    async def read_until(self, done: Callable[[], bool], within_s: float) -> bool:
        """Read until a condition holds; whether it did in time."""
        deadline = time.monotonic() + patient(within_s)
        while not done():
            if time.monotonic() > deadline:
                return False
            await self.read()
        return True

    async def read_all(self, want: Told, within_s: float) -> list[str]:
        """Read until as many signals came as are wanted, and any more that come at once; the differences."""
        count = sum(map(len, want.values()))
        await self.read_until(lambda: len(self.signals) >= count, within_s)
        await self.read(0.5)
        return differences(told(self.signals), want)

    @property
    def doubled(self) -> list[tuple[str, int]]:
        """Signals that came more than once, by episode and revision."""
        return [key for key, times in self.seen.items() if times > 1]


async def pause(seconds: float, desk: Desk) -> None:
    """Let time go by while the desk reads."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await desk.read(0.05)
        await asyncio.sleep(0.01)
