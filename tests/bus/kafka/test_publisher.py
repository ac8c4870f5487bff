from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)

from monitor import __version__
from monitor.bus import codec
from monitor.bus.kafka import publisher as kafka_publisher
from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.aiokafka_internals import Compression
from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.partitioner import Partitioner
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.memory import HIGH_WATER
from monitor.bus.topics import LIQUIDATIONS, REJECTS, TRADES
from tests.bus import records as make
from tests.waiting import patient, until

pytestmark = pytest.mark.kafka
CLOCK_US = 1_760_130_000_123_456


@pytest.fixture
async def connection(kafka_connection: KafkaConnection) -> KafkaConnection:
    """Topics that a collector writes to."""
    await topics_admin.create(kafka_connection, 1, [TRADES, LIQUIDATIONS, REJECTS])
    return kafka_connection


@pytest.fixture
async def publisher(connection: KafkaConnection) -> AsyncIterator[KafkaPublisher]:
    """A publisher whose clock stands still."""
    publisher = await KafkaPublisher(connection, [TRADES, LIQUIDATIONS, REJECTS], clock=lambda: CLOCK_US).start()
    yield publisher
    await publisher._release()


async def test_what_a_desk_finds_on_a_record(connection: KafkaConnection, publisher: KafkaPublisher) -> None:
    """Key, JSON, headers, time and partition are as documented for any Kafka client, compressed with zstd."""
    publisher.write([make.liquidation(7, "SOL")])
    await publisher.flush()
    name = connection.name(LIQUIDATIONS)
    consumer = AIOKafkaConsumer(name, bootstrap_servers=connection.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), patient(10))
    finally:
        await consumer.stop()
    assert record.key == b"SOL"
    assert record.value == codec.encode(make.liquidation(7, "SOL"))
    assert record.headers == (("schema", b"liquidation.v1"), ("producer", f"cascade-monitor/{__version__}".encode()))
    assert record.timestamp == CLOCK_US // 1000
    assert record.partition == Partitioner(3).partition("SOL")


async def test_java_and_we_choose_the_same_partition(connection: KafkaConnection) -> None:
    """Aiokafka's own partitioner, which is Java's, sends a key where ours does."""
    producer = AIOKafkaProducer(bootstrap_servers=connection.bootstrap_servers)
    await producer.start()
    try:
        for key in ("BTC", "ETH", "1INCH", "MARKET", "kPEPE"):
            sent = await producer.send_and_wait(connection.name(TRADES), b"{}", key=key.encode())
            assert sent.partition == Partitioner(3).partition(key)
    finally:
        await producer.stop()


async def test_one_record_leaves_within_the_linger(publisher: KafkaPublisher) -> None:
    """A lone record is confirmed soon, without anybody flushing: the linger and a round trip, not the next batch."""
    await asyncio.sleep(0.05)
    started = time.monotonic()
    publisher.write([make.trade(1)])
    await publisher._empty.wait()
    assert time.monotonic() - started < patient(0.5)  # 55 ms on an idle machine
    assert publisher.stats().waiting == 0


async def test_a_topic_that_it_was_not_opened_for_is_refused(publisher: KafkaPublisher) -> None:
    """A collector cannot write signals by mistake."""
    with pytest.raises(TypeError, match="not opened for the topics of Signal"):
        publisher.write([make.signal(1)])


async def test_a_refused_batch_stops_the_publisher_and_everybody_hears_of_it(
    publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that no retry mends reaches write, drain, flush and close; nothing is dropped in silence."""

    async def refuse(*_: object, **__: object) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(MessageSizeTooLargeError())
        return future

    monkeypatch.setattr(publisher._producer, "send_batch", refuse)
    publisher.write([make.trade(1, "BTC")])
    publisher.high_water = 1
    publisher.write([make.trade(2, "ETH"), make.trade(3, "SOL")])  # another partition, which fails as well
    assert publisher.full
    for call in (publisher.drain, publisher.flush, publisher.close):
        with pytest.raises(BusError, match=r"market\.trades\.v1: larger than the topic's max\.message\.bytes"):
            await call()
    with pytest.raises(BusError, match=r"max\.message\.bytes"):
        publisher.write([make.trade(4)])
    assert publisher.stats().waiting == 3


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), InvalidTimestampError(), ProducerFenced(), KafkaError()])
async def test_an_error_that_no_retry_solves_ends_the_watch(
    publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch, error: KafkaError
) -> None:
    """Whoever watches the publisher receives its failure at once, whether anybody writes on or not."""

    async def refuse(*_: object, **__: object) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    monkeypatch.setattr(publisher._producer, "send_batch", refuse)
    watch = asyncio.create_task(publisher.watch())
    publisher.write([make.trade(1)])
    with pytest.raises(BusError):
        await asyncio.wait_for(watch, patient(5))


async def test_a_sender_that_failed_ends_the_watch(publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aiokafka's own task may fail; what it was to send fails with it."""

    async def broken() -> None:
        raise OutOfOrderSequenceNumber

    monkeypatch.setattr(publisher._producer._sender, "_maybe_wait_for_pid", broken)
    watch = asyncio.create_task(publisher.watch())
    publisher.write([make.trade(1)])
    with pytest.raises(BusError, match="lost track of this producer's batches"):
        await asyncio.wait_for(watch, patient(5))


async def test_a_batch_without_an_answer_is_seen(publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """The partition of the oldest unconfirmed batch and its age are known, and forgotten once it is confirmed."""
    answers: list[asyncio.Future[None]] = []

    async def silent(*_: object, **__: object) -> asyncio.Future[None]:
        answers.append(asyncio.get_running_loop().create_future())
        return answers[-1]

    monkeypatch.setattr(publisher._producer, "send_batch", silent)
    assert publisher.oldest() == ("", 0.0)
    publisher.write([make.trade(1, "BTC")])
    await until(lambda: len(answers) == 1)
    publisher.write([make.trade(2, "SOL")])
    await until(lambda: len(answers) == 2)
    where, first_s = publisher.oldest()
    assert where == f"{publisher._connection.name(TRADES)}/{Partitioner(3).partition('BTC')}"
    assert first_s > 0
    answers[0].set_result(None)
    await until(lambda: publisher.stats().waiting == 1)
    assert publisher.oldest()[0].endswith(f"/{Partitioner(3).partition('SOL')}")
    answers[1].set_result(None)
    await until(lambda: publisher.stats().waiting == 0)
    assert publisher.oldest() == ("", 0.0)


async def test_a_fault_of_the_sender_is_not_swallowed(
    publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If sending itself breaks, waiting writers are told."""

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(publisher._producer, "send_batch", broken)
    publisher.write([make.trade(1)])
    with pytest.raises(BusError, match="ZeroDivisionError: a fault"):
        await publisher.flush()


async def test_a_record_larger_than_the_topic_takes_is_refused_by_the_broker(
    connection: KafkaConnection, publisher: KafkaPublisher
) -> None:
    """The real refusal comes through as the remedy."""
    huge = make.trade(1)
    huge.id = random.Random(1).randbytes(3_000_000).hex()  # packs to no less than half
    publisher.write([huge])
    with pytest.raises(BusError, match=r"max\.message\.bytes"):
        await asyncio.wait_for(publisher.flush(), patient(20))


async def test_closing_says_what_is_not_confirmed(publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the brokers do not answer, closing ends after its time and names the number of records."""

    async def silent(*_: object, **__: object) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    monkeypatch.setattr(publisher._producer, "send_batch", silent)
    monkeypatch.setattr(kafka_publisher, "CLOSE_TIMEOUT_S", 0.05)
    publisher.write([make.trade(1), make.trade(2)])
    with pytest.raises(BusError, match="did not confirm 2 records"):
        await publisher.close()


async def test_opening_needs_the_topics(connection: KafkaConnection) -> None:
    """A missing topic or another count of partitions is refused at the start."""
    with pytest.raises(BusError, match="the configuration requires 4"):
        await KafkaPublisher(replace(connection, partitions=4), [TRADES]).start()


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
async def test_both_compressions_can_be_read(connection: KafkaConnection, compression: Compression) -> None:
    """What is packed either way is confirmed."""
    publisher = await KafkaPublisher(connection, [TRADES], compression=compression).start()
    publisher.write([make.trade(number) for number in range(500)])
    await publisher.close()
    assert publisher.stats() == (500, 0, HIGH_WATER, 0)
