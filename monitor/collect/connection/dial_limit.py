"""Spreads dials in time: exchanges limit new connections per address and ban addresses that exceed the limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from monitor.model.token_bucket import TokenBucket


class DialLimit:
    """Admits one dial every ``interval_s`` seconds, in order of arrival.

    Args:
        interval_s: time between two dials, seconds; 0 admits all at once.
        sleep: waits some seconds.
    """

    __slots__ = ("_bucket", "_interval_s", "_sleep")

    def __init__(self, interval_s: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._interval_s = interval_s
        self._bucket = TokenBucket(
            per_second=1.0, size=interval_s
        )  # it holds seconds, of which a dial takes one interval
        self._sleep = sleep

    async def __call__(self) -> None:
        """Wait until this dial is admitted."""
        await self._sleep(self._bucket.reserve_s(asyncio.get_running_loop().time(), self._interval_s))
