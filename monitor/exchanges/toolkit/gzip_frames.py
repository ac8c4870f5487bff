"""Frames and lines that an exchange sends compressed, made plain within a limit."""

from __future__ import annotations

import zlib
from typing import Final

MAX_PLAIN_BYTES: Final = 8 * 1024 * 1024
"""As the limit on plain frames; a gzip of 64 kB can hold 64 MB, which no exchange means to send."""

GZIP_HEAD: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


def inflate(frame: bytes) -> bytes:
    """The content of a gzip frame; one without its header is given back as it is.

    Raises ``ValueError`` where it is cut off, damaged or larger than :data:`MAX_PLAIN_BYTES`.
    """
    if frame[:2] != GZIP_HEAD:
        return frame
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = stream.decompress(frame, MAX_PLAIN_BYTES)
    except zlib.error as error:
        raise ValueError(f"compressed frame: {error}") from error
    if not stream.eof:
        why = "larger than the limit" if stream.unconsumed_tail else "cut off"
        raise ValueError(f"compressed frame: {why}")
    return plain
