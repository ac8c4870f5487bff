"""What counts as missed while no collector ran."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from monitor.collect.restart import COVERED_S, Predecessors, Restart
from monitor.model.events import MICROS, Channel

START_US = 1_790_000_000 * MICROS
BOTH: tuple[Channel, ...] = ("liquidations", "trades")


async def missed(
    readings: Sequence[Mapping[str, int]], ready_s: float = 1.0, *, alone: bool = False
) -> tuple[dict[Channel, int], int]:
    """Since when each channel was missed, seconds from the start, and how often the beats were read."""
    reads = 0

    async def beats(venue: str) -> Mapping[str, int]:
        nonlocal reads
        found = readings[min(reads, len(readings) - 1)]
        reads += 1
        return {channel: START_US + at * MICROS for channel, at in found.items()}

    restart = Restart("okx", Predecessors(beats, alone), lambda: START_US)
    since = await restart.missed(BOTH, START_US + round(ready_s * MICROS))
    return {channel: (at - START_US) // MICROS for channel, at in since.items()}, reads


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for another collector's next beat is over at once."""

    async def over(seconds: float) -> None:
        assert seconds == COVERED_S

    monkeypatch.setattr(asyncio, "sleep", over)


async def test_a_collector_alone_missed_all_since_the_last_beat() -> None:
    """By channel, however short the time was; nothing of a channel that never was published."""
    assert await missed([{"liquidations": -1}], alone=True) == ({"liquidations": -1}, 1)
    assert await missed([{"liquidations": -1, "trades": -90}], alone=True) == ({"liquidations": -1, "trades": -90}, 1)
    assert await missed([{}], alone=True) == ({}, 1)


async def test_an_old_beat_needs_no_second_look() -> None:
    """Whoever beat last is gone for long."""
    assert await missed([{"liquidations": -20}]) == ({"liquidations": -20}, 1)


async def test_another_collector_that_goes_on_missed_nothing() -> None:
    """Its beats after the start show that it saw the venue meanwhile."""
    assert await missed([{"liquidations": -1, "trades": -1}, {"liquidations": 2, "trades": 2}]) == ({}, 2)


async def test_the_last_beat_of_a_collector_that_just_ended_is_no_cover() -> None:
    """No further beat comes of it: the gap begins with the last one."""
    assert await missed([{"liquidations": -1}, {"liquidations": -1}]) == ({"liquidations": -1}, 2)


async def test_another_collector_that_ended_meanwhile_covers_its_time_alone() -> None:
    """Where the first socket came long after, the gap begins with the other's last beat."""
    assert await missed([{"liquidations": 2}], 60.0) == ({"liquidations": 2}, 2)


async def test_a_channel_that_the_other_does_not_carry_was_missed() -> None:
    """Each channel is judged by its own beats."""
    readings = [{"liquidations": -1, "trades": -9}, {"liquidations": 2, "trades": -9}]
    assert await missed(readings) == ({"trades": -9}, 2)
