"""Metrics of paging: each channel's accepted, failed and waiting pages, and its notifier's health."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.deliver.metrics.exposition import Family, counter, gauge, histogram
from monitor.deliver.paging.notifier import NotifierStats
from monitor.model.events import MICROS


def page_metrics(notifiers: Sequence[NotifierStats]) -> Iterator[Family]:
    """Yield each channel's accepted, failed and waiting pages; nothing in a role that pages nobody."""
    if not notifiers:
        return
    one = ("channel",)
    yield counter(
        "pages",
        "Pages that the channel accepted, by action.",
        ("channel", "action"),
        [((n.channel, action), count) for n in notifiers for action, count in n.accepted.items()],
    )
    yield counter(
        "page_failures",
        "Failed attempts to send a page, by reason; all but `refused` are retried.",
        ("channel", "reason"),
        [((n.channel, reason), count) for n in notifiers for reason, count in n.failures.items()],
    )
    yield counter(
        "pages_given_up",
        "Pages given up because of a fault in the monitor; `unknown` counts signals that could not be judged.",
        ("channel", "action"),
        [((n.channel, action), count) for n in notifiers for action, count in n.given_up.items()],
    )
    yield gauge(
        "pages_pending",
        "Pages that wait for the channel to accept them.",
        one,
        [((n.channel,), n.pending) for n in notifiers],
    )
    yield gauge(
        "notifier_last_read_timestamp_seconds",
        "Unix time at which the notifier last read signals or heartbeats, seconds; 0 for never.",
        one,
        [((n.channel,), n.read_us / MICROS) for n in notifiers],
    )
    yield counter(
        "notifier_save_failures",
        "Failed attempts to persist the notifier's progress.",
        one,
        [((n.channel,), n.save_failures) for n in notifiers],
    )
    yield counter(
        "notifier_crashes",
        "Restarts of a notifier's reading or sending after a fault in the monitor or in Kafka.",
        one,
        [((n.channel,), n.crashes) for n in notifiers],
    )
    yield gauge(
        "notifier_failing",
        "1 while the notifier has not recovered from a fault in the monitor or in Kafka.",
        one,
        [((n.channel,), float(n.failing)) for n in notifiers],
    )
    yield gauge(
        "notifier_forgot_timestamp_seconds",
        "Unix time at which unreadable open incidents of a group were last dropped, seconds; 0 for never.",
        one,
        [((n.channel,), n.forgot_us / MICROS) for n in notifiers],
    )
    yield gauge(
        "episode_paged",
        "1 while the channel has an open incident for the episode.",
        ("channel", "asset", "direction"),
        [((n.channel, *scope), 1.0) for n in notifiers for scope in sorted(n.open)],
    )
    yield histogram(
        "page_latency_seconds",
        "Time from the sending of a signal to the acceptance of its page, seconds.",
        one,
        [((n.channel,), n.latency) for n in notifiers],
    )
