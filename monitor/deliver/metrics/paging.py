"""Metrics of paging: what each channel took, refused and waits for, and how its notifier does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.deliver.metrics.exposition import Family, counter, gauge, histogram
from monitor.deliver.paging.notifier import NotifierStats
from monitor.model.events import MICROS


def page_metrics(notifiers: Sequence[NotifierStats]) -> Iterator[Family]:
    """What the channels took, refused and wait for; nothing in a role that pages nobody."""
    if not notifiers:
        return
    one = ("channel",)
    yield counter(
        "pages",
        "Pages that the channel accepted.",
        ("channel", "action"),
        [((n.channel, action), count) for n in notifiers for action, count in n.accepted.items()],
    )
    yield counter(
        "page_failures",
        "Tries to page that failed; all but `refused` are repeated.",
        ("channel", "reason"),
        [((n.channel, reason), count) for n in notifiers for reason, count in n.failures.items()],
    )
    yield counter(
        "pages_given_up",
        "Pages that faults of the monitor kept from being sent; `unknown` are signals kept from being judged.",
        ("channel", "action"),
        [((n.channel, action), count) for n in notifiers for action, count in n.given_up.items()],
    )
    yield gauge("pages_pending", "Pages not accepted yet.", one, [((n.channel,), n.pending) for n in notifiers])
    yield gauge(
        "notifier_last_read_timestamp_seconds",
        "When the notifier last read signals or the heartbeats among them; 0 for never.",
        one,
        [((n.channel,), n.read_us / MICROS) for n in notifiers],
    )
    yield counter(
        "notifier_save_failures",
        "Times that what was paged could not be kept.",
        one,
        [((n.channel,), n.save_failures) for n in notifiers],
    )
    yield counter(
        "notifier_crashes",
        "Times that a notifier's reading or sending failed, by a fault of the monitor or of Kafka, and was restarted.",
        one,
        [((n.channel,), n.crashes) for n in notifiers],
    )
    yield gauge(
        "notifier_forgot_timestamp_seconds",
        "When the open incidents that a group keeps last could not be read and were forgotten; 0 for never.",
        one,
        [((n.channel,), n.forgot_us / MICROS) for n in notifiers],
    )
    yield gauge(
        "episode_paged",
        "1 while the channel has the episode's incident open.",
        ("channel", "asset", "direction"),
        [((n.channel, *scope), 1.0) for n in notifiers for scope in sorted(n.open)],
    )
    yield histogram(
        "page_latency_seconds",
        "Sending of a signal to the acceptance of its page.",
        one,
        [((n.channel,), n.latency) for n in notifiers],
    )
