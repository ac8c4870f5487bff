"""Defines the counts of one venue's fleet, as the metrics and the dashboard read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from monitor.collect.quality.feed_health import FeedHealthStats
from monitor.collect.rest.jobs import RestJobsStats
from monitor.collect.stats import SessionStats


class FleetStats(NamedTuple):
    """Holds the state and the counts of one venue's collection.

    Attributes:
        venue: the venue.
        connections: counts of each connection.
        total: sum over the connections and the REST requests.
        folding: true while trades are published as bars.
        switched_to_bars, switched_to_each: number of switches because of overload, and because it was over.
        rejects_suppressed: rejects that were counted but not published.
        rest_jobs: counts of the REST requests, None without REST.
        feed_health: results of the feed's quality checks.
        symbols: number of symbols to subscribe.
        topics_missing: number of topics that the exchange refused, by channel; "" for those whose channel is not known.
    """

    venue: str
    connections: list[SessionStats]
    total: SessionStats
    folding: bool
    switched_to_bars: int
    switched_to_each: int
    rejects_suppressed: int
    rest_jobs: RestJobsStats | None = None
    feed_health: FeedHealthStats | None = None
    symbols: int = 0
    topics_missing: Mapping[str, int] = MappingProxyType({})
