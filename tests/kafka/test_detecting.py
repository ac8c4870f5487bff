"""The detector's role within the test: what it keeps, what it says when it cannot work, and how it is cut off."""

from __future__ import annotations

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"
import asyncio
import re
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.aiokafka_internals import topic_ids
from monitor.bus.kafka.connection import KafkaConnection, administrator
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.partitioner import Partitioner
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.transactions import OwnershipLostError, TransactionalWriter, committed, read_snapshots
from monitor.bus.ports import Outgoing, Partition
from monitor.bus.topics import LIQUIDATIONS, MARKET_TOPICS, REJECTS, SIGNALS, SNAPSHOTS, Topic
from monitor.detect import detector as detector_module
from monitor.detect.detector import Detector
from monitor.detect.detector_state import FORMAT
from monitor.lab.demo.story import DETECTOR
from monitor.model.errors import OperatorError
from monitor.model.events import MICROS, AnyEvent, MarkPrice, Reject
from monitor.model.steps import finished
from monitor.roles.asset_shard import AssetShard
from monitor.roles.detector import detecting
from monitor.roles.kept_parts import Parts
from monitor.roles.shard import COMMON
from tests.bus.harness import read, records_of
from tests.detect.poison import UNAPPLIED, poisoned
from tests.e2e.stage import reached
from tests.kafka.fixtures import PARTITIONS
from tests.kafka.members import Desk, detector_settings
from tests.kafka.story import expected, publish, story, told
from tests.waiting import patient, until
from tests.web import get

pytestmark = pytest.mark.kafka


def judged(desk: Desk, event: AnyEvent) -> bool:
    """Whether the desk knows that all was judged up to ten seconds before the event."""
    return any(beat.event_time_us > event.receive_time_us - 10 * MICROS for beat in desk.beats)


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The errors of a task group."""
    return [
        leaf
        for error in group.exceptions
        for leaf in (leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


async def can_work(url: str) -> bool:
    """Whether readyz has nothing to object to the shards and the topics; a story of the past leaves it blind."""
    text = (await get(f"{url}/readyz")).text
    return "ok shards:" in text and "ok topics:" in text


async def test_a_detector_that_is_stopped_goes_on_where_it_was(kafka_connection: KafkaConnection) -> None:
    """Its state and offsets are kept at the end, the next one reads only what came since; signals are the replay's."""
    await topics_admin.create(kafka_connection, 1)
    settings = detector_settings(kafka_connection)
    events = story()
    group = settings.bus.kafka.group
    first = Partition(LIQUIDATIONS.name, 0)
    async with Desk(kafka_connection) as desk:
        async with detecting(settings) as url:
            await publish(kafka_connection, events[: len(events) // 2])
            assert await desk.read_until(lambda: judged(desk, events[len(events) // 2]), 20)
            await until(partial(can_work, url))  # shards without events are warm when they are
            await reached(url, events[0].receive_time_us / MICROS, "decided_timestamp_seconds")
        offset, _ = (await committed(kafka_connection, group, [first]))[first]
        assert offset > 0
        async with detecting(settings):
            await publish(kafka_connection, events[len(events) // 2 :])
            assert await desk.read_all(expected(), 30) == []
        after, emitted = (await committed(kafka_connection, group, [first]))[first]
        assert after > offset
        assert int(emitted) == events[-1].receive_time_us // MICROS - 1


async def test_a_poisonous_record_costs_its_asset_and_garbage_nobody(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals are those of one detector in memory, the record is on the rejects' topic once, garbage is counted."""
    poisoned(monkeypatch)
    await topics_admin.create(kafka_connection, 1)
    events = list(story())
    at = next(at for at in range(len(events) // 2, len(events)) if isinstance(events[at], MarkPrice))
    events.insert(at + 1, msgspec.structs.replace(events[at], mark_price=UNAPPLIED))
    whole = Detector(DETECTOR)
    want = told(whole.apply(events))
    (fault,) = whole.quarantine.take()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_connection.bootstrap_servers)
    await producer.start()
    await producer.send_and_wait(kafka_connection.name(LIQUIDATIONS), b"{garbage", partition=0)
    await producer.stop()
    async with Desk(kafka_connection) as desk, detecting(detector_settings(kafka_connection)) as url:
        await publish(kafka_connection, events)
        assert await desk.read_all(want, 60) == []
        text = (await get(f"{url}/metrics")).text
    assert "cascade_bus_records_unreadable_total 1.0" in text
    assert 'cascade_events_unapplied_total{reason="fault"} 1.0' in text
    reader = await KafkaSubscriber(kafka_connection, [REJECTS], group=kafka_connection.topic_prefix + "rejects").start()
    async with asyncio.timeout(patient(20)):
        batches = await reader.poll(1)
        while not batches:
            batches = await reader.poll(1)
    await reader.close()
    assert [record for batch in batches for record in batch.records] == [fault.reject]


async def test_another_owner_cuts_a_detector_off_and_it_takes_its_work_up_again(
    kafka_connection: KafkaConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """A fenced share drops its state; still assigned to the member it is restored, and no signal is lost or doubled."""
    await topics_admin.create(kafka_connection, 1)
    settings = detector_settings(kafka_connection)
    events = story()
    async with Desk(kafka_connection) as desk, detecting(settings):
        await publish(kafka_connection, events[: len(events) // 2])
        assert await desk.read_until(lambda: judged(desk, events[len(events) // 2]), 20)
        owner = f"{settings.bus.kafka.group}-assets-1"
        await (await TransactionalWriter(kafka_connection, owner, settings.bus.kafka.group).start()).close()
        await publish(kafka_connection, events[len(events) // 2 :])
        assert await desk.read_all(expected(), 30) == []
    assert "assets-1" in caplog.text
    assert "its state is dropped" in caplog.text


async def test_a_detector_without_topics_names_the_remedy(kafka_connection: KafkaConnection) -> None:
    """One clear error, about the topic that the brokers answered for first."""
    with pytest.raises(BaseExceptionGroup) as caught:
        async with detecting(detector_settings(kafka_connection)):
            await _forever()
    remedies = {
        f"Kafka topic {kafka_connection.name(topic)} does not exist; create it: cascade-monitor topics create"
        for topic in (SIGNALS, SNAPSHOTS)
    }
    found = {str(leaf) for leaf in leaves(caught.value)}
    assert found
    assert found <= remedies


async def test_state_of_another_format_is_refused(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-understood state decides wrongly: the error says which topic, and what to do."""
    await topics_admin.create(kafka_connection, 1)
    settings = detector_settings(kafka_connection)
    group = settings.bus.kafka.group
    with monkeypatch.context() as other_version:
        other_version.setattr(detector_module, "FORMAT", FORMAT + 1)
        newer = finished(AssetShard.restoring(0, Parts(), DETECTOR, 0, lambda *_: None)).snapshot()
    writer = await TransactionalWriter(kafka_connection, "somebody", group).start()
    await writer.commit([Outgoing(SNAPSHOTS, 0, f"{group}/assets-0/*".encode(), newer[COMMON])], {}, "")
    await writer.close()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with detecting(settings):
            await _forever()
    (error,) = leaves(caught.value)
    assert isinstance(error, OperatorError)
    assert "assets-0: the state in" in str(error)
    assert "another bus.kafka.group" in str(error)


async def test_a_damaged_part_of_the_state_costs_its_asset_and_no_process(
    kafka_connection: KafkaConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """A garbled record of one asset is counted, reported to the rejects' topic, and begun anew."""
    await topics_admin.create(kafka_connection, 1)
    settings = detector_settings(kafka_connection)
    group = settings.bus.kafka.group
    events = story()
    async with Desk(kafka_connection) as desk:
        home = Partitioner(PARTITIONS).partition("BTC")
        states: dict[bytes, bytes] = {}

        async def saved() -> bool:
            states.update(await read_snapshots(kafka_connection, home))
            return any(key.endswith(b"/BTC") for key in states)

        async with detecting(settings):
            await publish(kafka_connection, events[: len(events) // 2])
            assert await desk.read_until(lambda: judged(desk, events[len(events) // 2]), 20)
            # A busy broker can refuse the transaction of the end, and the state that is garbled must be there.
            await until(saved)
        garbled = next(key for key in states if key.endswith(b"/BTC"))
        writer = await TransactionalWriter(kafka_connection, "somebody", group).start()
        await writer.commit([Outgoing(SNAPSHOTS, home, garbled, states[garbled][:-1])], {}, "")
        await writer.close()
        async with detecting(settings) as url:
            await publish(kafka_connection, events[len(events) // 2 :])
            assert await desk.read_until(lambda: judged(desk, events[-1]), 30)
            metrics = (await get(f"{url}/metrics")).text
    assert 'cascade_state_parts_lost_total{part="asset"} 1.0' in metrics
    assert 'cascade_state_parts_lost_total{part="shard"} 0.0' in metrics
    assert f"assets-{home}: a part of the state in" in caplog.text
    reader = await KafkaSubscriber(kafka_connection, [REJECTS], group=kafka_connection.topic_prefix + "rejects").start()
    (reject,) = records_of(await read(reader, 1))
    await reader.close()
    assert isinstance(reject, Reject)
    assert reject.detail.startswith(f"assets-{home}: BTC: the checksum does not fit")


async def create_again(connection: KafkaConnection, topics: Sequence[Topic]) -> None:
    """Delete topics with all their records, and create them empty under the same names."""
    names = [connection.name(topic) for topic in topics]
    async with administrator(connection) as client:
        await client.delete_topics(names)

        async def gone() -> bool:
            return not any((await topic_ids(client, names)).values())

        await until(gone, 20)
    await topics_admin.create(connection, 1, topics)


@pytest.mark.timeout(240)
async def test_topics_that_are_created_again_are_followed(
    kafka_connection: KafkaConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """A running detector goes on with the first records of the new topics, and so does one that was stopped."""
    await topics_admin.create(kafka_connection, 1)
    settings = detector_settings(kafka_connection)
    events = story()
    third = len(events) // 3
    async with Desk(kafka_connection) as desk:
        async with detecting(settings) as url:
            await publish(kafka_connection, events[:third])
            assert await desk.read_until(lambda: judged(desk, events[third]), patient(20))
            await create_again(kafka_connection, MARKET_TOPICS)
            await publish(kafka_connection, events[third : 2 * third])
            assert await desk.read_until(lambda: judged(desk, events[2 * third]), patient(40)), caplog.text
            metrics = (await get(f"{url}/metrics")).text
        await create_again(kafka_connection, MARKET_TOPICS)
        async with detecting(settings) as url:
            await publish(kafka_connection, events[2 * third :])
            assert await desk.read_until(lambda: judged(desk, events[-1]), patient(40)), caplog.text
            again = (await get(f"{url}/metrics")).text
    name = re.escape(LIQUIDATIONS.name)
    for text in (metrics, again):
        assert re.search(rf'cascade_offsets_reset_total{{partition="\d",topic="{name}"}} 1.0', text), text


@pytest.mark.timeout(240)
async def test_a_detector_without_a_topic_for_its_signals_is_not_ready(kafka_connection: KafkaConnection) -> None:
    """While the signals' topic is deleted, readyz names it with the remedy; created again, everything goes on."""
    await topics_admin.create(kafka_connection, 1)
    events = story()
    half = len(events) // 2
    async with detecting(detector_settings(kafka_connection)) as url:
        await publish(kafka_connection, events[:half])
        await until(partial(can_work, url))
        async with administrator(kafka_connection) as client:
            await client.delete_topics([kafka_connection.name(SIGNALS)])
        missing = f"{kafka_connection.name(SIGNALS)} does not exist; create it"

        async def names_the_topic() -> bool:
            answer = await get(f"{url}/readyz")
            return answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE and missing in answer.text

        await until(names_the_topic, 20)
        await topics_admin.create(kafka_connection, 1, [SIGNALS])
        await publish(kafka_connection, events[half:])
        async with Desk(kafka_connection) as desk:
            assert await desk.read_until(lambda: judged(desk, events[-1]), patient(60))
        await until(partial(can_work, url))


async def test_nobody_writes_after_the_next_owner_began(kafka_connection: KafkaConnection) -> None:
    """The older owner's open transaction is undone, its next one refused; readers see the newer one's records alone."""
    await topics_admin.create(kafka_connection, 1, [SNAPSHOTS, *MARKET_TOPICS])
    where = Partition(LIQUIDATIONS.name, 2)
    old = await TransactionalWriter(kafka_connection, "owner", "group").start()
    await old.commit([Outgoing(SNAPSHOTS, 1, b"a", b"1"), Outgoing(SNAPSHOTS, 1, b"b", b"1")], {where: 7}, "seven")
    new = await TransactionalWriter(kafka_connection, "owner", "group").start()
    with pytest.raises(OwnershipLostError, match="owner: "):
        await old.commit([Outgoing(SNAPSHOTS, 1, b"a", b"stale")], {where: 8}, "eight")
    with pytest.raises(OwnershipLostError):
        await old.commit([Outgoing(SNAPSHOTS, 1, b"a", b"stale")], {where: 8}, "eight")
    assert await committed(kafka_connection, "group", [where]) == {where: (7, "seven")}
    await new.commit([Outgoing(SNAPSHOTS, 1, b"a", b"2")], {where: 9}, "nine")
    await old.close()
    await new.close()
    assert await committed(kafka_connection, "group", [where]) == {where: (9, "nine")}
    assert await read_snapshots(kafka_connection, 1) == {b"a": b"2", b"b": b"1"}
    assert await read_snapshots(kafka_connection, 0) == {}


async def test_an_owner_that_finds_no_broker_may_try_again() -> None:
    """That is no refusal: brokers come back."""
    nowhere = KafkaConnection("127.0.0.1:1")
    with pytest.raises(OwnershipLostError, match="owner could not start"):
        await TransactionalWriter(nowhere, "owner", "group").start()
    with pytest.raises(BusError, match="cannot be reached"):
        await committed(nowhere, "group", [Partition(LIQUIDATIONS.name, 0)])


async def _forever() -> None:
    await asyncio.sleep(30)
