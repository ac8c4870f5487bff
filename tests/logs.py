"""Judges the log of a monitor that ran with ``log.format: json``, by level instead of by words."""

from __future__ import annotations

import json
from typing import Final

JSON_LOG: Final = {"format": "json"}
"""The section ``log`` of a process whose log is judged."""


def faults(log: str) -> list[str]:
    """Return the lines that a healthy process does not write.

    These are the monitor's own log records of level error and above, records with a traceback, and whatever is no log
    record at all, such as what the interpreter prints when it ends with an exception. An error of a library without a
    traceback is no fault: the Kafka client logs so that a broker was slow, and tries again.
    """
    return [line for line in log.splitlines() if line and _is_fault(line)]


def _is_fault(line: str) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return True
    is_own = record["logger"].partition(".")[0] in ("monitor", "asyncio")
    return "error" in record or (is_own and record["level"] in ("error", "critical"))
