"""Builds the notifiers, one a channel, from settings, and runs role ``notifier`` on Kafka."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import uvloop

from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.topic_watch import TopicWatch
from monitor.bus.memory import MemoryBus
from monitor.bus.ports import Partition
from monitor.bus.topics import SIGNALS
from monitor.deliver.http import Check
from monitor.deliver.metrics.monitor import Snapshot
from monitor.deliver.paging import pagerduty, slack, webhook
from monitor.deliver.paging.channel import Channel
from monitor.deliver.paging.notifier import Notifier, NotifierStats
from monitor.deliver.paging.text import Links
from monitor.detect.detector import Detector
from monitor.model.errors import OperatorError
from monitor.roles.clock import wall_clock_us
from monitor.roles.notifier_progress import FileProgress, GroupNotifier
from monitor.roles.serving import serving
from monitor.roles.topics_check import topics_check
from monitor.settings import Settings
from monitor.settings.notifier import NotifierSettings
from monitor.storage.side_output import SideOutput
from monitor.storage.state_losses import StateLosses

log = logging.getLogger(__name__)


def channels(settings: NotifierSettings, proxy: str | None) -> list[Channel]:
    """Return the channels that are configured, reached through ``proxy`` unless it is None."""
    links = Links(settings.dashboard_url, settings.runbook_url, settings.replay_command)
    found = []
    if settings.pagerduty.routing_key is not None:
        key = settings.pagerduty.routing_key.get_secret_value().strip()
        found.append(pagerduty.channel(settings.pagerduty.url, key, links, proxy))
    if settings.webhook.url is not None:
        found.append(webhook.channel(settings.webhook.url.get_secret_value().strip(), links, proxy))
    if settings.slack.url is not None:
        found.append(slack.channel(settings.slack.url.get_secret_value().strip(), links, proxy))
    return found


def local_notifiers(
    settings: NotifierSettings,
    bus: MemoryBus,
    detector: Detector,
    clock: Callable[[], int],
    output: SideOutput,
    *,
    losses: StateLosses,
    proxy: str | None = None,
) -> list[Notifier]:
    """Return the notifiers of role ``all``; incidents whose episode ended while it was stopped are resolved at once.

    Args:
        settings: channels, and the assets whose cascades page.
        bus: source of the signals.
        detector: holds the running episodes.
        clock: returns the machine's time in microseconds.
        output: writes the open incidents.
        losses: counts a damaged file of incidents, or refuses it.
        proxy: proxy for all hosts but this machine; None connects directly.

    Raises:
        OperatorError: the saved incidents cannot be read, or are damaged and refused.
    """
    assets = None if settings.assets == "all" else settings.assets
    running = {episode.episode_id for view in detector.view().assets for episode in view.episodes}
    notifiers = []
    for channel in channels(settings, proxy):
        path = settings.state_file
        progress = FileProgress(path and path.with_name(f"{path.name}.{channel.name}"), output, losses)
        notifier = Notifier(channel, bus.subscriber([SIGNALS]), progress, clock, assets)
        progress.restore(notifier)
        notifier.end_all_but(running)
        notifiers.append(notifier)
    return notifiers


async def run_local(notifier: Notifier, rng: random.Random) -> None:
    """Page until cancelled, then save the progress."""
    try:
        await notifier.run(rng)
    finally:
        await notifier.close()


def faults(stats: Sequence[NotifierStats]) -> Check:
    """Check that every notifier that failed has recovered."""
    failing = [f"{one.channel}: failed and restarted, {one.pending} pages wait" for one in stats if one.failing]
    return Check("notifiers", not failing, "; ".join(failing) or "at work")


def run(settings: Settings) -> int:
    """Run role ``notifier`` until cancelled, for ``cascade-monitor run``."""
    uvloop.run(_watch(settings))
    return 0


async def _watch(settings: Settings) -> None:
    async with notifying(settings) as url:
        names = ", ".join(channel.name for channel in channels(settings.notifier, None))
        log.info("paging by %s; metrics at %s/metrics", names, url)
        await asyncio.Event().wait()


def _largest(lags: Iterable[Mapping[Partition, int]]) -> dict[Partition, int]:
    """Return the lag of the channel that is furthest behind, by partition."""
    largest: dict[Partition, int] = {}
    for each in lags:
        for partition, lag in each.items():
            largest[partition] = max(lag, largest.get(partition, 0))
    return largest


def _added(partitions: Iterable[Partition], counts: Iterable[Mapping[Partition, int]]) -> dict[Partition, int]:
    """Return the sums by partition, 0 for a partition without counts."""
    sums = dict.fromkeys(partitions, 0)
    for each in counts:
        for partition, count in each.items():
            sums[partition] = sums.get(partition, 0) + count
    return sums


@asynccontextmanager
async def notifying(settings: Settings, clock: Callable[[], int] = wall_clock_us) -> AsyncIterator[str]:
    """Run the notifiers while the context lasts; yield the address of the HTTP server.

    Raises:
        OperatorError: no channel is configured, or Kafka cannot be used.
        OSError: the metrics port is in use.
    """
    configured = channels(settings.notifier, settings.network.proxy_url)
    if not configured:
        raise OperatorError(
            "role notifier has no channel: set notifier.pagerduty.routing_key_file, notifier.webhook.url_file or "
            "notifier.slack.url_file"
        )
    watch = TopicWatch(KafkaConnection.from_settings(settings.bus.kafka), [SIGNALS])
    members = [GroupNotifier(channel, settings, clock, watch) for channel in configured]
    async with serving(
        settings.delivery,
        snapshot=lambda: _snapshot(members)._replace(topics_missing=len(watch.missing)),
        checks=lambda: [*checks(members), topics_check(watch.trouble())],
        work=[partial(_page, members), watch.run],
    ) as url:
        yield url


async def _page(members: Sequence[GroupNotifier]) -> None:
    """Run the channels concurrently, so that at the end they also stop concurrently."""
    async with asyncio.TaskGroup() as group:
        for member in members:
            group.create_task(member.run(random.Random()))  # noqa: S311  # jitter is no secret


def _snapshot(members: Sequence[GroupNotifier]) -> Snapshot:
    lags = {member.notifier.stats().channel: member.lags() for member in members}
    lag = _largest(lags.values())
    return Snapshot(
        channel_lags=lags,
        lag=lag,
        notifiers=[member.notifier.stats() for member in members],
        records_unreadable=sum(member.unreadable.count for member in members),
        records_lost=_added(lag, (member.lost for member in members)),
        offset_resets=_added(lag, (member.resets for member in members)),
    )


def checks(members: Sequence[GroupNotifier]) -> list[Check]:
    """Check that every page was accepted, and that every notifier that failed has recovered."""
    stats = [member.notifier.stats() for member in members]
    late = [f"{one.channel}: {one.pending} pages wait" for one in stats if one.pending]
    return [Check("pages", not late, "; ".join(late) or "every page was accepted"), faults(stats)]
