"""Defines lines of files and streams that are no records: raw frames, and errors of ``decode``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from monitor.model.contract import Micros, Spec


class RawFrame(msgspec.Struct, gc=False):
    """One line of a recording: a text frame in `frame`, or a binary one as base64 in `frame_base64`."""

    venue: Annotated[str, Spec(min_length=1)]
    channel: Annotated[str, Spec("The connection that the frame came by.")]
    receive_time_us: Micros
    frame: str | UnsetType = UNSET
    frame_base64: bytes | UnsetType = UNSET

    @property
    def content(self) -> bytes:
        """Return the frame's bytes as received."""
        if self.frame_base64 is not UNSET:
            return self.frame_base64
        return b"" if self.frame is UNSET else self.frame.encode()


class DecodeError(msgspec.Struct):
    """A line on standard error of `decode`, for a line that it cannot read."""

    line: Annotated[int, Spec("Number of the line on standard input, from 1.", ge=1)]
    error: str
