"""From settings to notifiers at work, one a channel; and role ``notifier`` on Kafka."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.transactions import committed
from monitor.bus.memory import MemoryBus
from monitor.bus.ports import Batch, Partition
from monitor.bus.topics import SIGNALS
from monitor.deliver.http import Check, HttpServer, routes
from monitor.deliver.loop_health import Pulse
from monitor.deliver.metrics.monitor import MonitorMetrics, Snapshot
from monitor.deliver.paging.channel import Channel
from monitor.deliver.paging.notifier import Notifier, NotifierStats
from monitor.deliver.paging.text import Links, pagerduty, slack, webhook
from monitor.detect.detector import Detector
from monitor.model.errors import OperatorError
from monitor.roles import state_file
from monitor.roles.clock import monotonic_us, wall_clock_us
from monitor.roles.unreadable import Unreadable
from monitor.settings import Settings
from monitor.settings.notifier import NotifierSettings
from monitor.storage.side_output import SideOutput

log = logging.getLogger(__name__)

SAVE_S: Final = 1.0
"""So long the next page waits for a disk that is slow."""
NOTE_BYTES: Final = 4000
"""Kafka refuses an offset's metadata above 4096 bytes (``offset.metadata.max.bytes``)."""


def channels(settings: NotifierSettings) -> list[Channel]:
    """The channels that are configured."""
    links = Links(settings.dashboard_url, settings.runbook_url, settings.replay_command)
    found = []
    if settings.pagerduty.routing_key is not None:
        key = settings.pagerduty.routing_key.get_secret_value().strip()
        found.append(Channel("pagerduty", settings.pagerduty.url, pagerduty(key, links), key))
    if settings.webhook.url is not None:
        found.append(Channel("webhook", settings.webhook.url.get_secret_value().strip(), webhook(links)))
    if settings.slack.url is not None:
        found.append(Channel("slack", settings.slack.url.get_secret_value().strip(), slack(links)))
    return found


class FileProgress:
    """Open incidents in a local file, for one process without Kafka; there is nothing to read again there.

    Args:
        path: the file, None for none.
        output: writes it.
    """

    def __init__(self, path: Path | None, output: SideOutput) -> None:
        self._output = output
        self._path = path
        self._kept = b""

    def load(self) -> bytes:
        """The incidents that were open; empty where there is no file. Raises ``OperatorError`` if it cannot be read."""
        if self._path is None or not self._path.exists():
            return b""
        try:
            self._kept = self._path.read_bytes()
        except OSError as error:
            raise OperatorError(f"{self._path}: what was paged cannot be read: {error}; move the file away") from None
        return self._kept

    async def save(self, offsets: Mapping[Partition, int], states: Mapping[Partition, bytes]) -> None:
        """Have the file replaced where anything changed. Raises ``OSError`` where that is not done soon."""
        state = next(iter(states.values()))
        if self._path is not None and state != self._kept:
            self._output.put(partial(state_file.save, self._path, state), size=len(state), key=str(self._path))
            self._kept = state
            if not await asyncio.to_thread(self._output.settled, SAVE_S):
                raise OSError(self._output.stats().reason or "the disk is slow")


def _note(state: bytes) -> str:
    """The newest incidents that fit; sixty a partition do."""
    if len(state) <= NOTE_BYTES:
        return state.decode()
    pages = msgspec.json.decode(state, type=list[msgspec.Raw])
    while len(msgspec.json.encode(pages)) > NOTE_BYTES:
        del pages[0]
    log.error("more incidents are open in a partition than its offset can hold; the oldest will not be resolved")
    return msgspec.json.encode(pages).decode()


def local_notifiers(
    settings: NotifierSettings, bus: MemoryBus, detector: Detector, clock: Callable[[], int], output: SideOutput
) -> list[Notifier]:
    """The notifiers of role ``all``. Incidents whose episode ended while nobody looked are resolved at once.

    Args:
        settings: channels, and whose cascades page.
        bus: signals.
        detector: knows the episodes that run.
        clock: the machine's time in microseconds.
        output: keeps the open incidents.

    Raises:
        OperatorError: what was paged before cannot be read.
    """
    assets = None if settings.assets == "all" else settings.assets
    running = {episode.episode_id for view in detector.view().assets for episode in view.episodes}
    notifiers = []
    for channel in channels(settings):
        path = settings.state_file
        progress = FileProgress(path and path.with_name(f"{path.name}.{channel.name}"), output)
        notifier = Notifier(channel, bus.subscriber([SIGNALS]), progress, clock, assets)
        try:
            notifier.restore(Partition(SIGNALS.name, 0), progress.load())
        except ValueError as error:
            raise OperatorError(
                f"{path}.{channel.name}: what was paged cannot be read: {error}; move the file away"
            ) from None
        notifier.end_all_but(running)
        notifiers.append(notifier)
    return notifiers


async def run_local(notifier: Notifier, rng: random.Random) -> None:
    """Page until cancelled, then keep how far that went."""
    try:
        await notifier.run(rng)
    finally:
        await notifier.close()


def faults(stats: Sequence[NotifierStats]) -> Check:
    """Whether every notifier has made good its faults."""
    failing = [f"{one.channel}: failed and restarted, {one.pending} pages wait" for one in stats if one.failing]
    return Check("notifiers", not failing, "; ".join(failing) or "at work")


class GroupNotifier:
    """One channel of role ``notifier``: a group of its own, so that a channel that is down holds up no other.

    It is its notifier's reader and progress. Where reading fails it leaves the group and joins anew with the next
    :meth:`poll`: what was read and not kept is read again. The open incidents of a partition are its offset's metadata.

    Raises:
        OperatorError: Kafka cannot be used as it is.
    """

    def __init__(self, channel: Channel, settings: Settings, clock: Callable[[], int]) -> None:
        self._connection = KafkaConnection.from_settings(settings.bus.kafka)
        self._group = f"{settings.notifier.group}-{channel.name}"
        self.unreadable = Unreadable(clock)
        self.lost: dict[Partition, int] = {}
        self.resets: dict[Partition, int] = {}
        self._subscriber = self._outside()
        self._joined = False
        assets = None if settings.notifier.assets == "all" else settings.notifier.assets
        self.notifier = Notifier(channel, self, self, clock, assets)

    def _outside(self) -> KafkaSubscriber:
        """Who has not joined yet."""
        subscriber = KafkaSubscriber(
            self._connection,
            [SIGNALS],
            group=self._group,
            start_at="latest",  # a new channel pages what happens, not what did
            on_assigned=self._assigned,
            on_revoked=self._revoked,
            on_reject=self.unreadable,
        )
        subscriber.lost, subscriber.resets = self.lost, self.resets  # counted on by whoever joins next
        return subscriber

    async def run(self, rng: random.Random) -> None:
        """Page until cancelled. Raises ``OperatorError`` where the group cannot be joined at the start."""
        try:
            await self._join()
            await self.notifier.run(rng)
        finally:
            await self.notifier.close()

    async def _join(self) -> None:
        await self._subscriber.start()
        self._joined = True

    async def poll(self, timeout_s: float) -> list[Batch]:
        """What the member reads. Raises what made it leave."""
        try:
            if not self._joined:
                await self._join()
            return await self._subscriber.poll(timeout_s)
        except Exception:
            await self._leave()
            raise

    async def _leave(self) -> None:
        left, self._subscriber, self._joined = self._subscriber, self._outside(), False
        self.notifier.forget()
        await left.close()

    async def _assigned(self, partitions: frozenset[Partition]) -> None:
        found = await committed(self._connection, self._group, partitions)
        for partition, (offset, note) in found.items():
            try:
                self.notifier.restore(partition, (note or "").encode())
            except ValueError as error:
                self._forget(partition, offset, note, error)
        # Kept at once, so that what comes now is read again if this process dies before it could page.
        for partition, end in (await self._subscriber.ends(partitions - found.keys())).items():
            self._subscriber.seek(partition, end)
            self.notifier.begin(partition, end)
        log.info("%s reads %d partitions of the signals", self._group, len(partitions))

    def _forget(self, partition: Partition, offset: int, note: str, error: ValueError) -> None:
        """Without its open incidents the channel pages what comes; without reading on it would page nobody."""
        self.notifier.begin_anew(partition, offset)
        log.error(
            "the open incidents that group %s keeps with its offset of %s/%d cannot be read (%s): %r. They are "
            "forgotten and reading goes on at %d: close by hand those whose episode is over "
            "(docs/runbooks/notifier-forgot.md)",
            self._group, self._connection.name(SIGNALS), partition.partition, error, note, offset,
        )  # fmt: skip

    async def _revoked(self, partitions: frozenset[Partition]) -> None:
        self.notifier.forget(partitions)

    async def save(self, offsets: Mapping[Partition, int], states: Mapping[Partition, bytes]) -> None:
        """Commit. Raises ``OSError`` where the brokers refuse."""
        try:
            await self._subscriber.commit(offsets, {where: _note(state) for where, state in states.items()})
        except BusError as error:
            raise OSError(str(error)) from error

    async def close(self) -> None:
        """Leave the group."""
        await self._subscriber.close()

    def lags(self) -> Mapping[Partition, int]:
        """Signals still to be read, by partition."""
        return self._subscriber.lags()


def run(settings: Settings) -> int:
    """Page until cancelled; what ``cascade-monitor run`` does with role ``notifier``."""
    uvloop.run(_watch(settings))
    return 0


async def _watch(settings: Settings) -> None:
    async with notifying(settings) as url:
        log.info("paging by %s; metrics at %s/metrics", ", ".join(c.name for c in channels(settings.notifier)), url)
        await asyncio.Event().wait()


def _added(partitions: Iterable[Partition], counts: Iterable[Mapping[Partition, int]]) -> dict[Partition, int]:
    """Sums by partition, 0 for those that no count has."""
    sums = dict.fromkeys(partitions, 0)
    for each in counts:
        for partition, count in each.items():
            sums[partition] = sums.get(partition, 0) + count
    return sums


@asynccontextmanager
async def notifying(settings: Settings, clock: Callable[[], int] = wall_clock_us) -> AsyncIterator[str]:
    """Notifiers at work while the context lasts; gives the address of the metrics.

    Raises:
        OperatorError: no channel is configured, or Kafka cannot be used as it is.
        OSError: the metrics port is taken.
    """
    configured = channels(settings.notifier)
    if not configured:
        raise OperatorError(
            "role notifier has nobody to page: set notifier.pagerduty.routing_key_file, notifier.webhook.url_file or "
            "notifier.slack.url_file"
        )
    members = [GroupNotifier(channel, settings, clock) for channel in configured]
    pulse = Pulse(monotonic_us)

    def snapshot() -> Snapshot:
        lag = members[0].lags()
        return Snapshot(
            lag=lag, loop_lag_s=pulse.lag_s, notifiers=[member.notifier.stats() for member in members],
            records_unreadable=sum(member.unreadable.count for member in members),
            records_lost=_added(members[0].lags(), (member.lost for member in members)),
            offset_resets=_added(members[0].lags(), (member.resets for member in members)),
        )  # fmt: skip

    metrics = MonitorMetrics(lambda: pulse.ask(snapshot))
    table = routes(metrics.exposition, lambda: pulse.alive, lambda: pulse.ask(lambda: checks(members)))
    with HttpServer(settings.delivery.host, settings.delivery.port, table) as server:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(member.run(random.Random())) for member in members]  # noqa: S311  # jitter
            tasks.append(group.create_task(pulse.run()))
            try:
                yield server.url
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)


def checks(members: Sequence[GroupNotifier]) -> list[Check]:
    """Whether every page was taken, and every fault made good."""
    stats = [member.notifier.stats() for member in members]
    late = [f"{one.channel}: {one.pending} pages wait" for one in stats if one.pending]
    return [Check("pages", not late, "; ".join(late) or "every page was accepted"), faults(stats)]
