"""State of a detector besides its assets, as a snapshot holds it, and the version of that format."""

from __future__ import annotations

from typing import Final

import msgspec

from monitor.detect.ingest.applier import ApplierState
from monitor.detect.ingest.feeds import FeedsState
from monitor.detect.market_state import MarketSnapshot
from monitor.detect.roster import RosterState
from monitor.model.watermark import WatermarkState

FORMAT: Final = 12
"""Version of the snapshot; another one is refused, because state that is half understood decides wrongly."""


class OtherFormatError(ValueError):
    """A snapshot that another version of the detector wrote; nothing is known to be wrong with it."""


class CommonSnapshot(msgspec.Struct):
    """The part of a snapshot that belongs to no asset, as :class:`monitor.detect.detector.Detector` holds it."""

    format: int
    second: int
    signals_by_phase: dict[str, int]
    roster: RosterState
    applier: ApplierState
    feeds: FeedsState
    market: MarketSnapshot | None
    watermark: WatermarkState


class Version(msgspec.Struct):
    """The field of a snapshot that every format has."""

    format: int


def check_format(found: int) -> None:
    """Raise :class:`OtherFormatError` if a snapshot's format is not the one that this version writes and reads."""
    if found != FORMAT:
        raise OtherFormatError(
            f"snapshot of format {found}, but this version reads {FORMAT}, so only the version that wrote it can use it"
        )
