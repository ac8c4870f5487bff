"""*Feeds*: the connections, delay and quality of every exchange's feed."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.boards.board import Row, board, of_series
from deploy.grafana.boards.parts import (
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
)  # fmt: skip


def feeds() -> build.Dashboard:
    """The dashboard."""
    return board(
        "cascade-feeds",
        "Feeds",
        "Connections, delay and quality of every exchange's feed.",
        [
            Row("Connections", _connections()), Row("Flow and delay", _flow()),
            Row("Quality", _quality()), Row("REST", _rest()),
        ],
        of_series("venue", "Exchange", "cascade_feed_up", every=True),
        episodes='max by (asset, direction) (cascade_episode_active{asset="MARKET"})',
    )  # fmt: skip


def _rate(name: str, by: str = "venue") -> str:
    return f'sum by ({by}) (rate(cascade_{name}_total{{venue=~"$venue"}}[$__rate_interval]))'


def _gauge(name: str) -> str:
    return f'max by (venue) (cascade_{name}{{venue=~"$venue"}})'


def _connections() -> list[Builder]:
    silent = 'time() - (max by (venue) (cascade_feed_last_message_timestamp_seconds{venue=~"$venue"}) > 0)'
    return [
        states(
            About("Up", "Every connection is subscribed and receives the channels that are never silent.",
                  PLAIN, "feed-down"),
            Query(_gauge("feed_up"), "{{venue}}"), names=STATES,
        ),
        rows(
            About("Down", "Connections that are down, why the last socket ended, and for how long.", SECONDS,
                  "feed-degraded"),
            Query('time() - max by (venue, connection, reason) (cascade_feed_down_since_timestamp_seconds{venue=~'
                  '"$venue"})', "{{venue}}"), "down for",
        ),
        lines(About("Silence", "Time since an exchange last delivered an event.", SECONDS, "feed-down"),
              Query(silent, "{{venue}}")),
        lines(
            About("Connected", "Share of the connections that are open and subscribed.", SHARE, "feed-degraded"),
            Query('avg by (venue) (cascade_feed_connected{venue=~"$venue"})', "{{venue}}"), axis=Axis(high=1),
        ),
        lines(
            About("Gaps", "Length of gaps, seconds per second, summed over connections.", PLAIN, "feed-down"),
            Query(_rate("feed_gap_seconds"), "{{venue}}"),
        ),
        lines(
            About("Gaps backfilled", "Gaps that REST filled or could not fill, a second.", RATE, "feed-down"),
            Query(_rate("feed_gaps_backfilled", "venue, result"), "{{venue}} {{result}}"),
        ),
        lines(
            About("Reconnects", "By reason, a second.", RATE, "feed-degraded"),
            Query(_rate("feed_reconnects", "venue, reason"), "{{venue}} {{reason}}"),
        ),
        lines(
            About("Refusals and crashes",
                  "Refused subscriptions, and sessions that failed because of a fault in the monitor.",
                  RATE, "feed-crashing"),
            Query(_rate("feed_refusals"), "{{venue}} refused"), Query(_rate("feed_crashes"), "{{venue}} crashed"),
        ),
    ]  # fmt: skip


def _flow() -> list[Builder]:
    age = 'sum by (venue, le) (rate(cascade_event_age_seconds_bucket{venue=~"$venue"}[$__rate_interval]))'
    return [
        lines(About("Frames", "Received a second.", RATE), Query(_rate("frames_received"), "{{venue}}")),
        lines(About("Events", "Read per second, before trades are aggregated into bars.", RATE),
              Query(_rate("events_received"), "{{venue}}")),
        lines(About("Age, median", "Exchange time to receipt; half of the events are younger.", SECONDS, "clock-skew"),
              Query(f"histogram_quantile(0.5, {age})", "{{venue}}")),
        lines(About("Age, 99th percentile", "Exchange time to receipt; one in a hundred is older.", SECONDS,
                    "clock-skew"), Query(f"histogram_quantile(0.99, {age})", "{{venue}}")),
        lines(About("Liquidated", "USD per second, as reported by the exchange.", USD),
              Query(_rate("liquidated_usd"), "{{venue}}")),
        states(About("Trades as bars",
              "Yes while an exchange's trades are aggregated into bars.", PLAIN, "consumer-lag-high"),
               Query(_gauge("trade_bars_active"), "{{venue}}"), names=YES_NO),
        lines(About("Duplicates", "Duplicate events that were dropped, per second.", RATE),
              Query(_rate("events_duplicate"), "{{venue}}")),
        lines(About("Late",
              "Late liquidations, received over 2 s after their event time; they are counted all the same.", RATE,
                    "clock-skew"), Query(_rate("events_late"), "{{venue}}")),
        lines(About("Stamped ahead", "How far ahead of the watermark a venue's records were stamped; they did "
                    "not move it.", SECONDS, "source-ahead"), Query(_gauge("source_ahead_seconds"), "{{venue}}")),
    ]  # fmt: skip


def _quality() -> list[Builder]:
    return [
        lines(About("Rejects", "Frames or rows that could not be read, by reason.", RATE, "reject-ratio-high"),
              Query(_rate("frames_rejected", "venue, reason"), "{{venue}} {{reason}}")),
        lines(About("Skipped", "Rows that rightly make no event, by reason.", RATE, "reject-ratio-high"),
              Query(_rate("rows_skipped", "venue, reason"), "{{venue}} {{reason}}")),
        lines(About("Drift", "Fields, values and shapes that the documentation does not have, by kind.", RATE,
                    "schema-drift"), Query(_rate("feed_schema_drift", "venue, kind"), "{{venue}} {{kind}}")),
        states(About("Side suspect", "Yes while liquidated sides contradict the mark price's moves.", PLAIN,
                     "side-suspect"), Query(_gauge("feed_side_suspect"), "{{venue}}"), names=YES_NO),
        lines(About("Side votes", "Blocks of ten seconds that agree or disagree with the mark price, a second.", RATE,
                    "side-suspect"), Query(_rate("feed_side_votes", "venue, vote"), "{{venue}} {{vote}}")),
        lines(About("Age of contract data",
              "Age of the contract data, which are loaded every hour.", SECONDS, "instruments-stale"),
              Query(_gauge("instruments_age_seconds"), "{{venue}}")),
    ]  # fmt: skip


def _rest() -> list[Builder]:
    return [
        lines(About("Weight", "Spent a second from the exchange's pool.", RATE, "instruments-stale"),
              Query(_rate("rest_weight"), "{{venue}}")),
        lines(About("Stretch", "Factor by which the interval of polls is stretched; 1 is not at all.", PLAIN,
                    "instruments-stale"), Query(_gauge("rest_poll_stretch_ratio"), "{{venue}}")),
        lines(About("Throttled and given up", "Answers 418 and 429, and requests given up.", RATE,
                    "instruments-stale"),
              Query(_rate("rest_throttled"), "{{venue}} throttled"), Query(_rate("rest_failures"), "{{venue}} failed")),
        lines(About("Paused", "Seconds until the exchange's rate-limit pause ends.", SECONDS, "instruments-stale"),
              Query(_gauge("rest_paused_seconds"), "{{venue}}")),
    ]  # fmt: skip
