"""Writes and reads recordings: raw frames, or event records, as JSON lines, plain or gzip.

A recording of raw frames holds all that a replay needs, in order of receipt. Lines of the channel ``instruments`` hold
the instrument tables with the contract sizes. Lines of the channel ``feeds`` hold, as JSON in the frame, the
collector's own gap and heartbeat events and the events that were fetched by REST. All other lines hold the frames of
the sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec
from msgspec import UNSET

from monitor.exchanges.toolkit.decoding import quote_constants
from monitor.model.events import (
    AnyEvent,
    RejectReason,
)
from monitor.model.lines import RawFrame
from monitor.model.validation import UNREADABLE, event_fault
from monitor.storage.append_file import AppendFile
from monitor.storage.line_file import Cut, read_lines
from monitor.storage.side_output import SideOutput

FEEDS: Final = "feeds"
"""Channel of the events in a recording that no frame holds."""

INSTRUMENTS: Final = "instruments"
"""Channel of the instrument tables in a recording."""

FLUSH_US: Final = 1_000_000
"""Longest time of receipt that is lost when the machine fails, microseconds."""

FLUSH_BYTES: Final = 1 << 20
"""Most bytes that are lost when the machine fails."""


TRUNCATED: Final = "Input data was truncated"
"""Message of msgspec's error about JSON that ends too early."""


class BadLine(NamedTuple):
    """A line that cannot be read, with its number from 1 and the reason."""

    line: int
    reason: RejectReason
    detail: str


Item = AnyEvent | RawFrame | BadLine


class Recorder:
    """Appends to a recording, compressed if its name ends in ``.gz``, and flushes at each second of receive time.

    Args:
        path: the recording.
        output: thread that writes it and retries; without one, writing blocks the caller.
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
        """Write one frame; serves as a session's ``on_frame``."""
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
        """Write an event that no frame holds: the collector's own, or one that was fetched by REST."""
        self.frame(event.venue, FEEDS, event.receive_time_us, msgspec.json.encode(event))

    def instruments(self, venue: str, received_us: int, body: bytes) -> None:
        """Write an instrument table; serves as an instrument store's ``on_body``."""
        self.frame(venue, INSTRUMENTS, received_us, body)

    def close(self) -> None:
        """Write the remaining lines and close the file and the output, which may take seconds."""
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
    """Read a recording or an event file, plain or gzip (recognised by its first bytes, not its name).

    Where a writer was killed, everything before the cut is read, then comes a :class:`BadLine`, and then what a later
    writer appended.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        yield from read(read_lines(file))


def read(lines: Iterable[bytes | Cut]) -> Iterator[Item]:
    """Read lines of both forms, also mixed; yield a :class:`BadLine` for what cannot be read, and skip empty lines.

    Events with impossible values (a number that is not finite, a price that is not positive, a time in the future) are
    bad lines, with the reason for which a live frame would have been rejected.
    """
    number = 0
    decode_event = _EVENT.decode
    try:
        for number, line in enumerate(lines, 1):
            if isinstance(line, Cut):
                yield from _read_cut(number, line)
                continue
            try:
                event = decode_event(line)
            except UNREADABLE as error:
                if line.strip():
                    yield _read_odd(number, line, error)
                continue
            fault = event_fault(event)
            yield BadLine(number, *fault) if fault else event
    except OSError as error:
        yield BadLine(number + 1, "malformed", f"the file cannot be read on from here: {error}")


def _read_cut(number: int, cut: Cut) -> Iterator[Item]:
    """Read the last line before a cut if it is whole, and yield a bad line for the cut."""
    (item, *_) = read([cut.tail]) if cut.tail.strip() else (None,)
    lost = isinstance(item, BadLine)
    if item is not None and not lost:
        yield item
    yield BadLine(number, "malformed", cut.explanation(lost=lost))


def _read_odd(number: int, line: bytes, error: Exception) -> Item:
    """Read a line that is not an event: a frame, or a bad line."""
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
    """Return a bad line with its reason; ``NaN`` and ``Infinity`` are invalid JSON but have a reason of their own."""
    detail = str(error)
    if detail == TRUNCATED and not line.endswith(b"\n"):
        return BadLine(
            number, "malformed", f"the recording is cut off here, in mid-record ({len(line)} bytes are lost)"
        )
    if quote_constants(line) is not None:
        return BadLine(number, "not_finite", "a number is NaN or infinite")
    return BadLine(number, "not_finite" if detail.startswith("Number out of range") else "malformed", detail)
