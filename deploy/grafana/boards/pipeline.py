"""Defines the dashboard *Pipeline*: lag, latency and resources of the monitor, and its error budget."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.boards.board import Row, board
from deploy.grafana.boards.parts import (
    BLUE,
    BYTES,
    GREEN,
    GREY,
    ORANGE,
    PLAIN,
    PURPLE,
    QUANTILES,
    RATE,
    SECONDS,
    SHARE,
    SIDES,
    SKY,
    STATES,
    USD,
    VERMILION,
    YELLOW,
    YES_NO,
    About,
    Builder,
    Query,
    lines,
    rows,
    states,
)

CHANNELS = {"pagerduty": GREEN, "webhook": SKY, "slack": PURPLE}
PHASE_COLOURS = {"calm": GREEN, "relief": SKY, "building": YELLOW, "cascade": VERMILION}
BURNS = {"5m": SKY, "30m": GREEN, "1h": ORANGE, "6h": VERMILION, "3d": BLUE}


def pipeline() -> build.Dashboard:
    """Return the dashboard."""
    return board(
        "cascade-pipeline",
        "Pipeline",
        "Lag, latency and resources of the monitor itself, and its error budget.",
        [
            Row("Decisions", _decisions()),
            Row("Records", _records()),
            Row("Pages", _pages()),
            Row("Processes", _processes()),
        ],
        episodes='max by (asset, direction) (cascade_episode_active{asset="MARKET"})',
    )


def _quantiles(name: str, more: str = "") -> list[Query]:
    rate = f"sum by (le) (rate(cascade_{name}_bucket{more}[$__rate_interval]))"
    return [Query(f"histogram_quantile({q}, {rate})", word) for q, word in ((0.5, "p50"), (0.99, "p99"))]


def _decisions() -> list[Builder]:
    return [
        lines(
            About(
                "Decision latency",
                "End of a market second to the sending of its signal; the objective is 1 s.",
                SECONDS,
                "decisions-slow",
            ),
            *_quantiles("decision_latency_seconds"),
            colours=QUANTILES,
            steps=[(1, ORANGE)],
        ),
        lines(
            About(
                "Burn rate",
                "Late signals over what the month's budget (0.1 %) allows; 1 just lasts, 14.4 in 1h "
                "and 5m, or 6 in 6h and 30m, pages.",
                PLAIN,
                "decisions-slow-fast",
            ),
            *(Query(f"slo:cascade_decision_slow:ratio_rate{window} / 0.001", window) for window in BURNS),
            colours=BURNS,
            steps=[(6, ORANGE), (14.4, VERMILION)],
        ),
        lines(
            About(
                "Away from the present",
                "Time between the present and the last market second that was decided.",
                SECONDS,
                "detector-stalled",
            ),
            Query(
                "abs(time() - min by (job, instance) (cascade_decided_timestamp_seconds > 0))", "{{job}} {{instance}}"
            ),
            colours={},
            steps=[(10, VERMILION)],
        ),
        lines(
            About("Waiting records", "Records by topic that are not read yet.", PLAIN, "consumer-lag-high"),
            Query("sum by (topic) (cascade_consumer_lag_records)", "{{topic}}"),
            colours={"liquidations": VERMILION, "trades": SKY, "state": GREEN, "feeds": PURPLE, "signals": ORANGE},
        ),
        lines(
            About("Signals", "Signals sent per second, by the phase that they report.", RATE, "cascade"),
            Query("sum by (phase) (rate(cascade_signals_total[$__rate_interval]))", "{{phase}}"),
            colours=PHASE_COLOURS,
        ),
        lines(
            About("State saved", "Time since the detector's state was last saved.", SECONDS, "snapshot-old"),
            Query(
                "time() - min by (job, instance) (cascade_state_saved_timestamp_seconds > 0)", "{{job}} {{instance}}"
            ),
            colours={},
            steps=[(300, ORANGE)],
        ),
        lines(
            About(
                "State lost",
                "Parts of the saved state that were damaged or missing at a restart, by kind.",
                PLAIN,
                "state-lost",
            ),
            Query("sum by (part) (cascade_state_parts_lost_total)", "{{part}}"),
            colours={},
            steps=[(1, ORANGE)],
        ),
    ]


def _per_second(name: str, by: str) -> str:
    return f"sum by ({by}) (rate(cascade_{name}_total[$__rate_interval]))"


def _of_processes(about: About, name: str) -> Builder:
    """Draw a counter per second for each process."""
    return lines(about, Query(_per_second(name, "job, instance"), "{{job}} {{instance}}"), colours={})


def _records() -> list[Builder]:
    return [
        _of_processes(About("Published", "Records handed to the bus a second.", RATE), "bus_records_published"),
        lines(
            About(
                "Waiting on the bus",
                "Records not delivered yet, and the number from which on writers wait.",
                PLAIN,
                "consumer-lag-high",
            ),
            Query("max by (job, instance) (cascade_bus_records_waiting)", "{{job}} {{instance}} waiting"),
            Query("max by (job, instance) (cascade_bus_high_water_records)", "{{job}} {{instance}} full"),
            colours={"waiting": SKY, "full": ORANGE},
        ),
        lines(
            About(
                "Oldest unconfirmed batch",
                "Time since the oldest batch was sent that Kafka has not confirmed, by collector.",
                SECONDS,
                "bus-stalled",
            ),
            Query("max by (job, instance) (cascade_bus_oldest_unconfirmed_seconds)", "{{job}} {{instance}}"),
            colours={},
            steps=[(20, VERMILION)],
        ),
        lines(
            About("Missing topics", "Kafka topics that a process uses and that do not exist.", PLAIN, "topic-missing"),
            Query("max by (job, instance) (cascade_topics_missing)", "{{job}} {{instance}}"),
            colours={},
            steps=[(1, VERMILION)],
        ),
        _of_processes(
            About("Waits for room", "Waits of a writer because the bus was full, a second.", RATE, "consumer-lag-high"),
            "bus_drains_blocked",
        ),
        _of_processes(About("Transactions", "Committed to Kafka a second.", RATE), "transactions_committed"),
        _of_processes(
            About("Shards lost", "Shards that another process took over, a second.", RATE, "consumer-lag-high"),
            "shards_lost",
        ),
        _of_processes(
            About(
                "Summaries skipped",
                "Skipped summaries, of another version or unreadable, a second.",
                RATE,
                "summaries-passed-over",
            ),
            "summaries_passed_over",
        ),
        lines(
            About(
                "Records not applied",
                "Records that could not be applied, and those of assets in quarantine, a second.",
                RATE,
                "asset-quarantined",
            ),
            Query(_per_second("events_unapplied", "reason"), "{{reason}}"),
            colours={"fault": VERMILION, "quarantined": ORANGE},
        ),
        lines(
            About(
                "Liquidations",
                "Liquidations counted, and those too late for every window, a second.",
                RATE,
                "clock-skew",
            ),
            Query("sum(rate(cascade_liquidations_counted_total[$__rate_interval]))", "counted"),
            Query("sum(rate(cascade_liquidations_outdated_total[$__rate_interval]))", "outdated"),
            colours={"counted": SKY, "outdated": VERMILION},
        ),
        lines(
            About(
                "Liquidated, all exchanges",
                "USD of liquidations counted, and of those too late for every window, a second.",
                USD,
                "clock-skew",
            ),
            Query(_per_second("liquidations_counted_usd", "side"), "{{side}}"),
            Query("sum(rate(cascade_liquidations_outdated_usd_total[$__rate_interval]))", "outdated"),
            colours=SIDES | {"outdated": GREY},
        ),
        lines(
            About("Output dropped", "Frames, signals or states dropped a second.", RATE, "output-failing"),
            Query(_per_second("output_dropped", "job, instance, output"), "{{instance}} {{output}}"),
            colours={},
        ),
    ]


def _pages() -> list[Builder]:
    return [
        lines(
            About("Signals not read", "Signals that a channel has not read yet.", PLAIN, "notifier-failing"),
            Query("sum by (channel) (cascade_notifier_lag_records)", "{{channel}}"),
            colours=CHANNELS,
        ),
        states(
            About(
                "Notifier failing", "Yes while a channel has not recovered from a fault.", PLAIN, "notifier-crashing"
            ),
            Query("max by (channel) (cascade_notifier_failing)", "{{channel}}"),
            names=YES_NO,
        ),
        lines(
            About(
                "Progress not saved",
                "Failed attempts to save the notifier's progress, a second.",
                RATE,
                "notifier-not-saving",
            ),
            Query(_per_second("notifier_save_failures", "channel"), "{{channel}}"),
            colours=CHANNELS,
        ),
        lines(
            About(
                "Page latency",
                "Sending of a signal to the acceptance of its page; the objective is 3 s.",
                SECONDS,
                "notifier-failing",
            ),
            *_quantiles("page_latency_seconds"),
            colours=QUANTILES,
            steps=[(3, ORANGE)],
        ),
        lines(
            About("Pages", "Pages accepted a second, by channel and action.", RATE, "notifier-failing"),
            Query("sum by (channel, action) (rate(cascade_pages_total[$__rate_interval]))", "{{channel}} {{action}}"),
            colours=CHANNELS,
        ),
        lines(
            About(
                "Failures",
                "Failed attempts by channel and reason, and pages dropped after errors of the monitor.",
                RATE,
                "page-refused",
            ),
            Query(
                "sum by (channel, reason) (rate(cascade_page_failures_total[$__rate_interval]))",
                "{{channel}} {{reason}}",
            ),
            Query(
                "sum by (channel, action) (rate(cascade_pages_given_up_total[$__rate_interval]))",
                "{{channel}} gave up {{action}}",
            ),
            colours=CHANNELS,
        ),
        lines(
            About("Pages that wait", "Pages that are not accepted yet.", PLAIN, "notifier-failing"),
            Query("max by (channel) (cascade_pages_pending)", "{{channel}}"),
            colours=CHANNELS,
        ),
        lines(
            About(
                "Notifier's silence",
                "Time since a channel last read signals or the heartbeats among them.",
                SECONDS,
                "notifier-absent",
            ),
            Query("time() - max by (channel) (cascade_notifier_last_read_timestamp_seconds > 0)", "{{channel}}"),
            colours=CHANNELS,
        ),
        rows(
            About("Alerts", "Alerts that fire now; Watchdog always fires.", PLAIN),
            Query('max by (alertname, severity, venue, asset) (ALERTS{alertstate="firing"})', "{{alertname}}"),
            "firing",
        ),
    ]


def _processes() -> list[Builder]:
    job = 'job=~"cascade-.+"'
    which = "{{job}} {{instance}}"
    return [
        states(
            About("Scraped", "Yes if Prometheus reaches the process.", PLAIN, "target-down"),
            Query(f"max by (job, instance) (up{{{job}}})", which),
            names=STATES,
        ),
        lines(
            About("Event loop", "Largest lag of the event loop in the last 30 s.", SECONDS, "event-loop-late"),
            Query("max by (job, instance) (cascade_event_loop_lag_seconds)", which),
            colours={},
            steps=[(1, ORANGE)],
        ),
        lines(
            About("CPU", "Share of one core.", SHARE, "event-loop-late"),
            Query(f"sum by (job, instance) (rate(process_cpu_seconds_total{{{job}}}[$__rate_interval]))", which),
            colours={},
        ),
        lines(
            About("Memory", "Resident.", BYTES, "event-loop-late"),
            Query(f"sum by (job, instance) (process_resident_memory_bytes{{{job}}})", which),
            colours={},
        ),
        rows(
            About("Versions", "Versions of the running processes.", PLAIN, "target-down"),
            Query("max by (job, instance, version, python) (cascade_build_info)", which),
            "running",
        ),
    ]
