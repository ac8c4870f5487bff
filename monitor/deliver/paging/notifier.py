"""Reads signals, decides what to page, and sends it on one channel: at least once, in order, across restarts.

Reading never waits for sending, so that a channel that is down delays nothing else. Progress is saved only when
every page up to it was sent: a restart may send a page again, which its key makes harmless. Reading and sending
fail and restart independently, and continue where they stopped.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Final, Literal, NamedTuple, Protocol, get_args

from monitor.bus.ports import Batch, Partition
from monitor.deliver.paging.channel import Channel
from monitor.deliver.paging.incidents import Action, Page, Pages
from monitor.deliver.paging.queue import Backlog, Waiting
from monitor.model.backoff import Backoff, kept_going
from monitor.model.events import MICROS
from monitor.model.histogram import BucketCounter, Histogram
from monitor.model.signals import Signal

log = logging.getLogger(__name__)

POLL_S: Final = 0.5
"""Longest wait for signals in one poll, seconds; a signal ends it at once."""
KEEP_S: Final = 5.0
"""Interval of saving progress while nothing is paged, seconds; at most this much is read again after a restart."""
RESTART_S: Final = 0.5
LONGEST_RESTART_S: Final = 10.0
"""Longest pause before a restart, seconds, which is also how late a page may be sent."""
HEALTHY_S: Final = 30.0
"""Time after which a part that ran without failing counts as healthy again, seconds."""
BOUNDS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds of the page latency's buckets, seconds, around the objective of three."""

Part = Literal["reading", "sending"]
UNKNOWN: Final = "unknown"
"""Action of a signal that was dropped before its page was known."""


class Reader(Protocol):
    """Source of signals: the part of :class:`monitor.bus.ports.Subscriber` that is needed here."""

    async def poll(self, timeout_s: float) -> list[Batch]:
        """Return the batches that wait or arrive within ``timeout_s``; may be called again after an error."""

    async def close(self) -> None:
        """Release all resources."""


class Progress(Protocol):
    """Storage of a notifier's progress."""

    async def save(self, offsets: Mapping[Partition, int], states: Mapping[Partition, bytes]) -> None:
        """Save the next offset and the open incidents of each partition; raise ``OSError`` on failure."""


class NotifierStats(NamedTuple):
    """The state of one channel.

    Attributes:
        channel: its name.
        accepted: pages accepted, by action.
        failures: failed attempts, by reason.
        pending: pages that are not accepted yet.
        open: asset and direction of the incidents that are open.
        read_us: when signals (or the heartbeats among them) were last read, 0 for never.
        latency: from a signal's sending to its page's acceptance, seconds.
        save_failures: failed attempts to save the progress.
        crashes: restarts of reading or sending after an unexpected error.
        failing: true after such an error until all pages are sent and reading has continued for
            :data:`HEALTHY_S`.
        given_up: pages dropped after unexpected errors, by action, and signals dropped by the same reason.
        forgot_us: time at which a partition's unreadable open incidents were last dropped, 0 for never.
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
    given_up: Mapping[str, int] = {}
    forgot_us: int = 0


class Notifier:
    """Reads signals and pages them on one channel.

    Args:
        channel: sends the pages.
        reader: source of the signals; closed by :meth:`close`.
        progress: storage of the progress.
        clock: returns the machine's time in microseconds.
        assets: assets whose cascades are paged, None for all.
    """

    def __init__(
        self,
        channel: Channel,
        reader: Reader,
        progress: Progress,
        clock: Callable[[], int],
        assets: Collection[str] | None = None,
    ) -> None:
        self.channel = channel
        self._reader = reader
        self._progress = progress
        self._clock = clock
        self._assets = assets
        self._pages: dict[Partition, Pages] = {}
        self._accepted: set[str] = set()  # episodes whose incident the channel has accepted
        self._read: dict[Partition, int] = {}
        self._pending = Backlog()
        self._work = asyncio.Event()
        self._kept_us = 0
        self._dirty = False
        self._saving = asyncio.Lock()
        self._read_us = 0
        self._latency_s = BucketCounter(BOUNDS_S)
        self._save_failures = 0
        self._crashes = 0
        self._failing: set[Part] = set()
        self._given_up = dict.fromkeys((*get_args(Action), UNKNOWN), 0)
        self._forgot_us = 0

    # Assignment of partitions.

    def restore(self, partition: Partition, state: bytes) -> None:
        """Restore the incidents that were open in a partition. Raises ``ValueError`` if ``state`` is unreadable."""
        pages = Pages(self._assets)
        if state:
            pages.load(state)
        self._pages[partition] = pages
        self._accepted.update(page.episode_id for page in pages.open)

    def begin(self, partition: Partition, offset: int) -> None:
        """Begin a partition without saved progress at ``offset``, which is saved next."""
        self.restore(partition, b"")
        self._read[partition] = offset
        self._dirty, self._kept_us = True, 0

    def begin_anew(self, partition: Partition, offset: int) -> None:
        """Begin a partition with unreadable progress at ``offset``, as if no incident were open there."""
        self._forgot_us = self._clock()
        self.begin(partition, offset)

    def forget(self, partitions: Iterable[Partition] | None = None) -> None:
        """Discard the unsent pages of revoked partitions (None for all); their new owner sends them."""
        gone = frozenset(self._pages if partitions is None else partitions)
        for partition in gone:
            self._pages.pop(partition, None)
            self._read.pop(partition, None)
        self._pending.drop(gone)

    def end_all_but(self, running: Collection[str]) -> None:
        """Resolve the open incidents whose episodes no longer run."""
        for partition, pages in self._pages.items():
            self._pending.add(partition, pages.end_all_but(running))
        self._work.set()

    # Reading and sending.

    async def run(self, rng: random.Random) -> None:
        """Read and send until cancelled; restart either after an error. ``rng`` gives the jitter of the pauses."""
        parts: tuple[tuple[Part, Callable[[], Awaitable[None]]], ...] = (
            ("reading", self._follow),
            ("sending", self._send),
        )
        async with asyncio.TaskGroup() as group:
            for part, work in parts:
                backoff = Backoff(rng, RESTART_S, LONGEST_RESTART_S, HEALTHY_S)
                group.create_task(kept_going(work, backoff, partial(self._failed, part)))

    async def close(self) -> None:
        """Save the progress, if all pages were sent, and close reader and channel."""
        await self._keep()
        await self._reader.close()
        await self.channel.close()

    def _failed(self, part: Part, error: Exception) -> None:
        self._crashes += 1
        self._failing.add(part)
        log.error("%s: the notifier's %s failed; restarting it", self.channel.name, part, exc_info=error)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while True:
            for batch in await self._reader.poll(POLL_S):
                self._read_us = self._clock()
                self._take(batch.partition, batch.records)
                self._read[batch.partition] = batch.next_offset
                self._dirty = True
            if self._pending:
                self._work.set()
                continue
            # Only after HEALTHY_S: a reader that fails every few seconds would otherwise look healthy in between.
            if loop.time() - began_s >= HEALTHY_S:
                self._failing.discard("reading")
            if self._dirty and self._clock() - self._kept_us >= KEEP_S * MICROS:
                await self._keep()

    def _take(self, partition: Partition, records: Iterable[object]) -> None:
        pages = self._pages.get(partition)
        if pages is None:
            pages = self._pages[partition] = Pages(self._assets)
        for record in records:
            if not isinstance(record, Signal):
                continue
            try:
                page = pages.take(record)
            except Exception:  # a retry would fail in the same way
                self._given_up[UNKNOWN] += 1
                log.exception(
                    "%s: a signal of %s is dropped after an unexpected error", self.channel.name, record.episode_id
                )
                continue
            if page is not None:
                self._pending.add(partition, [page])

    async def _send(self) -> None:
        while True:
            while self._pending:
                sending = self._pending.first
                try:
                    await self._deliver(sending.page)
                except Exception:
                    self._fault(sending)
                    raise
                self._pending.done(sending)
            await self._keep()
            self._failing.discard("sending")
            await self._work.wait()
            self._work.clear()

    def _fault(self, sending: Waiting) -> None:
        if self._pending.fault(sending):
            self._given_up[sending.page.action] += 1
            log.error(
                "%s: %s of %s is dropped after repeated unexpected errors",
                self.channel.name,
                sending.page.action,
                sending.page.episode_id,
            )

    async def _deliver(self, page: Page) -> None:
        if not await self.channel.deliver(page):
            return
        if page.action == "resolve":
            self._accepted.discard(page.episode_id)
        else:
            self._accepted.add(page.episode_id)
        if page.signal is not None:
            self._latency_s.observe((self._clock() - page.signal.emitted_time_us) / MICROS)
        log.info("%s: %s %s", self.channel.name, page.action, page.episode_id)

    async def _keep(self) -> None:
        """Save the progress, if every page up to it was sent."""
        async with self._saving:
            if self._pending or not self._read:
                return
            offsets = dict(self._read)
            states = {partition: self._pages[partition].state(self._accepted) for partition in offsets}
            self._kept_us, self._dirty = self._clock(), False
            try:
                await self._progress.save(offsets, states)
            except OSError as error:
                self._save_failures += 1
                log.warning(
                    "%s: the progress cannot be saved (%s); pages may be repeated after a restart",
                    self.channel.name,
                    error,
                )

    def stats(self) -> NotifierStats:
        """Return the channel's state."""
        shown = {
            page.scope for pages in self._pages.values() for page in pages.open if page.episode_id in self._accepted
        }
        return NotifierStats(
            channel=self.channel.name,
            accepted=dict(self.channel.accepted),
            failures=dict(self.channel.failures),
            pending=len(self._pending),
            open=shown,
            read_us=self._read_us,
            latency=self._latency_s.histogram(),
            save_failures=self._save_failures,
            crashes=self._crashes,
            failing=bool(self._failing),
            given_up=dict(self._given_up),
            forgot_us=self._forgot_us,
        )
