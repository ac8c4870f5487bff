"""Judges the log of a monitor that ran with ``log.format: json``, by level instead of by words."""

from __future__ import annotations

import json
from typing import Final

JSON_LOG: Final = {"format": "json"}
"""The section ``log`` of a process whose log is judged."""


def faults(log: str) -> list[str]:
    """Return the lines that a healthy process does not write.

    These are log records of level error and above, records with a traceback, and whatever is no log record at all,
    such as what the interpreter prints when it ends with an exception.
    """
    return [line for line in log.splitlines() if line and _is_fault(line)]


def _is_fault(line: str) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return True
    return "error" in record or record["level"] in ("error", "critical")
