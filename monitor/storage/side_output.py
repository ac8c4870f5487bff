"""Outputs beside the main work: what they write may fail or hang, and nothing else waits for it or ends by it.

Writing happens in a thread of the output's own, in order. What fails is tried again after a pause that grows, what
comes meanwhile waits in bounded memory, and what does not fit is dropped and counted.
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

MOST_BYTES: Final = 32 * 1024 * 1024
"""Most bytes that may wait for a disk: several seconds of the frames of the worst minute of 2025-10-10."""
RETRY_S: Final = 1.0
"""Wait before the first retry, seconds."""
LONGEST_RETRY_S: Final = 30.0
"""Longest wait between two retries, seconds: a disk that has room again is noticed within half a minute."""
STUCK_S: Final = 10.0
"""Duration of a write after which it counts as failing, seconds: disks, also busy ones, answer within one."""
CLOSE_S: Final = 5.0
"""Longest duration of the last writes when the process ends, seconds."""

Work = Callable[[], None]
"""Writes something; raises ``OSError`` where it cannot, and may then be called again."""


class OutputStats(NamedTuple):
    """One output now.

    Attributes:
        name: in metrics and log lines.
        failing: whether what came last is not written, and cannot be.
        dropped: frames, signals or states that were given up.
        reason: why it fails, empty where it does not.
    """

    name: str
    failing: bool
    dropped: int
    reason: str = ""


@dataclass(slots=True)
class _Job:
    """Something to write; ``key`` where a later one replaces it."""

    work: Work
    size: int
    count: int
    key: str | None


class SideOutput:
    """One output.

    Args:
        name: in metrics and log lines, and the thread's.
        most: bytes that may wait.
        clock: monotonic seconds, for pauses between tries.
    """

    def __init__(self, name: str, most: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._most = most
        self._clock = clock
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._size = 0
        self._dropped = 0
        self._dropped_before = 0  # when it began to fail
        self._reason = ""
        self._began_s: float | None = None  # the write in progress
        self._closing = False
        self._thread: threading.Thread | None = None

    def put(self, work: Work, *, size: int = 0, count: int = 1, key: str | None = None) -> None:
        """Have something written. Never waits.

        Args:
            work: writes it.
            size: bytes that it holds.
            count: frames, signals or states that are lost with it.
            key: of what is written as a whole again and again: what waits under the same key is not worth writing now.
        """
        with self._changed:
            job = _Job(work, size, count, key)
            if self._began_s is not None and self._clock() - self._began_s >= STUCK_S:
                self._fails(f"a write takes longer than {STUCK_S:.0f} s")
            if not self._replaced(job):
                self._append(job)
            if self._thread is None:
                # A daemon: one that hangs in a write must not keep the process from ending.
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
        if self._jobs and self._size + job.size > self._most:
            self._dropped += job.count
            self._fails("it is slower than what is to be written")
            return
        self._jobs.append(job)
        self._size += job.size

    def settled(self, timeout_s: float) -> bool:
        """Wait until all is written (True), or it fails or takes too long (False)."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs or self._reason, timeout_s)
            return not self._jobs

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Write what waits, each with one more try, and end; what cannot be written within the time is given up."""
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
            log.error("%s: %d could not be written at the end (%s)", self.name, lost, self._reason or "no answer")

    def stats(self) -> OutputStats:
        """Return the state of the output: failing or not, and the number of dropped writes."""
        with self._changed:
            stuck = self._began_s is not None and self._clock() - self._began_s >= STUCK_S
            reason = self._reason or ("a write does not end" if stuck else "")
            return OutputStats(self.name, bool(reason), self._dropped, reason)

    # In the thread

    def _run(self) -> None:
        failures = 0
        while (job := self._next()) is not None:
            try:
                job.work()
            except OSError as error:
                if not self._failed(str(error), Waits(RETRY_S, LONGEST_RETRY_S).after(failures, jitter=1.0)):
                    return
                failures += 1
            except Exception:  # tried again it would fail again
                log.exception("%s: a fault of the monitor kept something from being written", self.name)
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
            if self._jobs and self._jobs[0] is job:  # else it was given up at the end
                self._jobs.popleft()
                self._size -= job.size
            if not written:
                self._dropped += job.count
            # One that was too slow is well again once it has caught up.
            elif self._reason and (not self._jobs or 2 * self._size <= self._most):
                lost = self._dropped - self._dropped_before
                log.warning("%s: is written again; %d were given up meanwhile", self.name, lost)
                self._reason = ""
            self._changed.notify_all()

    def _failed(self, reason: str, pause_s: float) -> bool:
        """Wait before the next try; False where there is none any more."""
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
            log.error("%s: cannot be written: %s; going on without, and trying again", self.name, reason)
        self._reason = reason
        self._changed.notify_all()
