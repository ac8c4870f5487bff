from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from monitor.bus.kafka import heartbeats as module
from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.heartbeats import LastHeartbeats
from monitor.model.events import ALL, MICROS, Channel, Gap, Heartbeat
from tests.bus.harness import KafkaHarness

pytestmark = pytest.mark.kafka
T0 = 1_790_000_000 * MICROS


@pytest.fixture
async def bus(kafka_connection: KafkaConnection) -> AsyncIterator[KafkaHarness]:
    """Topics of this test; everything that was opened is closed."""
    harness = KafkaHarness(kafka_connection)
    await harness.start()
    yield harness
    await harness.close()


def beat(venue: str, second: int, channel: Channel = "liquidations") -> Heartbeat:
    """A heartbeat of a whole exchange."""
    at_us = T0 + second * MICROS
    return Heartbeat(venue, ALL, ALL, at_us, at_us, channel)


async def test_the_last_of_each_channel_is_found(bus: KafkaHarness, kafka_connection: KafkaConnection) -> None:
    """Whatever else stands in the topic; what comes later is found by the next call."""
    publisher = await bus.publisher()
    at_us = T0 + 9 * MICROS
    publisher.write([beat("okx", 1), beat("okx", 3), beat("okx", 2, "trades"), beat("bybit", 5)])
    publisher.write([Gap("okx", ALL, ALL, at_us, at_us, "trades", T0, at_us, "stale")])
    await publisher.flush()
    last = LastHeartbeats(kafka_connection, ["okx", "bybit", "never"])
    assert await last.of("okx") == {"liquidations": T0 + 3 * MICROS, "trades": T0 + 2 * MICROS}
    assert await last.of("never") == {}
    publisher.write([beat("okx", 8)])
    await publisher.flush()
    assert (await last.of("okx"))["liquidations"] == T0 + 8 * MICROS


async def test_an_empty_topic_has_none(bus: KafkaHarness, kafka_connection: KafkaConnection) -> None:
    """A first start finds nothing and does not wait for it."""
    assert await LastHeartbeats(kafka_connection, ["okx"]).of("okx") == {}


async def test_reading_goes_back_by_chunks_and_is_bounded(
    bus: KafkaHarness, kafka_connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends once every exchange is found, or at the most records."""
    monkeypatch.setattr(module, "CHUNK", 10)
    publisher = await bus.publisher()
    publisher.write([beat("gone", 0), *(beat("okx", second) for second in range(1, 40))])
    await publisher.flush()
    assert await LastHeartbeats(kafka_connection, ["okx", "gone"]).of("gone") == {"liquidations": T0}
    monkeypatch.setattr(module, "MAX_RECORDS", 25)
    bounded = LastHeartbeats(kafka_connection, ["okx", "gone"])
    assert await bounded.of("gone") == {}
    assert await bounded.of("okx") == {"liquidations": T0 + 39 * MICROS}


async def test_a_topic_that_is_not_there_is_waited_for(
    bus: KafkaHarness,
    kafka_connection: KafkaConnection,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Brokers that do not answer are asked again, with a line in the log."""
    tries = 0
    read = LastHeartbeats._read

    async def failing(self: LastHeartbeats) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise TimeoutError
        await read(self)

    monkeypatch.setattr(LastHeartbeats, "_read", failing)
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    with caplog.at_level(logging.WARNING):
        assert await LastHeartbeats(kafka_connection, ["okx"]).of("okx") == {}
    assert tries == 2
    assert "gaps of a restart are published once the topic can be read" in caplog.text
