"""Limits the rate of REST requests: one budget of weight for everything that shares an address."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from monitor.collect.rest.errors import RestError
from monitor.model.token_bucket import TokenBucket

LONGEST_WAIT_S: Final = 60.0
"""Longest pause that requests wait for, seconds; during a longer one, a ban of this address, they fail at once."""


BURST_S: Final = 5.0
"""Capacity of the token bucket, seconds of its rate; a start loads its tables at once within a minute's limit."""


POLLS_SHARE: Final = 0.8
"""Share of the budget for polls; the rest is for instruments, history and backfill."""


DEFAULT_PAUSE_S: Final = 5.0
"""Pause after a rate-limit answer without ``Retry-After``, seconds; limits count by the second or the minute."""


Sleep = Callable[[float], Awaitable[None]]


class Pool:
    """Limits the weight that this address spends at an exchange: a token bucket and pauses on request.

    Attributes:
        per_minute: refill rate, weight per minute.
        needs: weight per minute that each venue's polls need at their full rate.
        spent: weight spent since the start.
        throttled: number of rate-limit answers.
    """

    def __init__(self, name: str, per_minute: int, sleep: Sleep, now_s: Callable[[], float]) -> None:
        self.name = name
        self.per_minute = per_minute
        self._bucket = TokenBucket(per_minute / 60.0, per_minute * BURST_S / 60.0)
        self.needs: dict[str, float] = {}
        self.spent = self.throttled = 0
        self._sleep = sleep
        self._now_s = now_s
        self._paused_until_s = 0.0
        self._queue = asyncio.Lock()

    def restrict(self, per_minute: int) -> None:
        """Lower the rate to that of another market of the pool, if it is lower."""
        self.per_minute = min(self.per_minute, per_minute)
        self._bucket.per_second, self._bucket.size = self.per_minute / 60.0, self.per_minute * BURST_S / 60.0

    @property
    def stretch(self) -> float:
        """Factor by which polls must be slowed down so that the budget suffices; at least 1."""
        return max(1.0, sum(self.needs.values()) / (POLLS_SHARE * self.per_minute))

    @property
    def paused_s(self) -> float:
        """Seconds until the rate-limit pause ends, 0 if there is none."""
        return max(0.0, self._paused_until_s - self._now_s())

    async def take(self, weight: int) -> None:
        """Wait until the weight may be spent, first come first served; raise :class:`RestError` within a ban."""
        async with self._queue:
            while (wait_s := self._wait_s(weight)) > 0.0:
                if self.paused_s > LONGEST_WAIT_S:
                    raise RestError(f"{self.name} has a rate-limit pause of {self.paused_s:.0f} s", self.paused_s)
                await self._sleep(wait_s)
            self._bucket.take(weight)
            self.spent += weight

    def _wait_s(self, weight: int) -> float:
        # A request that costs more than the capacity passes when the bucket is full; later requests wait longer for it.
        return max(self.paused_s, self._bucket.wait_s(self._now_s(), min(weight, self._bucket.size)))

    def pause(self, seconds: float) -> None:
        """Start or extend the pause by ``seconds``, after a rate-limit answer."""
        self.throttled += 1
        self._paused_until_s = max(self._paused_until_s, self._now_s() + seconds)
