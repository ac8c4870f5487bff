"""Defines how much of the exchanges a monitor can see, computed from the last contact with each. No I/O.

The state is shown by metrics, dashboard and readiness, so that a monitor that receives nothing never looks calm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from monitor.model.events import MICROS

STARTING_US: Final = 30 * MICROS
"""A monitor that reached no exchange is starting for this long, microseconds, then blind; connecting takes seconds."""
HEARD_US: Final = 10 * MICROS
"""An exchange counts as connected for this long after its last heartbeat, microseconds. Heartbeats come once a second,
and a detector on Kafka reads them within a second unless its group rebalances."""


class VisibilityState(StrEnum):
    """State of the view on the exchanges: which part of them is connected."""

    STARTING = "starting"
    """No exchange has been reached yet, and the monitor started less than :data:`STARTING_US` ago."""
    SEEING = "seeing"
    """At least half of the exchanges are connected."""
    DEGRADED = "degraded"
    """Less than half of the exchanges are connected."""
    BLIND = "blind"
    """No exchange is connected, so nothing can be detected."""


class Contact(NamedTuple):
    """The contact with one exchange.

    Attributes:
        venue: the exchange.
        is_connected: whether data can be received now.
        last_us: time of the last data, microseconds since the epoch; 0 for never.
    """

    venue: str
    is_connected: bool
    last_us: int


class MonitorVisibility(NamedTuple):
    """State of a monitor's view on the exchanges, with its beginning.

    Attributes:
        state: the state.
        connected: number of exchanges that are connected.
        expected: number of exchanges that should be.
        since_us: time since which the state lasts, microseconds since the epoch; 0 while it is seeing.
    """

    state: VisibilityState
    connected: int
    expected: int
    since_us: int

    @property
    def is_blind(self) -> bool:
        """Return True if nothing can be seen, from the start on or later."""
        return self.state in (VisibilityState.BLIND, VisibilityState.STARTING)


def visibility(contacts: Iterable[Contact], now_us: int, started_us: int) -> MonitorVisibility:
    """Return how much can be seen now.

    Args:
        contacts: one of each exchange that should be connected.
        now_us: the present, microseconds since the epoch.
        started_us: when the monitor started.

    Example:
        >>> lost = [Contact("okx", False, 70_000_000), Contact("bybit", False, 90_000_000)]
        >>> visibility(lost, 100_000_000, 10_000_000)
        MonitorVisibility(state=<VisibilityState.BLIND: 'blind'>, connected=0, expected=2, since_us=90000000)
    """
    found = list(contacts)
    lost_us = sorted(each.last_us or started_us for each in found if not each.is_connected)
    connected, expected = len(found) - len(lost_us), len(found)
    if connected and 2 * connected >= expected:
        return MonitorVisibility(VisibilityState.SEEING, connected, expected, 0)
    if connected:  # since the loss that left less than half
        return MonitorVisibility(VisibilityState.DEGRADED, connected, expected, lost_us[expected // 2])
    is_reached = any(each.last_us >= started_us for each in found)
    if not is_reached and now_us - started_us < STARTING_US:
        return MonitorVisibility(VisibilityState.STARTING, 0, expected, started_us)
    return MonitorVisibility(VisibilityState.BLIND, 0, expected, max(lost_us, default=started_us))


def contacts_of(heartbeats: Mapping[str, int], now_us: int) -> list[Contact]:
    """Return the contacts that heartbeats show.

    Args:
        heartbeats: by exchange the second of its last heartbeat.
        now_us: the present, microseconds since the epoch.

    Example:
        >>> contacts_of({"okx": 50}, 61_500_000)
        [Contact(venue='okx', is_connected=False, last_us=51000000)]
    """
    ends_us = {venue: (second + 1) * MICROS for venue, second in heartbeats.items()}
    return [Contact(venue, now_us - end_us <= HEARD_US, end_us) for venue, end_us in ends_us.items()]
