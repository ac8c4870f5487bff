"""Defines the dashboard *Feeds*: connections, delay and quality of every exchange's feed."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.boards.board import Row, board, of_series
from deploy.grafana.boards.parts import (
    BYTE_RATE,
    PLAIN,
    RATE,
    SECONDS,
    SHARE,
    STATES,
    USD,
    YES_NO,
    About,
    Axis,
    Builder,
    Query,
    lines,
    rows,
    states,
)
from monitor.collect.quality.side_check import ALARM


def feeds() -> build.Dashboard:
    """Return the dashboard."""
    return board(
        "cascade-feeds",
        "Feeds",
        "Connections, delay and quality of every exchange's feed.",
        [
            Row("Connections", _connections()),
            Row("Gaps", _gaps()),
            Row("Flow and delay", _flow()),
            Row("Quality", _quality()),
            Row("REST", _rest()),
        ],
        of_series("venue", "Exchange", "cascade_feed_up", every=True),
        episodes='max by (asset, direction) (cascade_episode_active{asset="MARKET"})',
    )


def _gauge(name: str) -> str:
    return f'max by (venue) (cascade_{name}{{venue=~"$venue"}})'


def _rates(about: About, names: str | Mapping[str, str], *labels: str) -> Builder:
    """Draw counters per second.

    Args:
        about: title, description, unit and runbook.
        names: the counter, or several with a word for each.
        labels: labels beside the venue that have a line of their own.
    """
    by = ", ".join(["venue", *labels])
    legend = " ".join(f"{{{{{label}}}}}" for label in ("venue", *labels))
    return lines(
        about,
        *(
            Query(
                f'sum by ({by}) (rate(cascade_{name}_total{{venue=~"$venue"}}[$__rate_interval]))',
                f"{legend} {word}".strip(),
            )
            for name, word in ({names: ""} if isinstance(names, str) else names).items()
        ),
    )


def _value(about: About, name: str) -> Builder:
    """Draw a gauge."""
    return lines(about, Query(_gauge(name), "{{venue}}"))


def _since(about: About, name: str) -> Builder:
    """Draw the time since a timestamp; nothing where it is 0, for never."""
    return lines(about, Query(f"time() - ({_gauge(name)} > 0)", "{{venue}}"))


def _connections() -> list[Builder]:
    down = 'time() - max by (venue, connection, reason) (cascade_feed_down_since_timestamp_seconds{venue=~"$venue"})'
    return [
        states(
            About(
                "Up",
                "Every connection is subscribed and receives the channels that are never silent.",
                PLAIN,
                "feed-down",
            ),
            Query(_gauge("feed_up"), "{{venue}}"),
            names=STATES,
        ),
        rows(
            About(
                "Down",
                "Connections that are down, with the reason for the last socket's end and the duration.",
                SECONDS,
                "feed-degraded",
            ),
            Query(down, "{{venue}}"),
            "down for",
        ),
        _since(
            About("Silence", "Time since an exchange last delivered an event.", SECONDS, "feed-down"),
            "feed_last_message_timestamp_seconds",
        ),
        lines(
            About("Connected", "Share of the connections that are open and subscribed.", SHARE, "feed-degraded"),
            Query('avg by (venue) (cascade_feed_connected{venue=~"$venue"})', "{{venue}}"),
            axis=Axis(high=1),
        ),
        _rates(
            About("Reconnects", "Sockets that ended or were replaced, by reason, a second.", RATE, "feed-degraded"),
            "feed_reconnects",
            "reason",
        ),
        _rates(About("Dials", "Attempts to open a socket, failed ones included.", RATE, "feed-degraded"), "feed_dials"),
        _rates(
            About(
                "Subscriptions refused or unanswered, and crashes",
                "Subscriptions that were refused or not acknowledged in time, and sessions that failed because of a "
                "fault in the monitor.",
                RATE,
                "feed-crashing",
            ),
            {"feed_refusals": "refused", "feed_acks_missing": "unanswered", "feed_crashes": "crashed"},
        ),
        _value(About("Symbols", "Symbols to subscribe at an exchange.", PLAIN, "instruments-failing"), "feed_symbols"),
        lines(
            About(
                "Topics refused",
                "Topics that an exchange refuses although it accepts others, by channel.",
                PLAIN,
                "feed-topics-missing",
            ),
            Query('sum by (venue, channel) (cascade_feed_topics_missing{venue=~"$venue"})', "{{venue}} {{channel}}"),
        ),
        _value(
            About("Subscriptions pending", "Subscriptions not acknowledged yet.", PLAIN, "feed-degraded"),
            "feed_acks_pending",
        ),
    ]


def _gaps() -> list[Builder]:
    return [
        _rates(
            About("Length of gaps", "Seconds of gaps per second, summed over connections.", PLAIN, "feed-down"),
            "feed_gap_seconds",
        ),
        _rates(About("Gaps", "Gaps a second, counted once a connection.", RATE, "feed-down"), "feed_gaps"),
        _rates(
            About("Gaps backfilled", "Gaps that REST filled or could not fill, a second.", RATE, "feed-down"),
            "feed_gaps_backfilled",
            "result",
        ),
        lines(
            About("Windows with gaps", "Share of a window that is missing because of a gap.", SHARE, "feed-down"),
            Query('max by (venue, window) (cascade_window_gap_ratio{venue=~"$venue"}) > 0', "{{venue}} {{window}}"),
            axis=Axis(high=1),
        ),
    ]


def _flow() -> list[Builder]:
    age = 'sum by (venue, le) (rate(cascade_event_age_seconds_bucket{venue=~"$venue"}[$__rate_interval]))'
    return [
        _rates(About("Frames", "Frames received a second.", RATE), "frames_received"),
        _rates(About("Bytes", "Bytes received a second.", BYTE_RATE), "bytes_received"),
        _rates(
            About("Events", "Events read a second, before trades are aggregated into bars.", RATE), "events_received"
        ),
        _rates(About("Liquidated", "USD per second, as reported by the exchange.", USD), "liquidated_usd"),
        *(
            lines(
                About(f"Age, {word}", f"Exchange time to receipt; {share} younger.", SECONDS, "clock-skew"),
                Query(f"histogram_quantile({quantile}, {age})", "{{venue}}"),
            )
            for word, quantile, share in (
                ("median", 0.5, "half of the events are"),
                ("99th percentile", 0.99, "99 events in a hundred are"),
            )
        ),
        states(
            About(
                "Trades as bars",
                "Yes while an exchange's trades are aggregated into bars.",
                PLAIN,
                "consumer-lag-high",
            ),
            Query(_gauge("trade_bars_active"), "{{venue}}"),
            names=YES_NO,
        ),
        _rates(
            About("Switches of trades", "Switches to bars and to single trades.", RATE, "consumer-lag-high"),
            "trade_mode_switches",
            "to",
        ),
        _rates(
            About("Reading paused", "Pauses because the bus was full.", RATE, "consumer-lag-high"),
            "feed_backpressure_pauses",
        ),
        _rates(
            About(
                "Duplicates",
                "Duplicate events that were dropped, and trades that both sockets of a rotation delivered.",
                RATE,
            ),
            {"events_duplicate": "duplicate", "feed_overlap_duplicates": "at a rotation"},
        ),
        _rates(
            About(
                "Late",
                "Late liquidations, received over 2 s after their event time; they are counted all the same.",
                RATE,
                "clock-skew",
            ),
            "events_late",
        ),
        _value(
            About(
                "Stamped ahead",
                "Time by which a venue's records are stamped ahead of the watermark; they do not move it.",
                SECONDS,
                "source-ahead",
            ),
            "source_ahead_seconds",
        ),
    ]


def _quality() -> list[Builder]:
    return [
        _rates(
            About("Rejects", "Frames or rows that could not be read, by reason.", RATE, "reject-ratio-high"),
            "frames_rejected",
            "reason",
        ),
        _rates(
            About("Rejects not published", "Rejects above the rate limit.", RATE, "reject-ratio-high"),
            "rejects_suppressed",
        ),
        _rates(
            About("Skipped", "Rows that correctly produce no event, by reason.", RATE, "reject-ratio-high"),
            "rows_skipped",
            "reason",
        ),
        _rates(
            About(
                "Drift",
                "Fields, values and shapes that are not in the exchange's documentation, by kind.",
                RATE,
                "schema-drift",
            ),
            "feed_schema_drift",
            "kind",
        ),
        states(
            About(
                "Liquidations quiet",
                "Yes while an exchange is up but its last liquidation is much longer ago than usual.",
                PLAIN,
                "liquidations-quiet",
            ),
            Query(_gauge("feed_liquidations_quiet"), "{{venue}}"),
            names=YES_NO,
        ),
        _since(
            About("Last liquidation", "Time since the last liquidation was received.", SECONDS, "liquidations-quiet"),
            "feed_last_liquidation_timestamp_seconds",
        ),
        states(
            About(
                "Side suspect", "Yes while liquidated sides contradict the mark price's moves.", PLAIN, "side-suspect"
            ),
            Query(_gauge("feed_side_suspect"), "{{venue}}"),
            names=YES_NO,
        ),
        _value(
            About("Evidence against the side", f"Sides are suspect from {ALARM:.1f} on.", PLAIN, "side-suspect"),
            "feed_side_evidence",
        ),
        _rates(
            About(
                "Side votes",
                "Blocks of ten seconds that agree or disagree with the mark price, a second.",
                RATE,
                "side-suspect",
            ),
            "feed_side_votes",
            "vote",
        ),
        _value(
            About(
                "Age of contract data",
                "Age of the contract data, which are loaded every hour.",
                SECONDS,
                "instruments-stale",
            ),
            "instruments_age_seconds",
        ),
        _rates(
            About("Failed loads of contract data", "Failed requests, a second.", RATE, "instruments-failing"),
            "instruments_failures",
        ),
    ]


def _rest() -> list[Builder]:
    return [
        _value(About("Polls", "Requests that are repeated on a schedule.", PLAIN, "instruments-stale"), "rest_polls"),
        _since(
            About("Last answer", "Time since REST last returned events.", SECONDS, "instruments-stale"),
            "rest_last_answer_timestamp_seconds",
        ),
        _rates(
            About("Weight", "Weight of the exchange's rate limit spent a second.", RATE, "instruments-stale"),
            "rest_weight",
        ),
        _value(
            About(
                "Stretch",
                "Factor by which the interval of polls is stretched; 1 if it is not.",
                PLAIN,
                "instruments-stale",
            ),
            "rest_poll_stretch_ratio",
        ),
        _rates(
            About("Throttled and given up", "Answers 418 and 429, and requests given up.", RATE, "instruments-stale"),
            {"rest_throttled": "throttled", "rest_failures": "failed"},
        ),
        _value(
            About("Paused", "Seconds until the exchange's rate-limit pause ends.", SECONDS, "instruments-stale"),
            "rest_paused_seconds",
        ),
        _rates(
            About("History", "Past samples of open interest loaded at the start.", RATE, "instruments-stale"),
            "rest_history_events",
        ),
    ]
