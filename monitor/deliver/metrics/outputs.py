"""Metrics of what is written beside the main work: recording, signal lines, state files, instrument cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.deliver.metrics.exposition import Family, counter, gauge
from monitor.storage.side_output import OutputStats


def output_metrics(outputs: Sequence[OutputStats]) -> Iterator[Family]:
    """Which outputs fail, and what that cost; nothing in a role that has none."""
    if not outputs:
        return
    one = ("output",)
    yield gauge(
        "output_failing",
        "1 while what the output was given last cannot be written.",
        one,
        [((each.name,), float(each.failing)) for each in outputs],
    )
    yield counter(
        "output_dropped",
        "Frames, signals or states that were not written and will not be.",
        one,
        [((each.name,), each.dropped) for each in outputs],
    )
