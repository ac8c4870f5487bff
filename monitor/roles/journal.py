"""Keeps the records since the last snapshot on disk: a restart applies them again and is where the process ended.

The journal is a chain of segments beside the state file, JSON lines of the bus's records. A segment begins with each
snapshot, and those before it are deleted once that snapshot is on disk. Its first line names the snapshot that it goes
on from, so that a crash between the two files never applies anything twice.

Records are queued for it before they are decided on; a mark after the signals that they led to were handed on. So
whatever comes after the last mark led to signals that nobody may have seen, and those before it are not repeated. It is
written beside the decisions, which wait for no disk: a kill loses what was queued in its last milliseconds, and with it
the heartbeat that would have shown that nothing is missing.
"""

from __future__ import annotations

import hashlib
import logging
import os
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
    Signal,
    Trade,
    TradeBar,
    VolatilityIndex,
)

log = logging.getLogger(__name__)

MAX_BYTES: Final = 2**30
"""Most bytes kept without a snapshot, a quarter of an hour of a busy market: where none can be saved, the disk has
failed already."""
RUN: Final = 2_000
"""Number of records applied at once on a restart."""


class Segment(msgspec.Struct, tag_field="type", tag="segment"):
    """The first line of a segment.

    Attributes:
        after: digest of the snapshot that it goes on from; empty where it goes on from the segment before.
        follows: False where records before it are missing, so that it means nothing without that snapshot.
    """

    after: str
    follows: bool = True


class Mark(msgspec.Struct, tag_field="type", tag="mark"):
    """Every second before ``second`` was closed, and its signals were handed on."""

    second: int


Line = Liquidation | Trade | TradeBar | MarkPrice | OpenInterest | VolatilityIndex | Gap | Heartbeat | Segment | Mark

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)


def digest(snapshot: bytes) -> str:
    """Return the name of a snapshot; of none, that of no bytes."""
    return hashlib.sha256(snapshot).hexdigest()


def lines_of(records: Sequence[Record]) -> bytes:
    """Return records as the journal's lines."""
    return _ENCODER.encode_lines(records)


def mark_of(second: int) -> bytes:
    """Return the line which notes that the seconds before ``second`` are closed, and their signals handed on."""
    return _ENCODER.encode(Mark(second)) + b"\n"


class Journal:
    """The journal beside a state file. Its methods block, and only one thread at a time may call them.

    Appending and rotating are numbered: where a number is left out, something was given up, and what follows is worth
    nothing until the next snapshot. What raises ``OSError`` may be called again.

    Args:
        path: the state file.

    Attributes:
        whole: True if it holds everything since the last snapshot.
    """

    def __init__(self, path: Path) -> None:
        self.whole = False
        self._path = path
        self._file: BinaryIO | None = None
        self._number = max((number_of(each) for each in segments(path)), default=0)
        self._begun: dict[str, int] = {}  # by digest the segment that goes on from that snapshot
        self._sequence = 0  # of the last call
        self._bytes = 0  # in this segment
        self._unsaved = 0  # in all segments since the last snapshot on disk

    def restore(self, detector: Detector, snapshot: bytes) -> list[Signal]:
        """Apply to a detector what it took after ``snapshot``; returns the signals that were not handed on.

        From now on the journal goes on from there. What belongs to no chain is deleted. Where the folder cannot be
        written, the journal begins with the next snapshot.
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
            if segment.stat().st_size != size:  # it was cut off, and what follows goes on from what is lost
                for lost in chain[at + 1 :]:
                    delete(lost)
                break
        detector.quarantine.take()  # what cannot be applied was rejected before
        if applied:
            log.info("%d lines of the journal applied, up to the second %d", applied, detector.second)
        self.whole = True
        try:
            self._begin(Segment("" if chain else digest(snapshot)))
        except OSError as error:
            log.error("%s: the journal cannot be begun: %s", self._path, error)  # noqa: TRY400  # the reason is in the line
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
        """Write lines of :func:`lines_of` and :func:`mark_of`. Raises ``OSError`` where the disk refuses."""
        if sequence != self._sequence + 1 or self._unsaved > MAX_BYTES:
            self._give_up()
        if self.whole:
            self._write(lines)
        self._sequence = sequence

    def sync(self) -> None:
        """Make sure that what was written survives a loss of power. Raises ``OSError`` where the disk refuses."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def rotate(self, sequence: int, snapshot: bytes) -> None:
        """Begin a segment that goes on from a snapshot which is about to be saved. Raises ``OSError``."""
        if sequence != self._sequence + 1:
            self._give_up()
        name = digest(snapshot)
        self._begin(Segment(name, self.whole))
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
        self._write(_ENCODER.encode(head) + b"\n")
        self._number += 1

    def _write(self, lines: bytes) -> None:
        """Write lines as a whole, or nothing."""
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
                "and states them as a gap",
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
    """Delete a segment that belongs to no chain; one that cannot be is passed over by every restart."""
    try:
        segment.unlink()
    except OSError as error:
        log.warning("%s: cannot be deleted: %s", segment, error)


def header(segment: Path) -> Segment | None:
    """Return a segment's first line, None where the process ended before it was written."""
    with segment.open("rb") as file:
        try:
            head = _DECODER.decode(file.readline())
        except msgspec.DecodeError:
            return None
    return head if isinstance(head, Segment) else None


def _decoded(line: bytes) -> Line | None:
    """Return a line's record, or None where it is torn or damaged."""
    try:
        return _DECODER.decode(line) if line.endswith(b"\n") else None
    except msgspec.DecodeError:
        return None


def runs(segment: Path) -> Iterator[list[Line]]:
    """Yield a segment's lines after the first in runs, each of which ends with a mark or at :data:`RUN` records.

    What cannot be read ends it and is cut off: after a loss of power the last line may be torn.
    """
    run: list[Line] = []
    good = 0
    with segment.open("rb") as file:
        for line in file:
            record = _decoded(line)
            if record is None:
                log.warning("%s: cut off after %d bytes, the line there is torn or damaged", segment, good)
                os.truncate(segment, good)
                break
            good += len(line)
            if isinstance(record, Segment):
                continue
            run.append(record)
            if isinstance(record, Mark) or len(run) >= RUN:
                yield run
                run = []
    if run:
        yield run
