"""Everything that the program counts is exported: each number of a snapshot changes the scrape."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pytest

from monitor.collect.fleet_stats import FleetStats
from monitor.collect.quality.feed_health import DownConnection, FeedHealthStats
from monitor.collect.quality.side_check import SideStats
from monitor.collect.rest.jobs import RestJobsStats
from monitor.collect.stats import SessionStats, total
from monitor.deliver.metrics.exposition import Family
from monitor.deliver.metrics.monitor import MonitorMetrics, Snapshot
from monitor.detect.view import AssetView
from monitor.model.histogram import BucketCounter, Histogram
from monitor.roles.detector import _snapshot
from monitor.roles.group_member import Member
from monitor.roles.shard_owner import Counters
from monitor.settings import Settings
from tests.deliver.metrics.test_monitor import FULL, fleet

WATCH: Final = FeedHealthStats(
    up=True,
    down=[DownConnection("linear-1", "stale", 5_000_000)],
    drift={"unknown_key": 1, "unknown_value": 1, "unknown_channel": 1, "malformed": 1},
    findings=[],
    side=SideStats(2, 3, 4.0, False),
    last_liquidation_us=6_000_000,
)
REST: Final = RestJobsStats(SessionStats("bybit", "rest"), 1.5, 100, 4, 900, 2, 7.0, 12_000, 3, 1)
PARTS: Final = fleet().connections
EVERYTHING: Final = FULL._replace(
    fleets=[FleetStats("bybit", PARTS, total("bybit", [*PARTS, REST.events]), True, 1, 2, 3, REST, WATCH)]
)
"""A snapshot in which no part is missing."""


def variants(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield copies of a value, each with one number changed, and the place of that number.

    Numbers of a single asset are left out: most are for the dashboard alone.
    """
    if isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int | float):
        yield path, value + 1
    elif isinstance(value, Histogram | BucketCounter):
        yield path, _with(value, "counts", [value.counts[0] + 1, *value.counts[1:]])
    elif isinstance(value, FleetStats):
        yield from _fleet_variants(value, path)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from ((at, {**value, key: new}) for at, new in variants(inner, f"{path}[{key}]"))
    elif (names := _fields(value)) and not isinstance(value, AssetView):
        for name in names:
            yield from ((at, _with(value, name, new)) for at, new in variants(getattr(value, name), f"{path}.{name}"))
    elif isinstance(value, list | tuple) and not isinstance(value, AssetView):
        for index, inner in enumerate(value):
            for at, new in variants(inner, f"{path}[{index}]"):
                yield at, [*value[:index], new, *value[index + 1 :]]


def _fleet_variants(value: FleetStats, path: str) -> Iterator[tuple[str, FleetStats]]:
    """Yield a fleet's variants. As in the fleet itself the total is that of its connections and of REST."""
    for name in FleetStats._fields:
        for at, new in () if name == "total" else variants(getattr(value, name), f"{path}.{name}"):
            changed = _with(value, name, new)
            parts = [*changed.connections, *([changed.rest_jobs.events] if changed.rest_jobs else [])]
            if not at.endswith(".rest_jobs.events.connected"):  # REST has no socket
                yield at, changed._replace(total=total(value.venue, parts))


def _fields(value: Any) -> Sequence[str]:
    return getattr(value, "_fields", ()) or (SessionStats.__slots__ if isinstance(value, SessionStats) else ())


def _with(value: Any, name: str, new: Any) -> Any:
    if hasattr(value, "_replace"):
        return value._replace(**{name: new})
    changed = copy.copy(value)
    setattr(changed, name, new)
    return changed


def exported(snapshot: Snapshot) -> list[Family]:
    """Return the families of a scrape."""
    return list(MonitorMetrics(lambda: snapshot).families())


def test_every_number_of_a_snapshot_is_exported() -> None:
    """No count, sum, time or flag that a part reports is kept without a metric."""
    before = exported(EVERYTHING)
    unseen = [path for path, changed in variants(EVERYTHING) if exported(changed) == before]
    assert unseen == []


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Counters)])
async def test_every_counter_of_a_detector_process_is_exported(name: str) -> None:
    """No counter that the owners of shards share is kept without a metric."""
    member = Member(Settings(), lambda: 0)
    try:
        before = exported(_snapshot(member))
        ((_, changed), *_) = variants(getattr(member.counters, name))
        setattr(member.counters, name, changed)
        assert exported(_snapshot(member)) != before
    finally:
        await member.subscriber.close()


def test_every_number_has_a_variant() -> None:
    """The variants reach numbers in mappings, sequences, tuples with names, counters of sessions and histograms."""
    stats = SessionStats("okx", "0")
    nested = {"side": SideStats(1, 2, 3.0, False), "many": [1, (True, "text")], "sum": Histogram((1.0,), (4, 5), 6.0)}
    assert [path for path, _ in variants(nested)] == [
        "[side].agreed",
        "[side].disagreed",
        "[side].evidence",
        "[side].suspect",
        "[many][0]",
        "[many][1][0]",
        "[sum]",
    ]
    assert {path.partition("[")[0] for path, _ in variants(stats)} == {
        f".{name}" for name in SessionStats.__slots__ if name not in {"venue", "connection"}
    }
