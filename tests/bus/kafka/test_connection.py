from __future__ import annotations

import re
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaConnectionError,
    NodeNotReadyError,
)
from pydantic import SecretStr

from monitor.bus.kafka import connection as kafka_connection
from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection, diagnose, explain_start, patiently, verify
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.settings import KafkaSettings
from monitor.bus.topics import LIQUIDATIONS, TRADES

pytestmark = pytest.mark.usefixtures("refusals_settled")
PASSWORD = "hunter2"  # noqa: S105 - of nobody


def test_the_password_is_never_shown() -> None:
    """Neither ``repr`` nor ``str`` of a connection holds it; the client's arguments do."""
    connection = KafkaConnection(username="desk", password=PASSWORD, security_protocol="SASL_PLAINTEXT")
    assert PASSWORD not in f"{connection!r} {connection}"
    assert connection.arguments()["sasl_plain_password"] == PASSWORD


def test_settings_become_a_connection() -> None:
    """Every setting that a client needs arrives, the password in clear."""
    settings = KafkaSettings(
        bootstrap_servers="a:1,b:2",
        security_protocol="SASL_SSL",
        username="desk",
        password=SecretStr(PASSWORD),
        ssl_cafile=Path("ca.pem"),
        ssl_certfile=Path("me.pem"),
        ssl_keyfile=Path("me.key"),
        client_id="desk-1",
        partitions=12,
        topic_prefix="eu.",
    )
    assert KafkaConnection.from_settings(settings) == KafkaConnection(
        bootstrap_servers="a:1,b:2",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        username="desk",
        password=PASSWORD,
        ssl_cafile=Path("ca.pem"),
        ssl_certfile=Path("me.pem"),
        ssl_keyfile=Path("me.key"),
        client_id="desk-1",
        partitions=12,
        topic_prefix="eu.",
    )
    assert KafkaConnection.from_settings(KafkaSettings()) == KafkaConnection()


def test_tls_verifies_the_broker() -> None:
    """With TLS the certificate and the host name are checked; without, there is no context."""
    context = KafkaConnection(security_protocol="SSL").arguments()["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert KafkaConnection().arguments()["ssl_context"] is None


@pytest.mark.parametrize("name", ["ssl_cafile", "ssl_certfile"])
def test_a_tls_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    """A missing file and one that holds no certificate give one line with the file in it."""
    file = tmp_path / "wrong.pem"
    connection = KafkaConnection(security_protocol="SSL", **{name: file})  # type: ignore[arg-type]
    with pytest.raises(BusError, match=r"Kafka's TLS files cannot be read .*wrong\.pem"):
        connection.arguments()
    file.write_text("no certificate")
    with pytest.raises(BusError, match=r"correct or replace .*wrong\.pem"):
        connection.arguments()


def test_a_prefix_stands_before_every_name() -> None:
    """Several monitors can share a cluster."""
    assert KafkaConnection(topic_prefix="eu.").name(TRADES) == "eu.market.trades.v1"


async def test_a_broker_that_just_died_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors that pass are retried, silence too; the answer of the next broker counts."""
    monkeypatch.setattr(kafka_connection, "PAUSE_S", 0)
    answers: list[Exception | str] = [NodeNotReadyError(), TimeoutError(), "three brokers"]

    async def request() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await patiently(request, KafkaConnection(), "Describe") == "three brokers"


@pytest.mark.parametrize("error", [NodeNotReadyError(), InvalidTopicError()])
async def test_asking_again_has_an_end(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not pass is reported: at once where asking again cannot help, else after the last attempt."""
    monkeypatch.setattr(kafka_connection, "PAUSE_S", 0)
    asked = 0

    async def request() -> None:
        nonlocal asked
        asked += 1
        raise error

    with pytest.raises(BusError, match=type(error).__name__):
        await patiently(request, KafkaConnection(), "Describe")
    assert asked == (1 if isinstance(error, InvalidTopicError) else kafka_connection.ATTEMPTS)


async def test_why_a_client_did_not_start_names_its_topics() -> None:
    """An error that is no matter of the connection is explained with the topics in question."""
    error = await explain_start(ClusterAuthorizationFailedError(), KafkaConnection(username="x"), "Write", [TRADES])
    assert "'x' has no Write right on topic market.trades.v1" in str(error)


@pytest.mark.kafka
async def test_a_broker_that_answers_a_probe_but_no_client(kafka_connection: KafkaConnection) -> None:
    """Where a plain connection is accepted and then closed, the listener wants another protocol."""
    assert "security_protocol" in str(await diagnose(kafka_connection))


async def test_nobody_at_the_address() -> None:
    """A port that nobody listens on is said to be unreachable, with the address and the setting."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        connection = KafkaConnection(f"127.0.0.1:{port}")
        words = rf"Kafka at 127\.0\.0\.1:{port} cannot be reached .*bootstrap_servers"
        with pytest.raises(BusError, match=words):
            await verify(connection, [TRADES], "Read")
        assert re.match(words, str(await explain_start(KafkaConnectionError(), connection, "Read", [TRADES])))


@pytest.mark.kafka
async def test_missing_topics_are_named_before_anything_runs(kafka_connection: KafkaConnection) -> None:
    """The error says which topic and which command makes it."""
    with pytest.raises(BusError, match=r"market\.trades\.v1 does not exist; create it: cascade-monitor topics create"):
        await verify(kafka_connection, [TRADES], "Write")


@pytest.mark.kafka
async def test_another_partition_count_is_refused(kafka_connection: KafkaConnection) -> None:
    """Keys would move, so nothing starts; with the right count nothing is raised."""
    await topics_admin.create(kafka_connection, 1, [TRADES, LIQUIDATIONS])
    await verify(kafka_connection, [TRADES, LIQUIDATIONS], "Write")
    with pytest.raises(BusError, match="has 3 partitions and the configuration requires 24"):
        await verify(replace(kafka_connection, partitions=24), [TRADES], "Write")


@pytest.mark.kafka
async def test_a_name_that_kafka_does_not_allow(kafka_connection: KafkaConnection) -> None:
    """Any other answer of the broker is passed on in one line."""
    with pytest.raises(BusError, match="InvalidTopicError"):
        await verify(replace(kafka_connection, topic_prefix="not/allowed."), [TRADES], "Read")


@pytest.mark.kafka
async def test_tls_towards_a_plain_listener(kafka_connection: KafkaConnection) -> None:
    """The error says that the port speaks no TLS and which setting to correct."""
    with pytest.raises(BusError, match=r"security_protocol"):
        await verify(replace(kafka_connection, security_protocol="SSL"), [TRADES], "Read")


@pytest.mark.kafka
async def test_a_login_towards_a_listener_without_users(kafka_connection: KafkaConnection) -> None:
    """A plain listener closes on a login; the error names the setting."""
    with pytest.raises(BusError, match=r"security_protocol"):
        await verify(
            replace(kafka_connection, security_protocol="SASL_PLAINTEXT", username="x", password=PASSWORD),
            [TRADES],
            "Read",
        )
