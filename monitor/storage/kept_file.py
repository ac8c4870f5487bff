"""Keeps state in a file that is replaced as a whole, with a checksum, and set aside if it is unusable."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from monitor.storage.atomic_file import replace_file
from monitor.storage.checksum import seal, unseal

log = logging.getLogger(__name__)

SET_ASIDE: Final = ".unusable"
"""Suffix of a file that was set aside; a later one replaces it, so that restarts do not fill the disk."""


def write_state(path: Path, content: bytes) -> None:
    """Replace the file by the content with its checksum; raise ``OSError`` and keep the old content on failure."""
    replace_file(path, seal(content))


def read_state(path: Path | None) -> bytes:
    """Return the content of the file, empty without a file.

    Raises:
        OSError: the file cannot be read.
        DamagedError: the content is not what was written.
        NewerEnvelopeError: a later version of the program wrote it.
    """
    return unseal(path.read_bytes()) if path is not None and path.exists() else b""


def set_aside(path: Path) -> Path:
    """Rename an unusable file and return its new path; raise ``OSError`` on failure."""
    aside = path.with_name(path.name + SET_ASIDE)
    path.replace(aside)
    return aside
