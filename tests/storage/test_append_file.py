"""Appending to full disks, devices and files that were replaced leaves whole chunks and readable compression."""

from __future__ import annotations

import errno
import gzip
import itertools
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from monitor.collect.recording import BadLine, Recorder, read_file
from monitor.storage.append_file import AppendFile
from monitor.storage.side_output import SideOutput


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def noise(size: int) -> bytes:
    """Text that hardly shrinks."""
    return os.urandom(size // 2).hex().encode()


def appended(file: AppendFile, chunk: bytes) -> bool:
    """Whether there was room for a chunk."""
    try:
        file.append(chunk)
    except OSError as error:
        return error.errno != errno.ENOSPC
    return True


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_full_disk_leaves_whole_chunks_and_the_rest_follows(small_disk: Path, name: str) -> None:
    """Nothing of the chunk that failed is left; once there is room it and the next ones follow, and all is read."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(40_000))
    path, chunks = small_disk / name, [noise(9_000) + b"\n" for _ in range(6)]
    file = AppendFile(path, compressed=name.endswith(".gz"))
    written = sum(1 for _ in itertools.takewhile(partial(appended, file), chunks))
    assert 0 < written < 6
    with pytest.raises(OSError, match="No space left"):
        file.append(chunks[written] * 4)
    ballast.unlink()
    for chunk in chunks[written:]:
        file.append(chunk)
    file.close()
    read = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    assert read == b"".join(chunks)


def test_a_recording_on_a_full_disk_goes_on_when_there_is_room(small_disk: Path) -> None:
    """Frames wait in memory meanwhile; the file holds them all, in order, without a damaged line."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(60_000))
    path, output = small_disk / "frames.jsonl.gz", SideOutput("recording")
    recorder = Recorder(path, output)
    for second in range(10):
        recorder.frame("bybit", "c", second * 1_000_000, b'"%s"' % noise(2_000))
    assert not output.settled(10)
    assert output.stats().failing
    ballast.unlink()
    recorder.close()
    items = list(read_file(path))
    assert len(items) == 10
    assert not [item for item in items if isinstance(item, BadLine)]
    assert output.stats().dropped == 0


def test_a_device_that_is_always_full_raises_each_time() -> None:
    """``/dev/full`` is no file that could be cut back."""
    file = AppendFile(Path("/dev/full"))
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            file.append(b"x\n")
    file.close()


def test_the_rest_of_a_chunk_follows_in_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stream took before it failed is not written again."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write, fails = os.write, [False, True]

    def halting(fd: int, data: bytes) -> int:
        if fails and fails.pop(0):
            raise OSError(5, "Input/output error")
        return write(fd, bytes(data)[:3])

    file = AppendFile(path)
    monkeypatch.setattr(os, "write", halting)
    with pytest.raises(OSError, match="Input/output error"):
        file.append(b"abcdef\n")
    file.append(b"abcdef\n")
    file.close()
    assert os.read(reader, 100) == b"abcdef\n"
    os.close(reader)


@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_a_file_that_was_replaced_while_it_failed_is_begun_anew(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another disk under the same name: nothing is cut from what is there, and compression begins a new member."""
    zipped = name.endswith(".gz")
    path = tmp_path / name
    file = AppendFile(path, compressed=zipped)
    file.append(b"one\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(OSError, match="Input/output error"):
            file.append(b"two\n")
    path.rename(tmp_path / "old")
    path.write_bytes(gzip.compress(b"other\n") if zipped else b"other\n")
    file.append(b"two\n")
    file.close()
    assert (gzip.decompress(path.read_bytes()) if zipped else path.read_bytes()) == b"other\ntwo\n"


def test_folders_are_made_and_what_is_there_is_kept(tmp_path: Path) -> None:
    """Two sittings are in one file, also compressed."""
    path = tmp_path / "deep" / "a.gz"
    for text in (b"one\n", b"two\n"):
        file = AppendFile(path, compressed=True)
        file.append(text)
        file.close()
    assert gzip.decompress(path.read_bytes()) == b"one\ntwo\n"


@pytest.mark.parametrize(("left", "found"), [(b"", b"two\n"), (b"one\n", b"one\ntwo\n"), (b"on", b"on\ntwo\n")])
def test_a_line_that_a_predecessor_left_unfinished_stays_alone(tmp_path: Path, left: bytes, found: bytes) -> None:
    """Behind part of a line a newline comes first, so that the next line is whole."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(left)
    file = AppendFile(path)
    file.append(b"two\n")
    file.close()
    assert path.read_bytes() == found


def test_every_chunk_is_a_member_of_its_own(tmp_path: Path) -> None:
    """What is in the file after each chunk is whole to every reader of gzip, without a close."""
    path = tmp_path / "a.gz"
    file = AppendFile(path, compressed=True)
    for count in range(1, 4):
        file.append(b"line\n")
        assert gzip.decompress(path.read_bytes()) == b"line\n" * count
    file.close()
    assert gzip.decompress(path.read_bytes()) == b"line\n" * 3
