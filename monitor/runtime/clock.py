"""The two clocks of the program; everything else is handed one of them."""

from __future__ import annotations

import time


def wall_clock_us() -> int:
    """Microseconds since the Unix epoch, UTC: stamps records."""
    return time.time_ns() // 1_000


def monotonic_us() -> int:
    """Microseconds that never go back: drives timeouts."""
    return time.monotonic_ns() // 1_000
