"""The text of families is what prometheus-client would write, however odd the labels."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from monitor.deliver.metrics import exposition
from monitor.deliver.metrics.exposition import Family, Text, counter, gauge, histogram
from monitor.model.histogram import Histogram

values = st.floats(allow_nan=True) | st.integers(-(2**60), 2**60)
labels = st.tuples(st.text(max_size=6), st.text(max_size=6))
plain_rows = st.lists(st.tuples(labels, values), max_size=4, unique_by=lambda row: row[0])
histograms = st.builds(
    lambda counts: Histogram((0.001, 0.5, 10.0), counts, float(sum(counts))),
    st.lists(st.integers(0, 9), min_size=4, max_size=4),
)
histogram_rows = st.lists(st.tuples(labels, histograms), max_size=3, unique_by=lambda row: row[0])


class One(Collector):
    """A collector of given families."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        """The families."""
        return self._metrics


def parsed(text: str) -> dict[str, Any]:
    """Samples by family, nan made comparable."""
    return {
        family.name: (
            family.type,
            family.documentation,
            sorted(
                (sample.name, sorted(sample.labels.items()), "nan" if math.isnan(sample.value) else sample.value)
                for sample in family.samples
            ),
        )
        for family in text_string_to_metric_families(text)
    }


def reference(*shown: Family) -> dict[str, Any]:
    """The same families as prometheus-client writes and reads them."""
    registry = CollectorRegistry()
    registry.register(One([family.metric() for family in shown]))
    return parsed(generate_latest(registry).decode())


@given(plain_rows, plain_rows, histogram_rows, st.text(max_size=8))
def test_text_is_read_as_prometheus_client_s(gauges: Any, counters: Any, spreads: Any, help_text: str) -> None:
    """Gauges, counters and histograms with any labels and any numbers, twice from one memory of labels."""
    text = Text()
    shown = (
        gauge("one", help_text, ("b", "a"), gauges),
        counter("two", "Two.", ("a", "b"), counters),
        histogram("three_seconds", "Three.", ("b", "a"), spreads),
    )
    assert parsed(text.write(shown).decode()) == parsed(text.write(shown).decode()) == reference(*shown)


def test_series_without_labels_have_no_braces() -> None:
    """A gauge and a histogram of the process as a whole."""
    spread = histogram("age_seconds", "Age.", (), [((), Histogram((1.0,), (2, 1), 2.5))])
    assert Text().write([gauge("up", "Up.", (), [((), 1)]), spread]).decode() == (
        "# HELP cascade_up Up.\n# TYPE cascade_up gauge\ncascade_up 1.0\n"
        "# HELP cascade_age_seconds Age.\n# TYPE cascade_age_seconds histogram\n"
        'cascade_age_seconds_bucket{le="1"} 2.0\ncascade_age_seconds_bucket{le="+Inf"} 3.0\n'
        "cascade_age_seconds_sum 2.5\ncascade_age_seconds_count 3.0\n"
    )


def test_labels_that_come_and_go_do_not_fill_the_memory(monkeypatch: Any) -> None:
    """Beyond its bound the memory of labels is emptied, and the text stays the same."""
    monkeypatch.setattr(exposition, "MOST_LABELS", 10)
    text = Text()
    for number in range(50):
        shown = text.write([gauge("one", "One.", ("asset",), [((f"A{number}",), 1.0)])])
        assert f'cascade_one{{asset="A{number}"}} 1.0' in shown.decode()
    assert sum(len(kept) for kept in text._kept.values()) <= 12  # noqa: SLF001  # no output shows it
