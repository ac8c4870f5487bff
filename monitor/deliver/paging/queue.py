"""Queue of the pages that wait for their channel, in order; a page is given up after repeated faults of the monitor."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable
from typing import Final, NamedTuple

from monitor.bus.ports import Partition
from monitor.deliver.paging.incidents import Page

MOST_FAULTS: Final = 5
"""Failures of a page by a fault of the monitor, within about ten seconds, after which it is given up for the others."""


class Waiting(NamedTuple):
    """A page that is not accepted yet, and the partition whose signals led to it."""

    partition: Partition
    page: Page


class Backlog:
    """Waiting pages, oldest first. A partition may be revoked while its page is sent, and return with the same page."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._faults = 0  # of the first

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Waiting:
        """Return the page to send next. Raises ``IndexError`` if none waits."""
        return self._waiting[0]

    def add(self, partition: Partition, pages: Iterable[Page]) -> None:
        """Append pages."""
        self._waiting.extend(Waiting(partition, page) for page in pages)

    def drop(self, partitions: Container[Partition]) -> None:
        """Discard the pages of partitions that were revoked."""
        self._waiting = deque(each for each in self._waiting if each.partition not in partitions)
        self._faults = 0

    def done(self, sent: Waiting) -> None:
        """Remove a page that was accepted or refused for good, also where it was read again meanwhile.

        One behind others stays: if they too are read again, they must not come after it.
        """
        self._faults = 0
        if self._waiting and self._waiting[0] == sent:
            self._waiting.popleft()

    def fault(self, sent: Waiting) -> bool:
        """Count a fault of the monitor that kept a page from being sent; return True if the page is given up."""
        if not self._waiting or self._waiting[0] != sent:
            return False
        self._faults += 1
        if self._faults < MOST_FAULTS:
            return False
        self.done(sent)
        return True
