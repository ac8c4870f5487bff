"""Metrics of the side outputs (recording, signal lines, state files, instrument cache) and of state that was lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.deliver.metrics.exposition import Family, counter, gauge
from monitor.model.events import MICROS
from monitor.storage.side_output import OutputStats
from monitor.storage.state_losses import Lost


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


def state_metrics(lost: Lost | None) -> Iterator[Family]:
    """Yield which parts of the saved state a restart could not use; nothing in a role that saves none."""
    if lost is None:
        return
    yield counter(
        "state_parts_lost",
        "Parts of the saved state that were damaged or missing at a restart and started again without history.",
        ("part",),
        [((part,), count) for part, count in lost.parts.items()],
    )
    yield gauge(
        "state_lost_timestamp_seconds",
        "Unix time at which a part of the saved state was last found damaged or missing, seconds; 0 if none was.",
        (),
        [((), lost.last_us / MICROS)],
    )
