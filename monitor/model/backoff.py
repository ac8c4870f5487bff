"""How long to wait before dialling again, also after "connected, then dropped at once", and work that is kept going."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

MAX_DOUBLINGS: Final = 16
"""Beyond this any base has reached any sensible cap; it only keeps the power small."""


class Backoff:
    """Exponential delays with jitter that a mere handshake does not reset.

    The iterator of ``websockets`` starts afresh after every handshake, so an exchange that accepts and drops at once
    would be dialled in a hot loop. Here a socket counts as good only if it lived for ``healthy_s`` and delivered data.

    Args:
        rng: source of the jitter; seeded in tests.
        base_s: the first delay.
        cap_s: the longest delay.
        healthy_s: how long a socket must have lived to forgive what went before.
    """

    __slots__ = ("_rng", "base_s", "cap_s", "failures", "healthy_s")

    def __init__(self, rng: random.Random, base_s: float, cap_s: float, healthy_s: float) -> None:
        self._rng = rng
        self.base_s = base_s
        self.cap_s = cap_s
        self.healthy_s = healthy_s
        self.failures = 0

    def next_delay_s(self, lived_s: float, delivered: bool) -> float:
        """The delay after a socket that lived for ``lived_s`` (0 when it never opened) and delivered data or not.

        Between a half and the whole of the nominal delay, so that sockets cut together do not come back together.
        """
        if delivered and lived_s >= self.healthy_s:
            self.failures = 0
        nominal = min(self.cap_s, math.ldexp(self.base_s, min(self.failures, MAX_DOUBLINGS)))
        self.failures += 1
        return nominal * (0.5 + 0.5 * self._rng.random())


async def kept_going(
    run: Callable[[], Awaitable[None]], backoff: Backoff, failed: Callable[[Exception], None]
) -> NoReturn:
    """Run again what fails by a fault of its own, until cancelled.

    Args:
        run: the work; called again, it goes on where it stopped.
        backoff: how long to wait in between.
        failed: counts and logs the fault.
    """
    loop = asyncio.get_running_loop()
    while True:
        started_s = loop.time()
        try:
            await run()
        except Exception as error:  # told to whoever asked for it
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            failed(error)
        await asyncio.sleep(backoff.next_delay_s(loop.time() - started_s, delivered=True))
