"""Raw frames in, event records out: the core of ``cascade-monitor decode``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Final, TextIO

import msgspec

from monitor.collect.rest.instruments import read_instruments
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.memory import Memory
from monitor.exchanges.registry import adapter_named
from monitor.model.errors import OperatorError
from monitor.model.events import Event, Reject

Write = Callable[[bytes], object]

GZIP_BASE64: Final = b"H4sI"
"""First characters of every gzip in base64, and of no JSON."""


def run(venue: str, instruments: Path | None, frames: BinaryIO, out: BinaryIO, err: TextIO) -> int:
    """``cascade-monitor decode``: see :func:`decode`.

    Raises:
        OperatorError: there is no such venue, or the instruments file cannot be read.
    """
    try:
        adapter = adapter_named(venue)
    except ValueError as error:
        raise OperatorError(str(error)) from error
    known = None if instruments is None else read_instruments(instruments)

    def report(line: bytes) -> None:
        out.flush()  # so that errors stand beside the events of the same line where both go to one place
        err.write(line.decode())

    status = decode(frames, adapter(known), out.write, report)
    out.flush()
    err.flush()
    return status


def decode(lines: Iterable[bytes], adapter: Adapter, out: Write, err: Write) -> int:
    """Turn raw frames, one per line, into event records, one JSON object per line.

    Args:
        lines: the frames; an empty line is none. A compressed frame is a line of base64.
        adapter: the exchange that sent them. The time of receipt is not known, so it is 0 in every event and no event
            is too old or too far ahead.
        out: takes each event's line.
        err: takes ``{"line": N, "error": "…"}`` for each row that could not be read; lines count from 1.

    Returns:
        The exit status: 1 where anything could not be read, else 0. Acknowledgements, refusals, pings and skipped
        rows are read and print nothing.
    """
    encode = msgspec.json.encode
    memory = Memory()
    status = 0
    for number, line in enumerate(lines, 1):
        frame = plain_frame(line.strip())
        for message in adapter.parse(frame, 0, memory) if frame else ():
            if isinstance(message, Event):
                out(encode(message) + b"\n")
            elif isinstance(message, Reject):
                status = 1
                err(encode({"line": number, "error": f"{message.reason}: {message.detail}"}) + b"\n")
    return status


def plain_frame(line: bytes) -> bytes:
    """Return a frame's bytes; a compressed frame is written as base64, any other line is the frame itself."""
    if not line.startswith(GZIP_BASE64):
        return line
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        return line
