"""Metrics of feed quality: connections that are down, changed formats, suspect sides and REST usage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitor.collect.fleet_stats import FleetStats
from monitor.collect.stats import SessionStats
from monitor.deliver.metrics.exposition import Family, counter, gauge


def traffic_metrics(venues: Sequence[SessionStats]) -> Iterator[Family]:
    """Yield each venue's dials, acknowledgements, bytes, gaps, pauses and duplicates, over all sockets."""
    one = ("venue",)
    yield counter(
        "feed_dials",
        "Attempts to open a socket to the venue, failed ones included.",
        one,
        [((v.venue,), v.dials) for v in venues],
    )
    yield gauge(
        "feed_acks_pending",
        "Subscriptions that the venue has not acknowledged yet.",
        one,
        [((v.venue,), v.acks_pending) for v in venues],
    )
    yield counter(
        "feed_acks_missing",
        "Subscriptions that the venue did not acknowledge before the timeout.",
        one,
        [((v.venue,), v.acks_missing) for v in venues],
    )
    yield counter("bytes_received", "Bytes received from the venue.", one, [((v.venue,), v.bytes) for v in venues])
    yield counter(
        "feed_gaps",
        "Gaps in the feed, each counted once for every connection that it interrupts.",
        one,
        [((v.venue,), v.gaps) for v in venues],
    )
    yield counter(
        "feed_backpressure_pauses",
        "Pauses in which a socket was not read because the bus was full.",
        one,
        [((v.venue,), v.drains) for v in venues],
    )
    yield counter(
        "feed_overlap_duplicates",
        "Trades dropped because both sockets of a rotation delivered them.",
        one,
        [((v.venue,), v.overlap_duplicates) for v in venues],
    )


def outlet_metrics(fleets: Sequence[FleetStats]) -> Iterator[Family]:
    """Yield how each venue's trades are published, and the rejects that exceeded the rate limit."""
    one = ("venue",)
    yield gauge(
        "feed_symbols",
        "Symbols of the venue to subscribe.",
        one,
        [((fleet.venue,), fleet.symbols) for fleet in fleets],
    )
    yield gauge(
        "feed_topics_missing",
        "Topics that the venue refuses although it accepts others, by channel; other where the channel is not known.",
        ("venue", "channel"),
        [
            ((fleet.venue, channel or "other"), count)
            for fleet in fleets
            for channel, count in fleet.topics_missing.items()
        ],
    )
    yield gauge(
        "trade_bars_active",
        "1 while the venue's trades are aggregated into bars.",
        one,
        [((fleet.venue,), float(fleet.folding)) for fleet in fleets],
    )
    yield counter(
        "trade_mode_switches",
        "Switches between single trades and bars, by the mode that was switched to.",
        ("venue", "to"),
        [
            row
            for fleet in fleets
            for row in (
                ((fleet.venue, "bars"), fleet.switched_to_bars),
                ((fleet.venue, "each"), fleet.switched_to_each),
            )
        ],
    )
    yield counter(
        "rejects_suppressed",
        "Rejects that were counted but not published, because they exceeded the rate limit.",
        one,
        [((fleet.venue,), fleet.rejects_suppressed) for fleet in fleets],
    )


def watch_metrics(fleets: Sequence[FleetStats], venues: Iterable[str]) -> Iterator[Family]:
    """Yield the feed quality of every venue; a configured venue that has not started is not up."""
    watched = [(fleet.venue, fleet.feed_health) for fleet in fleets if fleet.feed_health is not None]
    ups = dict.fromkeys(venues, 0.0) | {venue: float(feed_health.up) for venue, feed_health in watched}
    yield gauge(
        "feed_up",
        "1 while every connection of the venue is subscribed and receives the channels that are never silent.",
        ("venue",),
        [((venue,), up) for venue, up in ups.items()],
    )
    yield gauge(
        "feed_down_since_timestamp_seconds",
        "Unix time since which a connection is down, seconds, by the reason for it; absent while it is up.",
        ("venue", "connection", "reason"),
        [
            ((venue, down.connection, down.reason), down.since_us / 1e6)
            for venue, feed_health in watched
            for down in feed_health.down
        ],
    )
    yield gauge(
        "feed_last_liquidation_timestamp_seconds",
        "Unix time at which the venue's last liquidation was received, seconds; 0 for never.",
        ("venue",),
        [((venue,), feed_health.last_liquidation_us / 1e6) for venue, feed_health in watched],
    )
    yield gauge(
        "feed_liquidations_quiet",
        "1 while the venue is up but its last liquidation is much longer ago than usual.",
        ("venue",),
        [((venue,), float(feed_health.quiet)) for venue, feed_health in watched],
    )
    yield gauge(
        "feed_side_suspect",
        "1 while the venue's liquidations disagree with the move of its mark price, so that sides may be swapped.",
        ("venue",),
        [((venue,), float(feed_health.side.suspect)) for venue, feed_health in watched],
    )
    yield gauge(
        "feed_side_evidence",
        "Evidence that the venue's sides are swapped, natural logarithm of a likelihood ratio; 0 for none.",
        ("venue",),
        [((venue,), feed_health.side.evidence) for venue, feed_health in watched],
    )
    yield counter(
        "feed_side_votes",
        "Blocks of ten seconds whose liquidations agree or disagree with the move of the mark price.",
        ("venue", "vote"),
        [
            row
            for venue, feed_health in watched
            for row in (((venue, "agree"), feed_health.side.agreed), ((venue, "disagree"), feed_health.side.disagreed))
        ],
    )
    yield counter(
        "feed_schema_drift",
        "Fields, values and shapes received that the venue's documentation does not have, by kind.",
        ("venue", "kind"),
        [((venue, kind), count) for venue, feed_health in watched for kind, count in feed_health.drift.items()],
    )


def rest_metrics(fleets: Sequence[FleetStats]) -> Iterator[Family]:
    """Yield the REST requests, their results and their weight; nothing if no venue uses REST."""
    polled = [(fleet.venue, fleet.rest_jobs) for fleet in fleets if fleet.rest_jobs is not None]
    if not polled:
        return
    one = ("venue",)
    yield gauge(
        "rest_polls",
        "REST requests that are repeated on a schedule.",
        one,
        [((venue,), a.polls) for venue, a in polled],
    )
    yield gauge(
        "rest_poll_stretch_ratio",
        "Factor by which the interval of REST polls is stretched to stay within the rate limit; 1 is not at all.",
        one,
        [((venue,), a.stretch) for venue, a in polled],
    )
    yield gauge(
        "rest_last_answer_timestamp_seconds",
        "Unix time at which REST last returned events, seconds; 0 for never.",
        one,
        [((venue,), a.events.last_message_us / 1e6) for venue, a in polled],
    )
    yield gauge(
        "rest_paused_seconds",
        "Seconds until the exchange's rate-limit pause ends; 0 for none.",
        one,
        [((venue,), a.paused_s) for venue, a in polled],
    )
    yield counter(
        "rest_weight",
        "Rate-limit weight spent from the venue's pool, by all users of the pool.",
        one,
        [((venue,), a.weight) for venue, a in polled],
    )
    yield counter(
        "rest_throttled",
        "REST answers with status 418 or 429 (rate limited).",
        one,
        [((venue,), a.throttled) for venue, a in polled],
    )
    yield counter(
        "rest_failures",
        "REST requests given up after their retries.",
        one,
        [((venue,), a.failures) for venue, a in polled],
    )
    yield counter(
        "rest_history_events",
        "Past open-interest samples loaded at the start.",
        one,
        [((v,), a.history) for v, a in polled],
    )
    yield counter(
        "feed_gaps_backfilled",
        "Gaps that REST filled, and gaps that it could not fill, by result.",
        ("venue", "result"),
        [row for venue, a in polled for row in (((venue, "filled"), a.filled), ((venue, "unfilled"), a.unfilled))],
    )
