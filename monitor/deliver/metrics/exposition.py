"""Metric families of the monitor, made at scrape time from plain numbers, and their text.

prometheus-client writes a series in about 12 µs, which at 20,000 series stops everything else for a quarter of a second
(``cascade-monitor bench scrape``). Here a family keeps its rows as they came, and a series' labels, once written, are
kept as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from math import isfinite
from typing import Final, Literal, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from monitor.model.histogram import Histogram

PREFIX: Final = "cascade_"
"""Of every name."""

MOST_LABELS: Final = 50_000
"""Label texts that are kept: twice what a scrape may hold. Beyond, all are forgotten and written anew."""

Rows = Iterable[tuple[Sequence[str], float]]
"""Label values and the value of each series."""
Kind = Literal["gauge", "counter", "histogram"]


class Family(NamedTuple):
    """One family: its name without ``_total``, help, kind, label names, and rows of values or histograms."""

    name: str
    help_text: str
    kind: Kind
    labels: Sequence[str]
    rows: Sequence[tuple[Sequence[str], float | Histogram]]

    def metric(self) -> Metric:
        """The same as prometheus-client has it."""
        if self.kind == "histogram":
            family = HistogramMetricFamily(self.name, self.help_text, labels=self.labels)
            for values, counts in self.rows:
                assert isinstance(counts, Histogram)  # noqa: S101  # by construction
                family.add_metric(values, [*buckets(counts)], counts.sum)
            return family
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        plain = kind(self.name, self.help_text, labels=self.labels)
        for values, value in self.rows:
            plain.add_metric(values, value)  # type: ignore[arg-type]  # no histogram
        return plain


def gauge(name: str, help_text: str, labels: Sequence[str], rows: Rows) -> Family:
    """A gauge and its rows: label values and the value."""
    return Family(PREFIX + name, help_text, "gauge", labels, list(rows))


def counter(name: str, help_text: str, labels: Sequence[str], rows: Rows) -> Family:
    """A counter; its series' names end in ``_total``."""
    return Family(PREFIX + name, help_text, "counter", labels, list(rows))


def histogram(
    name: str, help_text: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], Histogram]]
) -> Family:
    """A histogram and its rows."""
    return Family(PREFIX + name, help_text, "histogram", labels, list(rows))


def buckets(counts: Histogram) -> Iterator[tuple[str, float]]:
    """Upper bounds as labels, and how many are at most so large."""
    bounds = [*(f"{bound:g}" for bound in counts.bounds), "+Inf"]
    return zip(bounds, accumulate(counts.counts), strict=True)


class Text:
    """Writes families in the classic text format (0.0.4); keeps what labels look like between two scrapes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], dict[tuple[str, ...], str]] = {}
        self._count = 0

    def write(self, families: Iterable[Family]) -> bytes:
        """The text of all families."""
        lines: list[str] = []
        for family in families:
            name = f"{family.name}_total" if family.kind == "counter" else family.name
            lines.append(f"# HELP {name} {escaped_help(family.help_text)}\n# TYPE {name} {family.kind}\n")
            labelled = self._labelled(tuple(family.labels))
            if family.kind == "histogram":
                for values, counts in family.rows:
                    assert isinstance(counts, Histogram)  # noqa: S101  # by construction
                    lines += _histogram(name, labelled(values), counts)
            else:
                # By far the most: a series is one look-up and one string.
                lines += [f"{name}{labelled(values)} {number(value)}\n" for values, value in family.rows]  # type: ignore[arg-type]  # no histogram
        return "".join(lines).encode()

    def _labelled(self, names: tuple[str, ...]) -> Callable[[Sequence[str]], str]:
        """Writes the labels of one series, from memory where they were written before."""
        if self._count > MOST_LABELS:
            self._kept.clear()
            self._count = 0
        kept = self._kept.setdefault(names, {})
        order = sorted(range(len(names)), key=names.__getitem__)

        def labelled(values: Sequence[str]) -> str:
            key = tuple(values)
            text = kept.get(key)
            if text is None:
                pairs = [f'{names[index]}="{escaped(key[index])}"' for index in order]
                text = kept[key] = "{" + ",".join(pairs) + "}" if pairs else ""
                self._count += 1
            return text

        return labelled


def _histogram(name: str, labels: str, counts: Histogram) -> Iterator[str]:
    head = labels[:-1] + "," if labels else "{"
    total = 0.0
    for bound, total in buckets(counts):  # the last one is the count
        yield f'{name}_bucket{head}le="{bound}"}} {number(total)}\n'
    yield f"{name}_sum{labels} {number(counts.sum)}\n{name}_count{labels} {number(total)}\n"


def number(value: float) -> str:
    """A value as Prometheus reads it."""
    value = float(value)
    return repr(value) if isfinite(value) else str(floatToGoString(value))  # type: ignore[no-untyped-call]


def escaped(text: str) -> str:
    """A label's value between quotes."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def escaped_help(text: str) -> str:
    """A help text on one line."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")
