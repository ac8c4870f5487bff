"""The scrape that is measured is as large as it may get, and every way writes the same series."""

from __future__ import annotations

from monitor.deliver.metrics.monitor import MonitorMetrics
from monitor.lab.bench import scrape


def test_a_large_monitor_keeps_to_its_series() -> None:
    """200 assets on 14 venues amid a cascade are below 20,000 series."""
    taken = scrape.snapshot()
    text = MonitorMetrics(lambda: taken).exposition().decode()
    series = [line for line in text.splitlines() if not line.startswith("#")]
    assert 8_000 < len(series) < 20_000
    assert len({line.rpartition(" ")[0] for line in series}) == len(series)


def test_measures_three_ways_to_write_them() -> None:
    """Each way writes all series; the note has their number and the cost of a scrape."""
    group = scrape.group(1)
    assert [row.name for row in group.rows] == [scrape.GAUGES, scrape.COLLECTOR, scrape.OURS]
    assert all(row.rates[0] > 0 for row in group.rows)
    assert "200 assets on 14 venues" in group.notes[0]
