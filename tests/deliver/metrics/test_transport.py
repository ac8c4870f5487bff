from __future__ import annotations

from monitor.bus.ports import BusStats, Partition
from monitor.deliver.metrics.monitor import Snapshot
from tests.deliver.metrics.test_monitor import scrape, value


def test_every_field_of_the_bus_is_a_metric() -> None:
    """Each number of the bus is shown, so none is counted and unseen."""
    samples = scrape(Snapshot(bus=BusStats(*range(11, 11 + len(BusStats._fields)))))
    shown = {number for (name, _), number in samples.items() if name.startswith("cascade_bus_")}
    assert shown >= set(range(11, 11 + len(BusStats._fields)))


def test_transactions_and_lost_shards_are_shown() -> None:
    """The detector's commits and lost shards are counters, absent in roles without shards."""
    samples = scrape(Snapshot(commits=5, shards_lost=2, rebalances=3))
    assert value(samples, "transactions_committed_total") == 5
    assert value(samples, "shards_lost_total") == 2
    assert value(samples, "rebalances_total") == 3
    assert value(scrape(Snapshot()), "shards_lost_total") is None


def test_each_channel_has_its_own_lag() -> None:
    """A channel that is far behind is seen, whichever channel is the first."""
    at = Partition("signals", 3)
    samples = scrape(Snapshot(channel_lags={"pagerduty": {at: 0}, "slack": {at: 9}}))
    assert value(samples, "notifier_lag_records", channel="pagerduty", topic="signals", partition="3") == 0
    assert value(samples, "notifier_lag_records", channel="slack", topic="signals", partition="3") == 9
