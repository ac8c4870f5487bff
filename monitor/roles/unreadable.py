"""Records on Kafka that cannot be decoded: counted, logged a few a minute, and passed over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.model.events import Reject

log = logging.getLogger(__name__)

REPORTS_PER_S: Final = 1 / 60
REPORTS_AT_ONCE: Final = 10
"""Records that are logged at once and then a second: one producer may write nothing else."""


class Unreadable:
    """Counts and reports the records that a reader passes over. They stay on their topic, to be looked at there.

    Args:
        clock: the machine's time in microseconds.

    Attributes:
        count: how many there were.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.count = 0
        self._clock = clock
        self._gate = RejectGate(REPORTS_PER_S, REPORTS_AT_ONCE)

    def __call__(self, reject: Reject) -> None:
        """Take the reject of a record; its detail names topic, partition and offset."""
        self.count += 1
        if self._gate.allows(self._clock()):
            log.error("a record cannot be read and is passed over: %s", reject.detail)
