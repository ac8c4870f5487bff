"""The detector's state in one local file: written whole or not at all."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from monitor.detect.detector import Detector
from monitor.detect.settings import DetectorSettings
from monitor.model.errors import OperatorError

log = logging.getLogger(__name__)


def load(path: Path | None, settings: DetectorSettings) -> Detector:
    """The detector as it was saved, or a new one where there is no file.

    Raises:
        OperatorError: the file is there but cannot be used; going on without it would forget open episodes unasked.
    """
    if path is None or not path.exists():
        return Detector(settings)
    try:
        detector = Detector.restore(path.read_bytes(), settings)
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"{path}: the detector's state cannot be read: {error}; move the file away to start anew"
        ) from None
    log.info("state of %d assets restored from %s", len(detector.assets), path)
    return detector


def save(path: Path, snapshot: bytes) -> None:
    """Replace the file by the snapshot, so that a crash leaves the old one or the new one. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.write(snapshot)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)  # what is half written takes the room that another try needs
        raise
