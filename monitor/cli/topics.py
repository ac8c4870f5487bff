"""Creates the topics on Kafka, or reports where they differ from the table, for ``cascade-monitor topics``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from monitor.bus.kafka.connection import KafkaConnection
    from monitor.bus.kafka.topics_admin import Difference

_config = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="CASCADE_CONFIG",
    help="YAML settings file; its bus.kafka section names the brokers.",
)


@click.group()
def topics() -> None:
    """Create the topics on Kafka, or compare them with what the monitor needs."""


@topics.command()
@_config
@click.pass_context
def create(ctx: click.Context, config: Path | None) -> None:
    """Create the topics that are missing; existing ones are never changed."""
    from monitor.bus.kafka import topics_admin

    connection, replication = _settings(config)
    created, differences = asyncio.run(topics_admin.create(connection, replication))
    for name in created:
        click.echo(f"created {name}: {connection.partitions} partitions, {replication} copies")
    _report(differences)
    ctx.exit(1 if differences else 0)


@topics.command()
@_config
@click.pass_context
def check(ctx: click.Context, config: Path | None) -> None:
    """Report where the topics differ from what the monitor needs; exit 1 if they do."""
    from monitor.bus.kafka import topics_admin

    connection, replication = _settings(config)
    differences = asyncio.run(topics_admin.check(connection, replication))
    _report(differences)
    ctx.exit(1 if differences else 0)


def _settings(config: Path | None) -> tuple[KafkaConnection, int]:
    from monitor.bus.kafka.connection import KafkaConnection
    from monitor.settings import load

    kafka = load(config).bus.kafka
    return KafkaConnection.from_settings(kafka), kafka.replication


def _report(differences: Sequence[Difference]) -> None:
    for difference in differences:
        topic, what, have, required, remedy = difference
        click.echo(f"{topic}: {what} is {have}, required {required}; {remedy}", err=True)
    if not differences:
        click.echo("the topics are as the monitor needs them")
