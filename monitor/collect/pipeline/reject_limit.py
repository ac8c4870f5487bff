"""Limits how many rejects are published; all of them are counted."""

from __future__ import annotations

from monitor.model.events import MICROS


class RejectGate:
    """A token bucket that admits ``burst`` rejects at once and ``per_second`` afterwards.

    Without it, one malformed stream would fill the rejects topic at the exchange's full message rate.

    Attributes:
        suppressed: number of rejects that were not published.
    """

    __slots__ = ("_burst", "_last_us", "_per_second", "_tokens", "suppressed")

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._tokens = float(burst)
        self._last_us = 0
        self.suppressed = 0

    def allows(self, now_us: int) -> bool:
        """Return true if one more reject may be published at ``now_us``."""
        elapsed_s = max(0, now_us - self._last_us) / MICROS
        self._tokens = min(self._burst, self._tokens + elapsed_s * self._per_second)
        self._last_us = now_us
        if self._tokens < 1.0:
            self.suppressed += 1
            return False
        self._tokens -= 1.0
        return True
