"""Reads the lines of a plain or gzip file, and continues behind damage in compressed data."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedIOBase, BytesIO
from typing import Final, NamedTuple

MAGIC: Final = b"\x1f\x8b\x08"
"""First bytes of a gzip member that is deflated, as all are (RFC 1952, section 2.3.1)."""

PIECE_BYTES: Final = 1 << 16
"""Compressed data that is read at a time, bytes."""

TRIAL_BYTES: Final = 1 << 10
"""Data behind a supposed member's beginning that must be readable before it is taken for one, bytes."""

_GZIP: Final = 31  # zlib's window bits for a gzip header and trailer


class Cut(NamedTuple):
    """Marks where compressed data breaks off: the incomplete last line, and the reason."""

    tail: bytes
    reason: str

    def explanation(self, *, lost: bool) -> str:
        """Return what happened in words; ``lost`` is true if the last line is not whole."""
        where = f"in mid-record ({len(self.tail)} bytes are lost)" if lost else "between two records"
        return f"the recording is cut off here, {where}: {self.reason}"


def read_lines(file: BufferedIOBase) -> Iterator[bytes | Cut]:
    """Yield lines with their newline, which the last one may lack, and a :class:`Cut` for each damage.

    A file is compressed if it begins with the first byte of a gzip member; no text does. Behind damage, reading
    continues with the next gzip member: a writer that was killed leaves an unfinished one, and its successor appends
    another.

    Args:
        file: open for reading, at its beginning; also a pipe, whose lines are yielded as they come.
    """
    start = file.read1(PIECE_BYTES)
    if not start.startswith(MAGIC[:1]):
        *lines, last = start.split(b"\n")
        yield from (line + b"\n" for line in lines)
        if last := last + file.readline():
            yield last
        yield from file
        return
    tail = b""
    for piece in _inflated(start, file):
        if isinstance(piece, Cut):
            yield piece._replace(tail=tail)
            tail = b""
            continue
        lines = BytesIO(tail + piece).readlines()
        tail = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        yield from lines
    if tail:
        yield tail


def _inflated(data: bytes, file: BufferedIOBase) -> Iterator[bytes | Cut]:
    """Yield the content of all members; ``data`` is what was read of the file so far."""
    while data:
        member = zlib.decompressobj(_GZIP)
        # Damage is noticed somewhat behind it. So the last piece's content waits until the next piece is readable, and
        # is read anew up to the next member where that is not.
        earlier, previous, content = member.copy(), b"", b""
        while not member.eof:
            now = member.copy()
            try:
                found = member.decompress(data)
            except zlib.error as error:
                window = previous + data
                place = _next_member(window, 1)
                yield _until_damage(earlier, window[:place])
                yield Cut(b"", f"the compressed data is damaged ({error})")
                data = window[place:] or _from_next_member(window, file)
                break
            yield content
            earlier, previous, content = now, data, found
            data = member.unused_data if member.eof else file.read1(PIECE_BYTES)
            if not data and not member.eof:
                yield content
                yield Cut(b"", "the file ends within compressed data")
                return
        else:
            yield content
            data = data.lstrip(b"\0") or file.read1(PIECE_BYTES).lstrip(b"\0")  # padding is allowed between members


def _until_damage(member: zlib._Decompress, data: bytes) -> bytes:
    """Return the content of ``data`` before the damage in it, which decompressing it at once does not give."""
    found = bytearray()
    with suppress(zlib.error):
        for index in range(len(data)):
            found += member.decompress(data[index : index + 1])
    return bytes(found)


def _from_next_member(data: bytes, file: BufferedIOBase) -> bytes:
    """Return the data from the next member's beginning on, empty if none follows in the file behind ``data``."""
    while more := file.read1(PIECE_BYTES):
        data = data[1 - len(MAGIC) :] + more
        place = _next_member(data, 0)
        if place < len(data):
            return data[place:]
    return b""


def _next_member(data: bytes, place: int) -> int:
    """Return where the next member begins in ``data`` from ``place`` on, or the end of the data."""
    while (place := data.find(MAGIC, place)) >= 0:
        try:
            zlib.decompressobj(_GZIP).decompress(data[place : place + TRIAL_BYTES])
        except zlib.error:
            place += 1
        else:
            return place
    return len(data)
