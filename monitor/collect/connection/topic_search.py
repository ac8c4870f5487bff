"""Finds the topics of one request that an exchange refuses, so that one delisted symbol does not cost the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from monitor.exchanges.adapter import Topic


class TopicSearch:
    """Decides which topics of a request to subscribe next, given the exchange's answers so far. It does no I/O.

    Several exchanges refuse a whole request because of one topic. A refusal that names topics is followed by the same
    request without them, any other by the two halves of the request one after the other. ``b`` refused topics of ``n``
    cost at most ``2 * b * (log2(n) + 1) + 3`` requests.

    Args:
        topics: topics of the request.
        suspects: topics that were refused before; they are requested apart, after the others.

    Attributes:
        missing: topics that the exchange does not deliver.
        accepted: number of topics that it accepted.
    """

    __slots__ = ("_parts", "accepted", "missing")

    def __init__(self, topics: Sequence[Topic], suspects: Collection[Topic] = ()) -> None:
        known = tuple(topic for topic in topics if topic not in suspects)
        doubtful = tuple(topic for topic in topics if topic in suspects)
        self._parts = [part for part in (doubtful, known) if part]
        self.missing: set[Topic] = set()
        self.accepted = 0

    @property
    def part(self) -> tuple[Topic, ...]:
        """Topics to request now; empty once every topic is accepted or missing."""
        return self._parts[-1] if self._parts else ()

    def accept(self, accepted: Collection[str] | None = None) -> None:
        """Settle the present part; topics that are not in ``accepted``, if the exchange lists them, are missing."""
        part = self._parts.pop()
        absent = set() if accepted is None else {topic for topic in part if topic.name not in accepted}
        self.missing |= absent
        self.accepted += len(part) - len(absent)

    def refuse(self, detail: str = "", *, repeated: bool = False) -> None:
        """Replace the present part, which was refused: leave out the topics that ``detail`` names, or halve it.

        The topics that are left out are missing, or accepted if they were refused because they are ``repeated``.
        """
        part = self._parts.pop()
        named = {topic for topic in part if is_named(topic.name, detail)}
        if len(part) > 1 and len(named) in (0, len(part)):
            middle = len(part) // 2
            self._parts += [part[middle:], part[:middle]]
            return
        if len(part) == 1:
            named = set(part)
        else:
            self._parts.append(tuple(topic for topic in part if topic not in named))
        if repeated:
            self.accepted += len(named)
        else:
            self.missing |= named


def is_named(name: str, detail: str) -> bool:
    """Return true if ``detail`` contains a topic's name as a whole word."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", detail) is not None
