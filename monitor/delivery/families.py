"""Metric families of the monitor, made at scrape time from plain numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from monitor.cascade.view import Histogram

PREFIX: Final = "cascade_"
"""Of every name."""

Rows = Iterable[tuple[Sequence[str], float]]
"""Label values and the value of each series."""


def gauge(name: str, help_text: str, labels: Sequence[str], rows: Rows) -> GaugeMetricFamily:
    """A gauge and its rows: label values and the value."""
    family = GaugeMetricFamily(PREFIX + name, help_text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def counter(name: str, help_text: str, labels: Sequence[str], rows: Rows) -> CounterMetricFamily:
    """A counter; the exposition adds ``_total`` to its name."""
    family = CounterMetricFamily(PREFIX + name, help_text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def histogram(
    name: str, help_text: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], Histogram]]
) -> HistogramMetricFamily:
    """A histogram and its rows."""
    family = HistogramMetricFamily(PREFIX + name, help_text, labels=labels)
    for values, counts in rows:
        bounds = [*(f"{bound:g}" for bound in counts.bounds), "+Inf"]
        family.add_metric(values, list(zip(bounds, accumulate(counts.counts), strict=True)), counts.sum)
    return family
