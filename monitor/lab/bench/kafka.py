"""Measures records to Kafka and back: the monitor's publisher and subscriber beside aiokafka's quick-start code.

The broker is a process of its own and not in the rates: they are what a record costs the client.
"""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import defaultdict
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from monitor.bus import codec
from monitor.bus.kafka.connection import KafkaConnection, administrator
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.topics_admin import create
from monitor.bus.topics import TRADES, Topic
from monitor.collect.pipeline.trade_bars import TradeFolder
from monitor.lab.bench.decode import prepare
from monitor.lab.bench.frames import Frame
from monitor.lab.bench.measure import Case, Group, measure
from monitor.model.events import Trade, TradeBar

SEND: Final = "await send(key=...)"
OURS: Final = "monitor"
ASYNC_FOR: Final = "async for"
OURS_BARS: Final = "monitor, 100 ms bars"


class Pace(NamedTuple):
    """Number of records written before the event loop runs, and the length of its sleep."""

    records: int
    pause_s: float


FLOOD: Final = Pace(100, 0.0)
"""About 60 frames at once: what one read brings while the sockets are full."""
STEADY: Final = Pace(5, 0.001)
"""Nearly 5,000 records a second, as in a calm market, where wake-ups dominate the cost."""
STEADY_RECORDS: Final = 10_000
"""Number of records at the steady pace: two seconds of them."""
WARM_UP: Final = 1_000
"""Trades written before the clock starts, so that every partition of the new topic has its leader."""
TIMEOUT_S: Final = 120
"""Time limit of one case and round, seconds; the slowest takes 10 s for the default's 155,000 trades."""

Prints = Sequence[Trade | TradeBar]
Result = TypeVar("Result")


def scratch_connection(bootstrap: str) -> KafkaConnection:
    """Return the broker's connection with topic names of its own."""
    return KafkaConnection(bootstrap, topic_prefix=f"bench-{uuid.uuid4().hex[:12]}.")


async def delete(connection: KafkaConnection, topics: Sequence[Topic]) -> None:
    """Delete topics with all that they hold."""
    async with administrator(connection) as client:
        await client.delete_topics([connection.name(topic) for topic in topics])


def trades_of(frames: Sequence[Frame]) -> list[Trade]:
    """Return the trades that the adapters make of the frames."""
    calls = prepare(frames).calls()
    return [
        one
        for parse, data, received_us, memory in calls
        for one in parse(data, received_us, memory)
        if isinstance(one, Trade)
    ]


def bars_of(trades: Sequence[Trade]) -> list[TradeBar]:
    """Return the same trades folded into bars, as a collector with ``trades: bars`` does."""
    made: list[TradeBar] = []
    folders: defaultdict[str, TradeFolder] = defaultdict(TradeFolder)
    for trade in trades:
        made += folders[trade.venue].fold([trade])
    return [*made, *(bar for folder in folders.values() for bar in folder.flush())]


def portions(records: Prints, pace: Pace) -> Iterator[Prints]:
    """Yield the records that are written at once."""
    left = iter(records)
    while portion := list(islice(left, pace.records)):
        yield portion


async def naive_producer(bootstrap: str) -> AIOKafkaProducer:
    """Return a producer with aiokafka's defaults: acknowledged by the leader, not idempotent, no compression."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    return producer


async def send_naively(producer: AIOKafkaProducer, topic: str, records: Prints, pace: Pace) -> int:
    """Await one ``send`` a record until the brokers confirmed all, and return their number."""
    for portion in portions(records, pace):
        for record in portion:
            await producer.send(topic, key=record.asset.encode(), value=codec.encode(record))
        await asyncio.sleep(pace.pause_s)
    await producer.stop()
    return len(records)


async def open_publisher(connection: KafkaConnection) -> KafkaPublisher:
    """Return a publisher like a collector's."""
    return await KafkaPublisher(connection, [TRADES]).start()


async def publish(publisher: KafkaPublisher, records: Prints, pace: Pace = FLOOD) -> int:
    """Write as a collector does until the brokers confirmed all, and return the number of records."""
    for portion in portions(records, pace):
        publisher.write(portion)
        await (publisher.drain() if publisher.full else asyncio.sleep(pace.pause_s))
    await publisher.close()
    return len(records)


async def fill(connection: KafkaConnection, records: Prints) -> None:
    """Publish what is going to be read."""
    await publish(await open_publisher(connection), records)


async def consume_naively(connection: KafkaConnection, count: int) -> int:
    """Read with one step of ``async for`` and one ``orjson.loads`` a record, and return their number."""
    consumer = AIOKafkaConsumer(
        connection.name(TRADES),
        bootstrap_servers=connection.bootstrap_servers,
        group_id=new_group(connection),
        auto_offset_reset="earliest",
    )
    await consumer.start()
    read = 0
    try:
        async for message in consumer:
            orjson.loads(message.value)
            read += 1
            if read == count:
                break
    finally:
        await consumer.stop()
    return read


async def consume(connection: KafkaConnection, count: int) -> int:
    """Poll checked records until all are read, and return their number."""
    subscriber = await KafkaSubscriber(connection, [TRADES], group=new_group(connection)).start()
    read = 0
    try:
        while read < count:
            read += sum(len(batch.records) for batch in await subscriber.poll(1.0))
    finally:
        await subscriber.close()
    return read


def new_group(connection: KafkaConnection) -> str:
    """Return the name of a consumer group that has read nothing yet."""
    return connection.topic_prefix + uuid.uuid4().hex


def groups(bootstrap: str, frames: Sequence[Frame], rounds: int) -> Iterator[Group]:
    """Measure publishing, then consuming, the trades in the frames.

    Raises:
        BusError: the broker cannot be used.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics and groups have no leader at first
    trades = trades_of(frames)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield _publishing(runner, bootstrap, trades, FLOOD, rounds)
        yield _publishing(runner, bootstrap, trades[:STEADY_RECORDS], STEADY, rounds)
        yield _consuming(runner, bootstrap, trades, rounds)


def _publishing(runner: asyncio.Runner, bootstrap: str, trades: Sequence[Trade], pace: Pace, rounds: int) -> Group:
    with _scratch(runner, bootstrap) as connection:
        topic = connection.name(TRADES)
        _within(runner, fill(connection, trades[:WARM_UP]))
        cases = [
            Case(
                SEND,
                "records",
                lambda producer: _within(runner, send_naively(producer, topic, trades, pace)),
                lambda: runner.run(naive_producer(bootstrap)),
            ),
            Case(
                OURS,
                "records",
                lambda publisher: _within(runner, publish(publisher, trades, pace)),
                lambda: runner.run(open_publisher(connection)),
            ),
        ]
        rows = measure(cases, rounds)
    size = sum(len(codec.encode(trade)) for trade in trades) / len(trades)
    notes = (
        f"{len(trades):,} trades of {size:.0f} bytes, {connection.partitions} partitions",
        "monitor: acks=all, idempotent, zstd, two headers; send: aiokafka's defaults; encoding is in both",
    )
    how = f"{pace.records / pace.pause_s:,.0f} records/s" if pace.pause_s else "as fast as it goes"
    return Group(f"publish to Kafka, {how}", rows, (SEND,), notes)


def _consuming(runner: asyncio.Runner, bootstrap: str, trades: Sequence[Trade], rounds: int) -> Group:
    bars, count = bars_of(trades), len(trades)
    with _scratch(runner, bootstrap) as each, _scratch(runner, bootstrap) as folded:
        _within(runner, fill(each, trades))
        _within(runner, fill(folded, bars))
        cases = [
            Case(ASYNC_FOR, "trades", lambda _: _within(runner, consume_naively(each, count))),
            Case(OURS, "trades", lambda _: _within(runner, consume(each, count))),
            Case(OURS_BARS, "trades", lambda _: count * _within(runner, consume(folded, len(bars))) // len(bars)),
        ]
        rows = measure(cases, rounds)
    notes = (
        f"{count:,} trades, or the {len(bars):,} bars that they make; joining the group is in all",
        "async for: orjson.loads into a dictionary; monitor: checked records, read committed",
    )
    return Group("consume from Kafka", rows, (ASYNC_FOR,), notes)


@contextmanager
def _scratch(runner: asyncio.Runner, bootstrap: str) -> Iterator[KafkaConnection]:
    connection = scratch_connection(bootstrap)
    runner.run(create(connection, 1, [TRADES]))
    try:
        yield connection
    finally:
        runner.run(delete(connection, [TRADES]))


def _within(runner: asyncio.Runner, work: Coroutine[Any, Any, Result]) -> Result:
    return runner.run(asyncio.wait_for(work, TIMEOUT_S))
