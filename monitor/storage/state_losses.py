"""Counts the parts of the saved state that a restart could not use, for metrics and the alert ``StateLost``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from monitor.model.errors import OperatorError

Part = Literal["detector", "shard", "asset", "market", "incidents"]
"""Kinds of lost state: all of one process, one partition's shard, one asset, the market, or the open incidents."""
PARTS: Final[tuple[Part, ...]] = ("detector", "shard", "asset", "market", "incidents")


class Lost(NamedTuple):
    """Counts of lost parts, as a scrape shows them.

    Attributes:
        parts: number of parts that were started anew, by kind.
        last_us: time of the last loss, microseconds; 0 if there was none.
    """

    parts: dict[Part, int]
    last_us: int


class StateLosses:
    """Counts the losses of one process.

    Args:
        clock: returns the machine's time in microseconds.
        refuses: true if damaged state must end the process instead of being started anew.
    """

    def __init__(self, clock: Callable[[], int], *, refuses: bool = False) -> None:
        self._clock = clock
        self._refuses = refuses
        self._parts: dict[Part, int] = dict.fromkeys(PARTS, 0)
        self._last_us = 0

    def note(self, part: Part, what: str) -> None:
        """Count a part that is started anew; ``what`` names it and the reason.

        Raises:
            OperatorError: the settings refuse to start anew.
        """
        if self._refuses:
            raise OperatorError(
                f"{what}; delivery.damaged_state is refuse: restore a backup, or set start_anew and restart"
            )
        self._parts[part] += 1
        self._last_us = self._clock()

    def view(self) -> Lost:
        """Return the counts so far."""
        return Lost(dict(self._parts), self._last_us)
