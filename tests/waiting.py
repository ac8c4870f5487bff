"""Waiting in tests: for a condition, below a ceiling that grows with the load of the machine.

A ceiling is how long a broken program may hold up the suite, never how quick a sound one must be. It is written for a
quiet machine and multiplied by :data:`PATIENCE`, which is measured once when a run starts.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

VARIABLE: Final = "CASCADE_TEST_PATIENCE"
"""Environment variable that sets the factor; the workers of a parallel run find the measured one there."""
REFERENCE_S: Final = 0.25
"""Seconds that :func:`_work` takes on a quiet core of 2023 (0.24 s, the median of ten runs)."""
MOST: Final = 10.0
"""Largest factor that is measured: beyond, a run is stopped by the ceilings and not by whoever waits for it."""
CEILING_S: Final = 60.0
"""Seconds a wait may last on a quiet machine unless it has a ceiling of its own: ten times the slowest of them."""


def _work() -> float:
    """Return the seconds that three rounds of arithmetic and of starting a process take here and now."""
    begun = time.perf_counter()
    for _ in range(3):
        sum(number * number for number in range(1_000_000))
        subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
    return time.perf_counter() - begun


def measured(took_s: float) -> float:
    """Return the factor for work that took so many seconds: at least 1, and 1.5 for what others do meanwhile."""
    return round(min(max(1.0, 1.5 * took_s / REFERENCE_S), MOST), 2)


def _patience() -> float:
    """Return the factor of this run: as it was set, or else measured, and left for the processes of the run."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = str(measured(_work()))
    return float(os.environ[VARIABLE])


PATIENCE: Final = _patience()
"""How much longer than on a quiet machine a wait may last."""


def patient(seconds: float) -> float:
    """Return a ceiling of so many seconds on a quiet machine as seconds for this one."""
    return seconds * PATIENCE


async def until(condition: Callable[[], object], within_s: float = CEILING_S, every_s: float = 0.02) -> None:
    """Wait until a condition, plain or awaited, holds; raises TimeoutError after ``within_s`` times the patience."""
    async with asyncio.timeout(patient(within_s)):
        while not await _result(condition()):  # noqa: ASYNC110  # what happens in another process sets no event of ours
            await asyncio.sleep(every_s)


async def _result(found: object) -> object:
    """Return what a condition gave, awaited where it is a coroutine's."""
    return await found if inspect.isawaitable(found) else found


def wait_until(condition: Callable[[], object], within_s: float = CEILING_S, every_s: float = 0.02) -> None:
    """Block until a condition holds; raises TimeoutError after ``within_s`` seconds times the patience."""
    deadline = time.monotonic() + patient(within_s)
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"still waiting after {patient(within_s):.0f} s")
        time.sleep(every_s)
