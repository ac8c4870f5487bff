"""A file is replaced whole or not at all, whatever the disk does meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from monitor.storage.atomic_file import replace_file


def test_the_content_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    """Folders are made; after a second write the folder holds the one file with the second content."""
    path = tmp_path / "deep" / "er" / "state"
    replace_file(path, b"a longer first content")
    replace_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


def test_file_and_folder_are_on_the_disk_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is synced before the renaming, and the folder after it."""
    steps: list[str] = []
    sync, rename = os.fsync, Path.replace

    def note_sync(fd: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        sync(fd)

    def note_rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_rename)
    replace_file(tmp_path / "state", b"content")
    assert steps == ["file", "rename", "folder"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("several_writers", [False, True])
def test_a_failed_write_leaves_the_old_content_and_no_unfinished_file(
    failing: str, several_writers: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk keeps the old file, and the room of the unfinished one is free for the next try."""
    path = tmp_path / "state"
    replace_file(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os if failing == "fsync" else Path, failing, refuse)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new", several_writers=several_writers)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("number", "raises"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_file_system_without_folder_syncs_is_enough(
    number: int, raises: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the errors that mean "not supported" are passed over; a failing disk is reported."""
    sync = os.fsync

    def refuse_folders(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(number, "refused")
        sync(fd)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    if raises:
        with pytest.raises(OSError, match="refused"):
            replace_file(tmp_path / "state", b"content")
    else:
        replace_file(tmp_path / "state", b"content")
    assert (tmp_path / "state").read_bytes() == b"content"


def test_several_writers_do_not_share_the_unfinished_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes write under names of their own, so neither renames what the other has half written."""
    names: list[str] = []
    rename = Path.replace

    def note(self: Path, target: Path) -> Path:
        names.append(self.name)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", note)
    for pid in (1, 2):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        replace_file(tmp_path / "cache.json", b"content", several_writers=True)
    assert names == ["cache.json.1.new", "cache.json.2.new"]
