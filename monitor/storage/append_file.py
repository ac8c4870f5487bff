"""Appends whole chunks to a file or stream; a chunk that fails leaves no part of itself in the file."""

from __future__ import annotations

import os
import stat
import sys
import zlib
from pathlib import Path
from typing import Final

COMPRESSION: Final = 3
"""Compression level: frames shrink to a tenth, in a third of the default level's time."""
_GZIP: Final = 31  # zlib's window bits for a gzip header and trailer


class AppendFile:
    """Appends chunks to a file, which is opened on demand and again after a failure.

    A regular file is truncated to the last whole chunk before the next one is appended. To a pipe or a device, the rest
    of a chunk is written at the next attempt with the same chunk.

    A process that is killed leaves whole chunks and at most one part of a chunk, which its successor isolates: each
    chunk is a gzip member of its own, and behind text that does not end in a newline a newline comes first.

    Args:
        path: the file, created with its folders; None for standard output.
        compressed: true to write gzip. A member a chunk costs 1 to 2 % at 100 kB of text a chunk.
    """

    def __init__(self, path: Path | None, *, compressed: bool = False) -> None:
        self._path = path
        self._compressed = compressed
        self._fd: int | None = None
        self._identity: tuple[int, int] | None = None
        self._regular = False
        self._end = 0  # position after the last whole chunk
        self._broken = False  # True if the present content ends within a line
        self._partial: tuple[bytes, int] = (b"", 0)

    def open(self) -> None:
        """Open the file if it is not open; raise ``OSError`` if it cannot be written."""
        if self._fd is not None:
            return
        if self._path is None:
            fd = os.dup(sys.stdout.fileno())
        else:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._fd = fd
        self._take(os.fstat(fd))

    def _take(self, found: os.stat_result) -> None:
        """Continue after the last whole chunk, or at the end if it is another file."""
        identity = found.st_dev, found.st_ino
        self._regular = stat.S_ISREG(found.st_mode) and self._path is not None
        if identity != self._identity or (self._regular and found.st_size < self._end):
            self._identity, self._end = identity, found.st_size
            self._partial = b"", 0
            self._broken = self._regular and not self._compressed and self._ends_within_a_line()

    def _ends_within_a_line(self) -> bool:
        """Return true if the content does not end in a newline, as a predecessor that was killed can leave it."""
        assert self._path is not None  # noqa: S101  # a regular file has one
        with self._path.open("rb") as file:
            file.seek(max(0, self._end - 1))
            return file.read(1) not in {b"", b"\n"}

    def append(self, chunk: bytes) -> None:
        """Write a chunk of whole lines; on ``OSError`` the caller may repeat the same chunk."""
        self.open()
        if self._compressed:
            member = zlib.compressobj(COMPRESSION, wbits=_GZIP)
            self._put(member.compress(chunk) + member.flush())
        else:
            self._put(b"\n" + chunk if self._broken else chunk)
            self._broken = False

    def close(self) -> None:
        """Close the file."""
        self._let_go()

    def _put(self, data: bytes) -> None:
        assert self._fd is not None  # noqa: S101  # opened by the caller
        try:
            self._cut_back(self._fd)
            done = self._partial[1] if self._partial[0] == data else 0
            while done < len(data):
                done += os.write(self._fd, memoryview(data)[done:])
                self._partial = data, done
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                self._partial = b"", 0  # the next reader gets the whole chunk
            self._let_go()
            raise
        self._end += len(data)
        self._partial = b"", 0

    def _cut_back(self, fd: int) -> None:
        """Truncate to the last whole chunk, and remember its end."""
        if not self._regular:
            return
        if self._partial[1]:
            os.ftruncate(fd, self._end)
            self._partial = b"", 0
        self._end = os.fstat(fd).st_size

    def _let_go(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
