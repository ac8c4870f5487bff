from __future__ import annotations

import asyncio

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
