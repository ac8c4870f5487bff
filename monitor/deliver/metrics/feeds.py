"""Metrics of whether feeds can be believed: what is down, what changed, whose sides are suspect, what REST costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitor.collect.fleet_stats import FleetStats
from monitor.deliver.metrics.exposition import Family, counter, gauge


def watch_metrics(fleets: Sequence[FleetStats], venues: Iterable[str]) -> Iterator[Family]:
    """What the venues' watches know; a configured venue that has not begun is not up."""
    watched = [(fleet.venue, fleet.watch) for fleet in fleets if fleet.watch is not None]
    ups = dict.fromkeys(venues, 0.0) | {venue: float(watch.up) for venue, watch in watched}
    yield gauge(
        "feed_up",
        "1 while every connection of the venue is subscribed and hears what always speaks.",
        ("venue",),
        [((venue,), up) for venue, up in ups.items()],
    )
    yield gauge(
        "feed_down_since_timestamp_seconds",
        "Since when a connection sees nothing, by why its last socket ended; absent while it does.",
        ("venue", "connection", "reason"),
        [
            ((venue, down.connection, down.reason), down.since_us / 1e6)
            for venue, watch in watched
            for down in watch.down
        ],
    )
    yield gauge(
        "feed_last_liquidation_timestamp_seconds",
        "When the venue's last liquidation was received; 0 for never.",
        ("venue",),
        [((venue,), watch.last_liquidation_us / 1e6) for venue, watch in watched],
    )
    yield gauge(
        "feed_liquidations_quiet",
        "1 while no liquidation has come for much longer than usual, though the venue is up.",
        ("venue",),
        [((venue,), float(watch.quiet)) for venue, watch in watched],
    )
    yield gauge(
        "feed_side_suspect",
        "1 while the venue's liquidations disagree with the move of its mark price: its side is read the wrong way.",
        ("venue",),
        [((venue,), float(watch.side.suspect)) for venue, watch in watched],
    )
    yield counter(
        "feed_side_votes",
        "Blocks of ten seconds whose liquidations agree or disagree with the move of the mark price.",
        ("venue", "vote"),
        [
            row
            for venue, watch in watched
            for row in (((venue, "agree"), watch.side.agreed), ((venue, "disagree"), watch.side.disagreed))
        ],
    )
    yield counter(
        "feed_schema_drift",
        "Fields, values and shapes that the venue's documents did not have, each time one is met.",
        ("venue", "kind"),
        [((venue, kind), count) for venue, watch in watched for kind, count in watch.drift.items()],
    )


def asking_metrics(fleets: Sequence[FleetStats]) -> Iterator[Family]:
    """What REST brings and costs; nothing where no venue is asked."""
    asked = [(fleet.venue, fleet.asking) for fleet in fleets if fleet.asking is not None]
    if not asked:
        return
    one = ("venue",)
    yield gauge("rest_polls", "What is asked for again and again.", one, [((venue,), a.polls) for venue, a in asked])
    yield gauge(
        "rest_poll_stretch_ratio",
        "By how much polls come later than wanted because the budget does not suffice; 1 is not at all.",
        one,
        [((venue,), a.stretch) for venue, a in asked],
    )
    yield gauge(
        "rest_last_answer_timestamp_seconds",
        "When REST last brought events; 0 for never.",
        one,
        [((venue,), a.events.last_message_us / 1e6) for venue, a in asked],
    )
    yield gauge(
        "rest_paused_seconds",
        "For how long the exchange still wants to be left alone.",
        one,
        [((venue,), a.paused_s) for venue, a in asked],
    )
    yield counter(
        "rest_weight",
        "Weight spent from the venue's pool, by all who share it.",
        one,
        [((venue,), a.weight) for venue, a in asked],
    )
    yield counter("rest_throttled", "Answers 418 and 429.", one, [((venue,), a.throttled) for venue, a in asked])
    yield counter("rest_failures", "Requests given up.", one, [((venue,), a.failures) for venue, a in asked])
    yield counter(
        "rest_history_events", "Past open interest loaded at the start.", one, [((v,), a.history) for v, a in asked]
    )
    yield counter(
        "feed_gaps_backfilled",
        "Gaps that were filled by REST, and those for which that was tried in vain or given up.",
        ("venue", "result"),
        [row for venue, a in asked for row in (((venue, "filled"), a.filled), ((venue, "unfilled"), a.unfilled))],
    )
