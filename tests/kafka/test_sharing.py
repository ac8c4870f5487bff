"""Detectors as processes on a real broker: the same signals as a replay, whoever does the work and whoever dies."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path
from typing import Final

import pytest

from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection
from tests.budget import DEEP, examples, few
from tests.kafka.members import SESSION_S, Desk, Members, pause
from tests.kafka.story import expected, publish, story
from tests.logs import faults
from tests.waiting import patient

pytestmark = pytest.mark.kafka
KILLS: Final = examples(3, 20)
"""How often a detector is killed."""
PACE_S: Final = 0.12 if DEEP else 0.06
"""For a second of the story: quick, and slow enough that every death falls into it."""
WARM_S: Final = patient(10.0)
"""From taking up a share to its first transaction, at the most."""


@pytest.mark.sampled
@pytest.mark.parametrize("count", few([3, 1]))
async def test_detectors_say_what_a_replay_says(count: int, kafka_connection: KafkaConnection, tmp_path: Path) -> None:
    """One detector and three give the same signals per asset as a replay of the same events, each once."""
    await topics_admin.create(kafka_connection, 1)
    with Members(kafka_connection, tmp_path, count) as members:
        async with Desk(kafka_connection) as desk:
            await publish(kafka_connection, story())
            assert await desk.read_all(expected(), 40) == [], members.log
            assert desk.beats
        assert await asyncio.gather(*(process.stop() for process in members.processes)) == [0] * count
        assert [faults(process.log) for process in members.processes] == [[]] * count


@pytest.mark.sampled
async def test_killed_detectors_lose_and_double_nothing(kafka_connection: KafkaConnection, tmp_path: Path) -> None:
    """Again and again one of three is killed at a random moment of a cascade: each signal once, as if none had been."""
    rng = random.Random(7)
    await topics_admin.create(kafka_connection, 1)
    with Members(kafka_connection, tmp_path, 3) as members:
        async with Desk(kafka_connection) as desk, asyncio.TaskGroup() as group:
            group.create_task(publish(kafka_connection, story(), PACE_S))
            assert await desk.read_until(lambda: bool(desk.beats), 30), members.log
            for _ in range(KILLS):
                await pause(rng.uniform(0.3, 2.0), desk)
                victim = rng.choice(members.processes)
                victim.kill()
                await pause(rng.uniform(0.0, 0.3), desk)
                victim.start()
            assert await desk.read_all(expected(), 60) == [], members.log
            assert desk.doubled == []
        warm = [seconds for process in members.processes for seconds in process.warm_times()]
        assert warm
        assert max(warm) <= WARM_S


async def test_a_paused_detector_comes_back_and_writes_nothing(
    kafka_connection: KafkaConnection, tmp_path: Path
) -> None:
    """Stopped past its session's end, a detector finds its work taken: what it writes is refused, nothing doubled."""
    await topics_admin.create(kafka_connection, 1)
    with Members(kafka_connection, tmp_path, 2) as members:
        zombie = members.processes[0]
        async with Desk(kafka_connection) as desk, asyncio.TaskGroup() as group:
            group.create_task(publish(kafka_connection, story(), 0.06))
            assert await desk.read_until(lambda: zombie.warm_times() != [], 30), members.log
            await desk.read_until(lambda: len(desk.signals) > 20, 40)
            zombie.send(signal.SIGSTOP)
            await pause(SESSION_S + 3, desk)
            zombie.send(signal.SIGCONT)
            assert await desk.read_all(expected(), 60) == [], members.log
            assert desk.doubled == []
        assert zombie.running
        assert "its state is dropped" in zombie.log
