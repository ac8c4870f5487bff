"""Deduplication: an id that comes twice within minutes is the same event."""

from __future__ import annotations

from typing import Final

import msgspec

GENERATION_S: Final = 120
"""Length of a generation, seconds. Two are kept: what overlapping sockets and redundant collectors repeat comes within
seconds."""
GENERATION_IDS: Final = 50_000
"""Maximum number of ids in a generation, about 5 MB: ten seconds of the busiest asset's worst minute."""


class SeenState(msgspec.Struct, array_like=True):
    """Everything that :class:`Seen` remembers: the ids of both generations, and when the current one began."""

    current: list[str]
    previous: list[str]
    since: int


class Seen:
    """Ids of the last two to four minutes, in two generations: O(1) and bounded in time and memory."""

    __slots__ = ("_current", "_previous", "_since")

    def __init__(self) -> None:
        self._current: dict[str, None] = {}
        self._previous: dict[str, None] = {}
        self._since = 0

    def add(self, key: str, second: int) -> bool:
        """Remember an id and return True if it is new."""
        current = self._current
        if key in current or key in self._previous:
            return False
        if second - self._since >= GENERATION_S or len(current) >= GENERATION_IDS:
            self._previous, self._current = current, {}
            self._since = second
            current = self._current
        current[key] = None
        return True

    def state(self) -> SeenState:
        """Return what a snapshot stores."""
        return SeenState(list(self._current), list(self._previous), self._since)

    @classmethod
    def restore(cls, state: SeenState) -> Seen:
        """Return the ids that :meth:`state` described."""
        self = cls()
        self._current, self._previous = dict.fromkeys(state.current), dict.fromkeys(state.previous)
        self._since = state.since
        return self
