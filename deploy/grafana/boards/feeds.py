"""*Feeds*: which exchanges are seen, how well, how late, and whether they can be believed."""

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
        "Which exchanges are seen, how well, how late, and whether they can be believed.",
        [
            Row("Seen", _seen()), Row("Flow and delay", _flow()), Row("Believed", _believed()), Row("REST", _rest()),
        ],
        of_series("venue", "Exchange", "cascade_feed_up", every=True),
        episodes='max by (asset, direction) (cascade_episode_active{asset="MARKET"})',
    )  # fmt: skip


def _rate(name: str, by: str = "venue") -> str:
    return f'sum by ({by}) (rate(cascade_{name}_total{{venue=~"$venue"}}[$__rate_interval]))'


def _gauge(name: str) -> str:
    return f'max by (venue) (cascade_{name}{{venue=~"$venue"}})'


def _seen() -> list[Builder]:
    heard = 'time() - (max by (venue) (cascade_feed_last_message_timestamp_seconds{venue=~"$venue"}) > 0)'
    return [
        states(
            About("Up", "Every connection is subscribed and hears what always speaks.", PLAIN, "feed-down"),
            Query(_gauge("feed_up"), "{{venue}}"), names=STATES,
        ),
        rows(
            About("Down", "Connections that see nothing, why the last socket ended, and for how long.", SECONDS,
                  "feed-degraded"),
            Query('time() - max by (venue, connection, reason) (cascade_feed_down_since_timestamp_seconds{venue=~'
                  '"$venue"})', "{{venue}}"), "down for",
        ),
        lines(About("Silence", "Since an exchange last brought an event.", SECONDS, "feed-down"),
              Query(heard, "{{venue}}")),
        lines(
            About("Connected", "Share of the connections that are open and subscribed.", SHARE, "feed-degraded"),
            Query('avg by (venue) (cascade_feed_connected{venue=~"$venue"})', "{{venue}}"), axis=Axis(high=1),
        ),
        lines(
            About("Gaps", "Seconds a second that could not be seen, summed over connections.", PLAIN, "feed-down"),
            Query(_rate("feed_gap_seconds"), "{{venue}}"),
        ),
        lines(
            About("Gaps asked for", "Gaps that REST filled or could not fill, a second.", RATE, "feed-down"),
            Query(_rate("feed_gaps_backfilled", "venue, result"), "{{venue}} {{result}}"),
        ),
        lines(
            About("Reconnects", "By reason, a second.", RATE, "feed-degraded"),
            Query(_rate("feed_reconnects", "venue, reason"), "{{venue}} {{reason}}"),
        ),
        lines(
            About("Refusals and crashes", "Refused subscriptions, and sessions that failed by a fault of the monitor.",
                  RATE, "feed-crashing"),
            Query(_rate("feed_refusals"), "{{venue}} refused"), Query(_rate("feed_crashes"), "{{venue}} crashed"),
        ),
    ]  # fmt: skip


def _flow() -> list[Builder]:
    age = 'sum by (venue, le) (rate(cascade_event_age_seconds_bucket{venue=~"$venue"}[$__rate_interval]))'
    return [
        lines(About("Frames", "Received a second.", RATE), Query(_rate("frames_received"), "{{venue}}")),
        lines(About("Events", "Read, a second, before trades are folded.", RATE),
              Query(_rate("events_received"), "{{venue}}")),
        lines(About("Age, median", "Exchange time to receipt; half of the events are younger.", SECONDS, "clock-skew"),
              Query(f"histogram_quantile(0.5, {age})", "{{venue}}")),
        lines(About("Age, 99th percentile", "Exchange time to receipt; one in a hundred is older.", SECONDS,
                    "clock-skew"), Query(f"histogram_quantile(0.99, {age})", "{{venue}}")),
        lines(About("Liquidated", "A second, as the exchange shows it.", USD),
              Query(_rate("liquidated_usd"), "{{venue}}")),
        states(About("Trades as bars", "Whether an exchange's trades are folded.", PLAIN, "consumer-lag-high"),
               Query(_gauge("trade_bars_active"), "{{venue}}"), names=YES_NO),
        lines(About("Twice", "Events seen before and dropped, a second.", RATE),
              Query(_rate("events_duplicate"), "{{venue}}")),
        lines(About("Late", "Liquidations that came over 2 s after their time; counted all the same.", RATE,
                    "clock-skew"), Query(_rate("events_late"), "{{venue}}")),
        lines(About("Stamped ahead", "How far ahead of the others a venue's records were stamped; they did not move "
                    "time.", SECONDS, "source-ahead"), Query(_gauge("source_ahead_seconds"), "{{venue}}")),
    ]  # fmt: skip


def _believed() -> list[Builder]:
    return [
        lines(About("Rejects", "Frames or rows that could not be read, by reason.", RATE, "reject-ratio-high"),
              Query(_rate("frames_rejected", "venue, reason"), "{{venue}} {{reason}}")),
        lines(About("Skipped", "Rows that rightly make no event, by reason.", RATE, "reject-ratio-high"),
              Query(_rate("rows_skipped", "venue, reason"), "{{venue}} {{reason}}")),
        lines(About("Drift", "Fields, values and shapes that the documents did not have, by kind.", RATE,
                    "schema-drift"), Query(_rate("feed_schema_drift", "venue, kind"), "{{venue}} {{kind}}")),
        states(About("Side suspect", "Whether liquidated sides go against the mark price's moves.", PLAIN,
                     "side-suspect"), Query(_gauge("feed_side_suspect"), "{{venue}}"), names=YES_NO),
        lines(About("Side votes", "Blocks of ten seconds that agree or disagree with the mark price, a second.", RATE,
                    "side-suspect"), Query(_rate("feed_side_votes", "venue, vote"), "{{venue}} {{vote}}")),
        lines(About("Age of contract data", "Loaded every hour.", SECONDS, "instruments-stale"),
              Query(_gauge("instruments_age_seconds"), "{{venue}}")),
    ]  # fmt: skip


def _rest() -> list[Builder]:
    return [
        lines(About("Weight", "Spent a second from the exchange's pool.", RATE, "instruments-stale"),
              Query(_rate("rest_weight"), "{{venue}}")),
        lines(About("Stretch", "By how much polls come later than wanted; 1 is not at all.", PLAIN,
                    "instruments-stale"), Query(_gauge("rest_poll_stretch_ratio"), "{{venue}}")),
        lines(About("Throttled and given up", "Answers 418 and 429, and requests given up.", RATE,
                    "instruments-stale"),
              Query(_rate("rest_throttled"), "{{venue}} throttled"), Query(_rate("rest_failures"), "{{venue}} failed")),
        lines(About("Paused", "For how long the exchange still wants to be left alone.", SECONDS, "instruments-stale"),
              Query(_gauge("rest_paused_seconds"), "{{venue}}")),
    ]  # fmt: skip
