"""Where the tests find the project's own files, and the recordings that are not part of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""The checkout: configs, docs and deploy lie in it."""
RECORDINGS: Final = ROOT.parent / "shared" / "data"
"""Recordings of real markets; tests that read them skip, with this reason, where the folder is absent."""
