from __future__ import annotations

import asyncio

from monitor.collect.connection.dial_limit import DialLimit


async def test_dials_are_spread() -> None:
    """Dials asked for at once pass one interval apart, in order; a later lone one passes at once."""
    gate = DialLimit(0.03)
    loop = asyncio.get_running_loop()
    passed: list[tuple[int, float]] = []

    async def dial(number: int) -> None:
        await gate()
        passed.append((number, loop.time()))

    started_s = loop.time()
    await asyncio.gather(*(dial(number) for number in range(3)))
    assert [number for number, _ in passed] == [0, 1, 2]
    assert passed[1][1] - started_s >= 0.025
    assert passed[2][1] - started_s >= 0.055
    await asyncio.sleep(0.05)
    before_s = loop.time()
    await gate()
    assert loop.time() - before_s < 0.02
