"""Connects to the Kafka brokers, and checks that the topics are as the topics table defines them."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from monitor.bus.kafka.aiokafka_internals import dial_each
from monitor.bus.kafka.errors import BusError, explain, forbidden, missing, unreachable, wrong_partitions
from monitor.bus.topics import PARTITIONS, Topic

if TYPE_CHECKING:
    from monitor.bus.kafka.settings import KafkaSettings

REQUEST_TIMEOUT_MS: Final = 15_000
"""Timeout of a request, ms: longer than a broker's longest pauses, short enough for the records that collectors
buffer meanwhile."""
PROBE_TIMEOUT_MS: Final = 3_000
"""Timeout of one broker's answer at the start, ms; after it the start fails."""

ATTEMPTS: Final = 20
PAUSE_S: Final = 0.5
"""Attempts of a request and the pause between them, seconds. Together they last ten seconds, because brokers detect
the failure of one of them after nine (Kafka's default)."""

Answer = TypeVar("Answer")
SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Holds the brokers' addresses and this client's identity.

    Attributes:
        bootstrap_servers: ``host:port``, comma-separated.
        security_protocol: Kafka's name of the protocol; SASL_SSL across a network.
        sasl_mechanism: mechanism, used with SASL only.
        username: user name for SASL.
        password: password for SASL; never printed.
        ssl_cafile: certificate of the authority; None trusts the system's authorities.
        ssl_certfile: this client's certificate, for brokers that require one.
        ssl_keyfile: key of this client's certificate.
        client_id: client name in the brokers' logs and quotas.
        partitions: number of partitions of every topic; a topic with another number is refused.
        topic_prefix: prefix of every topic's name, so that several monitors can share a cluster.
    """

    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: Mechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    client_id: str = "cascade-monitor"
    partitions: int = PARTITIONS
    topic_prefix: str = ""

    @classmethod
    def from_settings(cls, settings: KafkaSettings) -> KafkaConnection:
        """Return the connection that the settings describe."""
        return cls(
            bootstrap_servers=settings.bootstrap_servers,
            security_protocol=settings.security_protocol,
            sasl_mechanism=settings.sasl_mechanism,
            username=settings.username,
            password=None if settings.password is None else settings.password.get_secret_value(),
            ssl_cafile=settings.ssl_cafile,
            ssl_certfile=settings.ssl_certfile,
            ssl_keyfile=settings.ssl_keyfile,
            client_id=settings.client_id,
            partitions=settings.partitions,
            topic_prefix=settings.topic_prefix,
        )

    def name(self, topic: Topic) -> str:
        """Return the topic's name on the brokers."""
        return self.topic_prefix + topic.name

    def count(self, topic: Topic) -> int:
        """Return the number of partitions that the topic must have."""
        return topic.partitions or self.partitions

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that every aiokafka client takes.

        Raises:
            BusError: a TLS file cannot be read.
        """
        return {"bootstrap_servers": self.bootstrap_servers, "client_id": self.client_id, **self.security()}

    def security(self) -> dict[str, Any]:
        """Return the part of :meth:`arguments` that a single connection takes too."""
        return {
            "security_protocol": self.security_protocol,
            "ssl_context": self._ssl_context() if self.security_protocol.endswith("SSL") else None,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
            if self.ssl_certfile is not None:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        except OSError as error:  # ssl.SSLError is a subclass of OSError
            files = ", ".join(str(each) for each in (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile) if each)
            raise BusError(f"Kafka's TLS files cannot be read ({error}); correct or replace {files}") from error
        return context


class TopicFound(NamedTuple):
    """A topic as the brokers describe it; only ``error`` is set if they refuse."""

    partitions: int
    replication: int
    error: type[KafkaError] | None


@asynccontextmanager
async def administrator(connection: KafkaConnection) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a connected admin client.

    Raises:
        BusError: no broker could be used.
    """
    client = AIOKafkaAdminClient(**connection.arguments(), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        try:
            await client.start()
        except KafkaError as error:
            raise await diagnose(connection) from error
        yield client
    finally:
        await client.close()


async def diagnose(connection: KafkaConnection) -> BusError:
    """Return why no client could start, with the remedy, by dialling each broker once more."""
    address, error = await dial_each(connection.bootstrap_servers, PROBE_TIMEOUT_MS, connection.security())
    if error is None:
        return unreachable(address, KafkaError(), None, connection.security_protocol)
    return unreachable(address, error, connection.username, connection.security_protocol)


async def patiently(request: Callable[[], Awaitable[Answer]], connection: KafkaConnection, operation: str) -> Answer:
    """Return the answer to an administrator's request, repeating it while brokers fail over.

    aiokafka's admin client sends to one broker at random and does not retry
    (https://github.com/aio-libs/aiokafka/issues/939), so a request to one that has just failed is sent again.

    Raises:
        BusError: the request was refused, or no broker answered.
    """
    attempts = ATTEMPTS
    while True:
        attempts -= 1
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_MS / 1000):
                return await request()
        except (KafkaError, TimeoutError) as error:
            if not attempts or not getattr(error, "retriable", True):
                raise explain(error, connection.username, operation) from error
        await asyncio.sleep(PAUSE_S)


async def describe(
    client: AIOKafkaAdminClient, connection: KafkaConnection, topics: Iterable[Topic]
) -> dict[str, TopicFound]:
    """Return the topics as the brokers describe them, by their names there."""
    names = [connection.name(topic) for topic in topics]
    found = {}
    for topic in await patiently(lambda: client.describe_topics(names), connection, "Describe"):
        error = for_code(topic["error_code"]) if topic["error_code"] else None
        partitions = topic["partitions"]
        replication = min((len(each["replicas"]) for each in partitions), default=0)
        found[topic["topic"]] = TopicFound(len(partitions), replication, error)
    return found


async def verify(connection: KafkaConnection, topics: Iterable[Topic], operation: str) -> None:
    """Check, before anything runs, that the topics exist, are visible and have the configured number of partitions.

    Args:
        connection: the brokers, and the user whose rights are checked.
        topics: the topics that will be used.
        operation: ``Read`` or ``Write``, the right that the error names if the user may not see a topic.

    Raises:
        BusError: the first fault found.
    """
    counts = {connection.name(topic): (topic, connection.count(topic)) for topic in topics}
    async with administrator(connection) as client:
        described = await describe(client, connection, [topic for topic, _ in counts.values()])
        for name in counts:  # in the given order, because the brokers answer in their own
            found = described[name]
            if found.error is UnknownTopicOrPartitionError:
                raise missing(name)
            if found.error is TopicAuthorizationFailedError:
                raise forbidden(connection.username, operation, "topic", name)
            if found.error is not None:
                raise explain(found.error(), connection.username, operation, name)
            if found.partitions != counts[name][1]:
                raise wrong_partitions(name, found.partitions, counts[name][1])


async def explain_start(
    error: KafkaError, connection: KafkaConnection, operation: str, topics: Iterable[Topic]
) -> BusError:
    """Return why a producer or consumer could not start, with the remedy."""
    if isinstance(error, KafkaConnectionError):
        return await diagnose(connection)
    return explain(error, connection.username, operation, ", ".join(map(connection.name, topics)))
