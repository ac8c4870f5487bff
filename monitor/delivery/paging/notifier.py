"""Reads signals, decides what to page, and sends it on one channel: at least once, in order, across restarts.

Reading never waits for sending, so that a channel that is down holds nothing up. What was read is remembered only when
everything that it led to was sent: whoever goes on from there may send a page again, which its key makes harmless.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from monitor.bus.ports import Partition, Subscriber
from monitor.cascade.view import Histogram
from monitor.delivery.paging.channel import Channel
from monitor.delivery.paging.pages import Page, Pages
from monitor.events import MICROS, Signal

log = logging.getLogger(__name__)

POLL_S: Final = 0.5
"""How long to wait for signals before looking again; signals themselves wake the reader at once."""
KEEP_S: Final = 5.0
"""How often to remember what was read while nothing is paged: so much is read again after a restart."""
MOST_FAULTS: Final = 5
"""Tries of a page that end by a fault of ours, about ten seconds: then it is given up, or it would hold up the rest."""
BOUNDS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Buckets of a page's latency, around the objective of three seconds."""


class Progress(Protocol):
    """Where a notifier keeps how far it is."""

    async def save(self, offsets: Mapping[Partition, int], states: Mapping[Partition, bytes]) -> None:
        """Keep by partition where to go on, and the incidents that are open there. Raises ``OSError``."""


class NotifierStats(NamedTuple):
    """One channel now.

    Attributes:
        channel: its name.
        accepted: pages accepted, by action.
        failures: tries that failed, by reason.
        pending: pages that are not accepted yet.
        open: asset and direction of the incidents that are open.
        read_us: when signals (or the heartbeats among them) were last read, 0 for never.
        latency: from a signal's sending to its page's acceptance, seconds.
        save_failures: how often the progress could not be kept.
        crashes: how often the notifier failed by a fault of its own and was started again.
        failing: whether it has not yet sent all that it read since.
    """

    channel: str
    accepted: Mapping[str, int]
    failures: Mapping[str, int]
    pending: int
    open: Collection[tuple[str, str]]
    read_us: int
    latency: Histogram
    save_failures: int
    crashes: int = 0
    failing: bool = False


class _Pending(NamedTuple):
    partition: Partition
    page: Page


class Notifier:
    """One channel at work.

    Args:
        channel: where pages go.
        subscriber: signals; closed by :meth:`close`.
        progress: remembers.
        clock: the machine's time in microseconds.
        assets: whose cascades page, None for all.
    """

    def __init__(
        self,
        channel: Channel,
        subscriber: Subscriber,
        progress: Progress,
        clock: Callable[[], int],
        assets: Collection[str] | None = None,
    ) -> None:
        self.channel = channel
        self._subscriber = subscriber
        self._progress = progress
        self._clock = clock
        self._assets = assets
        self._pages: dict[Partition, Pages] = {}
        self._accepted: set[str] = set()  # episodes whose incident the channel has
        self._read: dict[Partition, int] = {}
        self._pending: deque[_Pending] = deque()
        self._work = asyncio.Event()
        self._kept_us = 0
        self._dirty = False
        self._saving = asyncio.Lock()
        self._read_us = 0
        self._latencies = [0] * (len(BOUNDS_S) + 1)
        self._latency_sum = 0.0
        self._save_failures = 0
        self._crashes = 0
        self._failing = False
        self._faults = 0  # of the page that is to be sent next

    # What whoever owns the partitions says

    def restore(self, partition: Partition, state: bytes) -> None:
        """Go on with the incidents that were open in a partition. Raises ``ValueError`` where ``state`` is none."""
        pages = Pages(self._assets)
        if state:
            pages.load(state)
        self._pages[partition] = pages
        self._accepted.update(page.episode_id for page in pages.open)

    def begin(self, partition: Partition, offset: int) -> None:
        """Nothing was ever kept of a partition: reading begins at ``offset``, which is kept next."""
        self.restore(partition, b"")
        self._read[partition] = offset
        self._dirty, self._kept_us = True, 0

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Partitions are another's now: what waits to be sent of them is his."""
        gone = frozenset(partitions)
        for partition in gone:
            self._pages.pop(partition, None)
            self._read.pop(partition, None)
        self._pending = deque(each for each in self._pending if each.partition not in gone)

    def end_all_but(self, running: Collection[str]) -> None:
        """Resolve what is open though its episode does not run any more."""
        for partition, pages in self._pages.items():
            self._pending.extend(_Pending(partition, page) for page in pages.end_all_but(running))
        if self._pending:
            self._work.set()

    # Work

    async def run(self) -> None:
        """Read and send until cancelled. A second call after a failure goes on where the first one stopped."""
        if self._pending:
            self._work.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            # Not a second task: before Python 3.13 a group that waits at its end leaves its task marked as cancelled.
            await self._send()

    async def close(self) -> None:
        """Remember what was read, if all of it was sent, and let go of the bus and the channel."""
        await self._keep()
        await self._subscriber.close()
        await self.channel.close()

    def failed(self, error: Exception) -> None:
        """Count and log a failure of :meth:`run`; whoever saw it will run it again."""
        self._crashes += 1
        self._failing = True
        log.error("%s: the notifier failed; restarting it", self.channel.name, exc_info=error)

    async def _follow(self) -> None:
        while True:
            for batch in await self._subscriber.poll(POLL_S):
                self._read_us = self._clock()
                self._take(batch.partition, batch.records)
                self._read[batch.partition] = batch.next_offset
                self._dirty = True
            if self._pending:
                self._work.set()
            elif self._dirty and self._clock() - self._kept_us >= KEEP_S * MICROS:
                await self._keep()

    def _take(self, partition: Partition, records: Iterable[object]) -> None:
        pages = self._pages.get(partition)
        if pages is None:
            pages = self._pages[partition] = Pages(self._assets)
        for record in records:
            if isinstance(record, Signal) and (page := pages.take(record)):
                self._pending.append(_Pending(partition, page))

    async def _send(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._pending:
                sending = self._pending[0]
                try:
                    await self._deliver(sending.page)
                except Exception:
                    self._fault(sending)
                    raise
                self._faults = 0
                if self._pending and self._pending[0] is sending:
                    self._pending.popleft()
            await self._keep()

    def _fault(self, sending: _Pending) -> None:
        self._faults += 1
        if self._faults >= MOST_FAULTS and self._pending and self._pending[0] is sending:
            self._pending.popleft()
            self._faults = 0
            log.error("%s: gives up to %s %s", self.channel.name, sending.page.action, sending.page.episode_id)

    async def _deliver(self, page: Page) -> None:
        if not await self.channel.deliver(page):
            return
        if page.action == "resolve":
            self._accepted.discard(page.episode_id)
        else:
            self._accepted.add(page.episode_id)
        if page.signal is not None:
            latency_s = max(0.0, (self._clock() - page.signal.emitted_time_us) / MICROS)
            self._latencies[bisect_left(BOUNDS_S, latency_s)] += 1
            self._latency_sum += latency_s
        log.info("%s: %s %s", self.channel.name, page.action, page.episode_id)

    async def _keep(self) -> None:
        """Remember what was read, if all that it led to is sent."""
        async with self._saving:
            if self._pending or not self._read:
                return
            offsets = dict(self._read)
            states = {partition: self._pages[partition].state() for partition in offsets}
            self._kept_us, self._dirty, self._failing = self._clock(), False, False
            try:
                await self._progress.save(offsets, states)
            except OSError as error:
                self._save_failures += 1
                log.warning("%s: what was paged cannot be kept (%s); it may be paged again", self.channel.name, error)

    def stats(self) -> NotifierStats:
        """How the channel does."""
        shown = {
            page.scope for pages in self._pages.values() for page in pages.open if page.episode_id in self._accepted
        }
        return NotifierStats(
            self.channel.name, dict(self.channel.accepted), dict(self.channel.failures), len(self._pending), shown,
            self._read_us, Histogram(BOUNDS_S, list(self._latencies), self._latency_sum), self._save_failures,
            self._crashes, self._failing,
        )  # fmt: skip
