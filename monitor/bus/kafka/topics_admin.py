"""Creates the topics on the brokers from the topics table, and compares them with it."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from monitor.bus.kafka.connection import KafkaConnection, TopicFound, administrator, describe, patiently
from monitor.bus.kafka.errors import BusError, forbidden, wrong_partitions
from monitor.bus.topics import DAY_MS, SNAPSHOTS, TOPICS, Topic

VISIBLE_ATTEMPTS: Final = 100
VISIBLE_PAUSE_S: Final = 0.1
"""Pause between two checks that a new topic is visible, seconds; all brokers know it within a second."""


class Difference(NamedTuple):
    """A difference between a topic on the brokers and the topics table.

    Attributes:
        topic: the topic's name on the brokers.
        what: ``topic``, ``partitions``, ``replication`` or the name of a topic configuration.
        have: the value on the brokers.
        required: the value of the table and the settings.
        remedy: action that removes the difference.
    """

    topic: str
    what: str
    have: str
    required: str
    remedy: str


class Created(NamedTuple):
    """The topics that :func:`create` made, and the differences of those that existed before."""

    topics: list[str]
    differences: list[Difference]


def configuration(topic: Topic, replication: int) -> dict[str, str]:
    """Return the topic's configuration, as far as it differs from the brokers' defaults."""
    # acks=all waits for all in-sync replicas; one may be missing without a stop, and a lost broker loses no record.
    common = {"min.insync.replicas": str(max(1, replication - 1))}
    if topic.retention_ms is not None:
        return {"cleanup.policy": "delete", "retention.ms": str(topic.retention_ms), **common}
    if topic is SNAPSHOTS:  # an asset's state is one record; eight times Kafka's default limit is enough
        common["max.message.bytes"] = str(8 * 1024 * 1024)
    return {
        "cleanup.policy": "compact",
        # A reader that was away for a day still sees that a key was deleted.
        "delete.retention.ms": str(DAY_MS),
        # Segments roll hourly and are compacted when a tenth is stale: a restart reads little but the latest records.
        "segment.ms": str(3_600_000),
        "min.cleanable.dirty.ratio": "0.1",
        **common,
    }


async def check(connection: KafkaConnection, replication: int, topics: Iterable[Topic] = TOPICS) -> list[Difference]:
    """Return every difference between the brokers' topics and the table.

    Raises:
        BusError: the brokers cannot be reached or refuse.
    """
    async with administrator(connection) as client:
        return await _differences(client, connection, replication, list(topics))


async def create(connection: KafkaConnection, replication: int, topics: Iterable[Topic] = TOPICS) -> Created:
    """Create the topics that do not exist; never change one that does.

    Raises:
        BusError: a topic exists with another partition count (then none is created), or the brokers refuse.
    """
    wanted = list(topics)
    async with administrator(connection) as client:
        found = await describe(client, connection, wanted)
        for topic in wanted:
            there, name, count = found[connection.name(topic)], connection.name(topic), connection.count(topic)
            if there.error is None and there.partitions != count:
                raise wrong_partitions(name, there.partitions, count)
        new = [topic for topic in wanted if found[connection.name(topic)].error is UnknownTopicOrPartitionError]
        if new:
            await _make(client, connection, replication, new)
        return Created(
            [connection.name(topic) for topic in new], await _differences(client, connection, replication, wanted)
        )


async def _make(
    client: AIOKafkaAdminClient, connection: KafkaConnection, replication: int, topics: list[Topic]
) -> None:
    requests = [
        NewTopic(
            connection.name(topic),
            connection.count(topic),
            replication,
            topic_configs=configuration(topic, replication),
        )
        for topic in topics
    ]
    response: Any = await patiently(lambda: client.create_topics(requests), connection, "Create")
    for name, code, message in response.topic_errors:
        refusal = for_code(code)
        if refusal is InvalidReplicationFactorError:
            raise BusError(f"Kafka cannot keep {replication} copies: {message}; add brokers or lower replication")
        if refusal is TopicAuthorizationFailedError:
            raise forbidden(connection.username, "Create", "topic", name)
        if code and refusal is not TopicAlreadyExistsError:  # otherwise another process created it first
            raise BusError(f"Kafka refused to create {name}: {message}; correct it and run topics create again")
    await _until_visible(client, connection, topics)


async def _until_visible(client: AIOKafkaAdminClient, connection: KafkaConnection, topics: list[Topic]) -> None:
    for _ in range(VISIBLE_ATTEMPTS):
        if not any(topic.error for topic in (await describe(client, connection, topics)).values()):
            return
        await asyncio.sleep(VISIBLE_PAUSE_S)
    raise BusError("Kafka made the topics but does not show them yet; run `cascade-monitor topics check` in a moment")


async def _differences(
    client: AIOKafkaAdminClient, connection: KafkaConnection, replication: int, topics: list[Topic]
) -> list[Difference]:
    names = {connection.name(topic): topic for topic in topics}
    found = await describe(client, connection, topics)
    differences = []
    for name, topic in found.items():
        if topic.error is TopicAuthorizationFailedError:
            raise forbidden(connection.username, "Describe", "topic", name)
        differences += _shape_differences(name, topic, connection.count(names[name]), replication)
    there = [name for name, topic in found.items() if topic.error is None]
    for name, have in (await _configurations(client, connection, there)).items():
        differences += _configuration_differences(name, have, configuration(names[name], replication))
    return sorted(differences)


def _shape_differences(name: str, topic: TopicFound, partitions: int, replication: int) -> list[Difference]:
    if topic.error is not None:
        return [Difference(name, "topic", topic.error.__name__, "exists", "run `cascade-monitor topics create`")]
    differences = []
    if topic.partitions != partitions:
        differences.append(
            Difference(
                name,
                "partitions",
                str(topic.partitions),
                str(partitions),
                str(wrong_partitions(name, topic.partitions, partitions)),
            )
        )
    if topic.replication != replication:
        remedy = "move replicas with kafka-reassign-partitions, or set replication to the present number"
        differences.append(Difference(name, "replication", str(topic.replication), str(replication), remedy))
    return differences


def _configuration_differences(name: str, have: Mapping[str, str], required: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(
            name,
            key,
            have.get(key, "unknown"),
            value,
            f"kafka-configs --alter --entity-type topics --entity-name {name} --add-config {key}={value}",
        )
        for key, value in required.items()
        if have.get(key) != value
    ]


async def _configurations(
    client: AIOKafkaAdminClient, connection: KafkaConnection, names: Iterable[str]
) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]

    async def request() -> list[Any]:
        responses: list[Any] = await client.describe_configs(resources)
        for error in [for_code(each[0]) for response in responses for each in response.resources]:
            if error.retriable:  # this broker does not know a new topic yet
                raise error()
        return responses

    found = {}
    for response in await patiently(request, connection, "DescribeConfigs"):
        for code, message, _, name, entries in response.resources:
            if for_code(code) is TopicAuthorizationFailedError:
                raise forbidden(connection.username, "DescribeConfigs", "topic", name)
            if code:
                raise BusError(f"Kafka refuses to show the configuration of {name}: {message}; see the brokers' log")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
