"""A state as a snapshot brings it back."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def stored(state: T) -> T:
    """Return a state after it was encoded to MessagePack and decoded as what it is."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=type(state))
