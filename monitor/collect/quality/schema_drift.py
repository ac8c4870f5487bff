"""Detects that an exchange has changed its format: fields, values or shapes that its documentation does not have.

No I/O. For each message type the first frame is checked, and then a few a minute, so the hot path costs one comparison.
Frames that cannot be parsed arrive here as rejects.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from monitor.exchanges.toolkit.gzip_frames import inflate
from monitor.model.events import MICROS, SAMPLE_BYTES, Reject, RejectReason
from monitor.model.validation import UNREADABLE

DriftKind = Literal["unknown_key", "unknown_value", "unknown_channel", "malformed"]

DRIFT_REASONS: Final[dict[RejectReason, DriftKind]] = {
    "unknown_value": "unknown_value",
    "unknown_channel": "unknown_channel",
    "malformed": "malformed",
}
"""Reject reasons that show a format change, with the kind of the change."""

EVERY_US: Final = 15 * MICROS
"""Interval between two checks of a message type, microseconds; a new field is in every frame."""

MOST_SAMPLES: Final = 50
"""Maximum number of different findings kept; an exchange that changes more has changed its protocol."""

_JSON: Final = msgspec.json.Decoder()


class Finding(NamedTuple):
    """A format change, and the beginning of the first frame that showed it."""

    kind: DriftKind
    detail: str
    sample: bytes


class SchemaDrift:
    """Finds what one venue's frames contain that its adapter does not know.

    Args:
        known_keys: every key of the documented frames; empty disables the check of keys.

    Attributes:
        known: the known keys.
        due_us: time of the next check for each message type; due at once if missing.
        counts: number of findings by kind, every occurrence counted.
        findings: first occurrence by kind and detail.
    """

    __slots__ = ("counts", "due_us", "findings", "known")

    def __init__(self, known_keys: frozenset[str]) -> None:
        self.known = known_keys
        self.due_us: dict[type, int] = {}
        self.counts: dict[DriftKind, int] = dict.fromkeys(
            ("unknown_key", "unknown_value", "unknown_channel", "malformed"), 0
        )
        self.findings: dict[tuple[DriftKind, str], Finding] = {}

    def look(self, kind: type, frame: bytes, now_us: int) -> list[Finding]:
        """Compare a frame's keys with the known ones; return those that are new."""
        self.due_us[kind] = now_us + EVERY_US
        try:
            content = _JSON.decode(inflate(frame))
        except UNREADABLE:
            return []  # a pong in plain text, or a frame that the adapter rejects
        unknown = sorted(field_names(content) - self.known)
        return [finding for name in unknown if (finding := self._note("unknown_key", name, frame))]

    def rejected(self, reject: Reject) -> Finding | None:
        """Count a reject that shows a format change; return the finding at its first occurrence."""
        kind = DRIFT_REASONS.get(reject.reason)
        return None if kind is None else self._note(kind, reject.detail[:64], reject.sample)

    def _note(self, kind: DriftKind, detail: str, frame: bytes) -> Finding | None:
        self.counts[kind] += 1
        if (kind, detail) in self.findings or len(self.findings) >= MOST_SAMPLES:
            return None
        finding = self.findings[kind, detail] = Finding(kind, detail, frame[:SAMPLE_BYTES])
        return finding


def field_names(content: object) -> set[str]:
    """Return the keys of all objects within.

    Keys that are no identifiers are left out, because an object keyed by symbols is a table.
    """
    names: set[str] = set()
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            names.update(key for key in item if key.isidentifier())
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return names
