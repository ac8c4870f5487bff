from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.errors import BusError
from monitor.bus.topics import TOPICS
from monitor.cli.topics import topics


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file."""
    return tmp_path / "monitor.yaml"


def test_an_unreachable_broker_is_one_error(config: Path) -> None:
    """The error is the operator's, for the command line to print in one line."""
    config.write_text("bus: {kind: kafka, kafka: {bootstrap_servers: '127.0.0.1:1'}}")
    result = CliRunner().invoke(topics, ["check", "--config", str(config)])
    assert isinstance(result.exception, BusError)


@pytest.mark.kafka
def test_create_then_check(config: Path, kafka_connection: KafkaConnection) -> None:
    """Check names what is missing and exits 1, create makes it and says so, check then is content."""
    config.write_text(
        f"bus: {{kind: kafka, kafka: {{bootstrap_servers: '{kafka_connection.bootstrap_servers}', partitions: 2, "
        f"topic_prefix: '{kafka_connection.topic_prefix}', replication: 1}}}}"
    )
    before = CliRunner().invoke(topics, ["check", "--config", str(config)])
    assert before.exit_code == 1
    assert len(before.stderr.splitlines()) == len(TOPICS)
    assert "market.trades.v1: topic is UnknownTopicOrPartitionError, required exists; run `cascade-mon" in before.stderr
    made = CliRunner().invoke(topics, ["create", "--config", str(config)])
    assert made.exit_code == 0, made.output
    assert f"created {kafka_connection.topic_prefix}cascade.signals.v1: 2 partitions, 1 copies" in made.stdout
    after = CliRunner().invoke(topics, ["check", "--config", str(config)])
    assert (after.exit_code, after.stdout) == (0, "the topics are as the monitor needs them\n")
