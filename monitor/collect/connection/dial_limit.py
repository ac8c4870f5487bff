"""Spreads dials in time: exchanges limit new connections per address and ban addresses that exceed the limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from monitor.model.token_bucket import TokenBucket


class DialLimit:
    """Admits one dial every ``interval_s`` seconds, in order of arrival.

    Args:
        interval_s: time between two dials, seconds; 0 admits all at once.
        sleep: waits some seconds.
        now_s: returns the time, seconds of any monotonic clock.
    """

    __slots__ = ("_bucket", "_interval_s", "_now_s", "_paused_until_s", "_sleep")

    def __init__(
        self,
        interval_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval_s = interval_s
        self._bucket = TokenBucket(
            per_second=1.0, size=interval_s
        )  # it holds seconds, of which a dial takes one interval
        self._sleep = sleep
        self._now_s = now_s
        self._paused_until_s = 0.0

    async def __call__(self) -> None:
        """Wait until this dial is admitted."""
        await self._sleep(self._bucket.reserve_s(self._now_s(), self._interval_s))
        while (pause_s := self._paused_until_s - self._now_s()) > 0:
            await self._sleep(pause_s)
            # A place of its own after the pause, so that the sockets that waited do not dial all at once.
            await self._sleep(self._bucket.reserve_s(self._now_s(), self._interval_s))

    def pause(self, seconds: float) -> None:
        """Admit no dial for some seconds; a longer pause that runs already is kept."""
        self._paused_until_s = max(self._paused_until_s, self._now_s() + seconds)
