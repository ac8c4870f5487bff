"""Counts, logs and skips the records on Kafka that cannot be decoded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.model.events import Reject

log = logging.getLogger(__name__)

REPORTS_PER_S: Final = 1 / 60
REPORTS_AT_ONCE: Final = 10
"""Capacity of the rate limit of log lines; it refills at one a second, because a producer may write nothing else."""


class Unreadable:
    """Counts and logs the records that a reader skips; they stay in their topic for inspection.

    Args:
        clock: returns the machine's time in microseconds.

    Attributes:
        count: number of skipped records.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.count = 0
        self._clock = clock
        self._gate = RejectGate(REPORTS_PER_S, REPORTS_AT_ONCE)

    def __call__(self, reject: Reject) -> None:
        """Count a record's reject and log it within the rate limit; its detail names topic, partition and offset."""
        self.count += 1
        if self._gate.allows(self._clock()):
            log.error("a record cannot be decoded and is skipped: %s", reject.detail)
