"""Counts what went into a run of the detector."""

from __future__ import annotations

import msgspec


class Intake(msgspec.Struct):
    """Counts events and unreadable records, with the first and last event time (microseconds) and wall seconds."""

    events: int = 0
    rejected: int = 0
    first_us: int | None = None
    last_us: int | None = None
    elapsed_s: float = 0.0
