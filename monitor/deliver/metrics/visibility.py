"""Metrics of how much of the exchanges the monitor can see."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.deliver.metrics.exposition import Family, gauge
from monitor.model.events import MICROS
from monitor.model.visibility import MonitorVisibility, VisibilityState


def visibility_metrics(seen: MonitorVisibility | None) -> Iterator[Family]:
    """Yield the state of visibility, since when it lasts, and how many exchanges are connected; nothing for None."""
    if seen is None:
        return
    yield gauge(
        "visibility_state",
        "1 for the current state of visibility, else 0: starting, seeing, degraded (less than half of the exchanges) "
        "or blind (none).",
        ("state",),
        [((state,), float(state is seen.state)) for state in VisibilityState],
    )
    yield gauge(
        "visibility_since_timestamp_seconds",
        "Unix time since which the monitor is starting, degraded or blind, seconds; 0 while it is seeing.",
        (),
        [((), seen.since_us / MICROS)],
    )
    yield gauge(
        "visibility_venues",
        "Exchanges that are connected, and exchanges that are expected to be.",
        ("kind",),
        [(("connected",), float(seen.connected)), (("expected",), float(seen.expected))],
    )
