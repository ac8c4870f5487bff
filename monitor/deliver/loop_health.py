"""Measures that the event loop runs and how late it is, and calls functions on it from another thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

BEAT_S: Final = 0.5
"""Interval of the measurement, seconds: short against the 10 s after which the loop counts as stuck, and cheap."""

ALIVE_WITHIN_US: Final = 10_000_000
"""Microseconds without a measurement after which the loop counts as stuck; callbacks take less than 1 % of it."""

LAGS_KEPT: Final = 60
"""Number of measurements whose largest lag is reported: 30 s, two scrape intervals of 15 s, so that none is missed."""


class Pulse:
    """Wakes periodically on the event loop and records its lag; other threads read the results.

    Args:
        clock: returns monotonic microseconds.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beat_us = clock()
        self._lags_us: deque[int] = deque([0], maxlen=LAGS_KEPT)

    async def run(self) -> None:
        """Measure until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._beat_us = self._clock()
                await asyncio.sleep(BEAT_S)
                self._lags_us.append(max(0, self._clock() - self._beat_us - round(BEAT_S * 1e6)))
        finally:
            self._loop = None

    @property
    def alive(self) -> bool:
        """Return True if the loop ran within the last ten seconds."""
        return self._clock() - self._beat_us < ALIVE_WITHIN_US

    @property
    def lag_s(self) -> float:
        """Return the largest lag of the last measurements, seconds."""
        return max(self._lags_us.copy()) / 1e6

    def call(self, function: Callable[[], T], timeout_s: float = 5.0) -> T:
        """Call ``function`` on the loop from another thread, so that it sees consistent state, and return its result.

        Raises:
            TimeoutError: the loop does not run, or did not call it within ``timeout_s``.
        """
        loop = self._loop
        if loop is None:
            raise TimeoutError("the event loop does not run")

        async def answer() -> T:
            return function()

        future = asyncio.run_coroutine_threadsafe(answer(), loop)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise TimeoutError(f"the event loop did not answer within {timeout_s:g} s") from None
