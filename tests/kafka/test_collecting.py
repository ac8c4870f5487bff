"""Collectors as processes between simulated exchanges and three brokers that die: what reaches the detectors."""

from __future__ import annotations

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"
import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection, administrator
from monitor.bus.kafka.heartbeats import LastHeartbeats
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.ports import Partition
from monitor.bus.topics import LIQUIDATIONS, MARKET_TOPICS, Topic
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.exchanges.server import ExchangeServer
from monitor.lab.simulate.scenario import SHORT, Phase, Scenario
from monitor.model.events import MICROS, AnyEvent, Gap, Heartbeat, Liquidation, TradeBar, micro_usd
from tests.e2e.stage import CHANNELS, books, scrape, value
from tests.kafka.broker import Kafka
from tests.kafka.fixtures import PARTITIONS
from tests.kafka.members import Desk, Members, collector
from tests.kafka.test_failover import leader, until_complete
from tests.logs import faults
from tests.waiting import patient, until

pytestmark = pytest.mark.kafka

AWAY_S: Final = float(os.environ.get("CASCADE_TEST_AWAY_S", "12"))
"""How long the brokers are away; 60 in a thorough run."""
HIGH_WATER: Final = 1_000


@pytest.fixture
async def connection(kafka_cluster: Kafka, topic_prefix: str) -> AsyncIterator[KafkaConnection]:
    """Topics with three copies; every node runs again afterwards."""
    connection = KafkaConnection(kafka_cluster.bootstrap, partitions=PARTITIONS, topic_prefix=topic_prefix)
    await until_complete(connection)
    await topics_admin.create(connection, 3)
    yield connection
    for node in kafka_cluster.nodes.values():
        node.send(signal.SIGCONT)
    kafka_cluster.revive()


async def watched(arena: Arena, count: int) -> None:
    """Wait until so many clients listen to every exchange's forced orders."""

    def listeners(exchange: ExchangeServer) -> int:
        topics = (client.topics for client in exchange._clients.values())
        return sum(any(map(exchange.dialect.carries_liquidations, each)) for each in topics)

    await until(lambda: all(listeners(exchange) >= count for exchange in arena.exchanges.values()), 30)


async def topic_records(connection: KafkaConnection, until_us: int) -> list[AnyEvent]:
    """All market events, up to a heartbeat received after ``until_us`` in each partition of each topic."""
    reader = await KafkaSubscriber(connection, MARKET_TOPICS, group=connection.topic_prefix + "check").start()
    found: list[AnyEvent] = []
    complete: set[Partition] = set()
    try:
        async with asyncio.timeout(patient(40)):
            while len(complete) < PARTITIONS * len(MARKET_TOPICS):
                for batch in await reader.poll(0.2):
                    found += batch.records  # type: ignore[arg-type]  # these topics hold market events alone
                    last = batch.records[-1]
                    if isinstance(last, Heartbeat) and last.receive_time_us > until_us:
                        complete.add(batch.partition)
    finally:
        await reader.close()
    return found


async def test_no_liquidation_is_lost_when_a_collector_and_a_leader_die(
    kafka_cluster: Kafka, connection: KafkaConnection, tmp_path: Path
) -> None:
    """Of two collectors one is killed amid a cascade, then a broker: the topic has what the exchanges showed."""
    async with Arena(SHORT, 3) as arena:
        pair = [collector(connection, arena, tmp_path, f"collector-{number}") for number in range(2)]
        try:
            for process in pair:
                process.start()
            with Members(connection, tmp_path, 1) as members:
                await watched(arena, 2)
                detector = await members.processes[0].url()
                playing = asyncio.create_task(arena.play())
                await asyncio.sleep(5)
                pair[0].kill()
                await asyncio.sleep(1)
                kafka_cluster.nodes[await leader(connection, 0)].kill()
                await playing
                records = await topic_records(connection, time.time_ns() // 1000)
                shown = books(arena, lambda ledger: ledger.shown)
                held = {side: sum(amount for (_, its), amount in shown.items() if its == side) for side in SIDES}
                await until_counted(detector, held, members)
                assert await pair[1].stop() == 0, pair[1].log
                duplicates = sum(
                    sample
                    for (name, _), sample in (await scrape(detector)).items()
                    if name == "cascade_events_duplicate_total"
                )
        finally:
            for process in pair:
                process.kill()
    liquidations = [record for record in records if isinstance(record, Liquidation)]
    by_id = {one.id: one for one in liquidations}
    on_topic: dict[tuple[str, str], int] = defaultdict(int)
    for one in by_id.values():
        on_topic[one.venue, one.side] += micro_usd(one.notional_usd)
    assert on_topic == {key: amount for key, amount in shown.items() if amount}
    copies = Counter(one.id for one in liquidations)
    assert max(copies.values()) == 2
    assert min(copies.values()) == 1, "the survivor went on alone"
    assert duplicates >= len(liquidations) - len(by_id) > 0  # copies of trades count as well


SIDES: Final = ("long", "short")


async def until_counted(url: str, held: dict[str, int], members: Members) -> None:
    """Wait until the detector's market has liquidated exactly so many micro-USD in its day."""
    have: dict[str, int] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(patient(30)):
            while have != held:
                metrics = await scrape(url)
                with suppress(KeyError):  # no market yet
                    have = {
                        side: micro_usd(value(metrics, "liquidated_usd", asset="MARKET", side=side, window="24h"))
                        for side in SIDES
                    }
                await asyncio.sleep(0.2)
    assert have == held, members.log


@pytest.mark.deep("brokers away for 12 s or CASCADE_TEST_AWAY_S; test_failover.py has a second of it every day")
async def test_brokers_that_are_away_cost_a_gap_with_exact_bounds(
    kafka_cluster: Kafka, connection: KafkaConnection, tmp_path: Path
) -> None:
    """The collector holds what fits, says what it could not see, stays small, and goes on by itself."""
    scenario = Scenario("away", (Phase("busy", 4 + AWAY_S + 12, noise=2, activity=6),))
    async with Arena(scenario, 3) as arena:
        process = collector(connection, arena, tmp_path, "collector", high_water=HIGH_WATER)
        try:
            process.start()
            with Members(connection, tmp_path, 1) as members:
                async with Desk(connection) as desk:
                    await watched(arena, 1)
                    playing = asyncio.create_task(arena.play())
                    await asyncio.sleep(4)
                    small_mb = process.memory_mb()
                    away_us = time.time_ns() // 1000
                    for node in kafka_cluster.nodes.values():
                        node.send(signal.SIGSTOP)
                    await asyncio.sleep(AWAY_S)
                    waiting = value(
                        await scrape(await process.url()), "consumer_lag_records", topic="kafka", partition="0"
                    )
                    large_mb = process.memory_mb()
                    for node in kafka_cluster.nodes.values():
                        node.send(signal.SIGCONT)
                    back_us = time.time_ns() // 1000
                    records = await topic_records(connection, back_us + 6 * MICROS)
                    assert await desk.read_until(
                        lambda: any(beat.event_time_us > back_us for beat in desk.beats), 30
                    ), members.log
                    playing.cancel()
        finally:
            process.kill()
    assert waiting <= HIGH_WATER + 500  # the mark, and what every open socket wrote when it was reached
    assert large_mb - small_mb < 50
    gaps = {(gap.venue, gap.channel, gap.from_us): gap for gap in records if isinstance(gap, Gap)}
    assert {gap.venue for gap in gaps.values()} == set(arena.exchanges), process.log
    for gap in gaps.values():
        assert gap.reason == "queue_overflow", process.log
        assert away_us < gap.from_us < away_us + AWAY_S * MICROS
        assert back_us < gap.to_us
        own = [one for one in records if one.venue == gap.venue and not isinstance(one, Gap | Heartbeat)]
        assert any(one.receive_time_us == gap.from_us for one in own), "the last frame that was read"
        received = [one.receive_time_us for one in own if not isinstance(one, TradeBar)]
        # A fresh socket brings something before it brings everything, which is when the gap ends.
        assert not [at for at in received if gap.from_us < at < gap.to_us - 2 * MICROS]
        assert any(at >= gap.to_us for at in received)
    assert faults(process.log) == []


async def gaps_of_restart(connection: KafkaConnection) -> list[Gap]:
    """The restarts that were stated, each once."""
    records = await topic_records(connection, time.time_ns() // 1_000)
    gaps = {(gap.venue, gap.channel, gap.from_us): gap for gap in records if isinstance(gap, Gap)}
    return [gap for gap in gaps.values() if gap.reason == "restart"]


async def beaten(connection: KafkaConnection, arena: Arena, after_us: int) -> None:
    """Wait until every exchange has a heartbeat received after a time."""
    last = LastHeartbeats(connection, arena.exchanges)
    async with asyncio.timeout(patient(60)):
        for venue in arena.exchanges:
            while (await last.of(venue)).get("liquidations", 0) <= after_us:  # noqa: ASYNC110  # reading is how one asks
                await asyncio.sleep(0.2)


@pytest.mark.timeout(240)
async def test_a_collector_that_was_killed_states_what_nobody_saw(
    kafka_cluster: Kafka, connection: KafkaConnection, tmp_path: Path
) -> None:
    """Killed for seconds it states a gap of each channel from its last heartbeat on, and asks to have it filled."""
    scenario = Scenario("killed", (Phase("busy", 200, noise=2, activity=6),))
    async with Arena(scenario, 3) as arena:
        process = collector(connection, arena, tmp_path, "collector")
        try:
            process.start()
            await watched(arena, 1)
            playing = asyncio.create_task(arena.play())
            await beaten(connection, arena, 0)
            assert await gaps_of_restart(connection) == []
            process.kill()
            killed_us = time.time_ns() // 1_000
            await until(lambda: time.time_ns() // 1_000 > killed_us + 4 * MICROS)
            started_us = time.time_ns() // 1_000
            process.start()
            await beaten(connection, arena, started_us)
            gaps = await gaps_of_restart(connection)
            # The simulated exchanges keep no trades: that they were asked for shows in what could not be had.
            await until(lambda: "a gap of trades could be backfilled only in part" in process.log, 60)
            playing.cancel()
        finally:
            process.kill()
    assert {(gap.venue, gap.channel) for gap in gaps} == {
        (venue, name) for venue in arena.exchanges for name in CHANNELS
    }
    for gap in gaps:
        assert killed_us - 3 * MICROS < gap.from_us <= killed_us, process.log
        assert started_us < gap.to_us


@pytest.mark.deep("a pair for half a minute; tests/collect/test_restart.py holds every day what is stated")
@pytest.mark.timeout(240)
async def test_half_of_a_pair_states_nothing_that_the_other_half_saw(
    kafka_cluster: Kafka, connection: KafkaConnection, tmp_path: Path
) -> None:
    """The survivor's heartbeats cover the time in which the other was away."""
    scenario = Scenario("pair", (Phase("busy", 200, noise=2, activity=6),))
    async with Arena(scenario, 3) as arena:
        pair = [collector(connection, arena, tmp_path, f"collector-{number}") for number in range(2)]
        try:
            for process in pair:
                process.start()
            await watched(arena, 2)
            playing = asyncio.create_task(arena.play())
            await beaten(connection, arena, 0)
            pair[0].kill()
            killed_us = time.time_ns() // 1_000
            await beaten(connection, arena, killed_us + 3 * MICROS)
            pair[0].start()
            await watched(arena, 2)
            await beaten(connection, arena, time.time_ns() // 1_000 + 4 * MICROS)
            gaps = await gaps_of_restart(connection)
            playing.cancel()
        finally:
            for process in pair:
                process.kill()
    assert gaps == []


@pytest.mark.timeout(240)
async def test_a_collector_that_cannot_publish_ends_and_its_successor_states_the_gap(
    kafka_connection: KafkaConnection, tmp_path: Path
) -> None:
    """A refusal that no retry solves ends the process within seconds with the reason, instead of redials for ever."""
    await topics_admin.create(kafka_connection, 1)
    scenario = Scenario("refused", (Phase("busy", 200, noise=2, activity=6),))
    async with Arena(scenario, 3) as arena:
        process = collector(kafka_connection, arena, tmp_path, "collector")
        try:
            process.start()
            await watched(arena, 1)
            playing = asyncio.create_task(arena.play())
            await beaten(kafka_connection, arena, 0)
            await allow_times(kafka_connection, LIQUIDATIONS, "1")
            refused_us = time.time_ns() // 1_000
            assert await asyncio.to_thread(process.process.wait, patient(15)) == 1
            assert "Kafka refused the time of a batch" in process.log
            assert "Traceback" not in process.log
            await allow_times(kafka_connection, LIQUIDATIONS, str(2**62))
            process.start()
            await beaten(kafka_connection, arena, time.time_ns() // 1_000)
            gaps = await gaps_of_restart(kafka_connection)
            playing.cancel()
        finally:
            process.kill()
    assert {gap.venue for gap in gaps} == set(arena.exchanges)
    for gap in gaps:
        assert gap.from_us < refused_us + 15 * MICROS


async def allow_times(connection: KafkaConnection, topic: Topic, before_ms: str) -> None:
    """Have the broker accept records of a topic that are at most so old."""
    configs = {"message.timestamp.before.max.ms": before_ms}
    async with administrator(connection) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, connection.name(topic), configs)])
