"""Counts the input of a run of the detector."""

from __future__ import annotations

import msgspec


class Intake(msgspec.Struct):
    """Counts of a run's input.

    Attributes:
        events: number of events.
        rejected: number of records that could not be read.
        first_us: event time of the first event, microseconds since the Unix epoch; None without events.
        last_us: event time of the last event, microseconds since the Unix epoch; None without events.
        elapsed_s: duration of the run by the wall clock, seconds.
    """

    events: int = 0
    rejected: int = 0
    first_us: int | None = None
    last_us: int | None = None
    elapsed_s: float = 0.0
