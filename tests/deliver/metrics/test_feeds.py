from __future__ import annotations

from monitor.collect.fleet_stats import FleetStats
from monitor.collect.quality.feed_health import DownConnection, FeedHealthStats
from monitor.collect.quality.side_check import SideStats
from monitor.collect.rest.jobs import RestJobsStats
from monitor.collect.stats import SessionStats, total
from monitor.deliver.metrics.monitor import Snapshot
from tests.deliver.metrics.test_monitor import scrape, value


def fleet(rest_jobs: RestJobsStats | None, feed_health: FeedHealthStats | None) -> FleetStats:
    """A venue with nothing but these."""
    return FleetStats("bybit", [], total("bybit", []), False, 0, 0, 0, rest_jobs, feed_health)


def test_what_is_down_suspect_or_changed_is_shown() -> None:
    """A dead connection with its reason, a suspect side with its votes, changes of format by kind."""
    feed_health = FeedHealthStats(
        False,
        [DownConnection("linear-0", "dial_failed", 5_000_000)],
        {"unknown_key": 3, "unknown_value": 0, "unknown_channel": 0, "malformed": 0},
        [],
        SideStats(2, 20, 14.0, True),
    )
    samples = scrape(Snapshot(fleets=[fleet(None, feed_health)]), venues=["bybit", "okx"])
    down = {"venue": "bybit", "connection": "linear-0", "reason": "dial_failed"}
    assert value(samples, "feed_down_since_timestamp_seconds", **down) == 5.0
    assert value(samples, "feed_up", venue="bybit") == 0
    assert value(samples, "feed_up", venue="okx") == 0, "configured, and not begun"
    assert value(samples, "feed_side_suspect", venue="bybit") == 1
    assert value(samples, "feed_side_votes_total", venue="bybit", vote="disagree") == 20
    assert value(samples, "feed_schema_drift_total", venue="bybit", kind="unknown_key") == 3
    assert not any(name.startswith("cascade_rest") for name, _ in samples)


def test_what_rest_brings_and_costs_is_shown() -> None:
    """Polls and their stretch, weight, throttles, failures, history and gaps that were filled."""
    events = SessionStats("bybit", "rest")
    events.last_message_us = 2_500_000
    rest_jobs = RestJobsStats(events, 1.5, 100, 4, 900, 2, 7.0, 12_000, 3, 1)
    samples = scrape(Snapshot(fleets=[fleet(rest_jobs, None)]))
    shown = {
        "rest_polls": 100,
        "rest_poll_stretch_ratio": 1.5,
        "rest_last_answer_timestamp_seconds": 2.5,
        "rest_paused_seconds": 7,
        "rest_weight_total": 900,
        "rest_throttled_total": 2,
        "rest_failures_total": 4,
        "rest_history_events_total": 12_000,
    }
    assert {name: value(samples, name, venue="bybit") for name in shown} == shown
    assert value(samples, "feed_gaps_backfilled_total", venue="bybit", result="filled") == 3
    assert value(samples, "feed_gaps_backfilled_total", venue="bybit", result="unfilled") == 1


def test_missing_topics_are_shown_by_channel() -> None:
    """Topics that an exchange refuses are counted by exchange and channel; a channel without any is 0."""
    one = fleet(None, None)._replace(topics_missing={"trades": 3, "liquidations": 0, "": 1})
    samples = scrape(Snapshot(fleets=[one]))
    for channel, count in {"trades": 3, "liquidations": 0, "other": 1}.items():
        assert value(samples, "feed_topics_missing", venue="bybit", channel=channel) == count
