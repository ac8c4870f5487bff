"""The readiness check of the topics: is one missing that the process reads or writes?"""

from __future__ import annotations

from monitor.deliver.http import Check


def topics_check(trouble: str) -> Check:
    """Fail while topics are missing; ``trouble`` names them and the remedy and is empty if none is."""
    return Check("topics", not trouble, trouble or "all are there")
