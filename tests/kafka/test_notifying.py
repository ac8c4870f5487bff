"""Notifiers as processes of their own on a real broker, killed between a page and its resolution."""

from __future__ import annotations

import asyncio
import signal as signals
from http import HTTPStatus
from pathlib import Path

import pytest

from monitor.bus import admin
from monitor.bus.kafka_client import KafkaConnection
from monitor.bus.kafka_publisher import KafkaPublisher
from monitor.bus.topics import CASCADE_STATE, SIGNALS
from monitor.events import Signal
from monitor.runtime.clock import wall_clock_us
from tests.delivery.paging.events_api import Answer, EventsApi
from tests.delivery.paging.signals import market
from tests.delivery.paging.test_pages import EPISODE
from tests.e2e.stage import get, until
from tests.kafka.members import Process, kafka_section

pytestmark = pytest.mark.kafka

KEY = "R" * 32


def notifier(connection: KafkaConnection, folder: Path, api: EventsApi, name: str = "notifier") -> Process:
    """A notifier that pages the stand-in."""
    (folder / "key").write_text(KEY + "\n")
    settings = {
        "role": "notifier",
        "bus": kafka_section(connection),
        "notifier": {
            "pagerduty": {"routing_key_file": str(folder / "key"), "url": api.url},
            "group": connection.topic_prefix + "notifier",
        },
        "delivery": {"port": 0},
    }
    return Process(folder, name, settings)


async def publish(connection: KafkaConnection, records: list[Signal]) -> None:
    """Write signals as a detector does."""
    publisher = KafkaPublisher(connection, (SIGNALS, CASCADE_STATE), clock=wall_clock_us)
    await publisher.start()
    publisher.write(records)
    await publisher.close()


async def reading(process: Process, times: int) -> None:
    """Wait until the process has been given its partitions for the ``times``-th time."""
    await until(lambda: process.log.count("partitions of the signals") >= times or not process.running)
    assert process.running, process.log


async def test_a_killed_notifier_resolves_what_it_paged_and_pages_nothing_twice(
    kafka_connection: KafkaConnection, tmp_path: Path
) -> None:
    """SIGKILL between trigger and resolve, signals meanwhile: the next one resolves; each came once; no key is said."""
    await admin.create(kafka_connection, 1)
    with EventsApi() as api:
        process = notifier(kafka_connection, tmp_path, api)
        try:
            process.start()
            await reading(process, 1)
            await publish(kafka_connection, [*EPISODE[:2], market(2, "cascade", "building")])
            await asyncio.to_thread(api.wait_for, 2)
            metrics = (await get(f"{await process.url()}/metrics")).text
            ready = await get(f"{await process.url()}/readyz")
            await until(lambda: process.log.count(": trigger") == 2)
            await asyncio.sleep(0.3)  # what it read is committed
            process.send(signals.SIGKILL)
            process.process.wait(10)
            await publish(kafka_connection, EPISODE[2:4])
            process.start()
            await reading(process, 2)
            await publish(kafka_connection, EPISODE[4:])
            events = await asyncio.to_thread(api.wait_for, 4)
            await asyncio.sleep(0.5)  # a fifth would come at once
            assert await process.stop() == 0
        finally:
            process.kill()
    paged = [(event["event_action"], event["dedup_key"].partition("-")[0]) for event in events]
    assert sorted(paged[:2]) == [("trigger", "BTC"), ("trigger", "MARKET")]
    assert paged[2:] == [("trigger", "BTC"), ("resolve", "BTC")]
    assert ready.status_code == HTTPStatus.OK
    assert 'cascade_pages_total{action="trigger",channel="pagerduty"}' in metrics
    assert KEY not in process.log + metrics


async def test_a_page_that_waits_outlives_its_notifier(kafka_connection: KafkaConnection, tmp_path: Path) -> None:
    """Killed while the Events API is down: whoever comes next pages."""
    await admin.create(kafka_connection, 1)
    with EventsApi() as api:
        api.answers = [Answer(503)] * 1000
        process = notifier(kafka_connection, tmp_path, api)
        try:
            process.start()
            await reading(process, 1)
            await asyncio.sleep(1.0)  # where it began is committed
            await publish(kafka_connection, EPISODE[:2])
            await until(lambda: len(api.tries) >= 2)
            process.kill()
            api.answers.clear()
            process.start()
            (event,) = await asyncio.to_thread(api.wait_for, 1)
        finally:
            process.kill()
    assert event["event_action"] == "trigger"
