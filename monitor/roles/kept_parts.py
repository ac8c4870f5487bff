"""Parts of a shard's saved state: sealed with a checksum for the snapshots' topic, and opened by the next owner."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec

from monitor.model.validation import UNREADABLE
from monitor.storage.checksum import DamagedError, seal, unseal
from monitor.storage.state_losses import Part

TOPIC_IDS: Final = "*topics"
"""Name of the part that holds the ids of the topics which the positions of the state belong to."""

Note = Callable[[Part, str], None]
"""``note(part, what)``: called for what is begun anew; ``what`` names it and the reason. May refuse by raising."""


@dataclass
class Parts:
    """The parts of one shard's state.

    Attributes:
        whole: the contents by name.
        damaged: by name, why a part cannot be used.
    """

    whole: dict[str, bytes] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    def take_topic_ids(self) -> dict[str, UUID]:
        """Return the ids of the topics that the state was made of, and remove their part; empty if unreadable."""
        self.damaged.pop(TOPIC_IDS, None)
        try:
            return msgspec.json.decode(self.whole.pop(TOPIC_IDS, b"{}"), type=dict[str, UUID])
        except UNREADABLE:
            return {}


def sealed(parts: Mapping[str, bytes], prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the key and the value of each part as the topic holds them."""
    for name, content in parts.items():
        yield prefix + name.encode(), seal(content)


def opening(records: Mapping[bytes, bytes], prefix: bytes) -> Generator[None, None, Parts]:
    """Open the records of one shard, one a step; returns the parts.

    Raises:
        NewerEnvelopeError: a later version of the program wrote a part.
    """
    parts = Parts()
    for key, value in records.items():
        if not key.startswith(prefix):
            continue
        name = key[len(prefix) :].decode(errors="replace")
        try:
            parts.whole[name] = unseal(value)
        except DamagedError as error:
            parts.damaged[name] = str(error)
        yield
    return parts
