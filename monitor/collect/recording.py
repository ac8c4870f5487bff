"""Recordings: raw frames as they came, or event records, as JSON lines, plain or gzip.

A recording of raw frames holds all that is needed to play it again: lines of the channel ``instruments`` hold the REST
answers with the contract sizes, lines of the channel ``feeds`` the collector's own gap and heartbeat events and those
that it asked for by REST (their JSON is the frame), all others the frames of the sockets, in the order in which they
were received.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import quote_constants
from monitor.model.events import (
    AnyEvent,
    RejectReason,
)
from monitor.model.validation import UNREADABLE, event_fault
from monitor.storage.append_file import AppendFile
from monitor.storage.side_output import SideOutput

FEEDS: Final = "feeds"
"""Channel of the events that no frame holds in a recording."""

INSTRUMENTS: Final = "instruments"
"""Channel of REST instrument answers in a recording."""

FLUSH_US: Final = 1_000_000
"""Frames of at most this long are lost with the machine; a flush a second costs nothing beside the disk's own."""

FLUSH_BYTES: Final = 1 << 20
"""And of at most so many bytes."""


class RawFrame(msgspec.Struct, gc=False):
    """One line of a recording of raw frames; text in ``frame``, bytes that are no text as base64."""

    venue: str
    channel: str
    receive_time_us: int
    frame: str | UnsetType = UNSET
    frame_base64: bytes | UnsetType = UNSET

    @property
    def content(self) -> bytes:
        """The frame's bytes as they were received."""
        if self.frame_base64 is not UNSET:
            return self.frame_base64
        return b"" if self.frame is UNSET else self.frame.encode()


class BadLine(NamedTuple):
    """A line that cannot be read; ``line`` counts from 1."""

    line: int
    reason: RejectReason
    detail: str


Item = AnyEvent | RawFrame | BadLine


class Recorder:
    """Appends to a recording; a name that ends in ``.gz`` compresses. Flushes each second of receive time.

    Args:
        path: the recording.
        output: writes it in its own time, and survives what fails. Without one it is written at once.
    """

    def __init__(self, path: Path, output: SideOutput | None = None) -> None:
        self.frames = 0
        self._flushed_us = 0
        self._lines: list[bytes] = []
        self._size = 0
        self._file = AppendFile(path, compressed=path.suffix == ".gz")
        self._output = output
        self._put(self._file.open, 0, 0)

    def frame(self, venue: str, channel: str, received_us: int, frame: bytes) -> None:
        """Write one frame; has the shape of a session's ``on_frame``."""
        try:
            line = RawFrame(venue, channel, received_us, frame.decode())
        except UnicodeDecodeError:
            line = RawFrame(venue, channel, received_us, frame_base64=frame)
        written = msgspec.json.encode(line) + b"\n"
        self._lines.append(written)
        self._size += len(written)
        self.frames += 1
        if received_us - self._flushed_us >= FLUSH_US or self._size >= FLUSH_BYTES:
            self._flush()
            self._flushed_us = received_us

    def _flush(self) -> None:
        lines, size, self._lines, self._size = self._lines, self._size, [], 0
        self._put(partial(self._file.append, b"".join(lines)), size, len(lines))

    def _put(self, work: Callable[[], None], size: int, frames: int) -> None:
        if self._output is None:
            work()
        else:
            self._output.put(work, size=size, count=frames)

    def event(self, event: AnyEvent) -> None:
        """Write an event that no frame holds: the collector's own, or one that it has asked for."""
        self.frame(event.venue, FEEDS, event.receive_time_us, msgspec.json.encode(event))

    def instruments(self, venue: str, received_us: int, body: bytes) -> None:
        """Write a REST answer; has the shape of an instrument store's ``on_body``."""
        self.frame(venue, INSTRUMENTS, received_us, body)

    def close(self) -> None:
        """Write out what is left; an output, for which that may take seconds, is closed too."""
        if self._lines:
            self._flush()
        self._put(self._file.close, 0, 0)
        if self._output is not None:
            self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_EVENT: Final[msgspec.json.Decoder[AnyEvent]] = msgspec.json.Decoder(AnyEvent)
_RAW: Final = msgspec.json.Decoder(RawFrame)


def read_file(path: Path) -> Iterator[Item]:
    """Read a recording or an event file, plain or gzip (told by its first bytes, whatever its name).

    A file that was cut off gives everything before the cut and then a :class:`BadLine`.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield from read(gzip.GzipFile(fileobj=file) if zipped else file)


def read(lines: Iterable[bytes]) -> Iterator[Item]:
    """Read lines of either form, also mixed. Never raises for what they hold; empty lines are skipped.

    Events that could not be true (no finite number, no positive price, a time in the future) are bad lines with the
    reason that a live frame would have been rejected for.
    """
    number = 0
    decode_event = _EVENT.decode
    try:
        for number, line in enumerate(lines, 1):
            try:
                event = decode_event(line)
            except UNREADABLE as error:
                if line.strip():
                    yield _read_odd(number, line, error)
                continue
            fault = event_fault(event)
            yield BadLine(number, *fault) if fault else event
    except (EOFError, OSError, zlib.error) as error:
        yield BadLine(number + 1, "malformed", f"the file is damaged or cut off here: {error}")


def _read_odd(number: int, line: bytes, error: Exception) -> Item:
    """Read a line that is no event."""
    try:
        raw = _RAW.decode(line)
    except UNREADABLE as raw_error:
        is_raw = b'"frame"' in line or b'"frame_base64"' in line
        return _bad(number, line, raw_error if is_raw else error)
    if raw.frame is UNSET and raw.frame_base64 is UNSET:
        return BadLine(number, "malformed", "neither an event nor a frame")
    if raw.channel != FEEDS:
        return raw
    try:
        event = _EVENT.decode(raw.content)
    except UNREADABLE as inner:
        return _bad(number, raw.content, inner)
    fault = event_fault(event)
    return BadLine(number, *fault) if fault else event


def _bad(number: int, line: bytes, error: Exception) -> BadLine:
    """Say why a line cannot be read; ``NaN`` and ``Infinity`` are no JSON but deserve their own reason."""
    detail = str(error)
    if quote_constants(line) is not None:
        return BadLine(number, "not_finite", "a number is NaN or infinite")
    return BadLine(number, "not_finite" if detail.startswith("Number out of range") else "malformed", detail)
