"""Feeds of the exchanges: heartbeats of their channels, and stated gaps in their liquidations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from monitor.detect.decide.visibility import Feeds
from monitor.detect.ingest.gaps import Hole, Holes, recent
from monitor.model.events import ALL, MICROS, Gap, Heartbeat

SILENT_S: Final = 5
"""Seconds after the last heartbeat of a venue's liquidation channel from which the channel counts as silent."""
NO_GAPS: Final[Mapping[str, int]] = {}


class FeedsState(msgspec.Struct):
    """Everything that :class:`FeedLog` remembers.

    Attributes:
        heartbeats: by venue the second of the last one on its liquidation channel.
        beats: by venue and channel when the last one was received, microseconds.
        holes: gaps in the liquidations by venue.
    """

    heartbeats: dict[str, int]
    beats: dict[str, dict[str, int]]
    holes: dict[str, list[Hole]]


class FeedLog:
    """Heartbeats and gaps of all venues.

    Attributes:
        heartbeats: by venue the second of the last one on its liquidation channel.
        beats: by venue and channel when the last one was received, microseconds.
        holes: gaps in the liquidations by venue.
    """

    def __init__(self) -> None:
        self.heartbeats: dict[str, int] = {}
        self.beats: dict[str, dict[str, int]] = {}
        self.holes = Holes()

    def heartbeat(self, event: Heartbeat, second: int) -> None:
        """Take a heartbeat into the current second; a receive time ahead of it counts as the second's end."""
        self.beats.setdefault(event.venue, {})[event.channel] = min(event.receive_time_us, (second + 1) * MICROS)
        if event.channel == "liquidations":
            self.heartbeats[event.venue] = second

    def gap(self, event: Gap, second: int) -> None:
        """Take a gap of one venue, or of every venue that ever sent a heartbeat."""
        for venue in sorted(self.heartbeats) if event.venue == ALL else (event.venue,):
            self.holes.take(msgspec.structs.replace(event, venue=venue), second)

    def step_back(self, second: int) -> None:
        """Forget what lies after ``second``, because time stepped back to it."""
        self.heartbeats = {venue: min(at, second) for venue, at in self.heartbeats.items()}
        end_us = (second + 1) * MICROS
        self.beats = {
            venue: {channel: min(at_us, end_us) for channel, at_us in found.items()}
            for venue, found in self.beats.items()
        }
        self.holes.step_back(second)

    def at(self, second: int) -> Feeds:
        """Return the venues' liquidation channels as of a second."""
        return feeds_at(self.heartbeats, second, self.holes.ends())

    def state(self) -> FeedsState:
        """Return what a snapshot stores."""
        return FeedsState(heartbeats=self.heartbeats, beats=self.beats, holes=self.holes.state())

    def load(self, state: FeedsState) -> None:
        """Restore what :meth:`state` returned."""
        self.heartbeats, self.beats = state.heartbeats, state.beats
        self.holes.load(state.holes)


def feeds_at(heartbeats: Mapping[str, int], second: int, gaps: Mapping[str, int] = NO_GAPS) -> Feeds:
    """Return the venues' liquidation channels as of a second.

    Args:
        heartbeats: by venue the second of its last heartbeat.
        second: as of when.
        gaps: by venue the second in which its last gap ended that was not backfilled.
    """
    silent = sorted(venue for venue, at in heartbeats.items() if second - at > SILENT_S)
    return Feeds(heartbeats.keys(), silent, recent(gaps, second) if gaps else ())
