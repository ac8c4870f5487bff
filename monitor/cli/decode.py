"""Decodes raw frames to event records, for ``cascade-monitor decode``."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, TextIO

import msgspec

from monitor.collect.recording import FEEDS, INSTRUMENTS, BadLine, read
from monitor.collect.rest.instruments import instruments_in, read_instruments
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Message
from monitor.exchanges.registry import adapter_named
from monitor.exchanges.toolkit.gzip_frames import inflate
from monitor.exchanges.toolkit.records import micros
from monitor.model.errors import OperatorError
from monitor.model.events import Event, Reject
from monitor.model.lines import DecodeError, RawFrame
from monitor.model.validation import EARLIEST_US, LATEST_US, UNREADABLE
from monitor.storage.line_file import Cut, read_lines

Write = Callable[[bytes], object]

GZIP_BASE64: Final = b"H4sI"
"""First characters of every gzip file in base64; no JSON begins with them."""
RECORDED: Final = b'"receive_time_us"'
"""A key of every line of a recording, and of no exchange's frame."""
DATA_DEPTH: Final = 2
"""Levels of nesting from which a number is data: those above are the time and the numbers of the envelope."""


def run(
    venue: str,
    instruments: Path | None,
    frames: BinaryIO,
    out: BinaryIO,
    err: TextIO,
    *,
    receive_time: str | None = None,
    strict: bool = False,
) -> int:
    """Run ``cascade-monitor decode`` with files; see :func:`decode`.

    Raises:
        OperatorError: there is no such venue, the instruments file cannot be read, or the time is none.
    """
    try:
        adapter = adapter_named(venue)
    except ValueError as error:
        raise OperatorError(str(error)) from error
    known = None if instruments is None else read_instruments(instruments)
    source = FrameSource(adapter, known, 0 if receive_time is None else parse_time_us(receive_time))

    def report(line: bytes) -> None:
        out.flush()  # keeps errors and events of a line in order if both are written to one file
        err.write(line.decode())

    status = decode(plain_lines(frames), source, out.write, report, strict=strict)
    out.flush()
    err.flush()
    return status


def parse_time_us(text: str) -> int:
    """Return a time of receipt in microseconds, from ISO 8601 (UTC without a zone) or microseconds since 1970.

    Raises:
        OperatorError: it is neither, or not between 2009 and 2100.
    """
    try:
        moment = None if text.isdecimal() else datetime.fromisoformat(text)
        time_us = int(text) if moment is None else micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except ValueError:
        time_us = 0
    if not EARLIEST_US <= time_us <= LATEST_US:
        raise OperatorError(
            f"--receive-time: {text[:40]!r} is no time between 2009 and 2100 (2026-12-01T00:00:00Z, or microseconds)"
        )
    return time_us


def plain_lines(stream: BinaryIO) -> Iterable[bytes | Cut]:
    """Return the lines of a stream that is plain or gzip, as its first bytes show."""
    is_buffered = isinstance(stream, io.BufferedIOBase)
    return read_lines(stream if is_buffered else io.BufferedReader(stream))  # type: ignore[arg-type,type-var]


class FrameSource:
    """Reads the frames of one exchange, plain or as the lines of a recording.

    Args:
        kind: the exchange's adapter.
        instruments: contract sizes; those that a recording holds are added.
        received_us: time of receipt of frames outside a recording, microseconds; 0 if it is not known.
    """

    def __init__(
        self, kind: type[Adapter], instruments: Mapping[str, Instrument] | None = None, received_us: int = 0
    ) -> None:
        self._kind = kind
        self._known = dict(instruments or {})
        self._adapter = kind.for_decoding(instruments)
        self._received_us = received_us
        self._venue = Memory()
        self._sockets: dict[str, Memory] = {}

    def read(self, line: bytes) -> tuple[bytes, list[Message]]:
        """Return the frame of a line and its messages; no frame for a line that holds none of this exchange."""
        if RECORDED not in line:
            frame = plain_frame(line)
            return frame, self._adapter.parse(frame, self._received_us, self._memory(""))
        (item,) = read([line])
        venue = self._kind.venue
        if isinstance(item, BadLine):
            return b"", [Reject(venue, item.reason, item.detail, self._received_us)]
        if not isinstance(item, RawFrame):
            return b"", [item] if item.venue == venue else []
        if item.venue != venue or item.channel == FEEDS:
            return b"", []
        if item.channel == INSTRUMENTS:
            return b"", self._learn(item)
        frame = item.content
        return frame, self._adapter.parse(frame, item.receive_time_us, self._memory(item.channel))

    def _memory(self, socket: str) -> Memory:
        return self._sockets.setdefault(socket, self._venue.for_new_socket())

    def _learn(self, item: RawFrame) -> list[Message]:
        """Add the contract sizes of a recorded instrument table."""
        try:
            self._known |= instruments_in(self._adapter, item.content)
        except UNREADABLE as error:
            return [Reject(item.venue, "malformed", f"instrument data: {error}", item.receive_time_us)]
        self._adapter = self._kind.for_decoding(self._known)
        return []


def decode(lines: Iterable[bytes | Cut], source: FrameSource, out: Write, err: Write, *, strict: bool = False) -> int:
    """Turn raw frames, one per line, into event records, one JSON object per line.

    Args:
        lines: the frames or lines of a recording; an empty line is none. A compressed frame is a line of base64.
        source: reads them. Where the time of receipt is not known it is 0 in every event, and no event is too old or
            too far ahead.
        out: takes each event's line.
        err: takes ``{"line": N, "error": "…"}`` for each row that could not be read; lines count from 1.
        strict: True to report frames that carry data and yield nothing as well, not even a skipped row.

    Returns:
        The exit status: 1 where anything was reported, else 0. Acknowledgements, refusals, pings and skipped rows are
        read and print nothing.
    """
    encode = msgspec.json.encode
    number = status = 0
    try:
        for number, line in enumerate(lines, 1):
            content = (line.tail if isinstance(line, Cut) else line).strip()
            frame, messages = source.read(content) if content else (b"", [])
            errors = [f"{one.reason}: {one.detail}" for one in messages if isinstance(one, Reject)]
            if isinstance(line, Cut):
                errors = [f"malformed: {line.explanation(lost=bool(errors))}"]
            elif strict and frame and not messages and carries_data(frame):
                errors.append("unused: the frame carries data and yields nothing")
            for message in messages:
                if isinstance(message, Event):
                    out(encode(message) + b"\n")
            for error in errors:
                status = 1
                err(encode(DecodeError(number, error)) + b"\n")
    except OSError as error:
        status = 1
        end = DecodeError(number + 1, f"malformed: the input cannot be read on from here: {error}")
        err(encode(end) + b"\n")
    return status


def plain_frame(line: bytes) -> bytes:
    """Return a line's frame: decoded base64 if the frame is compressed, else the line itself."""
    if not line.startswith(GZIP_BASE64):
        return line
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        return line


def carries_data(frame: bytes) -> bool:
    """Return True if a JSON frame holds a number, also as text, below the level of its envelope."""
    try:
        return _has_number(msgspec.json.decode(inflate(frame)), 0)
    except UNREADABLE:
        return False


def _has_number(content: object, depth: int) -> bool:
    if isinstance(content, dict):
        return any(_has_number(one, depth + 1) for one in content.values())
    if isinstance(content, list):
        return any(_has_number(one, depth + 1) for one in content)
    if depth < DATA_DEPTH or isinstance(content, bool) or content is None:
        return False
    try:
        float(content)  # type: ignore[arg-type]
    except ValueError:
        return False
    return True
