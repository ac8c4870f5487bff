"""Metrics of the side outputs: recording, signal lines, state files, instrument cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.deliver.metrics.exposition import Family, counter, gauge
from monitor.storage.side_output import OutputStats


def output_metrics(outputs: Sequence[OutputStats]) -> Iterator[Family]:
    """Yield which outputs fail and what was dropped; nothing in a role that has none."""
    if not outputs:
        return
    one = ("output",)
    yield gauge(
        "output_failing",
        "1 while the output's last write fails.",
        one,
        [((each.name,), float(each.failing)) for each in outputs],
    )
    yield counter(
        "output_dropped",
        "Frames, signals or states that were dropped because the output failed.",
        one,
        [((each.name,), each.dropped) for each in outputs],
    )
