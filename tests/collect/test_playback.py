"""Old recordings replay to the events that they gave when they were made.

``recordings/v0.1.jsonl`` was written by the recorder of commit 9beb207, before the package's modules moved to their
present rooms: frames of every exchange in its documented shape with made-up numbers, instrument tables, and events that
no frame holds. ``v0.1.events.jsonl`` is what that commit's replay made of it. Frames whose reading has been corrected
since are not in it.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from monitor.collect.playback import Playback
from monitor.collect.recording import read_file
from monitor.exchanges.registry import ADAPTERS
from monitor.model.lines import RawFrame

RECORDING: Final = Path(__file__).parent / "recordings" / "v0.1.jsonl"
EXPECTED: Final = [json.loads(line) for line in RECORDING.with_suffix(".events.jsonl").read_bytes().splitlines()]


def played(path: Path) -> tuple[list[dict[str, Any]], int]:
    """A recording's events as they would be printed, and the number of rejects."""
    playback = Playback({path.name: read_file(path)})
    return [json.loads(msgspec.json.encode(event)) for event in playback], playback.intake.rejected


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_a_recording_from_before_the_move_gives_the_same_events(tmp_path: Path, zipped: bool) -> None:
    """Every event comes back field for field and in order, and nothing is rejected."""
    path = RECORDING
    if zipped:
        path = tmp_path / "old.jsonl.gz"
        path.write_bytes(gzip.compress(RECORDING.read_bytes()))
    events, rejected = played(path)
    assert events == EXPECTED
    assert rejected == 0


def test_the_old_recording_holds_every_exchange_and_form() -> None:
    """Each exchange of that time has frames in it, some as bytes, beside tables and the collector's own events."""
    frames = [item for item in read_file(RECORDING) if isinstance(item, RawFrame)]
    assert {event["venue"] for event in EXPECTED} <= set(ADAPTERS)
    assert len({event["venue"] for event in EXPECTED}) == 20
    assert {frame.venue for frame in frames if frame.frame_base64 is not msgspec.UNSET} == {"bingx", "htx"}
    assert "instruments" in {frame.channel for frame in frames}
    assert {event["type"] for event in EXPECTED} >= {
        "liquidation",
        "trade",
        "mark_price",
        "open_interest",
        "gap",
        "heartbeat",
    }
