"""Prometheus' and Alertmanager's own tools, from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.paths import ROOT
from tests.waiting import patient

PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
ALERTMANAGER: Final = ROOT / "deploy" / "alertmanager"
QUICK: Final = os.environ | {"GOGC": "800"}
"""promtool collects its garbage rarely: a quarter of its time, for 200 MB."""


def tool(name: str, package: str) -> str:
    """Where a tool is; skips, or fails where real parts are required, if it is not installed."""
    found = shutil.which(name)
    if found is None:
        missing = f"{name} is not installed (Debian: {package})"
        if os.environ.get("CASCADE_REQUIRE_REAL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def said(*command: str | Path) -> str:
    """Run a tool; what it said, which must have been successful."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=patient(240), check=False, env=QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
