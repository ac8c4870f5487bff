"""Ids of the events that were counted already: an id that comes twice is the same event."""

from __future__ import annotations

from typing import Final

GENERATION_S: Final = 120
"""Two generations are kept: what overlapping sockets and redundant collectors repeat comes within seconds."""
GENERATION_IDS: Final = 50_000
"""Ids in a generation at the most, about 5 MB: ten seconds of the busiest asset's worst minute."""


class Seen:
    """Ids of the last two to four minutes, in two generations: O(1) and bounded in time and memory."""

    __slots__ = ("_current", "_previous", "_since")

    def __init__(self) -> None:
        self._current: dict[str, None] = {}
        self._previous: dict[str, None] = {}
        self._since = 0

    def add(self, key: str, second: int) -> bool:
        """Remember an id; True if it was new."""
        current = self._current
        if key in current or key in self._previous:
            return False
        if second - self._since >= GENERATION_S or len(current) >= GENERATION_IDS:
            self._previous, self._current = current, {}
            self._since = second
            current = self._current
        current[key] = None
        return True

    def state(self) -> list[object]:
        """Return what a snapshot keeps."""
        return [list(self._current), list(self._previous), self._since]

    @classmethod
    def restore(cls, state: list) -> Seen:  # type: ignore[type-arg]
        """The ids that :meth:`state` described."""
        self = cls()
        self._current, self._previous = dict.fromkeys(state[0]), dict.fromkeys(state[1])
        self._since = state[2]
        return self
