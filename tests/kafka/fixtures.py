"""Fixtures that give tests a real Kafka: one node, three nodes, and one behind TLS with users and rights.

Each is started once a session, on first use. ``CASCADE_TEST_KAFKA=host:port`` uses a running broker for
``kafka_bootstrap`` instead. Where Java or Maven is missing the tests skip and say so; with
``CASCADE_REQUIRE_REAL=1`` that is a failure.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from monitor.bus.kafka.connection import KafkaConnection
from tests.kafka.broker import Kafka, Security, User
from tests.kafka.certificates import make_certificates
from tests.kafka.fetch_kafka import UnavailableError, kafka_jars, require_java

BROKERS: Final = ("secured_kafka", "kafka_cluster", "kafka_bootstrap")
"""The fixtures that start brokers; a test that uses none of them itself shares the last."""
PARTITIONS: Final = 3
"""Enough to tell them apart, few enough that eight topics a test cost nothing."""
ADMIN: Final = User("admin", "correct-horse-1")
COLLECTOR: Final = User("collector", "correct-horse-2")
DETECTOR: Final = User("detector", "correct-horse-3")
DESK: Final = User("desk", "correct-horse-4")
NOBODY: Final = User("nobody", "correct-horse-5")


class SecuredKafka(NamedTuple):
    """A node that asks for TLS and a password, where only ``admin`` may do anything at first."""

    bootstrap: str
    ca: Path
    stranger: Path

    def connection(self, user: User, prefix: str) -> KafkaConnection:
        """How ``user`` reaches it."""
        return KafkaConnection(
            self.bootstrap,
            security_protocol="SASL_SSL",
            username=user.name,
            password=user.password,
            ssl_cafile=self.ca,
            partitions=PARTITIONS,
            topic_prefix=prefix,
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share a broker on one worker (``pytest --dist loadgroup``)."""
    for item in items:
        broker = next((name for name in BROKERS if name in getattr(item, "fixturenames", ())), None)
        if broker is not None or item.get_closest_marker("kafka"):
            item.add_marker(pytest.mark.xdist_group(broker or BROKERS[-1]))


def require_kafka() -> None:
    """Skip, or fail where real parts are required, if no broker can run here."""
    try:
        require_java()
        kafka_jars()
    except UnavailableError as error:
        if os.environ.get("CASCADE_REQUIRE_REAL") == "1":
            pytest.fail(f"a real Kafka is required: {error}")
        pytest.skip(f"no real Kafka: {error}")


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("kafka") / "nodes"


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a plain broker."""
    running = os.environ.get("CASCADE_TEST_KAFKA")
    if running:
        yield running
        return
    require_kafka()
    with Kafka(_folder(tmp_path_factory)) as kafka:
        yield kafka.bootstrap


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Three nodes; a test that kills one starts it again."""
    require_kafka()
    with Kafka(_folder(tmp_path_factory), nodes=3) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """One node behind TLS and SCRAM, with an authorizer."""
    require_kafka()
    certificates = make_certificates(tmp_path_factory.mktemp("certificates") / "pem")
    security = Security(certificates.keystore, certificates.ca, (ADMIN, COLLECTOR, DETECTOR, DESK, NOBODY))
    with Kafka(_folder(tmp_path_factory), security=security) as kafka:
        yield SecuredKafka(kafka.bootstrap, certificates.ca, certificates.stranger)


@pytest.fixture
async def refusals_settled() -> AsyncIterator[None]:
    """Lets connections end that a broker refused: aiokafka closes them without waiting for it."""
    yield
    await asyncio.sleep(0.1)


@pytest.fixture
def topic_prefix() -> str:
    """Makes every test's topics its own."""
    return f"test-{uuid.uuid4().hex[:12]}."


@pytest.fixture
def kafka_connection(kafka_bootstrap: str, topic_prefix: str) -> KafkaConnection:
    """The plain broker, with topic names of this test alone; the topics are not made yet."""
    return KafkaConnection(kafka_bootstrap, partitions=PARTITIONS, topic_prefix=topic_prefix)
