"""Spreads dials in time: exchanges limit new connections per address and ban addresses that exceed the limit."""

from __future__ import annotations

import asyncio


class DialLimit:
    """Admits one dial every ``interval_s`` seconds, in order of arrival."""

    __slots__ = ("_interval_s", "_next_s")

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next_s = 0.0

    async def __call__(self) -> None:
        """Wait until this dial is admitted."""
        now_s = asyncio.get_running_loop().time()
        turn_s = max(now_s, self._next_s)
        self._next_s = turn_s + self._interval_s
        await asyncio.sleep(turn_s - now_s)
