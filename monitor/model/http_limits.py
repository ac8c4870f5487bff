"""Bounds what an HTTP server can do to its client: the size of a body, also after decompression, and pauses."""

from __future__ import annotations

import zlib

ACCEPTED_ENCODING = "gzip"
"""The one compression that :class:`BoundedBody` reads; a client names it in ``Accept-Encoding``."""

GZIP_WINDOW = 31
"""Window size that makes zlib read the gzip format: 15 for the largest window, plus 16."""


class UnreadableBodyError(ValueError):
    """Reports a body that is too large, damaged, or compressed in a way that was not accepted."""


class BoundedBody:
    """Joins the parts of a body as they arrive, and never holds more than ``limit`` bytes of its plain text.

    Args:
        encoding: the answer's ``Content-Encoding``, empty for none.
        limit: largest accepted body after decompression, bytes.
    """

    __slots__ = ("_inflate", "_limit", "_parts", "_size")

    def __init__(self, encoding: str, limit: int) -> None:
        if encoding.strip().lower() not in ("", "identity", ACCEPTED_ENCODING):
            raise UnreadableBodyError(f"compressed with {encoding[:40]!r}, which was not accepted")
        is_plain = encoding.strip().lower() != ACCEPTED_ENCODING
        self._inflate = None if is_plain else zlib.decompressobj(GZIP_WINDOW)
        self._parts: list[bytes] = []
        self._size = 0
        self._limit = limit

    def add(self, part: bytes) -> None:
        """Add a part as received; raise :class:`UnreadableBodyError` if the body exceeds the limit or is damaged."""
        if self._inflate is not None:
            try:
                part = self._inflate.decompress(part, self._limit - self._size + 1)
            except zlib.error as error:
                raise UnreadableBodyError(f"damaged gzip: {error}") from None
        self._size += len(part)
        if self._size > self._limit:
            raise UnreadableBodyError(f"larger than {self._limit} bytes")
        self._parts.append(part)

    def whole(self) -> bytes:
        """Return the body after its last part; raise :class:`UnreadableBodyError` if its compression is cut off."""
        if self._inflate is not None and self._parts and not self._inflate.eof:
            raise UnreadableBodyError("cut off within its gzip")
        return b"".join(self._parts)


def retry_after_s(header: str, longest_s: float) -> float:
    """Return the seconds of a ``Retry-After`` header, at most ``longest_s``; 0 without one, or for a date.

    No known service sends a date. A pause is capped because an absurd one would otherwise last until a restart.
    """
    return min(float(header), longest_s) if header.isascii() and header.isdecimal() else 0.0
