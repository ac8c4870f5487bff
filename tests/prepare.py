"""``python -m tests.prepare``: fetches what the tests need beside Python, and prints each step and what is missing.

``make test`` runs it first, so that a first run shows what it waits for. Nothing here fails: a test whose counterpart
is missing skips with the reason, or fails where ``CASCADE_REQUIRE_REAL=1`` requires real parts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from tests.deploy.grafana_types import node_modules
from tests.kafka.fetch_kafka import UnavailableError, kafka_jars, kafka_version, require_java


class Fetched(NamedTuple):
    """A part that is fetched once into ``.cache``."""

    name: str
    fetch: Callable[[], object]


PROGRAMS: Final = {
    "prometheus": "prometheus",
    "promtool": "promtool",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
    "openssl": "openssl",
}
"""Programs that tests start, with Debian's packages."""


def _kafka() -> Path:
    require_java()
    return kafka_jars()


def fetched() -> tuple[Fetched, ...]:
    """Return the parts that are fetched."""
    return (
        Fetched(f"Apache Kafka {kafka_version()} (44 MB, once, by Maven)", _kafka),
        Fetched("Grafana's types (once, by npm)", node_modules),
    )


def step(part: Fetched) -> str:
    """Fetch a part and return what came of it."""
    begun = time.monotonic()
    try:
        part.fetch()
    except (UnavailableError, subprocess.TimeoutExpired) as error:
        return f"missing, its tests are skipped: {error}"
    return f"ready after {time.monotonic() - begun:.1f} s"


def absent() -> list[str]:
    """Return the programs that are not installed, each with its package."""
    return [f"{name} (Debian: {package})" for name, package in PROGRAMS.items() if shutil.which(name) is None]


def main() -> None:
    """Print a line before and after each part, then the programs that are missing."""
    for part in fetched():
        sys.stdout.write(f"prepare: {part.name} ... ")
        sys.stdout.flush()
        sys.stdout.write(f"{step(part)}\n")
    missing = absent()
    if missing:
        sys.stdout.write(f"prepare: not installed, their tests are skipped: {', '.join(missing)}\n")


if __name__ == "__main__":
    main()
