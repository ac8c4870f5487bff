"""How far a channel has paged: in a file, and within the bytes that Kafka keeps with an offset."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from monitor.bus.memory import MemoryBus
from monitor.bus.topics import SIGNALS
from monitor.deliver.paging import webhook
from monitor.deliver.paging.incidents import content_mark
from monitor.deliver.paging.notifier import Notifier
from monitor.deliver.paging.text import Links
from monitor.model.errors import OperatorError
from monitor.roles.notifier_progress import NOTE_BYTES, FileProgress, _note
from monitor.storage.checksum import seal
from monitor.storage.side_output import SideOutput
from monitor.storage.state_losses import StateLosses
from tests.deliver.paging.test_incidents import EPISODE
from tests.deliver.paging.test_notifier import HERE

OPEN = msgspec.json.encode([["BTC-long-20251124T160000Z", 2, content_mark(EPISODE[1]), 0]])


def notifier(progress: FileProgress) -> Notifier:
    """A notifier of a channel that is never used."""
    channel = webhook.channel("http://127.0.0.1:1", Links())
    return Notifier(channel, MemoryBus().subscriber([SIGNALS]), progress, lambda: 1)


def test_a_file_that_cannot_be_read_stops_the_start_in_words(tmp_path: Path) -> None:
    """A folder in its place, say."""
    progress = FileProgress(tmp_path, SideOutput("notifier_state"), StateLosses(lambda: 1))
    with pytest.raises(OperatorError, match="move the file away"):
        progress.restore(notifier(progress))


async def test_without_a_file_nothing_is_kept() -> None:
    """An empty setting forgets."""
    progress = FileProgress(None, SideOutput("notifier_state"), StateLosses(lambda: 1))
    await progress.save({HERE: 1}, {HERE: OPEN})
    work = notifier(progress)
    progress.restore(work)
    assert not work.stats().open


@pytest.mark.parametrize("changed", range(10))
def test_a_file_that_cannot_be_set_aside_ends_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: int
) -> None:
    """Damage in a folder that cannot be written ends the start instead of being overwritten by the next save."""
    content = bytearray(seal(OPEN))
    content[-1 - changed] ^= 1
    (tmp_path / "state").write_bytes(content)

    def refuse(self: Path, target: Path) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(Path, "replace", refuse)
    progress = FileProgress(tmp_path / "state", SideOutput("notifier_state"), StateLosses(lambda: 1))
    with pytest.raises(OperatorError, match="cannot be set aside: read-only"):
        progress.restore(notifier(progress))


def test_more_incidents_than_an_offset_holds_lose_the_oldest(caplog: pytest.LogCaptureFixture) -> None:
    """The newest stay, and the log says what was lost."""
    pages = [[f"ASSET{number}-long-20251124T160000Z", number, "0a1b2c3d", 1] for number in range(200)]
    kept = json.loads(_note(json.dumps(pages, separators=(",", ":")).encode()))
    assert kept[-1] == pages[-1]
    assert len(json.dumps(kept, separators=(",", ":"))) <= NOTE_BYTES
    assert len(kept) > 60
    assert "will not be resolved" in caplog.text
    assert _note(OPEN) == OPEN.decode()
