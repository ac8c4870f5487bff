"""Wraps stored state in an envelope with a checksum, so that a changed byte is noticed and not restored."""

from __future__ import annotations

import hashlib
from typing import Final

MAGIC: Final = b"cascade-state\n"
"""First bytes of an envelope. No MessagePack array and no JSON list begins with them, so state from before envelopes
is recognised by its first byte."""
_VERSION: Final = b"\x01"
"""Version of the envelope. The checksum covers it and lies before it, so that a later version can be recognized."""
_DIGEST_BYTES: Final = 16
_HEAD: Final = len(MAGIC) + _DIGEST_BYTES


class DamagedError(ValueError):
    """Reports stored bytes that are not those that were written."""


class NewerEnvelopeError(ValueError):
    """Reports an intact envelope of a version that this program does not know."""


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()


def seal(content: bytes) -> bytes:
    """Return the content in an envelope with its checksum."""
    covered = _VERSION + content
    return MAGIC + _digest(covered) + covered


def unseal(stored: bytes) -> bytes:
    """Return the content of an envelope; state without one, as early versions wrote it, is returned unchanged.

    Raises:
        DamagedError: the checksum does not match, or the envelope is truncated.
        NewerEnvelopeError: a later version of the program wrote it.

    Example:
        >>> unseal(seal(b"state"))
        b'state'
        >>> unseal(seal(b"state") + b"!")
        Traceback (most recent call last):
        monitor.storage.checksum.DamagedError: the checksum does not fit the content: a disk or a broker changed it
    """
    if not stored.startswith(MAGIC):
        return stored
    covered = stored[_HEAD:]
    if not covered or _digest(covered) != stored[len(MAGIC) : _HEAD]:
        raise DamagedError("the checksum does not fit the content: a disk or a broker changed it")
    if covered[:1] != _VERSION:
        raise NewerEnvelopeError(f"it is kept in an envelope of version {covered[0]}, which only a later version reads")
    return covered[1:]
