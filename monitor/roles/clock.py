"""The clocks of the program; everything else is handed one of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from monitor.model.events import MICROS

log = logging.getLogger(__name__)

STEP_US: Final = 2 * MICROS
"""A change of the wall clock against the elapsed time by more than this is a step; less is followed at once."""
PERSIST_US: Final = 60 * MICROS
"""A step is followed once it has lasted this long: a clock that is set wrong is mostly set right within seconds."""


def wall_clock_us() -> int:
    """Microseconds since the Unix epoch, UTC: stamps records."""
    return time.time_ns() // 1_000


def monotonic_us() -> int:
    """Microseconds that never go back: drives timeouts."""
    return time.monotonic_ns() // 1_000


def elapsed_us() -> int:
    """Return microseconds that never go back and, where the system counts them, include a suspended machine's."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return monotonic_us() if clock is None else time.clock_gettime_ns(clock) // 1_000


class SteadyClock:
    """Returns the wall clock's time, microseconds, and does not follow its short steps.

    A step is a change against the elapsed time. Until it has lasted for :data:`PERSIST_US` the time goes on from where
    it was; records are stamped with it, so no wrong stamp is recorded in the first place.

    Args:
        wall: the wall clock, microseconds.
        elapsed: a clock that no one sets, microseconds.
    """

    __slots__ = ("_elapsed", "_offset_us", "_step_us", "_stepped_us", "_wall")

    def __init__(self, wall: Callable[[], int] = wall_clock_us, elapsed: Callable[[], int] = elapsed_us) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._offset_us = wall() - elapsed()
        self._step_us = 0  # of the step that is not followed, 0 for none
        self._stepped_us = 0  # elapsed time at which it was seen

    def __call__(self) -> int:
        """Return the time."""
        elapsed_us = self._elapsed()
        offset_us = self._wall() - elapsed_us
        step_us = offset_us - self._offset_us
        if -STEP_US <= step_us <= STEP_US:
            self._step_us = 0
            self._offset_us = offset_us
        elif self._lasts(step_us, elapsed_us):
            log.warning("the clock's step of %+.1f s has lasted and is followed", step_us / MICROS)
            self._step_us = 0
            self._offset_us = offset_us
        return elapsed_us + self._offset_us

    def _lasts(self, step_us: int, elapsed_us: int) -> bool:
        if not self._step_us or abs(step_us - self._step_us) > STEP_US:
            log.warning(
                "the clock stepped by %+.1f s; it is not followed for %d s, check NTP on this machine",
                step_us / MICROS,
                PERSIST_US // MICROS,
            )
            self._step_us, self._stepped_us = step_us, elapsed_us
        return elapsed_us - self._stepped_us >= PERSIST_US
