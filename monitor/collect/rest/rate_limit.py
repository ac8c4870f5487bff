"""Limits the rate of REST requests: one budget of weight for everything that shares an address."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from monitor.collect.rest.errors import RestError

LONGEST_WAIT_S: Final = 60.0
"""An exchange that asks for a longer pause has banned this address: until it is over every request fails at once."""


BURST_S: Final = 5.0
"""A pool at rest has saved up the weight of so many seconds: a start asks for its tables at once, a minute's limit
is not reached by it."""


ROUNDING: Final = 1e-6
"""Of a weight of one, so that a wait is never too short to be measured."""


POLLS_SHARE: Final = 0.8
"""Of the budget, for polls; the rest is for instruments, history and backfill."""


UNTOLD_PAUSE_S: Final = 5.0
"""After a request to slow down that does not say for how long; limits are counted by the second or the minute."""


Sleep = Callable[[float], Awaitable[None]]


class Pool:
    """Weight that an exchange allows to an address: a bucket that fills evenly, and the pauses that it asks for.

    Attributes:
        per_minute: what flows in.
        needs: weight a minute that each venue's polls would like.
        spent: weight since the start.
        throttled: answers that asked to slow down.
    """

    def __init__(self, name: str, per_minute: int, sleep: Sleep, now_s: Callable[[], float]) -> None:
        self.name = name
        self.per_minute = per_minute
        self.needs: dict[str, float] = {}
        self.spent = self.throttled = 0
        self._sleep = sleep
        self._now_s = now_s
        self._saved = self._most
        self._filled_s = now_s()
        self._paused_until_s = 0.0
        self._queue = asyncio.Lock()

    @property
    def _most(self) -> float:
        return self.per_minute * BURST_S / 60.0

    @property
    def stretch(self) -> float:
        """By how much polls must be slower than they would like so that the budget suffices; at least 1."""
        return max(1.0, sum(self.needs.values()) / (POLLS_SHARE * self.per_minute))

    @property
    def paused_s(self) -> float:
        """For how long the exchange still wants to be left alone, 0 if it does not."""
        return max(0.0, self._paused_until_s - self._now_s())

    async def take(self, weight: int) -> None:
        """Wait until the weight may be spent, in the order of asking. Raises :class:`RestError` within a ban."""
        async with self._queue:
            while (wait_s := self._wait_s(weight)) > 0.0:
                if self.paused_s > LONGEST_WAIT_S:
                    raise RestError(f"{self.name} wants to be left alone for {self.paused_s:.0f} s", self.paused_s)
                await self._sleep(wait_s)
            self._saved -= weight
            self.spent += weight

    def _wait_s(self, weight: int) -> float:
        now_s = self._now_s()
        self._saved = min(self._most, self._saved + (now_s - self._filled_s) * self.per_minute / 60.0)
        self._filled_s = now_s
        # What is dearer than a full bucket passes when it is full, and is paid back by those after it.
        missing = min(float(weight), self._most) - self._saved
        return max(self.paused_s, missing * 60.0 / self.per_minute if missing > ROUNDING else 0.0)

    def pause(self, seconds: float) -> None:
        """The exchange asked to slow down."""
        self.throttled += 1
        self._paused_until_s = max(self._paused_until_s, self._now_s() + seconds)
