"""Finds the gap that a restart leaves: from a venue's last published heartbeat to this process's first socket.

A heartbeat is published after everything received before it, so events after the last heartbeat may have been lost with
the previous process. There is no gap if another collector publishes heartbeats of the same venue meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NamedTuple

from monitor.model.events import MICROS, Channel

COVERED_S: Final = 3.0
"""Age of the last heartbeat up to which another collector counts as running, seconds; heartbeats come every second."""


class Predecessors(NamedTuple):
    """Gives access to the heartbeats of the collectors that ran before this one.

    Attributes:
        beats: returns, for a venue, the receive time of the last heartbeat of each channel, microseconds.
        alone: true if no other collector can publish at the same time.
    """

    beats: Callable[[str], Awaitable[Mapping[str, int]]]
    alone: bool


class Restart:
    """Finds what one venue's collectors missed before this collector's first sockets.

    Args:
        venue: the venue's name.
        predecessors: the last heartbeats of collectors that ran before.
        clock: returns the machine's time in microseconds.
    """

    def __init__(self, venue: str, predecessors: Predecessors, clock: Callable[[], int]) -> None:
        self._venue = venue
        self._predecessors = predecessors
        self._clock = clock
        self._started_us = clock()

    async def missed(self, channels: Iterable[Channel], until_us: int) -> dict[Channel, int]:
        """Return the start of the gap before ``until_us`` for each channel that has one.

        The caller must not have published a heartbeat of the venue before.
        """
        beats = await self._predecessors.beats(self._venue)
        if not self._predecessors.alone and self._recent(beats):
            # The last heartbeat may be of a collector that still runs; its next heartbeat will show it.
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
