"""Decompresses gzip frames, up to a maximum size."""

from __future__ import annotations

import zlib
from typing import Final

MAX_PLAIN_BYTES: Final = 8 * 1024 * 1024
"""Largest decompressed frame, equal to the limit on uncompressed frames; 64 kB of gzip could expand to 64 MB."""

GZIP_HEAD: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


def inflate(frame: bytes) -> bytes:
    """Return the content of a gzip frame; a frame without a gzip header is returned as it is.

    Raises ``ValueError`` if it is truncated, damaged or larger than :data:`MAX_PLAIN_BYTES`.
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
