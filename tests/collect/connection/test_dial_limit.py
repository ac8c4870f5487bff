from __future__ import annotations

import asyncio
import itertools

from monitor.collect.connection.dial_limit import DialLimit


async def test_dials_are_spread() -> None:
    """Dials that come together are admitted one interval apart, in their order; 20 s of waits take no real time."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    limit = DialLimit(10.0, sleep)
    await asyncio.gather(*(limit() for _ in range(3)))
    assert [round(wait_s) for wait_s in waits] == [0, 10, 20]
    assert waits[0] == 0.0


async def test_a_lone_dial_is_admitted_at_once() -> None:
    """An interval after the last dial, and always with an interval of 0, nothing is waited for."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    brief, none = DialLimit(1e-9, sleep), DialLimit(0.0, sleep)
    for limit in (brief, none, none):
        await limit()
        await asyncio.sleep(0)
        await limit()
    assert set(waits) == {0.0}


async def test_a_pause_delays_every_dial() -> None:
    """After a ban each dial waits until the pause ends, and they are spread again then."""
    now_s = asyncio.get_running_loop().time()
    order: list[tuple[int, float]] = []

    class Clock:
        """A loop's clock that moves with the longest sleep."""

        def __init__(self) -> None:
            self.now_s = now_s

        async def sleep(self, seconds: float) -> None:
            """Let the time pass."""
            self.now_s += max(seconds, 0.0)

    clock = Clock()
    limit = DialLimit(10.0, clock.sleep, lambda: clock.now_s)
    limit.pause(100.0)
    limit.pause(50.0)
    for number in range(3):
        await limit()
        order.append((number, clock.now_s - now_s))
    assert order[0][1] >= 100.0
    assert all(later - earlier >= 10.0 - 1e-6 for (_, earlier), (_, later) in itertools.pairwise(order))
