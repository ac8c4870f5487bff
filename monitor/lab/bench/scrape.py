"""Measures a scrape of a large monitor beside prometheus-client's own ways to write as many series."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from monitor.bus.ports import Partition
from monitor.bus.topics import MARKET_TOPICS
from monitor.collect.fleet_stats import FleetStats
from monitor.collect.stats import SessionStats, total
from monitor.deliver.metrics.monitor import MonitorMetrics, Snapshot
from monitor.detect.flow.windows import WINDOWS
from monitor.detect.view import AssetView, DetectorView, EpisodeView
from monitor.lab.bench.measure import Case, Group, measure
from monitor.model.histogram import Histogram
from monitor.model.signals import WindowTotals
from monitor.roles.decider import BOUNDS_S

ASSETS: Final = 200
VENUES: Final = 14
CONNECTIONS: Final = 4
"""Number of connections of each venue."""
GAUGES: Final = "client's gauges"
COLLECTOR: Final = "client's collector"
OURS: Final = "monitor"


def snapshot() -> Snapshot:
    """Return what 200 assets on 14 venues export in a cascade."""
    return Snapshot(
        detector=DetectorView(
            assets=[_asset(f"ASSET{number}") for number in range(ASSETS)],
            signals_by_phase={},
            liquidations=0,
            liquidated_usd=(0.0, 0.0),
            duplicates_by_venue={},
            late_by_venue={},
            venues_in_gap=(),
            second=1_764_000_000,
        ),
        decision_latency=Histogram(BOUNDS_S, [1] * (len(BOUNDS_S) + 1), 1.0),
        fleets=[_fleet(f"venue-{number}") for number in range(VENUES)],
        lag={Partition(topic.name, number): 1 for topic in MARKET_TOPICS for number in range(24)},
        instruments_age_s={f"venue-{number}": 60.0 for number in range(VENUES)},
    )


def _asset(name: str) -> AssetView:
    windows = {window: WindowTotals(1234567.891234, 765432.198765, 42) for window in WINDOWS}
    return AssetView(
        asset=name,
        phase="cascade",
        direction="long",
        risk_score=71.234,
        price=61234.5678,
        drawdown_by_window={"5m": 0.0123, "1h": 0.0345, "24h": 0.0567},
        windows=windows,
        open_interest_usd=1.23456e9,
        funding_rate=0.0001,
        coverage_ratio=0.61,
        evidence=(),
        episode_id=f"{name}-long-20251010T211500Z",
        venues={},
        episodes=[EpisodeView(f"{name}-long-20251010T211500Z", "long", "cascade", 2)],
    )


def _fleet(venue: str) -> FleetStats:
    connections = [SessionStats(venue, f"market-{number}") for number in range(CONNECTIONS)]
    return FleetStats(
        venue=venue,
        connections=connections,
        total=total(venue, connections),
        folding=False,
        switched_to_bars=0,
        switched_to_each=0,
        rejects_suppressed=0,
    )


class _Families(Collector):
    """Gives the monitor's families to prometheus-client at each scrape."""

    def __init__(self, shown: MonitorMetrics) -> None:
        self._shown = shown

    def collect(self) -> Iterable[Metric]:
        """Return all families."""
        return [family.metric() for family in self._shown.families()]


def group(rounds: int) -> Group:
    """Measure a scrape of the same series in three ways."""
    taken = snapshot()
    shown = MonitorMetrics(lambda: taken)
    series = sum(line[:1] not in (b"#", b"") for line in shown.exposition().split(b"\n"))
    collected, gauges = CollectorRegistry(), CollectorRegistry()
    collected.register(_Families(shown))
    many = Gauge("cascade_liquidated_usd", "Liquidated.", ["asset", "side", "window"], registry=gauges)
    for number in range(series):
        many.labels(f"ASSET{number}", "long", "5m").set(1234567.891234)

    def scrape(text: bytes) -> int:
        return series if text else 0

    cases = [
        Case(GAUGES, "series", lambda _: scrape(generate_latest(gauges))),
        Case(COLLECTOR, "series", lambda _: scrape(generate_latest(collected))),
        Case(OURS, "series", lambda _: scrape(shown.exposition())),
    ]
    rows = measure(cases, rounds)
    cost_ms = 1e3 * series / rows[-1].median
    notes = (
        f"{ASSETS} assets on {VENUES} venues: {series:,} series, {cost_ms:.0f} ms of CPU a scrape of the monitor, in a "
        "thread of its own",
    )
    return Group("scrape", rows, (COLLECTOR, GAUGES), notes)
