"""Queues pages in order until their channel accepts them, and drops one that keeps raising unexpected errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable
from typing import Final, NamedTuple

from monitor.bus.ports import Partition
from monitor.deliver.paging.incidents import Page

MOST_FAULTS: Final = 5
"""Number of unexpected errors of one page, within about ten seconds, after which it is dropped."""


class Waiting(NamedTuple):
    """A page that is not accepted yet, and the partition whose signals led to it."""

    partition: Partition
    page: Page


class Backlog:
    """Holds waiting pages, oldest first; a partition may be revoked while its page is sent, and return with it."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._faults = 0  # errors of the first page

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Waiting:
        """Return the page to send next; raise ``IndexError`` if none waits."""
        return self._waiting[0]

    def add(self, partition: Partition, pages: Iterable[Page]) -> None:
        """Append pages."""
        self._waiting.extend(Waiting(partition, page) for page in pages)

    def drop(self, partitions: Container[Partition]) -> None:
        """Discard the pages of partitions that were revoked."""
        self._waiting = deque(each for each in self._waiting if each.partition not in partitions)
        self._faults = 0

    def done(self, sent: Waiting) -> None:
        """Remove a page that was accepted or refused for good, also if it was read again meanwhile.

        A copy behind other pages stays: if those are read again too, they must not be sent after it.
        """
        self._faults = 0
        if self._waiting and self._waiting[0] == sent:
            self._waiting.popleft()

    def fault(self, sent: Waiting) -> bool:
        """Count an unexpected error that kept a page from being sent; return true if the page is dropped."""
        if not self._waiting or self._waiting[0] != sent:
            return False
        self._faults += 1
        if self._faults < MOST_FAULTS:
            return False
        self.done(sent)
        return True
