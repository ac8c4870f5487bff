"""Everything that reaches into aiokafka 0.14 or works round its faults, each with the upstream issue or source line.

Only this module uses private attributes of aiokafka, so that a new version of it is checked here, by this module's
tests. Issues are those of https://github.com/aio-libs/aiokafka/issues; paths are inside the package ``aiokafka``.
"""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.codec import zstd_encode
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.structs import ConsumerRecord, TopicPartition

from monitor.bus.kafka.outbox import Add

log = logging.getLogger(__name__)

Compression = Literal["zstd", "lz4"]
Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]

CODECS: Final = {"zstd": DefaultRecordBatch.CODEC_ZSTD, "lz4": DefaultRecordBatch.CODEC_LZ4}
BATCH_BYTES: Final = 128 * 1024
"""Size of a full batch, bytes: eight times the client's default halves the CPU of a record (measured); brokers take
1 MiB."""
ZSTD_LEVEL: Final = 1
"""Compression level of batches: on these records level 1 is a quarter cheaper than the default 3 and no larger."""
STOP_S: Final = 3.0
"""Longest wait for each step of stopping a producer, seconds: one that lost its work has nothing to flush."""

_PACKAGE: Final = Path(aiokafka.__file__).parent

# aiokafka has no setting for the level: record/default_records.py, DefaultRecordBatchBuilder._maybe_compress, calls
# zstd_encode(data) without one.
_packer = sys.modules[DefaultRecordBatchBuilder.__module__]
setattr(_packer, "zstd_encode", partial(zstd_encode, level=ZSTD_LEVEL))  # noqa: B010 - unknown to the module's types


class RecordBatch(BatchBuilder):
    """A batch that is filled without the two Python calls a record that ``BatchBuilder.append`` takes.

    ``producer/message_accumulator.py``, ``BatchBuilder.append``: it serializes and then calls ``_builder.append``,
    which is called here at once, because keys and values are bytes already.

    Attributes:
        count: its records.
        add: see :class:`monitor.bus.kafka.outbox.Batch`.
    """

    def __init__(self, compression: Compression) -> None:
        super().__init__(BATCH_BYTES, CODECS[compression])
        self.count = 0
        self.add: Add = self._builder.append

    def record_count(self) -> int:
        """Return the number of records, which aiokafka reads when it sends the batch."""
        return self.count


def keep_batches_until_sent(producer: AIOKafkaProducer) -> None:
    """Let batches wait for a leader as long as it takes.

    aiokafka gives up a batch whose partition has had no leader for the request timeout (issue 197), although it was
    given a sequence number: an idempotent producer then fails for good with OutOfOrderSequenceNumber (issue 1017).
    """
    producer._message_accumulator._batch_ttl = math.inf


def log_unawaited_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log errors of futures that aiokafka creates and nobody awaits at debug level, in one line.

    A producer that is fenced fails futures that its user never gets: the end of a transaction that was not reached
    (``producer/transaction_manager.py``, ``TransactionManager.fatal_error``, which even replaces the one that was
    awaited), offsets whose wait timed out, records in a batch after a cancelled ``send``. asyncio would log each with a
    traceback as "exception was never retrieved", although the operation that failed raised the same error. Everything
    else, tasks of other modules included, is logged as before.
    """
    loop.set_exception_handler(_log_unawaited)


def _log_unawaited(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error, future = context.get("exception"), context.get("future")
    if isinstance(error, KafkaError) and future is not None and _made_by_aiokafka(future):
        log.debug("%s: %r", context["message"], error)
    else:
        loop.default_exception_handler(context)


def _made_by_aiokafka(future: asyncio.Future[Any]) -> bool:
    """Return whether aiokafka created the future; only its plain futures carry a KafkaError."""
    if not isinstance(future, asyncio.Task):
        return True
    code = getattr(future.get_coro(), "cr_code", None)
    return code is not None and Path(code.co_filename).is_relative_to(_PACKAGE)


async def stop_producer(producer: AIOKafkaProducer, name: str) -> None:
    """Disconnect a transactional producer in any state, within 12 s; the brokers undo what is not committed.

    ``stop`` alone waits without end for batches while the brokers are away (issues 512 and 1101), and leaves the
    connections open where the sender's end raises (``producer/producer.py``, ``AIOKafkaProducer.stop``). In this order
    nothing is sent any more, nothing waits for it, and the connections are closed.
    """
    for release in (partial(_end_sender, producer), producer.stop, producer.client.close):
        try:
            async with asyncio.timeout(STOP_S):
                await release()
        except Exception as error:  # noqa: BLE001 - whatever broke the producer comes out again here
            log.debug("%s: on closing: %r", name, error)


async def _end_sender(producer: AIOKafkaProducer) -> None:
    sender = producer._sender.sender_task
    if sender is not None:
        # Twice, because its clean-up waits for requests whose batches nobody sends any more
        # (producer/sender.py, Sender._sender_routine).
        for _ in range(2):
            sender.cancel()
            await asyncio.wait([sender], timeout=STOP_S / 4)
    producer._message_accumulator.fail_all(KafkaError("the producer is closed"))


def rewind(consumer: AIOKafkaConsumer, fetched: Fetched) -> None:
    """Put records back that were fetched while the assignment's listener still runs; they are fetched again.

    aiokafka fetches from new partitions before ``on_partitions_assigned`` has returned (issue 738), so that a seek in
    it comes too late for what is fetched already.
    """
    for partition, messages in fetched.items():
        if partition in consumer.assignment():
            consumer.seek(partition, messages[0].offset)


async def dial_each(
    bootstrap_servers: str, timeout_ms: int, security: Mapping[str, Any]
) -> tuple[str, BaseException | None]:
    """Return the last broker's address and why it cannot be used; None where it accepts the connection.

    A client whose start fails raises "Unable to bootstrap" without the cause (``client.py``, ``AIOKafkaClient.
    bootstrap``), so every broker is dialled once more by itself.
    """
    failed: tuple[str, BaseException | None] = (bootstrap_servers, None)
    for host, port, _ in _hosts(bootstrap_servers):
        try:
            conn = await create_conn(host, port, request_timeout_ms=timeout_ms, **security)
        except (OSError, KafkaError, TimeoutError) as error:
            failed = (f"{host}:{port}", error)
        else:
            conn.close()
            failed = (f"{host}:{port}", None)
    return failed


def _hosts(bootstrap_servers: str) -> Iterable[tuple[str, int, Any]]:
    found: Iterable[tuple[str, int, Any]] = collect_hosts(bootstrap_servers, randomize=False)
    return found
