"""What one venue's fleet counts, as the metrics and the dashboard read it."""

from __future__ import annotations

from typing import NamedTuple

from monitor.collect.quality.feed_health import WatchStats
from monitor.collect.rest.jobs import AskingStats
from monitor.collect.stats import SessionStats


class FleetStats(NamedTuple):
    """A venue now: its connections, the sum of all that it brings, and what the venue's outlet counted.

    ``folding`` says whether trades go out as bars; ``switched_to_bars`` and ``switched_to_each`` count the switches
    made by overload and by calm; ``rejects_suppressed`` were counted but not published. ``asking`` is what REST brings,
    None where it is not asked; ``watch`` says whether the feed can be believed.
    """

    venue: str
    connections: list[SessionStats]
    total: SessionStats
    folding: bool
    switched_to_bars: int
    switched_to_each: int
    rejects_suppressed: int
    asking: AskingStats | None = None
    watch: WatchStats | None = None
