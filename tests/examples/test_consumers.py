"""The example consumers as their readers run them: signals once each, heartbeats and unfinished work passed over."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.bus import codec
from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.transactions import TransactionalWriter
from monitor.bus.ports import Outgoing
from monitor.bus.topics import SIGNALS
from monitor.model.events import ALL, MONITOR, Heartbeat
from monitor.model.signals import Signal
from tests.bus import records as make
from tests.e2e.stage import environment
from tests.paths import ROOT
from tests.waiting import patient, until

pytestmark = pytest.mark.kafka


def outgoing(record: Signal | Heartbeat) -> Outgoing:
    """On its way to partition 1."""
    return Outgoing(SIGNALS, 1, record.asset.encode(), codec.encode(record))


def start(command: list[str], printed: Path, said: Path) -> subprocess.Popen[bytes]:
    """The example, with what it prints and says in files."""
    with printed.open("wb") as out, said.open("wb") as err:
        return subprocess.Popen(command, stdout=out, stderr=err, env=environment(), cwd=printed.parent)


@pytest.mark.parametrize(("example", "library"), [("aiokafka", "aiokafka"), ("confluent", "confluent_kafka")])
async def test_an_example_prints_each_signal_once(
    example: str, library: str, kafka_connection: KafkaConnection, tmp_path: Path
) -> None:
    """A revision that comes again is passed over, and so are heartbeats; an interrupt ends it without a word."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    await topics_admin.create(kafka_connection, 1, [SIGNALS])
    command = [
        sys.executable,
        str(ROOT / "examples" / f"{example}_consumer.py"),
        "--bootstrap",
        kafka_connection.bootstrap_servers,
        "--group",
        kafka_connection.topic_prefix + "desk.test",
        "--topic",
        kafka_connection.name(SIGNALS),
    ]
    printed, said = tmp_path / "out", tmp_path / "err"
    process = start(command, printed, said)
    try:
        await until(lambda: "reading" in said.read_text() or process.poll() is not None)
        await asyncio.sleep(patient(1))  # "latest" is where the partitions end once they were asked
        writer = await TransactionalWriter(kafka_connection, kafka_connection.topic_prefix + "owner", "none").start()
        beat = Heartbeat(MONITOR, ALL, ALL, make.START_US, make.START_US, "signals")
        await writer.commit([outgoing(each) for each in (make.signal(1), make.signal(2), beat)], {}, "")
        await writer.commit([outgoing(each) for each in (make.signal(2), make.signal(3))], {}, "")
        await writer.close()
        await until(lambda: printed.read_text().count("\n") >= 3 or process.poll() is not None)
        await asyncio.sleep(0.3)
        process.send_signal(signal.SIGINT)
        status = await asyncio.to_thread(process.wait, patient(15))
    finally:
        process.kill()
        await asyncio.to_thread(process.wait, patient(10))
    lines = [json.loads(line) for line in printed.read_text().splitlines()]
    assert [line["revision"] for line in lines] == [1, 2, 3], said.read_text()
    assert {line["asset"] for line in lines} == {"BTC"}
    assert (status, "Traceback" in said.read_text()) == (0, False)
