from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection, administrator, describe
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.topics_admin import Difference
from monitor.bus.topics import CASCADE_STATE, DAY_MS, LIQUIDATIONS, SIGNALS, TOPICS, TRADES
from tests.waiting import until


def test_events_are_kept_for_their_time_and_state_is_compacted() -> None:
    """The retention of the topics table becomes the topic's configuration."""
    assert topics_admin.configuration(SIGNALS, 3) == {
        "cleanup.policy": "delete",
        "retention.ms": str(90 * DAY_MS),
        "min.insync.replicas": "2",
    }
    state = topics_admin.configuration(CASCADE_STATE, 3)
    assert (state["cleanup.policy"], state["delete.retention.ms"]) == ("compact", str(DAY_MS))
    assert "retention.ms" not in state


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_one_copy_may_be_missing(replication: int, in_sync: str) -> None:
    """A record is confirmed by all copies but one, by the only one where there is no other."""
    assert topics_admin.configuration(TRADES, replication)["min.insync.replicas"] == in_sync


async def until_shown(client: AIOKafkaAdminClient, connection: KafkaConnection, partitions: int) -> None:
    """Wait until the broker shows what it was asked to make."""

    async def shown() -> bool:
        return (await describe(client, connection, [TRADES]))[connection.name(TRADES)].partitions == partitions

    await until(shown)


@pytest.mark.kafka
async def test_create_makes_the_whole_table_once(kafka_connection: KafkaConnection) -> None:
    """All topics are made as configured, so that a check finds nothing; a second run makes nothing."""
    missing = await topics_admin.check(kafka_connection, 1)
    names = sorted(kafka_connection.name(topic) for topic in TOPICS)
    remedy = "run `cascade-monitor topics create`"
    assert missing == [Difference(name, "topic", "UnknownTopicOrPartitionError", "exists", remedy) for name in names]
    created = await topics_admin.create(kafka_connection, 1)
    assert sorted(created.topics) == names
    assert created.differences == []
    assert await topics_admin.check(kafka_connection, 1) == []
    assert await topics_admin.create(kafka_connection, 1) == topics_admin.Created([], [])


@pytest.mark.kafka
async def test_check_says_exactly_what_differs(kafka_connection: KafkaConnection) -> None:
    """Copies and configuration that differ are listed one by one, with what to do about each."""
    name = kafka_connection.name(TRADES)
    async with administrator(kafka_connection) as client:
        await client.create_topics([NewTopic(name, 3, 1, topic_configs={"retention.ms": "1000"})])
        await until_shown(client, kafka_connection, 3)
    created = await topics_admin.create(kafka_connection, 3, [TRADES])
    assert created.topics == []
    assert [difference[:4] for difference in created.differences] == [
        (name, "min.insync.replicas", "1", "2"),
        (name, "replication", "1", "3"),
        (name, "retention.ms", "1000", str(DAY_MS)),
    ]
    remedy = f"kafka-configs --alter --entity-type topics --entity-name {name} --add-config retention.ms={DAY_MS}"
    assert created.differences[2].remedy == remedy


@pytest.mark.kafka
async def test_partitions_added_by_hand_are_refused_everywhere(kafka_connection: KafkaConnection) -> None:
    """Whoever starts is told the topic, both counts and the way out; nothing else is made meanwhile."""
    await topics_admin.create(kafka_connection, 1, [TRADES])
    name = kafka_connection.name(TRADES)
    async with administrator(kafka_connection) as client:
        await client.create_partitions({name: NewPartitions(4)})
        await until_shown(client, kafka_connection, 4)
    words = r"market\.trades\.v1 has 4 partitions and the configuration requires 3; its keys .* partitions: 4"
    with pytest.raises(BusError, match=words):
        await topics_admin.create(kafka_connection, 1)
    with pytest.raises(BusError, match=words):
        await KafkaPublisher(kafka_connection, [TRADES]).start()
    with pytest.raises(BusError, match=words):
        await KafkaSubscriber(kafka_connection, [TRADES], group="g").start()
    (difference,) = await topics_admin.check(kafka_connection, 1, [TRADES])
    assert difference[:4] == (name, "partitions", "4", "3")
    (other,) = await topics_admin.check(kafka_connection, 1, [LIQUIDATIONS])
    assert other.what == "topic"


@pytest.mark.kafka
async def test_more_copies_than_brokers_are_refused(kafka_connection: KafkaConnection) -> None:
    """One broker cannot keep three copies: the error says which setting to lower."""
    with pytest.raises(BusError, match=r"cannot keep 3 copies: .*add brokers or lower replication"):
        await topics_admin.create(kafka_connection, 3, [TRADES])


@pytest.mark.kafka
async def test_a_name_that_kafka_does_not_allow_is_passed_on(kafka_connection: KafkaConnection) -> None:
    """The check lists it as the broker calls it."""
    (difference,) = await topics_admin.check(replace(kafka_connection, topic_prefix="not/allowed."), 1, [TRADES])
    assert difference[1:3] == ("topic", "InvalidTopicError")


@pytest.mark.kafka
async def test_somebody_else_may_create_at_the_same_time(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A topic that appears between looking and making is no error."""
    create_topics = AIOKafkaAdminClient.create_topics

    async def twice(self: AIOKafkaAdminClient, topics: list[NewTopic]) -> object:
        await create_topics(self, topics)
        return await create_topics(self, topics)

    monkeypatch.setattr(AIOKafkaAdminClient, "create_topics", twice)
    assert (await topics_admin.create(kafka_connection, 1, [TRADES])).differences == []


@pytest.mark.kafka
async def test_a_topic_that_stays_invisible_is_reported(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting ends, and the error says what to run."""

    class NoErrors:
        topic_errors: tuple[()] = ()

    async def pretend(self: AIOKafkaAdminClient, topics: list[NewTopic]) -> NoErrors:
        return NoErrors()

    monkeypatch.setattr(AIOKafkaAdminClient, "create_topics", pretend)
    monkeypatch.setattr(topics_admin, "VISIBLE_ATTEMPTS", 2)
    with pytest.raises(BusError, match="does not show them yet; run `cascade-monitor topics check`"):
        await topics_admin.create(kafka_connection, 1, [TRADES])


@pytest.mark.kafka
async def test_whatever_else_the_brokers_refuse_is_passed_on(kafka_connection: KafkaConnection) -> None:
    """A count of partitions that is no count comes back with the broker's words."""
    with pytest.raises(BusError, match=r"Kafka refused to create .*market\.trades\.v1: .*; correct it"):
        await topics_admin.create(replace(kafka_connection, partitions=-5), 1, [TRADES])


@pytest.mark.kafka
async def test_a_configuration_that_is_not_told_is_reported(
    kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that does not know a new topic yet is asked again; one that refuses to describe it is quoted."""
    await topics_admin.create(kafka_connection, 1, [TRADES])
    name = kafka_connection.name(TRADES)
    answers = [((UnknownTopicOrPartitionError.errno, "", 2, name, ()),), ((-1, "disk on fire", 2, name, ()),)]

    async def refuse(*_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(resources=answers.pop(0))]

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_configs", refuse)
    with pytest.raises(BusError, match=rf"refuses to show the configuration of {name}: disk on fire"):
        await topics_admin.check(kafka_connection, 1, [TRADES])
