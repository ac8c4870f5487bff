"""Runs role ``detector`` on Kafka: a member of the consumer group whose members divide the assets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvloop

from monitor.deliver.dashboard.state import Source
from monitor.deliver.http import Check, visibility_check
from monitor.deliver.metrics.monitor import Snapshot
from monitor.model.visibility import MonitorVisibility, contacts_of, visibility
from monitor.roles.clock import SteadyClock
from monitor.roles.group_member import Member
from monitor.roles.serving import serving
from monitor.roles.time_check import time_check
from monitor.roles.topics_check import topics_check
from monitor.settings import Settings

log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Run role ``detector`` until cancelled, for ``cascade-monitor run``."""
    uvloop.run(_watch(settings))
    return 0


async def _watch(settings: Settings) -> None:
    async with detecting(settings) as url:
        log.info("detecting as a member of %s; metrics at %s/metrics", settings.bus.kafka.group, url)
        await asyncio.Event().wait()


@asynccontextmanager
async def detecting(settings: Settings, clock: Callable[[], int] | None = None) -> AsyncIterator[str]:
    """Run a detector while the context lasts; yield the address of its HTTP server.

    Raises:
        OperatorError: Kafka cannot be used; the text names the remedy.
        OSError: the metrics port is in use.
    """
    now_us = clock or SteadyClock()
    member = Member(settings, now_us)

    started_us = now_us()

    def seen() -> MonitorVisibility | None:
        heartbeats = member.heartbeats()
        return None if heartbeats is None else visibility(contacts_of(heartbeats, now_us()), now_us(), started_us)

    def checks() -> list[Check]:
        tolerance_s = settings.detector.arrival.tolerance_seconds
        found = seen()
        return [
            member.ready(),
            *([] if found is None else [visibility_check(found)]),
            topics_check(member.watch.trouble()),
            time_check(member.second(), member.ahead(), now_us(), tolerance_s),
        ]

    async with serving(
        settings.delivery,
        snapshot=lambda: _snapshot(member)._replace(visibility=seen()),
        checks=checks,
        work=[member.run],
        dashboard=Source(member.monitored, member.second, list, now_us, gap_ratios=member.gap_ratios, visibility=seen),
    ) as url:
        yield url


def _snapshot(member: Member) -> Snapshot:
    subscriber = member.subscriber
    untouched = dict.fromkeys(subscriber.assignment(), 0)
    return Snapshot(
        detector=member.view(),
        decision_latency=member.counters.latency,
        lag=subscriber.lags(),
        state_saved_us=member.kept_us(),
        summaries_passed_over=member.passed_over(),
        records_unreadable=member.unreadable.count,
        records_lost=untouched | subscriber.continuity.lost,
        offset_resets=untouched | subscriber.continuity.resets,
        topics_missing=len(member.watch.missing),
        state_lost=member.losses.view(),
        commits=member.counters.commits,
        shards_lost=member.counters.lost,
        rebalances=member.counters.rebalances,
    )
