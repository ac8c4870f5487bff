"""Limits a rate with bursts: one token bucket for REST requests, dials, published rejects and log lines."""

from __future__ import annotations

import math
from typing import Final

ROUNDING: Final = 1e-6
"""Missing amount that is ignored, because its wait is too short to measure."""


class TokenBucket:
    """Holds an amount that refills at a constant rate up to a size; it is full at the start.

    Time comes in as an argument, seconds of any one clock. A clock that steps back refills nothing.

    Args:
        per_second: amount that is refilled per second; 0 refills nothing.
        size: largest amount that is held, and so the largest burst.
    """

    __slots__ = ("_filled_s", "_held", "per_second", "size")

    def __init__(self, per_second: float, size: float) -> None:
        self.per_second = per_second
        self.size = size
        self._held = size
        self._filled_s = math.inf  # until the first look at the clock

    def wait_s(self, now_s: float, amount: float = 1.0) -> float:
        """Return the seconds until ``amount`` is held, 0 if it is; infinity if it never will be."""
        elapsed_s = now_s - self._filled_s
        if elapsed_s > 0.0 and self.per_second > 0.0:
            self._held = min(self.size, self._held + elapsed_s * self.per_second)
        self._filled_s = now_s
        missing = amount - self._held
        if missing <= ROUNDING:
            return 0.0
        return missing / self.per_second if self.per_second > 0.0 and amount <= self.size else math.inf

    def take(self, amount: float = 1.0) -> None:
        """Spend an amount. What is spent before it is held is owed, and later callers wait for it."""
        self._held -= amount

    def reserve_s(self, now_s: float, amount: float = 1.0) -> float:
        """Spend an amount now, and return the seconds to wait before using it."""
        wait_s = self.wait_s(now_s, amount)
        self.take(amount)
        return wait_s
