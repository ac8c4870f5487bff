"""Notices that an exchange has changed what it sends: fields, values or shapes that its documents did not have.

Pure. Whether a frame's keys are looked at is decided by the kind of what it holds: the first of each kind, then a few a
minute, so that the hot path pays a comparison. What could not be read comes here anyway, as a reject.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from monitor.exchanges.toolkit.gzip_frames import inflate
from monitor.model.events import MICROS, SAMPLE_BYTES, Reject, RejectReason
from monitor.model.validation import UNREADABLE

DriftKind = Literal["unknown_key", "unknown_value", "unknown_channel", "malformed"]

DRIFT_REASONS: Final[dict[RejectReason, DriftKind]] = {
    "unknown_value": "unknown_value", "unknown_channel": "unknown_channel", "malformed": "malformed",
}  # fmt: skip
"""Rejects that say that the exchange's format is not what the adapter knows."""

EVERY_US: Final = 15 * MICROS
"""Four frames of a kind a minute: a new field is in every frame, so the first look finds it."""

MOST_SAMPLES: Final = 50
"""Different findings that are kept; an exchange that changes more has changed its protocol."""

_JSON: Final = msgspec.json.Decoder()


class Finding(NamedTuple):
    """Something new, and the head of the first frame that had it."""

    kind: DriftKind
    detail: str
    sample: bytes


class Drift:
    """What one venue's frames have that its adapter does not know.

    Args:
        known_keys: every key of documented frames; empty looks at no keys.

    Attributes:
        known: the same.
        due_us: when a frame whose first message is of a type is to be looked at; at once where it is missing.
        counts: findings by kind, each time one is met.
        findings: the first of each, by kind and detail.
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
        """Compare a frame's keys with those that are known; returns what was not met before."""
        self.due_us[kind] = now_us + EVERY_US
        try:
            content = _JSON.decode(inflate(frame))
        except UNREADABLE:
            return []  # a pong in plain text, or what the adapter has rejected
        unknown = sorted(field_names(content) - self.known)
        return [finding for name in unknown if (finding := self._note("unknown_key", name, frame))]

    def rejected(self, reject: Reject) -> Finding | None:
        """Take a reject into account; the finding if it is one and was not met before."""
        kind = DRIFT_REASONS.get(reject.reason)
        return None if kind is None else self._note(kind, reject.detail[:64], reject.sample)

    def _note(self, kind: DriftKind, detail: str, frame: bytes) -> Finding | None:
        self.counts[kind] += 1
        if (kind, detail) in self.findings or len(self.findings) >= MOST_SAMPLES:
            return None
        finding = self.findings[kind, detail] = Finding(kind, detail, frame[:SAMPLE_BYTES])
        return finding


def field_names(content: object) -> set[str]:
    """The keys of all objects within, but those that are no identifiers: an object keyed by symbols is a table."""
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
