"""Finds what a venue's sockets missed while no collector ran: from the last heartbeat published to the first socket.

A heartbeat is published once everything received before it was, so whatever came after the last one before a restart
may have been lost with the process. Another collector of the same venue that beats meanwhile missed nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NamedTuple

from monitor.model.events import MICROS, Channel

COVERED_S: Final = 3.0
"""Another collector that did not beat for this long is not taken to see the venue; beats come every second."""


class Predecessors(NamedTuple):
    """What is known of the collectors before this one.

    Attributes:
        beats: returns of a venue by channel when its last heartbeat was received, microseconds.
        alone: True where no other collector can publish at the same time.
    """

    beats: Callable[[str], Awaitable[Mapping[str, int]]]
    alone: bool


class Restart:
    """What one venue missed before this collector's first sockets.

    Args:
        venue: which.
        predecessors: what is known of the collectors before.
        clock: the machine's time in microseconds.
    """

    def __init__(self, venue: str, predecessors: Predecessors, clock: Callable[[], int]) -> None:
        self._venue = venue
        self._predecessors = predecessors
        self._clock = clock
        self._started_us = clock()

    async def missed(self, channels: Iterable[Channel], until_us: int) -> dict[Channel, int]:
        """Return by channel since when it was not seen up to ``until_us``; nothing for channels without a gap.

        This collector must publish no heartbeat of the venue before.
        """
        beats = await self._predecessors.beats(self._venue)
        if not self._predecessors.alone and self._recent(beats):
            # The last one may be that of a collector that goes on, which its next one shows.
            await asyncio.sleep(COVERED_S - (self._clock() - self._started_us) / MICROS)
            beats = await self._predecessors.beats(self._venue)
        return {
            channel: beats[channel]
            for channel in channels
            if channel in beats and beats[channel] < until_us and not self._covered(beats[channel], until_us)
        }

    def _recent(self, beats: Mapping[str, int]) -> bool:
        return any(beat > self._started_us - COVERED_S * MICROS for beat in beats.values())

    def _covered(self, beat_us: int, until_us: int) -> bool:
        return beat_us > self._started_us and until_us - beat_us <= COVERED_S * MICROS
