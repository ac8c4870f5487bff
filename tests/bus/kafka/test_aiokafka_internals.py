"""What is relied on inside aiokafka is there in the version that is installed; no broker is needed."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import closing
from typing import cast

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.codec import zstd_encode
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.transaction_manager import TransactionState
from aiokafka.structs import ConsumerRecord, TopicPartition

from monitor.bus import codec
from monitor.bus.kafka.aiokafka_internals import (
    BATCH_BYTES,
    RecordBatch,
    dial_each,
    keep_batches_until_sent,
    log_unawaited_errors,
    rewind,
    stop_producer,
)
from monitor.bus.topics import TRADES
from tests.bus import records as make
from tests.paths import ROOT
from tests.waiting import patient

HEAD_BYTES = 61
"""Length of a batch's header in version 2 of the format, bytes."""
HERE = TopicPartition("topic", 0)
NOWHERE = "127.0.0.1:1"


@pytest.fixture
async def producer() -> AsyncIterator[AIOKafkaProducer]:
    """A transactional producer that never connects."""
    made = AIOKafkaProducer(bootstrap_servers=NOWHERE, transactional_id="owner", acks="all")
    yield made
    await made.stop()


def test_no_other_module_uses_private_attributes_of_aiokafka() -> None:
    """A new version of aiokafka is checked in one place."""
    private = re.compile(r"_(producer|consumer|client)\._|\b(producer|consumer|client)\._[a-z]")
    users = [
        path.name
        for path in sorted((ROOT / "monitor" / "bus").rglob("*.py"))
        if path.name != "aiokafka_internals.py" and private.search(path.read_text())
    ]
    assert users == []


def test_batches_are_packed_at_the_level_that_was_chosen() -> None:
    """Aiokafka looks its packer up where the level was set: what it builds holds that level's bytes after its head."""
    packed, plain = RecordBatch("zstd"), BatchBuilder(BATCH_BYTES, 0)
    for number in range(50):
        value = codec.encode(make.trade(number * number))
        packed.add(number, 1_000, b"BTC", value, codec.headers(TRADES))
        packed.count += 1
        plain.append(timestamp=1_000, key=b"BTC", value=value, headers=codec.headers(TRADES))
    assert packed.record_count() == plain.record_count() == 50
    records = bytes(plain._build())[HEAD_BYTES:]
    assert zstd_encode(records, level=1) != zstd_encode(records, level=3)
    assert bytes(packed._build())[HEAD_BYTES:] == zstd_encode(records, level=1)


async def test_a_batch_waits_for_a_leader_as_long_as_it_takes(producer: AIOKafkaProducer) -> None:
    """A batch that has waited for a day is not given up; by aiokafka's own rule it would be."""
    accumulator = producer._message_accumulator

    def expired_after_a_day() -> bool:
        batch = accumulator._append_batch(RecordBatch("zstd"), HERE)
        batch._ctime = time.monotonic() - 86_400
        return bool(batch.expired())

    accumulator._txn_manager = None
    assert expired_after_a_day()
    keep_batches_until_sent(producer)
    assert not expired_after_a_day()


async def test_errors_that_only_the_client_holds_are_one_line_at_debug_level(
    producer: AIOKafkaProducer, caplog: pytest.LogCaptureFixture
) -> None:
    """A fenced producer's futures that nobody awaits, before and after its transaction failed, leave no traceback."""
    caplog.set_level(logging.DEBUG, "monitor.bus.kafka")
    log_unawaited_errors(asyncio.get_running_loop())
    manager = producer._txn_manager
    manager.set_pid_and_epoch(1, 0)
    manager.begin_transaction()
    manager.add_offsets_to_txn({}, "group")
    for _ in range(2):
        manager.fatal_error(ProducerFenced())
        manager.state = TransactionState.IN_TRANSACTION
    manager._transaction_waiter = None
    gc.collect()
    assert {record.name for record in caplog.records} == {"monitor.bus.kafka.aiokafka_internals"}
    assert len(caplog.records) == 3
    assert all("ProducerFenced" in record.getMessage() and not record.exc_info for record in caplog.records)


async def test_errors_of_the_clients_own_tasks_are_one_line_at_debug_level(
    producer: AIOKafkaProducer, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that runs aiokafka's code and is never awaited leaves no traceback."""
    caplog.set_level(logging.DEBUG, "monitor.bus.kafka")
    log_unawaited_errors(asyncio.get_running_loop())
    producer._message_accumulator._exception = ProducerFenced()
    task = asyncio.create_task(producer._message_accumulator.add_message(HERE, b"", b"", 1.0))
    await asyncio.wait([task])
    del task
    gc.collect()
    assert [(record.name, record.exc_info) for record in caplog.records] == [
        ("monitor.bus.kafka.aiokafka_internals", None)
    ]


async def test_errors_of_other_tasks_are_logged_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    """A task of another module that fails unseen is an error with its traceback, whatever it raised."""
    log_unawaited_errors(asyncio.get_running_loop())

    async def fail() -> None:
        raise ProducerFenced

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    assert [(record.name, record.levelname) for record in caplog.records] == [("asyncio", "ERROR")]
    assert caplog.records[0].exc_info


async def test_a_producer_with_unsent_batches_is_stopped_in_time(producer: AIOKafkaProducer) -> None:
    """Stopping fails what is unsent instead of waiting for brokers that are away; the sender's end is awaited."""
    log_unawaited_errors(asyncio.get_running_loop())
    producer._message_accumulator._txn_manager = None
    batch = producer._message_accumulator._append_batch(RecordBatch("zstd"), HERE)
    producer._sender._sender_task = asyncio.create_task(asyncio.Event().wait())
    await asyncio.wait_for(stop_producer(producer, "owner"), patient(12))
    assert producer._sender.sender_task.cancelled()
    with pytest.raises(KafkaError, match="the producer is closed"):
        await batch.future


class Assigned:
    """A consumer to which only :data:`HERE` is assigned."""

    def __init__(self) -> None:
        self.sought: list[tuple[TopicPartition, int]] = []

    def assignment(self) -> set[TopicPartition]:
        """Return what is assigned."""
        return {HERE}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Note where to read on."""
        self.sought.append((partition, offset))


def test_fetched_records_are_put_back() -> None:
    """Only partitions that are still assigned are sought, to the first record that was fetched."""

    def record(offset: int) -> ConsumerRecord[bytes, bytes]:
        return ConsumerRecord("topic", 0, offset, 0, 0, None, b"", None, 0, 0, ())

    consumer = Assigned()
    rewind(cast("AIOKafkaConsumer", consumer), {HERE: [record(5), record(6)], TopicPartition("gone", 0): [record(1)]})
    assert consumer.sought == [(HERE, 5)]


async def test_the_reason_why_a_broker_cannot_be_used_is_found() -> None:
    """The address and the socket's own error come back, which aiokafka's start hides."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        where, error = await dial_each(address, 1_000, {})
    assert where == address
    assert isinstance(error, OSError)
