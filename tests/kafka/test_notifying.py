"""Notifiers on a real broker: processes killed between a page and its resolution, and one of which a channel fails."""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.transactions import committed
from monitor.bus.ports import Batch, Partition
from monitor.bus.topics import CASCADE_STATE, SIGNALS
from monitor.deliver.paging import notifier as paging
from monitor.deliver.paging import queue as page_queue
from monitor.deliver.paging import webhook
from monitor.deliver.paging.incidents import Page, content_mark
from monitor.deliver.paging.text import Links, Render
from monitor.model.errors import OperatorError
from monitor.model.signals import Signal
from monitor.roles import notifier as role
from monitor.roles import notifier_progress
from monitor.roles.clock import wall_clock_us
from monitor.settings import Settings
from tests.deliver.paging.events_api import Answer, EventsApi
from tests.deliver.paging.signals import market
from tests.deliver.paging.test_incidents import EPISODE
from tests.e2e.stage import is_ready, scrape
from tests.kafka.members import Process, kafka_section
from tests.waiting import patient, until
from tests.web import get

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


async def kept_up(connection: KafkaConnection, channel: str) -> None:
    """Wait until a channel's group has committed all that the signals' topic holds, where it began included."""
    numbers = range(connection.partitions)
    consumer = AIOKafkaConsumer(bootstrap_servers=connection.bootstrap_servers)  # type: ignore[no-untyped-call]
    await consumer.start()  # type: ignore[no-untyped-call]
    try:
        here = [TopicPartition(connection.name(SIGNALS), number) for number in numbers]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(here)  # type: ignore[no-untyped-call]
    finally:
        await consumer.stop()  # type: ignore[no-untyped-call]
    wanted = {Partition(SIGNALS.name, where.partition): end for where, end in ends.items()}

    async def all_committed() -> bool:
        kept = await committed(connection, f"{connection.topic_prefix}notifier-{channel}", wanted)
        return all(where in kept and kept[where][0] >= end for where, end in wanted.items())

    await until(all_committed, every_s=0.1)


async def reading(process: Process, times: int) -> None:
    """Wait until the process has been given its partitions for the ``times``-th time."""
    await until(lambda: process.log.count("partitions of the signals") >= times or not process.running)
    assert process.running, process.log


async def test_a_killed_notifier_resolves_what_it_paged_and_pages_nothing_twice(
    kafka_connection: KafkaConnection, tmp_path: Path
) -> None:
    """SIGKILL between trigger and resolve, signals meanwhile: the next one resolves; each came once; no key is said."""
    await topics_admin.create(kafka_connection, 1)
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
            await kept_up(kafka_connection, "pagerduty")
            process.send(signals.SIGKILL)
            process.process.wait(patient(10))
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
    await topics_admin.create(kafka_connection, 1)
    with EventsApi() as api:
        api.answers = [Answer(503)] * 1000
        process = notifier(kafka_connection, tmp_path, api)
        try:
            process.start()
            await reading(process, 1)
            await kept_up(kafka_connection, "pagerduty")
            await publish(kafka_connection, EPISODE[:2])
            await until(lambda: len(api.tries) >= 2)
            process.kill()
            api.answers.clear()
            process.start()
            (event,) = await asyncio.to_thread(api.wait_for, 1)
        finally:
            process.kill()
    assert event["event_action"] == "trigger"


@asynccontextmanager
async def two_channels(
    connection: KafkaConnection, pager: EventsApi, hook: EventsApi, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """Role notifier within the test, at work on both channels; gives its address."""
    monkeypatch.setattr(paging, "RESTART_S", 0.02)
    monkeypatch.setattr(paging, "LONGEST_RESTART_S", 0.02)
    monkeypatch.setattr(paging, "HEALTHY_S", 0.02)
    await topics_admin.create(connection, 1)
    settings = {
        "role": "notifier",
        "bus": kafka_section(connection),
        "notifier": {
            "pagerduty": {"routing_key": KEY, "url": pager.url},
            "webhook": {"url": hook.url},
            "group": connection.topic_prefix + "notifier",
        },
        "delivery": {"port": 0},
    }
    async with role.notifying(Settings.model_validate(settings)) as url:
        await assigned(connection, url)
        yield url


async def assigned(connection: KafkaConnection, url: str) -> None:
    """Wait until heartbeats (here calm signals, which page nobody) are read by every channel."""
    read = "cascade_notifier_last_read_timestamp_seconds"
    async with asyncio.timeout(patient(30)):
        while True:
            await publish(connection, EPISODE[:1])
            seen = await scrape(url)
            if all(value for (name, _), value in seen.items() if name == read):
                return
            await asyncio.sleep(0.1)


async def well_again(url: str) -> None:
    """Wait until readiness has nothing to say of the faults that were."""
    await until(partial(is_ready, url))


async def test_a_wrong_start_ends_the_role_in_words(kafka_connection: KafkaConnection) -> None:
    """What only an operator can mend is not tried again: without its topic the role says how to make it."""
    settings = {"role": "notifier", "bus": kafka_section(kafka_connection), "delivery": {"port": 0}}
    paged = {"notifier": {"pagerduty": {"routing_key": KEY}}}
    with pytest.raises(BaseExceptionGroup) as caught:
        async with role.notifying(Settings.model_validate(settings | paged)):
            await asyncio.Event().wait()
    assert caught.group_contains(OperatorError, match=r"cascade-monitor topics create")


async def test_a_channel_that_fails_stops_no_other(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one channel's pages cannot be worded the other's are sent, and readiness names it; then it catches up."""
    broken = True
    healthy = webhook.renderer

    def faulty(links: Links) -> Render:
        render = healthy(links)

        def fails(page: Page) -> dict[str, Any]:
            if broken:
                raise RuntimeError("a fault of ours")
            return render(page)

        return fails

    monkeypatch.setattr(webhook, "renderer", faulty)
    monkeypatch.setattr(page_queue, "MOST_FAULTS", 1_000_000)
    with EventsApi() as pager, EventsApi() as hook:
        async with two_channels(kafka_connection, pager, hook, monkeypatch) as url:
            await publish(kafka_connection, EPISODE)
            await asyncio.to_thread(pager.wait_for, 3)
            failing = (await get(f"{url}/readyz")).text
            crashes = (await scrape(url))["cascade_notifier_crashes_total", frozenset({("channel", "webhook")})]
            broken = False
            pages = await asyncio.to_thread(hook.wait_for, 3)
            await well_again(url)
    assert "NOT READY notifiers: webhook: failed and restarted, 3 pages wait" in failing
    assert "NOT READY pages: webhook: 3 pages wait" in failing
    assert crashes >= 1
    assert [page["action"] for page in pages] == ["trigger", "update", "resolve"]
    assert len(pager.tries) == 3


async def test_what_a_failed_reader_had_read_is_read_again(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault between reading and judging: the channel joins its group anew, and each page comes once on either."""
    read, lost = KafkaSubscriber.poll, 0

    async def fails(subscriber: KafkaSubscriber, timeout_s: float) -> list[Batch]:
        nonlocal lost
        batches = await read(subscriber, timeout_s)
        late = [each for batch in batches for each in batch.records if isinstance(each, Signal) and each.revision > 2]
        if late and not lost:
            lost = len(late)
            raise RuntimeError("a fault of ours")
        return batches

    monkeypatch.setattr(KafkaSubscriber, "poll", fails)
    with EventsApi() as pager, EventsApi() as hook:
        async with two_channels(kafka_connection, pager, hook, monkeypatch) as url:
            await publish(kafka_connection, EPISODE[:2])
            for api in (pager, hook):
                await asyncio.to_thread(api.wait_for, 1)
            for channel in ("pagerduty", "webhook"):
                await kept_up(kafka_connection, channel)
            await publish(kafka_connection, EPISODE[2:])
            for api in (pager, hook):
                await asyncio.to_thread(api.wait_for, 3)
            await asyncio.sleep(0.3)  # a fourth would come at once
            seen = await scrape(url)
            await well_again(url)
    assert lost
    assert [event["event_action"] for event in pager.accepted] == ["trigger", "trigger", "resolve"]
    assert [page["action"] for page in hook.accepted] == ["trigger", "update", "resolve"]
    assert sum(value for (name, _), value in seen.items() if name == "cascade_notifier_crashes_total") == 1


async def test_a_group_whose_place_is_not_told_is_asked_again(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a member's incidents and offsets cannot be had it reads nothing; it joins until it has them, and pages."""
    tell, asked = committed, 0

    async def fails(
        connection: KafkaConnection, group: str, partitions: Iterable[Partition]
    ) -> dict[Partition, tuple[int, str]]:
        nonlocal asked
        if group.endswith("-webhook") and (asked := asked + 1) < 3:
            raise BusError("Kafka: no answer")
        return await tell(connection, group, partitions)

    monkeypatch.setattr(notifier_progress, "committed", fails)
    with EventsApi() as pager, EventsApi() as hook:
        async with two_channels(kafka_connection, pager, hook, monkeypatch) as url:
            await publish(kafka_connection, EPISODE[1:])
            pages = await asyncio.to_thread(hook.wait_for, 3)
            seen = await scrape(url)
    assert asked == 3
    assert seen["cascade_notifier_crashes_total", frozenset({("channel", "webhook")})] == 2
    assert seen["cascade_notifier_crashes_total", frozenset({("channel", "pagerduty")})] == 0
    assert [page["action"] for page in pages] == ["trigger", "update", "resolve"]


async def test_incidents_that_cannot_be_read_are_forgotten_and_what_runs_is_paged_anew(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says of which group, topic, partition and offset, and what was there; the channel reads on from there."""
    await topics_admin.create(kafka_connection, 1)
    group, here = kafka_connection.topic_prefix + "notifier-webhook", Partition(SIGNALS.name, 0)
    await publish(kafka_connection, EPISODE[:2])
    damaged = await KafkaSubscriber(kafka_connection, [SIGNALS], group=group).start()
    while not await damaged.poll(0.1):
        pass
    await damaged.commit({here: 2}, {here: '[["BTC-long-2025'})
    await damaged.close()
    with EventsApi() as pager, EventsApi() as hook:
        async with two_channels(kafka_connection, pager, hook, monkeypatch) as url:
            await publish(kafka_connection, EPISODE[2:])
            pages = await asyncio.to_thread(hook.wait_for, 3)
            await kept_up(kafka_connection, "webhook")
            seen = await scrape(url)
            ready = await get(f"{url}/readyz")
        kept = await committed(kafka_connection, group, [here])
    opened = content_mark(EPISODE[2])
    assert [page["id"].rpartition("Z-")[2] for page in pages] == [
        f"trigger-3-{opened}",
        f"update-5-{content_mark(EPISODE[4])}",
        f"resolve-{opened}",
    ]
    forgot = "cascade_notifier_forgot_timestamp_seconds"
    assert seen[forgot, frozenset({("channel", "webhook")})] > 0
    assert seen[forgot, frozenset({("channel", "pagerduty")})] == 0
    assert seen["cascade_notifier_crashes_total", frozenset({("channel", "webhook")})] == 0
    assert ready.status_code == HTTPStatus.OK
    assert kept[here][1] == "[]"
    (said,) = [record.getMessage() for record in caplog.records if "cannot be read" in record.getMessage()]
    topic = kafka_connection.name(SIGNALS)
    assert f"group {group} stores with its offset of {topic}/0 cannot be read" in said
    assert "'[[\"BTC-long-2025'. They are dropped and reading continues at 2" in said
