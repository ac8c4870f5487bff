"""How far a channel has paged: in a file, and within the bytes that Kafka keeps with an offset."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from monitor.deliver.paging.incidents import content_mark
from monitor.model.errors import OperatorError
from monitor.roles.notifier_progress import NOTE_BYTES, FileProgress, _note
from monitor.storage.side_output import SideOutput
from tests.deliver.paging.test_incidents import EPISODE
from tests.deliver.paging.test_notifier import HERE

OPEN = msgspec.json.encode([["BTC-long-20251124T160000Z", 2, content_mark(EPISODE[1]), 0]])


def test_a_file_that_cannot_be_read_stops_the_start_in_words(tmp_path: Path) -> None:
    """A folder in its place, say."""
    with pytest.raises(OperatorError, match="move the file away"):
        FileProgress(tmp_path, SideOutput("notifier_state")).load()


async def test_without_a_file_nothing_is_kept() -> None:
    """An empty setting forgets."""
    progress = FileProgress(None, SideOutput("notifier_state"))
    await progress.save({HERE: 1}, {HERE: OPEN})
    assert progress.load() == b""


def test_more_incidents_than_an_offset_holds_lose_the_oldest(caplog: pytest.LogCaptureFixture) -> None:
    """The newest stay, and the log says what was lost."""
    pages = [[f"ASSET{number}-long-20251124T160000Z", number, "0a1b2c3d", 1] for number in range(200)]
    kept = json.loads(_note(json.dumps(pages, separators=(",", ":")).encode()))
    assert kept[-1] == pages[-1]
    assert len(json.dumps(kept, separators=(",", ":"))) <= NOTE_BYTES
    assert len(kept) > 60
    assert "will not be resolved" in caplog.text
    assert _note(OPEN) == OPEN.decode()
