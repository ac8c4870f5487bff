"""Signals on the bus become pages on a channel: at least once, in order, and none forgotten by a restart."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import msgspec
import pytest

from monitor.bus.memory import MemoryBus
from monitor.bus.ports import Batch, Partition
from monitor.bus.topics import SIGNALS
from monitor.deliver.paging import notifier as notifier_module
from monitor.deliver.paging.channel import Channel
from monitor.deliver.paging.incidents import Page, Pages, content_mark
from monitor.deliver.paging.notifier import Notifier, Reader
from monitor.deliver.paging.pagerduty import renderer
from monitor.deliver.paging.text import Links
from monitor.model.signals import Signal
from tests.deliver.paging.events_api import Answer, EventsApi
from tests.deliver.paging.signals import T0, market, signal
from tests.deliver.paging.test_channel import Naps
from tests.deliver.paging.test_incidents import EPISODE
from tests.waiting import until

HERE = Partition(SIGNALS.name, 0)
NOW_US = T0 + 10_000_000


class Kept:
    """Progress in memory; fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.offsets: dict[Partition, int] = {}
        self.states: dict[Partition, bytes] = {}
        self.failures = failures

    async def save(self, offsets: Mapping[Partition, int], states: Mapping[Partition, bytes]) -> None:
        """Keep, or fail."""
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        self.offsets, self.states = dict(offsets), dict(states)


@pytest.fixture
def api() -> Iterator[EventsApi]:
    """A running stand-in."""
    with EventsApi() as running:
        yield running


def notifier(
    api: EventsApi, bus: MemoryBus, kept: Kept, sleep: Naps | None = None, *, reader: Reader | None = None
) -> Notifier:
    """A notifier of the stand-in."""
    channel = Channel("pagerduty", api.url, renderer("K", Links()), "K", sleep or Naps())
    return Notifier(channel, reader or bus.subscriber([SIGNALS]), kept, lambda: NOW_US)


@asynccontextmanager
async def running(work: Notifier) -> AsyncIterator[None]:
    """The notifier at work."""
    task = asyncio.create_task(work.run(random.Random(1)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await work.close()
        assert task.cancelled()


async def accepted(api: EventsApi, count: int) -> list[tuple[str, str]]:
    """Action and key of what the stand-in took, once there is so much."""
    await asyncio.to_thread(api.wait_for, count)
    return [(event["event_action"], event["dedup_key"]) for event in api.accepted]


async def test_an_episode_is_paged_and_resolved(api: EventsApi) -> None:
    """Trigger, update and resolve arrive once each, with the same key; what was read is remembered."""
    bus, kept = MemoryBus(), Kept()
    work = notifier(api, bus, kept)
    async with running(work):
        bus.write(EPISODE)
        key = "BTC-long-20251124T160000Z"
        assert await accepted(api, 3) == [("trigger", key), ("trigger", key), ("resolve", key)]
        await until(lambda: kept.offsets == {HERE: 8})
    assert kept.states == {HERE: b"[]"}
    assert work.stats().accepted == {"trigger": 1, "update": 1, "resolve": 1}
    assert sum(work.stats().latency.counts) == 3


async def test_a_restart_between_trigger_and_resolve_still_resolves(api: EventsApi) -> None:
    """A notifier that goes on from what another kept sends the resolve, and no second trigger."""
    bus, kept = MemoryBus(), Kept()
    async with running(notifier(api, bus, kept)):
        bus.write(EPISODE[:3])
        await accepted(api, 1)
        await until(lambda: kept.states)
    second = notifier(api, bus, kept)
    second.restore(HERE, kept.states[HERE])
    async with running(second):
        bus.write(EPISODE[3:4] + EPISODE[7:])
        assert [action for action, _ in await accepted(api, 2)] == ["trigger", "resolve"]


async def test_nothing_is_remembered_while_a_page_waits(api: EventsApi) -> None:
    """Killed amid an outage, the next one reads the signal again: so its offset is not kept before it is accepted."""
    api.answers = [Answer(503)] * 3
    bus, kept = MemoryBus(), Kept()

    class Watch(Naps):
        async def __call__(self, seconds: float) -> None:
            await super().__call__(seconds)
            assert not kept.offsets
            assert work.stats().pending == 1
            assert not work.stats().open

    work = notifier(api, bus, kept, Watch())
    async with running(work):
        bus.write(EPISODE[:2])
        await accepted(api, 1)
        await until(lambda: kept.offsets == {HERE: 2})
    assert list(work.stats().open) == [("BTC", "long")]
    assert work.stats().failures["server"] == 3


async def test_pages_keep_their_order_behind_one_that_waits(api: EventsApi) -> None:
    """The market's page that came second is sent second."""
    api.answers = [Answer(500)]
    bus = MemoryBus()
    async with running(notifier(api, bus, Kept())):
        bus.write([signal(2, "cascade", "building"), market(3, "cascade", "calm")])
        keys = [key for _, key in await accepted(api, 2)]
    assert [key.partition("-")[0] for key in keys] == ["BTC", "MARKET"]


async def test_a_refused_page_does_not_stop_the_next(api: EventsApi) -> None:
    """A 400 costs its page alone; its incident is not shown as open, and a restart opens it if it still runs."""
    api.answers = [Answer(400)]
    bus, kept = MemoryBus(), Kept()
    work = notifier(api, bus, kept)
    async with running(work):
        opening = market(3, "cascade", "calm")
        bus.write([signal(2, "cascade", "building"), opening])
        assert [key.partition("-")[0] for _, key in await accepted(api, 1)] == ["MARKET"]
        await until(lambda: list(work.stats().open) == [("MARKET", "long")] and kept.states)
    assert kept.states == {HERE: msgspec.json.encode([["MARKET-long-20251124T160000Z", 3, content_mark(opening), 0]])}


async def test_a_failed_save_is_counted_and_tried_again(api: EventsApi) -> None:
    """A full disk does not stop the pages."""
    bus, kept = MemoryBus(), Kept(failures=1)
    work = notifier(api, bus, kept)
    async with running(work):
        bus.write(EPISODE[:2])
        await accepted(api, 1)
        await until(lambda: work.stats().save_failures == 1)
        bus.write(EPISODE[7:])
        await until(lambda: kept.offsets == {HERE: 3})


async def test_a_signal_that_cannot_be_judged_costs_itself_alone(
    api: EventsApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault in judging one of a batch is counted and logged; those around it page, and what was read is kept."""
    judge = Pages.take

    def fails(pages: Pages, signal: Signal) -> Page | None:
        if signal.revision == 2:
            raise RuntimeError("a fault of ours")
        return judge(pages, signal)

    monkeypatch.setattr(Pages, "take", fails)
    bus, kept = MemoryBus(), Kept()
    work = notifier(api, bus, kept)
    async with running(work):
        bus.write(EPISODE)
        assert [action for action, _ in await accepted(api, 3)] == ["trigger", "trigger", "resolve"]
        await until(lambda: kept.offsets == {HERE: 8})
    assert work.stats().given_up == {"trigger": 0, "update": 0, "resolve": 0, "unknown": 1}
    assert work.stats().crashes == 0
    assert "a signal of BTC-long-20251124T160000Z is dropped after an unexpected error" in caplog.text
    assert "a fault of ours" in caplog.text


async def test_a_fault_in_reading_leaves_sending_alone(api: EventsApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """While reading cannot go on it is counted and said; what was read is sent and, once read again, all is well."""
    monkeypatch.setattr(notifier_module, "RESTART_S", 0.001)
    monkeypatch.setattr(notifier_module, "HEALTHY_S", 0.05)
    bus, kept = MemoryBus(), Kept()
    reader = bus.subscriber([SIGNALS])
    work = notifier(api, bus, kept, reader=reader)
    poll, failures = reader.poll, 3

    async def fails(timeout_s: float) -> list[Batch]:
        nonlocal failures
        if failures and api.tries:
            failures -= 1
            raise RuntimeError("a fault of ours")
        return await poll(timeout_s)

    monkeypatch.setattr(reader, "poll", fails)
    api.answers = [Answer(503)]
    async with running(work):
        bus.write(EPISODE[:2])
        await accepted(api, 1)
        await until(lambda: work.stats().crashes)
        assert work.stats().failing
        bus.write(EPISODE[2:])
        await accepted(api, 3)
        await until(lambda: not work.stats().failing)
    assert work.stats().crashes == 3
    assert len(api.tries) == 4


async def test_a_reader_that_failed_once_is_well_again_without_a_signal(
    api: EventsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes for hours: that it looked, and went on looking, is enough."""
    monkeypatch.setattr(notifier_module, "RESTART_S", 0.001)
    monkeypatch.setattr(notifier_module, "HEALTHY_S", 0.2)
    monkeypatch.setattr(notifier_module, "POLL_S", 0.01)
    reader = MemoryBus().subscriber([SIGNALS])
    work = notifier(api, MemoryBus(), Kept(), reader=reader)
    poll, failed = reader.poll, False

    async def fails(timeout_s: float) -> list[Batch]:
        nonlocal failed
        if not failed:
            failed = True
            raise RuntimeError("a fault of ours")
        return await poll(timeout_s)

    monkeypatch.setattr(reader, "poll", fails)
    async with running(work):
        await until(lambda: work.stats().crashes)
        assert work.stats().failing
        await until(lambda: not work.stats().failing)
    assert (work.stats().crashes, work.stats().read_us) == (1, 0)


async def test_a_reader_that_fails_again_and_again_never_looks_well(
    api: EventsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads signals in between, which page nobody; its faults are too near to each other to call it well."""
    monkeypatch.setattr(notifier_module, "RESTART_S", 0.001)
    monkeypatch.setattr(notifier_module, "LONGEST_RESTART_S", 0.001)
    bus = MemoryBus()
    reader = bus.subscriber([SIGNALS])
    work = notifier(api, bus, Kept(), reader=reader)
    poll, polls, failing = reader.poll, 0, []

    async def fails(timeout_s: float) -> list[Batch]:
        nonlocal polls
        polls += 1
        if work.stats().crashes:
            failing.append(work.stats().failing)
        if polls % 3 == 0:
            raise RuntimeError("a fault of ours")
        bus.write(EPISODE[:1])
        return await poll(timeout_s)

    monkeypatch.setattr(reader, "poll", fails)
    async with running(work):
        await until(lambda: work.stats().crashes >= 5)
    assert work.stats().read_us == NOW_US
    assert len(failing) >= 8
    assert all(failing)


async def test_a_page_in_flight_whose_signal_is_read_again_is_sent_once(api: EventsApi) -> None:
    """Its partition goes and comes back while it waits for the next try."""
    api.answers = [Answer(503)]
    bus, kept = MemoryBus(), Kept()

    class Rejoin(Naps):
        async def __call__(self, seconds: float) -> None:
            await super().__call__(seconds)
            work.forget()
            work.restore(HERE, b"")
            bus.write(EPISODE[:2])
            await until(lambda: work.stats().pending == 1)

    work = notifier(api, bus, kept, Rejoin())
    async with running(work):
        bus.write(EPISODE[:2])
        await until(lambda: kept.offsets == {HERE: 4})
    assert len(api.accepted) == 1
    assert list(work.stats().open) == [("BTC", "long")]


async def test_a_partition_whose_incidents_cannot_be_told_begins_anew(api: EventsApi) -> None:
    """Where it goes on, with none open, is kept at once; when that was is shown."""
    bus, kept = MemoryBus(), Kept()
    work = notifier(api, bus, kept)
    assert work.stats().forgot_us == 0
    work.begin_anew(HERE, 7)
    async with running(work):
        await until(lambda: kept.offsets == {HERE: 7})
    assert kept.states == {HERE: b"[]"}
    assert work.stats().forgot_us == NOW_US


@pytest.mark.parametrize("gone", [[HERE], None], ids=["one", "all"])
async def test_partitions_of_another_are_his_to_page(api: EventsApi, gone: list[Partition] | None) -> None:
    """What waits of a partition that went is not sent; what was open there is not shown."""
    bus = MemoryBus()
    work = notifier(api, bus, Kept())
    work.restore(HERE, b'[["BTC-long-20251124T160000Z",2]]')
    work.end_all_but([])
    assert work.stats().pending == 1
    work.forget(gone)
    assert (work.stats().pending, list(work.stats().open)) == (0, [])
    await work.channel.close()
