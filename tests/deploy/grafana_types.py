"""Fetches TypeScript and Grafana's own types once: npm installs the locked packages into the cache folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.kafka.fetch_kafka import UnavailableError
from tests.paths import ROOT
from tests.waiting import patient

TYPES: Final = Path(__file__).parent / "grafana"
FETCH_TIMEOUT_S: Final = 280
"""Half a minute on a fast line; a slow one still ends."""


def node_modules() -> Path:
    """Return the folder of the locked packages, fetched on first use; raises UnavailableError."""
    folder = Path(os.environ.get("CASCADE_CACHE") or ROOT / ".cache").resolve() / "grafana-types"
    lock = (TYPES / "package-lock.json").read_bytes()
    fetched = folder / "package-lock.json"
    if fetched.exists() and fetched.read_bytes() == lock:
        return folder / "node_modules"
    npm = shutil.which("npm")
    if npm is None:
        raise UnavailableError("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(TYPES / "package.json", folder)
    fetched.write_bytes(lock)
    command = [npm, "ci", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=patient(FETCH_TIMEOUT_S), check=False
    )
    if done.returncode:
        fetched.unlink()
        raise UnavailableError(f"npm ci: {done.stderr[-500:]}")
    return folder / "node_modules"
