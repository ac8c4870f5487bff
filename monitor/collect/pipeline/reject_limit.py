"""Limits how many rejects are published; all of them are counted."""

from __future__ import annotations

from monitor.model.events import MICROS
from monitor.model.token_bucket import TokenBucket


class RejectGate:
    """Admits ``burst`` rejects at once and ``per_second`` afterwards.

    Without it, one malformed stream would fill the rejects topic at the exchange's full message rate.

    Attributes:
        suppressed: number of rejects that were not published.
    """

    __slots__ = ("_bucket", "suppressed")

    def __init__(self, per_second: float, burst: int) -> None:
        self._bucket = TokenBucket(per_second, burst)
        self.suppressed = 0

    def allows(self, now_us: int) -> bool:
        """Return true if one more reject may be published at ``now_us``."""
        if self._bucket.wait_s(now_us / MICROS) > 0.0:
            self.suppressed += 1
            return False
        self._bucket.take()
        return True
