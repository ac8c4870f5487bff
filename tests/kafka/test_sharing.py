"""Detectors as processes on a real broker: the same signals as a replay, whoever does the work and whoever dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.bus import admin
from monitor.bus.kafka_client import KafkaConnection
from tests.kafka.members import Desk, Members
from tests.kafka.story import expected, publish, story

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("count", [1, 3])
async def test_detectors_say_what_a_replay_says(
    count: int, kafka_connection: KafkaConnection, tmp_path: Path
) -> None:
    """One detector and three give the same signals per asset as a replay of the same events, each once."""
    await admin.create(kafka_connection, 1)
    with Members(kafka_connection, tmp_path, count) as members:
        async with Desk(kafka_connection) as desk:
            await publish(kafka_connection, story())
            assert await desk.read_all(expected(), 40) == [], members.log
            assert desk.beats
