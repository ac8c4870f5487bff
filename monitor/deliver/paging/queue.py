"""Pages that wait for their channel, in order; one that faults of ours keep from being sent is given up."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable
from typing import Final, NamedTuple

from monitor.bus.ports import Partition
from monitor.deliver.paging.incidents import Page

MOST_FAULTS: Final = 5
"""Tries of a page that end by a fault of ours, about ten seconds: then it is given up, or it would hold up the rest."""


class Waiting(NamedTuple):
    """A page that is not accepted yet, and the partition whose signals led to it."""

    partition: Partition
    page: Page


class Backlog:
    """What waits, oldest first. Its partition may go while a page is being sent, and come back with the same page."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._faults = 0  # of the first

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Waiting:
        """What is to be sent next. Raises ``IndexError`` where nothing waits."""
        return self._waiting[0]

    def add(self, partition: Partition, pages: Iterable[Page]) -> None:
        """Put pages behind those that wait."""
        self._waiting.extend(Waiting(partition, page) for page in pages)

    def drop(self, partitions: Container[Partition]) -> None:
        """Forget what waits of partitions that went to another."""
        self._waiting = deque(each for each in self._waiting if each.partition not in partitions)
        self._faults = 0

    def done(self, sent: Waiting) -> None:
        """It was accepted, or refused for good: neither it nor the same page, read again meanwhile, is the first now.

        One behind others stays: if they too are read again, they must not come after it.
        """
        self._faults = 0
        if self._waiting and self._waiting[0] == sent:
            self._waiting.popleft()

    def fault(self, sent: Waiting) -> bool:
        """A fault of ours kept it from being sent. Whether it is given up."""
        if not self._waiting or self._waiting[0] != sent:
            return False
        self._faults += 1
        if self._faults < MOST_FAULTS:
            return False
        self.done(sent)
        return True
