"""Spreads dials in time: exchanges limit connections per address, and a storm of redials earns a ban."""

from __future__ import annotations

import asyncio


class DialGate:
    """Lets one dial through every ``interval_s``, in the order in which they came."""

    __slots__ = ("_interval_s", "_next_s")

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next_s = 0.0

    async def __call__(self) -> None:
        """Wait for this dial's turn."""
        now_s = asyncio.get_running_loop().time()
        turn_s = max(now_s, self._next_s)
        self._next_s = turn_s + self._interval_s
        await asyncio.sleep(turn_s - now_s)
