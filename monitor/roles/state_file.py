"""Saves and loads the detector's state in one local file, with a checksum, written whole or not at all."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from monitor.detect.detector import Detector
from monitor.detect.detector_state import OtherFormatError
from monitor.detect.settings import DetectorSettings
from monitor.model.errors import OperatorError
from monitor.model.validation import VOLUME
from monitor.storage.checksum import NewerEnvelopeError
from monitor.storage.kept_file import read_state, set_aside, write_state
from monitor.storage.state_losses import StateLosses

log = logging.getLogger(__name__)

TRIED_S: Final = 2
"""Seconds that a copy of a restored state must be able to close."""
UNUSABLE: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Exceptions that reading or testing a damaged state may raise; an overflow of a damaged sum is one."""


def load(path: Path | None, settings: DetectorSettings, losses: StateLosses | None = None) -> Detector:
    """Return the saved detector, or a new one if there is no file or the file is damaged.

    A damaged file is set aside and the reason logged, so that a restart never fails where a first start would not. A
    file of another version is intact and is refused, because a new start would silently lose open episodes.

    Args:
        path: the file; None for none.
        settings: thresholds.
        losses: counts a damaged file, or refuses it.

    Raises:
        OperatorError: the file cannot be opened or set aside, is damaged and refused, or is of a format that this
            version does not read.
    """
    if path is None or not path.exists():
        return Detector(settings)
    try:
        detector = restore_tried(read_state(path), settings)
    except (OSError, OtherFormatError, NewerEnvelopeError) as error:
        raise OperatorError(
            f"{path}: the detector's state cannot be read: {error}; run the version that wrote it, or move the file "
            "away to start anew"
        ) from None
    except UNUSABLE as error:
        if losses is not None:
            losses.note("detector", f"{path}: the detector's state is damaged ({error!r})")
        _set_aside(path, error)
        return Detector(settings)
    log.info("state of %d assets restored from %s", len(detector.assets), path)
    return detector


def restore_tried(content: bytes, settings: DetectorSettings) -> Detector:
    """Return the detector of a snapshot, after a copy of it was able to close seconds, be displayed and be saved.

    Raises:
        ValueError: the snapshot is damaged, its sums are impossible, or it is of another version (OtherFormatError).
        ArithmeticError, AttributeError, LookupError, TypeError: the copy failed.
    """
    tried = Detector.restore(content, settings)
    tried.advance(tried.second + TRIED_S)
    for asset in tried.view().assets:
        for window, totals in asset.windows.items():
            if max(totals.long, totals.short) > VOLUME.high:
                raise ValueError(f"{asset.asset}: liquidations of {window} exceed {VOLUME.high:g} USD")
    tried.snapshot()
    return Detector.restore(content, settings)


def _set_aside(path: Path, reason: Exception) -> None:
    """Set an unusable state file aside; raise :class:`OperatorError` if that fails."""
    try:
        aside = set_aside(path)
    except OSError as error:
        raise OperatorError(f"{path}: the state is unusable ({reason!r}) and cannot be set aside: {error}") from None
    log.error("%s: the state is unusable (%r): set aside as %s, the detector starts anew", path, reason, aside)


def save(path: Path, snapshot: bytes) -> None:
    """Replace the file, so that a crash leaves the old snapshot or the new one; raise ``OSError`` on failure."""
    write_state(path, snapshot)
