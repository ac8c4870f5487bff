"""Chooses how a throttled feed is estimated: by the exchange's kind of second."""

from __future__ import annotations

from typing import Final

from monitor.detect.flow.calendar_seconds import CalendarSeconds, CalendarState
from monitor.detect.flow.dead_time import DeadTime, DeadTimeState
from monitor.detect.flow.hidden_flow import ThrottledFeed
from monitor.model.events import Coverage

THROTTLED: Final[frozenset[Coverage]] = frozenset({"latest_per_second", "largest_per_second", "sampled"})
"""Kinds of coverage that show one order a second. ``sampled`` (OKX: one order per contract and second, without saying
which) is treated as the latest of a calendar second."""
DEAD_TIME_VENUES: Final = frozenset({"aster", "binance-coinm", "binance-usdm"})
"""Venues whose second begins with an order instead of the clock; measured on public rows of 2025 and 2026, see
:mod:`monitor.detect.flow.dead_time`."""

FeedState = CalendarState | DeadTimeState


def new_feed(venue: str, coverage: Coverage) -> CalendarSeconds | DeadTime:
    """Return an empty feed of a coverage that is in :data:`THROTTLED`."""
    if coverage == "latest_per_second" and venue in DEAD_TIME_VENUES:
        return DeadTime()
    return CalendarSeconds(largest=coverage == "largest_per_second")


def restore_feed(kept: FeedState) -> ThrottledFeed:
    """Return the feed that its ``state`` stored."""
    return DeadTime.restore(kept) if isinstance(kept, DeadTimeState) else CalendarSeconds.restore(kept)
