"""Writes outputs in threads of their own, so that a write that fails or hangs neither delays nor ends the main work.

An output writes in order. A failed write is retried after a growing pause; later writes wait in bounded memory; what
does not fit is dropped and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from monitor.model.backoff import Waits

log = logging.getLogger(__name__)

MAX_BYTES: Final = 32 * 1024 * 1024
"""Most bytes that may wait for the disk: several seconds of frames in the busiest minute of 2025-10-10."""
RETRY_S: Final = 1.0
"""Wait before the first retry, seconds."""
LONGEST_RETRY_S: Final = 30.0
"""Longest wait between two retries, seconds; a disk that has space again is noticed within half a minute."""
STUCK_S: Final = 10.0
"""Duration of a write after which the output counts as failing, seconds; even busy disks answer within one."""
CLOSE_S: Final = 5.0
"""Longest time for the last writes when the process ends, seconds."""

Work = Callable[[], None]
"""Writes something; raises ``OSError`` on failure, and may then be called again."""


class OutputStats(NamedTuple):
    """The state of one output.

    Attributes:
        name: name in metrics and log lines.
        failing: true if the oldest waiting write fails or hangs.
        dropped: frames, signals or states that were dropped.
        reason: cause of the failure, empty if there is none.
    """

    name: str
    failing: bool
    dropped: int
    reason: str = ""


@dataclass(slots=True)
class _Job:
    """A write; a later one with the same ``key`` replaces it."""

    work: Work
    size: int
    count: int
    key: str | None


class SideOutput:
    """Runs the writes of one output.

    Args:
        name: name in metrics and log lines, and of the thread.
        max_bytes: most bytes that may wait.
        clock: returns monotonic seconds, for pauses between retries.
    """

    def __init__(self, name: str, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._max_bytes = max_bytes
        self._clock = clock
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._size = 0
        self._dropped = 0
        self._dropped_before = 0  # value of dropped when the failure began
        self._reason = ""
        self._began_s: float | None = None  # start of the write in progress
        self._closing = False
        self._thread: threading.Thread | None = None

    def put(self, work: Work, *, size: int = 0, count: int = 1, key: str | None = None) -> None:
        """Queue a write; never waits.

        Args:
            work: writes it.
            size: bytes that it holds in memory.
            count: frames, signals or states that are lost if it is dropped.
            key: name of a state that is written as a whole; a waiting write with the same key is replaced.
        """
        with self._changed:
            job = _Job(work, size, count, key)
            if self._began_s is not None and self._clock() - self._began_s >= STUCK_S:
                self._fails(f"a write takes longer than {STUCK_S:.0f} s")
            if not self._replaced(job):
                self._append(job)
            if self._thread is None:
                # a daemon thread cannot keep the process from ending while it hangs in a write
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _replaced(self, job: _Job) -> bool:
        if job.key is None:
            return False
        for index, waiting in enumerate(self._jobs):
            if waiting.key == job.key and not (index == 0 and self._began_s is not None):
                self._jobs[index] = job
                self._size += job.size - waiting.size
                return True
        return False

    def _append(self, job: _Job) -> None:
        if self._jobs and self._size + job.size > self._max_bytes:
            self._dropped += job.count
            self._fails("records arrive faster than they are written")
            return
        self._jobs.append(job)
        self._size += job.size

    def settled(self, timeout_s: float) -> bool:
        """Return true once all is written, false if a write fails or ``timeout_s`` passes first."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs or self._reason, timeout_s)
            return not self._jobs

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Write what waits, with one attempt each, and end; drop what is not written within ``timeout_s``."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)
        with self._changed:
            lost = sum(job.count for job in self._jobs)
            self._dropped += lost
            self._jobs.clear()
        if lost:
            log.error(
                "%s: %d dropped at the end, because they could not be written (%s)",
                self.name,
                lost,
                self._reason or "timeout",
            )

    def stats(self) -> OutputStats:
        """Return the state of the output: failing or not, and the number of dropped writes."""
        with self._changed:
            stuck = self._began_s is not None and self._clock() - self._began_s >= STUCK_S
            reason = self._reason or ("a write does not end" if stuck else "")
            return OutputStats(self.name, bool(reason), self._dropped, reason)

    # Methods of the thread.

    def _run(self) -> None:
        failures = 0
        while (job := self._next()) is not None:
            try:
                job.work()
            except OSError as error:
                if not self._failed(str(error), Waits(RETRY_S, LONGEST_RETRY_S).after(failures, jitter=1.0)):
                    return
                failures += 1
            except Exception:  # a retry would fail in the same way
                log.exception("%s: dropped a write, because it raised an unexpected error", self.name)
                self._over(job, written=False)
            else:
                failures = 0
                self._over(job, written=True)

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closing)
            if not self._jobs:
                return None
            self._began_s = self._clock()
            return self._jobs[0]

    def _over(self, job: _Job, *, written: bool) -> None:
        with self._changed:
            self._began_s = None
            if self._jobs and self._jobs[0] is job:  # false if close() dropped it
                self._jobs.popleft()
                self._size -= job.size
            if not written:
                self._dropped += job.count
            # An output that was too slow has recovered once its queue is empty.
            elif self._reason and (not self._jobs or 2 * self._size <= self._max_bytes):
                lost = self._dropped - self._dropped_before
                log.warning("%s: written again; %d were dropped meanwhile", self.name, lost)
                self._reason = ""
            self._changed.notify_all()

    def _failed(self, reason: str, pause_s: float) -> bool:
        """Wait before the next attempt; return false if there is none, because the output is closing."""
        with self._changed:
            self._began_s = None
            self._fails(reason)
            if not self._closing:
                self._changed.wait_for(lambda: self._closing, pause_s)
                return True
            return False

    def _fails(self, reason: str) -> None:
        if not self._reason:
            self._dropped_before = self._dropped
            log.error("%s: cannot be written (%s); continuing without it and retrying", self.name, reason)
        self._reason = reason
        self._changed.notify_all()
