"""Computes the wait before a retry, by one rule for sockets, REST requests, pages, files and restarted tasks."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, NoReturn

MAX_DOUBLINGS: Final = 16
"""Number of doublings after which the wait does not grow further, so that the power of two stays small."""


class Waits(NamedTuple):
    """Exponential backoff with jitter, up to a longest wait.

    Attributes:
        first_s: nominal wait after the first failure, seconds; it doubles with each further failure in a row.
        longest_s: the longest wait, seconds.
    """

    first_s: float
    longest_s: float

    def after(self, failures: int, jitter: float) -> float:
        """Return the wait, seconds, after a failure that followed ``failures`` others in a row.

        Args:
            failures: earlier failures in a row, 0 for the first.
            jitter: random number from 0 to 1. The wait lies between half of the nominal one (0) and all of it (1), so
                that clients that were cut off together do not return together. Use 1 where there is one client.
        """
        nominal = min(self.longest_s, math.ldexp(self.first_s, min(failures, MAX_DOUBLINGS)))
        return nominal * (0.5 + 0.5 * jitter)


class Backoff:
    """Counts consecutive failures and returns the wait after each; a successful handshake alone does not reset it.

    The reconnecting iterator of ``websockets`` resets its backoff after every handshake. An exchange that accepts
    connections and closes them at once would then be dialled without a pause. Here only a socket that stayed open for
    ``healthy_s`` and delivered data resets the count.

    Args:
        rng: random number generator for the jitter; seeded in tests.
        base_s: the first wait, seconds.
        cap_s: the longest wait, seconds.
        healthy_s: seconds for which a socket must have been open for the count of failures to be reset.
    """

    __slots__ = ("_rng", "failures", "healthy_s", "waits")

    def __init__(self, rng: random.Random, base_s: float, cap_s: float, healthy_s: float) -> None:
        self._rng = rng
        self.waits = Waits(base_s, cap_s)
        self.healthy_s = healthy_s
        self.failures = 0

    def next_delay_s(self, lived_s: float, delivered: bool) -> float:
        """Return the wait, seconds, after a socket that was open for ``lived_s`` seconds (0 if it never opened)."""
        if delivered and lived_s >= self.healthy_s:
            self.failures = 0
        wait_s = self.waits.after(self.failures, self._rng.random())
        self.failures += 1
        return wait_s


async def kept_going(
    run: Callable[[], Awaitable[None]], backoff: Backoff, failed: Callable[[Exception], None]
) -> NoReturn:
    """Run a task again whenever it raises an exception, until cancelled.

    Args:
        run: the task; a further call continues where the previous one stopped.
        backoff: computes the wait between two calls.
        failed: called with each exception, to count and log it.
    """
    loop = asyncio.get_running_loop()
    while True:
        started_s = loop.time()
        try:
            await run()
        except Exception as error:  # reported through ``failed``
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            failed(error)
        await asyncio.sleep(backoff.next_delay_s(loop.time() - started_s, delivered=True))
