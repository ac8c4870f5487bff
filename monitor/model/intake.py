"""Counts what went into a run of the detector."""

from __future__ import annotations

import msgspec


class Intake(msgspec.Struct):
    """What went in: numbers of events and of what could not be read, first and last event time, wall seconds."""

    events: int = 0
    rejected: int = 0
    first_us: int | None = None
    last_us: int | None = None
    elapsed_s: float = 0.0
