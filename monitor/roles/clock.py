"""Provides the clocks; all other modules receive one as an argument."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from monitor.model.events import MICROS

log = logging.getLogger(__name__)

STEP_US: Final = 2 * MICROS
"""Smallest step, microseconds: a smaller difference of the wall clock to the elapsed time is followed at once."""
PERSIST_US: Final = 60 * MICROS
"""Time after which a step is followed, microseconds; a clock that is set wrong is mostly corrected within seconds."""


def wall_clock_us() -> int:
    """Return microseconds since the Unix epoch, UTC, for the time stamps of records."""
    return time.time_ns() // 1_000


def monotonic_us() -> int:
    """Return microseconds that never go back, for timeouts."""
    return time.monotonic_ns() // 1_000


def elapsed_us() -> int:
    """Return microseconds that never go back and, if the system counts it, include the time of a suspended machine."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return monotonic_us() if clock is None else time.clock_gettime_ns(clock) // 1_000


class SteadyClock:
    """Returns the wall clock's time, microseconds, without its short steps.

    A step is a difference to the elapsed time. Until it has lasted for :data:`PERSIST_US` the time continues from its
    value before the step. Records are stamped with this time, so a short wrong setting of the clock is never recorded.

    Args:
        wall: the wall clock, microseconds.
        elapsed: a clock that cannot be set, microseconds.
    """

    __slots__ = ("_elapsed", "_offset_us", "_step_us", "_stepped_us", "_wall")

    def __init__(self, wall: Callable[[], int] = wall_clock_us, elapsed: Callable[[], int] = elapsed_us) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._offset_us = wall() - elapsed()
        self._step_us = 0  # the step that is not followed, 0 without one
        self._stepped_us = 0  # elapsed time when it was first seen

    def __call__(self) -> int:
        """Return the time."""
        elapsed_us = self._elapsed()
        offset_us = self._wall() - elapsed_us
        step_us = offset_us - self._offset_us
        if -STEP_US <= step_us <= STEP_US:
            self._step_us = 0
            self._offset_us = offset_us
        elif self._lasts(step_us, elapsed_us):
            log.warning("the clock's step of %+.1f s has lasted and is followed now", step_us / MICROS)
            self._step_us = 0
            self._offset_us = offset_us
        return elapsed_us + self._offset_us

    def _lasts(self, step_us: int, elapsed_us: int) -> bool:
        if not self._step_us or abs(step_us - self._step_us) > STEP_US:
            log.warning(
                "the clock stepped by %+.1f s; the step is ignored for %d s: check NTP on this machine",
                step_us / MICROS,
                PERSIST_US // MICROS,
            )
            self._step_us, self._stepped_us = step_us, elapsed_us
        return elapsed_us - self._stepped_us >= PERSIST_US
