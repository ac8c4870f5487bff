"""Metrics behind the decisions: evidence, estimates for throttled feeds, and how far the market moves as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from monitor.deliver.metrics.exposition import Family, counter, gauge
from monitor.detect.view import AheadView, AssetView, DetectorView, MarketView
from monitor.model.events import SIDES

MOST_EXPLAINED: Final = 20
"""Assets whose evidence is shown, those with the highest scores of the ones that are not calm. An item has one of some
thirty names, so it is 600 series at worst and none in calm."""

MOST_QUARANTINED: Final = 20
"""Assets in quarantine that have a series, first by name: one fault of ours may set many of them aside."""


def market_metrics(view: MarketView) -> Iterator[Family]:
    """Yield the market's breadth, its spread over assets, and the leader's lead."""
    yield gauge(
        "symbols_stressed_ratio",
        "Share of the top assets in stress within the last minute, 0 to 1; 0 while too few are active.",
        (),
        [((), view.stressed_ratio)],
    )
    yield gauge(
        "effective_assets",
        "Number of equal assets over which the last 5 minutes' liquidations would be spread as widely; 0 for none.",
        ("side",),
        [((side,), value) for side, value in zip(SIDES, view.effective_assets, strict=True)],
    )
    leader = (view.leader,)
    yield gauge(
        "leader_lead_seconds",
        "Lead of the leader's returns over the others' mean within ten minutes, seconds; negative if they follow.",
        ("leader",),
        [(leader, view.lead_s)] if view.leader else (),
    )
    yield gauge(
        "leader_correlation_ratio",
        "Correlation of the leader's returns by the second with the others' mean at that lead, -1 to 1.",
        ("leader",),
        [(leader, view.lead_correlation)] if view.leader else (),
    )


def quarantine_metrics(view: DetectorView) -> Iterator[Family]:
    """Yield the records that could not be applied, and the assets in quarantine because of them."""
    yield gauge(
        "asset_quarantined",
        "1 while an asset (or MARKET) is in quarantine because a record of it could not be applied, absent otherwise.",
        ("asset",),
        [((asset,), 1.0) for asset in view.quarantined[:MOST_QUARANTINED]],
    )
    yield counter(
        "events_unapplied",
        "Market records that were not applied: `fault` for those that raised, `quarantined` for those passed over.",
        ("reason",),
        [(("fault",), view.faults), (("quarantined",), view.passed_over)],
    )


def ahead_metrics(view: AheadView, venues: Iterable[str]) -> Iterator[Family]:
    """Yield the arrival times that were not believed."""
    known = dict.fromkeys([*venues, *view.seconds, *view.refused])
    yield gauge(
        "source_ahead_seconds",
        "How far ahead of the watermark a venue's records were stamped within the last minute, seconds; 0 for none.",
        ("venue",),
        [((venue,), view.seconds.get(venue, 0.0)) for venue in known],
    )
    yield counter(
        "source_ahead_records",
        "Records stamped ahead of the watermark, placed at it or refused.",
        ("venue", "outcome"),
        [
            ((venue, outcome), counts.get(venue, 0))
            for venue in known
            for outcome, counts in (("placed", view.placed), ("refused", view.refused))
        ],
    )
    yield counter(
        "watermark_steps_back",
        "Steps back of a watermark that lay in the future; state judged since then was dropped.",
        (),
        [((), view.steps_back)],
    )


def throttle_metrics(own: Iterable[AssetView], everything: Iterable[AssetView]) -> Iterator[Family]:
    """Yield the estimates of what feeds with one report a second hide.

    Args:
        own: assets with series of their own.
        everything: all of them.
    """
    rows = [
        ((view.asset, side, estimate), usd)
        for view in own
        if view.corrected_1m is not None
        for side, found in (("long", view.corrected_1m.long), ("short", view.corrected_1m.short))
        for estimate, usd in (("low", found.low), ("mid", found.mid), ("high", found.high))
        if usd is not None
    ]
    yield gauge(
        "liquidated_usd_corrected",
        "Estimated USD liquidated within a minute including what throttled feeds hide; `high` is absent if it has "
        "no bound, all are absent if no throttled feed reported.",
        ("asset", "side", "estimate"),
        rows,
    )
    saturation: dict[str, float] = {}
    for view in everything:
        for venue, share in view.saturation.items():
            saturation[venue] = max(share, saturation.get(venue, 0.0))
    yield gauge(
        "feed_saturation_ratio",
        "Share of the last minute's seconds with a report, for the busiest symbol of a feed of one report a second.",
        ("venue",),
        [((venue,), share) for venue, share in sorted(saturation.items())],
    )


def gap_metrics(ratios: Mapping[tuple[str, str], float]) -> Iterator[Family]:
    """Yield the share of each window that is missing because a gap was not backfilled."""
    yield gauge(
        "window_gap_ratio",
        "Share of a window without the venue's liquidations because of a gap that was not backfilled, 0 to 1.",
        ("venue", "window"),
        list(ratios.items()),
    )


def evidence_metrics(own: Sequence[AssetView]) -> Iterator[Family]:
    """Yield the points that make up the scores of the leading side."""
    active = sorted((view for view in own if view.phase != "calm"), key=lambda view: (-view.risk_score, view.asset))
    yield gauge(
        "evidence_points",
        f"Points of the score by feature, for the {MOST_EXPLAINED} highest scores that are not calm.",
        ("asset", "direction", "feature"),
        [
            ((view.asset, view.direction, item.feature), item.contribution)
            for view in active[:MOST_EXPLAINED]
            for item in view.evidence
            if item.contribution
        ],
    )
