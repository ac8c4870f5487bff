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
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.codec import zstd_encode
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError, NoError, UnknownTopicOrPartitionError, for_code
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
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


class _Uuid(AbstractType[UUID]):
    """The 16 bytes of a UUID, a type that ``protocol/types.py`` does not have."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


class _MetadataResponse(Response):
    """Version 10 of the metadata, the first with topic ids (KIP-516, Kafka 2.8); aiokafka ends with version 5."""

    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition_index", Int32),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("replica_nodes", CompactArray(Int32)),
                        ("isr_nodes", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequestV10(RequestStruct):
    """The request for topics by name, which creates none."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV10]):
    """Builds the request for the broker's version."""

    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataRequestV10]) -> _MetadataRequestV10:
        """Return the request."""
        return request_struct_class([(UUID(int=0), name, {}) for name in self._names], False, False, False, {})


async def topic_ids(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, UUID | None]:
    """Return the id of each topic, which changes when it is deleted and created again; None if it is missing.

    Topics that this user may not see are left out.

    Raises:
        KafkaError: no broker answered.
        NotImplementedError: the brokers are older than Kafka 2.8.
    """
    response: Any = await client._send_request(_MetadataRequest(names))
    found: dict[str, UUID | None] = {}
    for code, name, topic_id, *_ in response.topics:
        error = for_code(code)
        if error is NoError:
            found[name] = topic_id
        elif error is UnknownTopicOrPartitionError:
            found[name] = None
    return found


async def refresh_metadata(consumer: AIOKafkaConsumer) -> None:
    """Have a consumer describe its topics now: by itself it does so every five minutes (``metadata_max_age_ms``).

    Until then a group whose topic was deleted has no partition of the one that was created again.
    """
    await consumer._client.force_metadata_update()
