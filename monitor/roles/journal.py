"""Keeps on disk the records since the last snapshot, so that a restart can apply them again and lose nothing.

The journal is a chain of segments beside the state file, JSON lines of the bus's records. Each snapshot starts a
segment; the segments before it are deleted once the snapshot is on disk. A segment's first line names the snapshot from
which it continues, so that a crash between the two files never applies a record twice. Lines that are appended at once
are followed by their checksum.

Records are queued for the journal before they are decided, and a mark after their signals were published. Records after
the last mark may therefore have led to signals that were not published; signals of records before it are not repeated.
A thread writes the journal, so that no decision waits for the disk. A killed process loses what was queued in its last
milliseconds, and with it the heartbeat that would have shown that nothing is missing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from monitor.bus.topics import Record
from monitor.detect.detector import Detector
from monitor.model.events import (
    Gap,
    Heartbeat,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Trade,
    TradeBar,
    VolatilityIndex,
)
from monitor.model.signals import Signal
from monitor.model.validation import UNREADABLE
from monitor.storage.atomic_file import sync_folder

log = logging.getLogger(__name__)

MAX_BYTES: Final = 2**30
"""Most bytes kept without a snapshot, a quarter of an hour of a busy market. If none can be saved for so long, the disk
has failed."""
RUN: Final = 2_000
"""Number of records applied at once at a restart."""


class Segment(msgspec.Struct, tag_field="type", tag="segment"):
    """The first line of a segment.

    Attributes:
        after: digest of the snapshot from which it continues; empty if it continues the segment before.
        follows: false if records before it are missing, so that it is useless without that snapshot.
        sums: true if its lines are followed by checksums; older versions wrote none.
    """

    after: str
    follows: bool = True
    sums: bool = False


class Mark(msgspec.Struct, tag_field="type", tag="mark"):
    """States that every second before ``second`` was closed, and its signals published."""

    second: int


class Checksum(msgspec.Struct, tag_field="type", tag="checksum"):
    """The CRC-32 of the lines since the one before: what was appended at once is applied as a whole or not at all."""

    crc: int


Line = (
    Liquidation
    | Trade
    | TradeBar
    | MarkPrice
    | OpenInterest
    | VolatilityIndex
    | Gap
    | Heartbeat
    | Segment
    | Mark
    | Checksum
)

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)


def digest(snapshot: bytes) -> str:
    """Return the name of a snapshot; without one, that of no bytes."""
    return hashlib.sha256(snapshot).hexdigest()


def lines_of(records: Sequence[Record]) -> bytes:
    """Return records as the journal's lines."""
    return _ENCODER.encode_lines(records)


def mark_of(second: int) -> bytes:
    """Return the line of a :class:`Mark`."""
    return _ENCODER.encode(Mark(second)) + b"\n"


def checked(lines: bytes) -> bytes:
    """Return lines with the line of their :class:`Checksum`."""
    return lines + _ENCODER.encode(Checksum(zlib.crc32(lines))) + b"\n"


class Journal:
    """Writes and restores the journal beside a state file. Its methods block; only one thread at a time may call them.

    Calls that append and rotate are numbered. A missing number shows that a call was dropped; everything after it is
    useless until the next snapshot. A call that raised ``OSError`` may be repeated.

    Args:
        path: the state file.

    Attributes:
        whole: true if it holds everything since the last snapshot.
    """

    def __init__(self, path: Path) -> None:
        self.whole = False
        self._path = path
        self._file: BinaryIO | None = None
        self._number = max((number_of(each) for each in segments(path)), default=0)
        self._begun: dict[str, int] = {}  # by digest, the segment that continues from that snapshot
        self._sequence = 0  # number of the last call
        self._bytes = 0  # size of this segment
        self._unsaved = 0  # size of all segments since the last snapshot on disk

    def restore(self, detector: Detector, snapshot: bytes) -> list[Signal]:
        """Apply to the detector the records after ``snapshot``; return the signals that were not published.

        The journal then continues from there. Segments of no chain are deleted. If the folder cannot be written, the
        journal starts with the next snapshot.
        """
        chain = self._chain(digest(snapshot))
        pending: list[Signal] = []
        applied = 0
        for at, segment in enumerate(chain):
            size = segment.stat().st_size
            for records in runs(segment):
                applied += len(records)
                last = records[-1]
                if isinstance(last, Mark):
                    detector.apply(records[:-1])
                    detector.advance(last.second)
                    pending = []
                else:
                    pending += detector.apply(records)
            if segment.stat().st_size != size:  # it was cut off; the next segments continue from lost records
                for lost in chain[at + 1 :]:
                    delete(lost)
                break
        detector.quarantine.take()  # its records were rejected before the restart
        if applied:
            log.info("%d lines of the journal applied, up to the second %d", applied, detector.second)
        self.whole = True
        try:
            self._begin(Segment("" if chain else digest(snapshot), sums=True))
        except OSError as error:
            log.error("%s: the journal cannot be started: %s", self._path, error)  # noqa: TRY400  # complete without a traceback
            self.whole = False
        return pending

    def _chain(self, after: str) -> list[Path]:
        """Return the segments that continue from a snapshot, and delete the others."""
        chain: list[Path] = []
        for segment in segments(self._path):
            head = header(segment)
            if head is not None and head.after == after:
                chain = [segment]
            elif chain and head is not None and head.follows:
                chain.append(segment)
            elif chain:
                break
        for segment in segments(self._path):
            if segment not in chain:
                delete(segment)
        return chain

    def append(self, sequence: int, lines: bytes) -> None:
        """Write lines of :func:`lines_of` and :func:`mark_of`; raise ``OSError`` on failure."""
        if sequence != self._sequence + 1 or self._unsaved > MAX_BYTES:
            self._give_up()
        if self.whole:
            self._write(checked(lines))
        self._sequence = sequence

    def sync(self) -> None:
        """Flush to the disk, so that a power failure loses nothing written before; raise ``OSError`` on failure."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def rotate(self, sequence: int, snapshot: bytes) -> None:
        """Start a segment that continues from a snapshot which is about to be saved; raise ``OSError`` on failure."""
        if sequence != self._sequence + 1:
            self._give_up()
        name = digest(snapshot)
        self._begin(Segment(name, self.whole, sums=True))
        self._begun[name] = self._number
        self._sequence, self.whole = sequence, True

    def saved(self, snapshot: bytes) -> None:
        """Delete the segments before that of a snapshot, now that it is on disk."""
        number = self._begun.get(digest(snapshot), 0)
        for segment in segments(self._path):
            if number_of(segment) < number:
                segment.unlink(missing_ok=True)
        self._begun = {name: each for name, each in self._begun.items() if each >= number}
        self._unsaved = 0

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self, head: Segment) -> None:
        path = self._path.with_name(f"{self._path.name}.journal-{self._number + 1:08d}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.close()
        self._file, self._bytes = path.open("wb", buffering=0), 0
        self._write(checked(_ENCODER.encode(head) + b"\n"))
        sync_folder(path.parent)  # else a power failure may lose the segment's name, whatever was synced of it
        self._number += 1

    def _write(self, lines: bytes) -> None:
        """Write all of the lines or none."""
        if self._file is None:
            raise OSError("the segment could not be opened")
        written = 0
        try:
            while written < len(lines):
                written += self._file.write(lines[written:])
        except OSError:
            self._file.truncate(self._bytes)
            self._file.seek(self._bytes)
            raise
        self._bytes += written
        self._unsaved += written

    def _give_up(self) -> None:
        if self.whole:
            log.error(
                "%s: the journal is incomplete; a crash before the next saved state loses the records until then, "
                "and reports them as a gap",
                self._path,
            )
        self.whole = False


def segments(path: Path) -> list[Path]:
    """Return the segments beside a state file, the oldest first."""
    return sorted(path.parent.glob(f"{path.name}.journal-*"), key=number_of)


def number_of(segment: Path) -> int:
    """Return a segment's number."""
    return int(segment.name.rpartition("-")[2])


def delete(segment: Path) -> None:
    """Delete a segment of no chain; if that fails, every restart ignores it."""
    try:
        segment.unlink()
    except OSError as error:
        log.warning("%s: cannot be deleted: %s", segment, error)


def header(segment: Path) -> Segment | None:
    """Return a segment's first line, None where the process ended before it was written or where it is damaged."""
    with segment.open("rb") as file:
        line = file.readline()
        head, following = _decoded(line), _decoded(file.readline())
    if not isinstance(head, Segment) or head.sums != isinstance(following, Checksum):
        return None
    return head if not isinstance(following, Checksum) or following.crc == zlib.crc32(line) else None


def _decoded(line: bytes) -> Line | None:
    """Return a line's record, None if the line is incomplete or damaged."""
    try:
        return _DECODER.decode(line) if line.endswith(b"\n") else None
    except UNREADABLE:
        return None


def runs(segment: Path) -> Iterator[list[Line]]:
    """Yield the lines after the first, in runs that end with a mark or at :data:`RUN` records.

    At the first damage the file is cut off; after a power failure the last lines may be incomplete.
    """
    run: list[Line] = []
    for chunk in _chunks(segment):
        for record in chunk:
            run.append(record)
            if isinstance(record, Mark) or len(run) >= RUN:
                yield run
                run = []
    if run:
        yield run


def _chunks(segment: Path) -> Iterator[list[Line]]:
    """Yield what was appended at once; in segments without checksums, each line."""
    head = header(segment)
    sums = head is not None and head.sums
    chunk: list[Line] = []
    with segment.open("rb") as file:
        first = file.readline()
        good, crc = (0, zlib.crc32(first)) if sums else (len(first), 0)
        position = len(first)
        for line in file:
            position += len(line)
            record = _decoded(line)
            if record is None or (isinstance(record, Checksum) and (not sums or record.crc != crc)):
                break
            if isinstance(record, Checksum) or not sums:
                yield chunk if sums else [record]
                good, crc, chunk = position, 0, []
            else:
                chunk.append(record)
                crc = zlib.crc32(line, crc)
    if good != segment.stat().st_size:
        log.warning("%s: cut off after %d bytes, because what follows is incomplete or damaged", segment, good)
        os.truncate(segment, good)
