"""Prometheus metrics, made at scrape time from plain counters: the hot path never touches a metric object.

Served in the classic text format alone: OpenMetrics forbids the pair ``cascade_liquidated_usd`` (rolling sum) and
``cascade_liquidated_usd_total`` (counter), and nothing here needs its exemplars.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from monitor import __version__
from monitor.bus.ports import BusStats, Partition
from monitor.collect.fleet_stats import FleetStats
from monitor.collect.stats import SessionStats, total
from monitor.deliver.metrics.context import context_rows
from monitor.deliver.metrics.decisions import (
    ahead_metrics,
    evidence_metrics,
    gap_metrics,
    market_metrics,
    quarantine_metrics,
    throttle_metrics,
)
from monitor.deliver.metrics.exposition import Family, Rows, Text, counter, gauge, histogram
from monitor.deliver.metrics.feeds import outlet_metrics, rest_metrics, traffic_metrics, watch_metrics
from monitor.deliver.metrics.outputs import output_metrics, state_metrics
from monitor.deliver.metrics.paging import page_metrics
from monitor.deliver.metrics.transport import bus_metrics, channel_lag_metrics, shard_metrics, topic_metrics
from monitor.deliver.metrics.visibility import visibility_metrics
from monitor.deliver.paging.notifier import NotifierStats
from monitor.detect.ingest.plausibility import Excess
from monitor.detect.view import AssetView, DetectorView
from monitor.model.events import MARKET, MICROS, SIDES
from monitor.model.histogram import Histogram
from monitor.model.signals import Phase
from monitor.model.visibility import MonitorVisibility
from monitor.storage.side_output import OutputStats
from monitor.storage.state_losses import Lost

REASONS: Final = get_args(Excess)
"""Why a liquidation may be excluded; each venue's counters begin at zero, so that an increase is seen."""

OTHER: Final = "other"
"""Label of everything beyond the assets that have series of their own."""

NO_CONNECTION: Final = "none"
"""Label ``connection`` of a configured venue that has no connection, because its contract data are not loaded yet."""

PHASES: Final[tuple[Phase, ...]] = ("calm", "relief", "building", "cascade")
"""From the mildest to the worst: what is folded shows its worst."""


class Snapshot(NamedTuple):
    """Everything that a scrape shows, taken at one moment on the event loop.

    Attributes:
        detector: the detector's view, None in a role without one.
        decision_latency: end of a market second to the sending of its signal, None in a role without a detector.
        fleets: one for each venue that is collected.
        lag: records still to be read, by topic and partition.
        instruments_age_s: age of the contract data by venue, seconds.
        loop_lag_s: by how much the event loop was late, seconds.
        notifiers: one for each channel that pages.
        state_saved_us: when the detector's state was last kept, of several the oldest; 0 where none is.
        instruments_failures: how often the contract data of a market could not be fetched, by venue.
        outputs: what is written beside the main work.
        state_lost: parts of the saved state that a restart could not use; None in a role that saves none.
        summaries_passed_over: summaries for the market that another detector version wrote, or that are unreadable.
        records_unreadable: records of Kafka that could not be decoded; None in a role that reads none.
        records_lost: records of Kafka that were removed before they were read, by partition.
        offset_resets: how often a partition's offsets began anew.
        bus: what the process publishes; None in a role that publishes no market events.
        topics_missing: number of Kafka topics of this process that do not exist; None without Kafka.
        bus_oldest_s: how long the oldest published batch waits for its confirmation, seconds; None without Kafka.
        commits: transactions of the detector on Kafka; None in a role without shards.
        shards_lost: shards whose state was discarded because another process owns them; None as for ``commits``.
        rebalances: how often the group divided the shards anew; None as for ``commits``.
        channel_lags: signals still to be read by each notifier channel, by partition.
        visibility: how much of the exchanges can be seen; None in a role that decides nothing.
    """

    detector: DetectorView | None = None
    decision_latency: Histogram | None = None
    fleets: Sequence[FleetStats] = ()
    lag: Mapping[Partition, int] = {}
    instruments_age_s: Mapping[str, float] = {}
    loop_lag_s: float = 0.0
    notifiers: Sequence[NotifierStats] = ()
    state_saved_us: int = 0
    instruments_failures: Mapping[str, int] = {}
    summaries_passed_over: int = 0
    outputs: Sequence[OutputStats] = ()
    state_lost: Lost | None = None
    records_unreadable: int | None = None
    records_lost: Mapping[Partition, int] = {}
    offset_resets: Mapping[Partition, int] = {}
    bus: BusStats | None = None
    bus_oldest_s: float | None = None
    topics_missing: int | None = None
    commits: int | None = None
    shards_lost: int | None = None
    rebalances: int | None = None
    channel_lags: Mapping[str, Mapping[Partition, int]] = {}
    visibility: MonitorVisibility | None = None


class MonitorMetrics:
    """Turns a snapshot into metric families, and these into text.

    Args:
        take: gives the snapshot; called once a scrape.
        venues: the configured ones; their counters start at zero rather than nowhere.
        assets: these always have series of their own.
        max_assets: as many assets have their own; the rest is folded into ``other``.
    """

    def __init__(
        self,
        take: Callable[[], Snapshot],
        venues: Iterable[str] = (),
        assets: Iterable[str] = (),
        max_assets: int = 200,
    ) -> None:
        self._take = take
        self._venues = tuple(venues)
        self._pinned = frozenset(assets) | {MARKET}
        self._max_assets = max_assets
        self._text = Text()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    def exposition(self) -> bytes:
        """The scrape's text (format 0.0.4), with the families of the process (CPU, memory, open files)."""
        return self._text.write(self.families()) + generate_latest(self._process)

    def families(self) -> Iterator[Family]:
        """All families of one scrape."""
        snapshot = self._take()
        yield gauge(
            "build_info",
            "Always 1; the labels hold the versions of the monitor and of Python.",
            ("version", "python"),
            [((__version__, platform.python_version()), 1.0)],
        )
        yield gauge(
            "event_loop_lag_seconds",
            "Largest delay of the event loop in the last 30 s, seconds.",
            (),
            [((), snapshot.loop_lag_s)],
        )
        yield gauge(
            "instruments_age_seconds",
            "Age of the venue's contract data, seconds.",
            ("venue",),
            [((venue,), age) for venue, age in snapshot.instruments_age_s.items()],
        )
        yield counter(
            "instruments_failures",
            "Failed requests for a market's contract data; the cache is used instead if there is one.",
            ("venue",),
            [
                ((venue,), count)
                for venue, count in (dict.fromkeys(self._venues, 0) | dict(snapshot.instruments_failures)).items()
            ],
        )
        yield gauge(
            "consumer_lag_records",
            "Records of the topic's partition that are not read yet.",
            ("topic", "partition"),
            [((key.topic, str(key.partition)), lag) for key, lag in snapshot.lag.items()],
        )
        yield from _connections([stats for fleet in snapshot.fleets for stats in fleet.connections], self._venues)
        yield from visibility_metrics(snapshot.visibility)
        venues = self._by_venue(snapshot.fleets)
        yield from _venues(venues)
        yield from traffic_metrics(venues)
        yield from watch_metrics(snapshot.fleets, self._venues)
        yield from rest_metrics(snapshot.fleets)
        yield from outlet_metrics(snapshot.fleets)
        yield from output_metrics(snapshot.outputs)
        yield from state_metrics(snapshot.state_lost)
        yield from page_metrics(snapshot.notifiers)
        yield from bus_metrics(snapshot.bus, snapshot.bus_oldest_s)
        yield from topic_metrics(snapshot.topics_missing)
        yield from shard_metrics(snapshot.commits, snapshot.shards_lost, snapshot.rebalances)
        yield from channel_lag_metrics(snapshot.channel_lags)
        if snapshot.state_saved_us:
            yield gauge(
                "state_saved_timestamp_seconds",
                "Unix time at which the detector's state was last saved, seconds; of several shards the oldest.",
                (),
                [((), snapshot.state_saved_us / MICROS)],
            )
        if snapshot.records_unreadable is not None:
            yield counter(
                "bus_records_unreadable",
                "Records read from Kafka that could not be decoded and were passed over.",
                (),
                [((), snapshot.records_unreadable)],
            )
            place = ("topic", "partition")
            yield counter(
                "records_lost",
                "Records that Kafka removed before they were read.",
                place,
                [((at.topic, str(at.partition)), lost) for at, lost in snapshot.records_lost.items()],
            )
            yield counter(
                "offsets_reset",
                "Restarts of a partition's offsets, as when a topic is deleted and created again.",
                place,
                [((at.topic, str(at.partition)), times) for at, times in snapshot.offset_resets.items()],
            )
        if snapshot.detector is not None:
            yield counter(
                "summaries_passed_over",
                "Summaries for the market skipped because they are of another detector version or unreadable.",
                (),
                [((), snapshot.summaries_passed_over)],
            )
            yield from self._detector(snapshot.detector)
        if snapshot.decision_latency is not None:
            yield histogram(
                "decision_latency_seconds",
                "Time from the end of the market second that a signal judges to its sending, seconds.",
                (),
                [((), snapshot.decision_latency)],
            )

    def _by_venue(self, fleets: Sequence[FleetStats]) -> list[SessionStats]:
        totals = {venue: total(venue, ()) for venue in self._venues} | {fleet.venue: fleet.total for fleet in fleets}
        return list(totals.values())

    def _detector(self, view: DetectorView) -> Iterator[Family]:
        yield counter(
            "signals",
            "Signals sent, by the phase that they report.",
            ("phase",),
            [((phase,), view.signals_by_phase.get(phase, 0)) for phase in PHASES],
        )
        for name, help_text, counts in (
            ("events_duplicate", "Duplicate events that were dropped.", view.duplicates_by_venue),
            (
                "events_late",
                "Late liquidations, received more than 2 s after their event time; they are counted all the same.",
                view.late_by_venue,
            ),
        ):
            venues = dict.fromkeys([*self._venues, *counts])
            yield counter(name, help_text, ("venue",), [((venue,), counts.get(venue, 0)) for venue in venues])
        venues = dict.fromkeys([*self._venues, *(venue for venue, _ in view.excluded)])
        yield counter(
            "liquidations_excluded",
            "Liquidations left out of all sums, because they exceed the open interest or lie far from the price.",
            ("venue", "reason"),
            [((venue, reason), view.excluded.get((venue, reason), 0)) for venue in venues for reason in REASONS],
        )
        yield counter("liquidations_counted", "Liquidations without duplicates.", (), [((), view.liquidations)])
        yield counter(
            "liquidations_counted_usd",
            "USD liquidated without duplicates, by the position's side.",
            ("side",),
            [((side,), usd) for side, usd in zip(SIDES, view.liquidated_usd, strict=True)],
        )
        yield counter(
            "liquidations_outdated",
            "Liquidations in no window, because they arrived after the longest window had passed them.",
            (),
            [((), view.outdated)],
        )
        yield counter(
            "liquidations_outdated_usd",
            "USD liquidated in no window, because it arrived after the longest window had passed it.",
            (),
            [((), view.outdated_usd)],
        )
        yield gauge(
            "decided_timestamp_seconds",
            "Market time that the detector has reached, Unix seconds; time() minus this is how far it is behind.",
            (),
            [((), view.second)],
        )
        yield from quarantine_metrics(view)
        yield from ahead_metrics(view.ahead, self._venues)
        if view.market is not None:
            yield from market_metrics(view.market)
        own, rest = split_assets(view.assets, self._pinned, self._max_assets)
        yield from _assets(own, rest)
        yield from throttle_metrics(own, view.assets)
        yield from gap_metrics(view.gap_ratios)
        yield from evidence_metrics(own)


def split_assets(
    assets: Iterable[AssetView], pinned: frozenset[str], most: int
) -> tuple[list[AssetView], list[AssetView]]:
    """Assets with series of their own, and the rest: the pinned ones, then by open interest."""
    ranked = sorted(assets, key=lambda view: (view.asset not in pinned, -(view.open_interest_usd or 0.0), view.asset))
    most = max(most, sum(view.asset in pinned for view in ranked))
    return ranked[:most], ranked[most:]


def _connections(sessions: Sequence[SessionStats], venues: Iterable[str]) -> Iterator[Family]:
    """Yield the state of every connection; a configured venue without one has the connection `none`, which is down."""
    labels = ("venue", "connection")
    planned = {stats.venue for stats in sessions}
    absent = [((venue, NO_CONNECTION), 0.0) for venue in venues if venue not in planned]
    yield gauge(
        "feed_connected",
        "1 while the connection is open and subscribed; a venue whose connections are not planned yet has `none`.",
        labels,
        [*(((stats.venue, stats.connection), float(stats.connected)) for stats in sessions), *absent],
    )
    yield gauge(
        "feed_last_message_timestamp_seconds",
        "Unix time at which the connection last delivered events, seconds; 0 for never.",
        labels,
        [((stats.venue, stats.connection), stats.last_message_us / MICROS) for stats in sessions],
    )


def _venues(venues: Sequence[SessionStats]) -> Iterator[Family]:
    one, by_reason = ("venue",), ("venue", "reason")
    yield counter("frames_received", "Frames received from the venue.", one, [((v.venue,), v.frames) for v in venues])
    yield counter(
        "frames_rejected",
        "Frames, or rows of frames, that could not be read, by reason.",
        by_reason,
        [((v.venue, reason), count) for v in venues for reason, count in v.rejects.items()],
    )
    yield counter(
        "events_received",
        "Market events read, before trades are aggregated into bars, by type.",
        ("venue", "type"),
        [((v.venue, kind), count) for v in venues for kind, count in v.events.items()],
    )
    yield counter(
        "rows_skipped",
        "Rows that were read and rightly make no event, by reason.",
        by_reason,
        [((v.venue, reason), count) for v in venues for reason, count in v.skipped.items()],
    )
    yield counter(
        "feed_reconnects",
        "Connections that ended or were replaced, by reason.",
        by_reason,
        [((v.venue, reason), count) for v in venues for reason, count in v.reconnects.items()],
    )
    yield counter(
        "feed_gap_seconds",
        "Length of the gaps in the feed, seconds, summed over connections.",
        one,
        [((v.venue,), v.gap_us / MICROS) for v in venues],
    )
    yield counter(
        "feed_refusals",
        "Subscriptions refused and errors reported by the venue.",
        one,
        [((v.venue,), v.refusals) for v in venues],
    )
    yield counter(
        "feed_crashes",
        "Sessions that were restarted after a fault in the monitor.",
        one,
        [((v.venue,), v.crashes) for v in venues],
    )
    liquidated = [
        row
        for v in venues
        for row in (
            ((v.venue, "long"), v.liquidated_long_micro_usd / MICROS),
            ((v.venue, "short"), v.liquidated_short_micro_usd / MICROS),
        )
    ]
    yield counter(
        "liquidated_usd",
        "USD liquidated, as reported by the venue, by the position's side.",
        ("venue", "side"),
        liquidated,
    )
    yield histogram(
        "event_age_seconds",
        "Time from the exchange's timestamp of a frame's first event to its receipt, seconds.",
        one,
        [((v.venue,), v.ages.histogram(unit=MICROS)) for v in venues],
    )


def _assets(own: Sequence[AssetView], rest: Sequence[AssetView]) -> Iterator[Family]:
    yield from _decisions(own, rest)
    yield gauge(
        "liquidated_usd",
        "USD liquidated within the window, by the position's side; `other` is the sum of the rest.",
        ("asset", "side", "window"),
        _liquidated(own, rest),
    )
    interest = [((view.asset,), view.open_interest_usd) for view in own]
    if rest:
        interest.append(((OTHER,), sum(view.open_interest_usd or 0.0 for view in rest)))
    yield gauge(
        "open_interest_usd",
        "Open interest of one side, USD.",
        ("asset",),
        [(labels, value) for labels, value in interest if value is not None],
    )
    for name, help_text, names, rows in context_rows(own):
        yield gauge(name, help_text, names, rows)
    yield gauge(
        "mark_price_usd",
        "Last mark price, USD.",
        ("asset",),
        [((view.asset,), view.price) for view in own if view.price is not None],
    )
    yield gauge(
        "drawdown_ratio",
        "Fall of the price from the window's high, as a share of the high.",
        ("asset", "window"),
        [((view.asset, window), value) for view in own for window, value in view.drawdown_by_window.items()],
    )
    yield gauge(
        "feed_coverage_ratio",
        "Share of the liquidated USD that feeds without throttling report.",
        ("asset",),
        [((view.asset,), view.coverage_ratio) for view in own if view.coverage_ratio is not None],
    )


def _decisions(own: Sequence[AssetView], rest: Sequence[AssetView]) -> Iterator[Family]:
    """Risk, phase and episodes; ``other`` shows the worst of the rest, so that nothing is hidden by folding."""
    risks = [((view.asset,), view.risk_score) for view in own]
    phases: list[tuple[str, Phase]] = [(view.asset, view.phase) for view in own]
    if rest:
        risks.append(((OTHER,), max(view.risk_score for view in rest)))
        phases.append((OTHER, max((view.phase for view in rest), key=PHASES.index)))
    yield gauge("risk_score", "Risk of a cascade, 0 to 100; `other` is the worst of the rest.", ("asset",), risks)
    yield gauge(
        "phase",
        "1 for the current phase, else 0; `other` is the worst of the rest.",
        ("asset", "phase"),
        [((asset, phase), float(phase == current)) for asset, current in phases for phase in PHASES],
    )
    episodes = {
        (name or view.asset, episode.direction, str(episode.severity), episode.phase)
        for views, name in ((own, None), (rest, OTHER))
        for view in views
        for episode in view.episodes
    }
    yield gauge(
        "episode_active",
        "1 while an episode lasts, absent otherwise; both sides of an asset may have one.",
        ("asset", "direction", "severity", "phase"),
        [(labels, 1.0) for labels in sorted(episodes)],
    )


def _liquidated(own: Sequence[AssetView], rest: Sequence[AssetView]) -> Rows:
    folded: dict[tuple[str, str, str], float] = {}
    for views, name in ((own, None), (rest, OTHER)):
        for view in views:
            for window, totals in view.windows.items():
                for side, usd in (("long", totals.long), ("short", totals.short)):
                    labels = (name or view.asset, side, window)
                    folded[labels] = folded.get(labels, 0.0) + usd
    return folded.items()
