"""Measures from the socket to the signal on its topic, with collector, Kafka and detector at several frames a second.

Every part is a process of its own: the exchange (:mod:`monitor.lab.bench.feed`), the two roles as users start them, the
broker. This process reads the signals as a desk does, committed ones only.
"""

from __future__ import annotations

import math
import multiprocessing
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

import uvloop
import yaml

from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.topics_admin import create
from monitor.bus.topics import SIGNALS, TOPICS
from monitor.lab.bench.feed import ASSETS, STRESSED, now_us, serve
from monitor.lab.bench.kafka import delete, new_group, scratch_connection
from monitor.lab.demo.story import DETECTOR
from monitor.lab.simulate.listings import BYBIT
from monitor.model.events import MARKET
from monitor.model.signals import Signal

RATES: Final = (1_000, 5_000, 20_000)
SECONDS: Final = 15.0
"""Length of each rate's measurement, seconds: ninety signals of six assets, fifteen of the market."""
SETTLE_S: Final = 5.0
"""Time before each measurement in which queues fill or empty, seconds."""
WARM_UP_S: Final = 15.0
"""Time before the first rate, seconds, in which the broker's compiler and first transactions are slow."""
START_S: Final = 90.0
"""Time limit of the start, seconds; joining the group with 25 shards takes ten, several times that under load."""


class Delay(NamedTuple):
    """The measurement of one rate.

    Attributes:
        frames_per_s: frames that the exchange sent.
        read_per_s: frames that the collector read.
        assets_ms: sorted delays of assets' signals, from the end of the market second to their reading.
        market_ms: the same of the market's signals, which wait for every partition's transaction and have one of their
            own.
    """

    frames_per_s: int
    read_per_s: float
    assets_ms: list[float]
    market_ms: list[float]


def quantile(delays_ms: Sequence[float], share: float) -> float:
    """Return a quantile of sorted delays by nearest rank; NaN where nothing was measured."""
    return delays_ms[min(len(delays_ms) - 1, int(share * len(delays_ms)))] if delays_ms else math.nan


class Seen(NamedTuple):
    """The asset and the delay of one signal."""

    asset: str
    ms: float


class Delays(NamedTuple):
    """Rates that were measured together."""

    title: str
    rows: list[Delay]
    notes: tuple[str, ...]


def group(bootstrap: str, folder: Path, rates: Sequence[int] = RATES, seconds: float = SECONDS) -> Delays:
    """Measure every rate and return the group with its notes; see :func:`measure`."""
    notes = (
        "ms from the end of the market second that a signal decides to its reading, committed",
        "included: the heartbeat that closes the second, the shards' transactions; the market waits for all shards",
        f"{STRESSED} of {len(ASSETS)} assets beyond calm; every part shares this machine",
    )
    return Delays("from the socket to the signal on its topic", measure(bootstrap, folder, rates, seconds), notes)


def measure(bootstrap: str, folder: Path, rates: Sequence[int] = RATES, seconds: float = SECONDS) -> list[Delay]:
    """Measure every rate, one after the other, in one run.

    Raises:
        BusError: the broker cannot be used.
        RuntimeError: a part did not start; the message has the end of its log.
    """
    connection = scratch_connection(bootstrap)
    return uvloop.run(_measure(connection, folder, rates, seconds))


async def _measure(connection: KafkaConnection, folder: Path, rates: Sequence[int], seconds: float) -> list[Delay]:
    await create(connection, 1, TOPICS)
    try:
        with ExitStack() as stack:
            stack.enter_context(role(folder, "detector", detector_settings(connection)))
            control, ws_url, rest_url = stack.enter_context(exchange())
            settings = collector_settings(connection, folder, ws_url, rest_url)
            metrics = stack.enter_context(role(folder, "collector", settings))
            reader = await KafkaSubscriber(connection, [SIGNALS], group=new_group(connection)).start()
            try:
                control.send(rates[0])
                await _first_signal(reader)
                await _read_for(reader, min(WARM_UP_S, seconds))
                return [await _at_rate(reader, control, metrics, rate, seconds) for rate in rates]
            finally:
                await reader.close()
    finally:
        await delete(connection, TOPICS)


async def _first_signal(reader: KafkaSubscriber) -> None:
    deadline = time.monotonic() + START_S
    while not await _read(reader):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no signal within {START_S:.0f} s")


async def _at_rate(
    reader: KafkaSubscriber, control: Connection, metrics: Callable[[], int], rate: int, seconds: float
) -> Delay:
    control.send(rate)
    await _read_for(reader, SETTLE_S)
    began, frames = time.monotonic(), metrics()
    delays = await _read_for(reader, seconds)
    read_per_s = (metrics() - frames) / (time.monotonic() - began)
    if not delays:
        raise RuntimeError(f"no signal within {seconds:.0f} s at {rate:,} frames/s")
    assets = sorted(each.ms for each in delays if each.asset != MARKET)
    return Delay(rate, read_per_s, assets, sorted(each.ms for each in delays if each.asset == MARKET))


async def _read_for(reader: KafkaSubscriber, seconds: float) -> list[Seen]:
    delays: list[Seen] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        delays += await _read(reader)
    return delays


async def _read(reader: KafkaSubscriber) -> list[Seen]:
    """Return the signals that came, with milliseconds from the end of their market second to now."""
    batches = await reader.poll(0.1)
    now = now_us()
    signals = (record for batch in batches for record in batch.records if isinstance(record, Signal))
    return [Seen(signal.asset, (now - signal.event_time_us) / 1_000) for signal in signals]


def detector_settings(connection: KafkaConnection) -> dict[str, Any]:
    """Return the detector's settings with the demo's windows, in which an asset leaves calm after seconds."""
    return {"role": "detector", "detector": DETECTOR.model_dump(mode="json")} | common(connection)


def collector_settings(connection: KafkaConnection, folder: Path, ws_url: str, rest_url: str) -> dict[str, Any]:
    """Return the collector's settings, with a record for every trade."""
    venue = {"ws_url": ws_url, "rest_url": rest_url, "channels": ["liquidations", "trades"]}
    collector = {"instruments_cache": str(folder / "instruments")}
    return {"role": "collector", "venues": {BYBIT: venue}, "collector": collector} | common(connection)


def common(connection: KafkaConnection) -> dict[str, Any]:
    """Return the settings of both roles."""
    kafka = {
        "bootstrap_servers": connection.bootstrap_servers,
        "partitions": connection.partitions,
        "topic_prefix": connection.topic_prefix,
        "group": new_group(connection),
    }
    return {"bus": {"kind": "kafka", "kafka": kafka}, "delivery": {"port": 0}}


@contextmanager
def exchange() -> Iterator[tuple[Connection, str, str]]:
    """Run the exchange's process, and yield its control, websocket address and REST address."""
    context = multiprocessing.get_context("spawn")
    control, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        if not control.poll(START_S):
            raise RuntimeError(f"the simulated exchange did not start within {START_S:.0f} s")
        ws_url, rest_url = control.recv()
        yield control, ws_url, rest_url
    finally:
        process.kill()
        process.join()


@contextmanager
def role(folder: Path, name: str, settings: dict[str, Any]) -> Iterator[Callable[[], int]]:
    """Run ``cascade-monitor run`` as a process, and yield a function that returns the frames that it has read."""
    config, log = folder / f"{name}.yaml", folder / f"{name}.log"
    config.write_text(yaml.safe_dump(settings))
    with log.open("wb") as errors:
        command = [sys.executable, "-m", "monitor", "run", "--config", str(config)]
        process = subprocess.Popen(command, stderr=errors)  # noqa: S603  # the command is this program's own
    try:
        url = _address(process, log)
        yield lambda: _frames(url)
    finally:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        found = re.search(r"(http://[^/\s]+/metrics)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"{log.stem} did not start; the end of {log.name}:\n{log.read_text()[-2_000:]}")


def _frames(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # the address is our own process on loopback
        text = answer.read().decode()
    found = re.findall(r"^cascade_frames_received_total\{[^}]*\} ([0-9.e+]+)$", text, re.MULTILINE)
    return round(sum(map(float, found)))
