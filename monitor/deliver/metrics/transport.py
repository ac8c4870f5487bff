"""Metrics of the bus: published records, blocked writers, transactions, and the lag of each notifier channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.bus.ports import BusStats, Partition
from monitor.deliver.metrics.exposition import Family, counter, gauge


def bus_metrics(bus: BusStats | None, oldest_s: float | None = None) -> Iterator[Family]:
    """Yield what the process publishes; nothing in a role that publishes nothing."""
    if bus is None:
        return
    yield counter("bus_records_published", "Records handed to the bus.", (), [((), bus.published)])
    yield gauge("bus_records_waiting", "Records on the bus that are not delivered yet.", (), [((), bus.waiting)])
    yield gauge(
        "bus_high_water_records",
        "Number of waiting records from which the bus is full and its writers wait.",
        (),
        [((), bus.high_water)],
    )
    yield counter(
        "bus_drains_blocked",
        "Waits of a writer for room because the bus was full.",
        (),
        [((), bus.drains_blocked)],
    )
    if oldest_s is not None:
        yield gauge(
            "bus_oldest_unconfirmed_seconds",
            "Time that the oldest published batch has waited for the brokers' confirmation, seconds.",
            (),
            [((), oldest_s)],
        )


def topic_metrics(missing: int | None) -> Iterator[Family]:
    """Yield how many topics do not exist; nothing in a role without Kafka."""
    if missing is not None:
        yield gauge("topics_missing", "Kafka topics that this process uses and that do not exist.", (), [((), missing)])


def shard_metrics(commits: int | None, lost: int | None, rebalances: int | None) -> Iterator[Family]:
    """Yield the detector's transactions on Kafka, lost shards and rebalances; nothing in a role without shards."""
    if commits is not None:
        yield counter("transactions_committed", "Transactions committed to Kafka.", (), [((), commits)])
    if lost is not None:
        yield counter(
            "shards_lost",
            "Shards whose state was discarded because another process became their owner.",
            (),
            [((), lost)],
        )
    if rebalances is not None:
        yield counter(
            "rebalances", "Rebalances of the detectors' group, in which shards may move.", (), [((), rebalances)]
        )


def channel_lag_metrics(lags: Mapping[str, Mapping[Partition, int]]) -> Iterator[Family]:
    """Yield how far each notifier channel is behind; nothing in a role without consumer groups of channels."""
    if not lags:
        return
    yield gauge(
        "notifier_lag_records",
        "Signals that the channel's notifier has not read yet, by topic and partition.",
        ("channel", "topic", "partition"),
        [
            ((channel, at.topic, str(at.partition)), count)
            for channel, by_partition in lags.items()
            for at, count in by_partition.items()
        ],
    )
