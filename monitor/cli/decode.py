"""Decodes raw frames to event records, for ``cascade-monitor decode``."""

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
from monitor.model.lines import DecodeError

Write = Callable[[bytes], object]

GZIP_BASE64: Final = b"H4sI"
"""First characters of every gzip file in base64; no JSON begins with them."""


def run(venue: str, instruments: Path | None, frames: BinaryIO, out: BinaryIO, err: TextIO) -> int:
    """Run ``cascade-monitor decode`` with files; see :func:`decode`.

    Raises:
        OperatorError: the venue is unknown, or the instruments file cannot be read.
    """
    try:
        adapter = adapter_named(venue)
    except ValueError as error:
        raise OperatorError(str(error)) from error
    known = None if instruments is None else read_instruments(instruments)

    def report(line: bytes) -> None:
        out.flush()  # keeps errors and events of a line in order if both are written to one file
        err.write(line.decode())

    status = decode(frames, adapter(known), out.write, report)
    out.flush()
    err.flush()
    return status


def decode(lines: Iterable[bytes], adapter: Adapter, out: Write, err: Write) -> int:
    """Turn raw frames, one per line, into event records, one JSON object per line.

    Args:
        lines: the frames; empty lines are skipped. A compressed frame is a line of base64.
        adapter: adapter of the exchange. The time of receipt is unknown, so it is 0 in every event, and no event
            is rejected for its time.
        out: writes each event's line.
        err: writes ``{"line": N, "error": "…"}`` for each row that could not be read; lines count from 1.

    Returns:
        The exit status: 1 if a row could not be read, else 0. Acknowledgements, refusals, pings and skipped
        rows print nothing.
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
                err(encode(DecodeError(number, f"{message.reason}: {message.detail}")) + b"\n")
    return status


def plain_frame(line: bytes) -> bytes:
    """Return a line's frame: decoded base64 if the frame is compressed, else the line itself."""
    if not line.startswith(GZIP_BASE64):
        return line
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        return line
