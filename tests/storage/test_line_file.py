"""Lines of plain and compressed files come back whole, also behind damage."""

from __future__ import annotations

import gzip
import os
import random
import zlib
from functools import cache
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.storage.line_file import MAGIC, PIECE_BYTES, Cut, read_lines

LINES = st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"") + b"\n"), max_size=30)


def member(*lines: bytes) -> bytes:
    """A whole gzip member of these lines."""
    return gzip.compress(b"".join(lines))


@cache
def noise(count: int, seed: int = 1) -> list[bytes]:
    """Lines that hardly shrink, so that members are longer than what is read at a time."""
    chance = random.Random(seed)
    return [chance.randbytes(60).hex().encode() + b"\n" for _ in range(count)]


@given(members=st.lists(LINES, max_size=5), padding=st.integers(0, 20))
def test_lines_of_whole_members_come_back(members: list[list[bytes]], padding: int) -> None:
    """Lines come back in order across members, empty ones and padding between them."""
    data = b"".join(member(*lines) + bytes(padding) for lines in members)
    expected = [line for lines in members for line in lines]
    assert list(read_lines(BytesIO(data))) == expected


@given(LINES, st.binary(max_size=10).filter(lambda text: b"\n" not in text and not text.startswith(MAGIC[:1])))
def test_plain_lines_come_back(lines: list[bytes], last: bytes) -> None:
    """A file that does not begin like a compressed one is plain; its last line may lack a newline."""
    lines = [line for line in lines if not line.startswith(MAGIC[:1])]
    assert list(read_lines(BytesIO(b"".join(lines) + last))) == [*lines, *([last] if last else [])]


@given(st.data())
def test_a_member_cut_anywhere_costs_only_its_rest(data: st.DataObject) -> None:
    """Lines of the members around a cut come back, and of the cut one those before the cut, in order."""
    before, broken, after = noise(20, 1), noise(data.draw(st.sampled_from([20, 3_000]), label="lines"), 2), noise(20, 3)
    whole = member(*broken)
    at = data.draw(st.integers(1, len(whole) - 1), label="cut at")
    items = list(read_lines(BytesIO(member(*before) + whole[:at] + member(*after))))
    (place,) = (index for index, item in enumerate(items) if isinstance(item, Cut))
    cut, between = items[place], items[20:place]
    assert items[:20] == before
    assert between == broken[: len(between)]
    assert isinstance(cut, Cut)
    assert b"".join([*broken[len(between) :], b""]).startswith(cut.tail)
    assert items[place + 1 :] == after


def test_a_member_without_its_end_hides_nothing_behind_it() -> None:
    """An unfinished member that was flushed, as older recorders left it, is read whole, and so is what follows."""
    lines, unfinished = noise(3_000), zlib.compressobj(3, wbits=31)
    flushed = b"".join(unfinished.compress(line) + unfinished.flush(zlib.Z_SYNC_FLUSH) for line in lines)
    assert len(flushed) > 2 * PIECE_BYTES
    *found, cut, last = read_lines(BytesIO(flushed + member(b"later\n")))
    assert found == lines
    assert cut == Cut(b"", "the compressed data is damaged (Error -3 while decompressing data: invalid block type)")
    assert last == b"later\n"


@pytest.mark.parametrize("size", [100, 3 * PIECE_BYTES])
def test_bytes_that_are_no_member_are_passed_over(size: int) -> None:
    """Foreign bytes between two members, with what looks like a member's beginning in them, cost nothing else."""
    foreign = random.Random(5).randbytes(size) + MAGIC + b"\xff" * 20
    items = list(read_lines(BytesIO(member(b"one\n") + foreign + member(b"two\n"))))
    assert [item for item in items if not isinstance(item, Cut)] == [b"one\n", b"two\n"]
    assert sum(isinstance(item, Cut) for item in items) == 1


def test_a_wrong_checksum_is_reported_after_the_lines() -> None:
    """Content whose checksum is wrong is given and reported, and the next member is read."""
    damaged = bytearray(member(*noise(50)))
    damaged[-8] ^= 1
    *found, cut, last = read_lines(BytesIO(bytes(damaged) + member(b"later\n")))
    assert found == noise(50)
    assert isinstance(cut, Cut)
    assert "incorrect data check" in cut.reason
    assert last == b"later\n"


def test_the_line_that_a_cut_breaks_is_named() -> None:
    """A file that ends within a member ends with a cut that holds the incomplete line."""
    stream = zlib.compressobj(3, wbits=31)
    flushed = stream.compress(b"whole\nha") + stream.flush(zlib.Z_SYNC_FLUSH)
    assert list(read_lines(BytesIO(flushed))) == [b"whole\n", Cut(b"ha", "the file ends within compressed data")]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_lines_of_a_pipe_are_yielded_as_they_come(packed: bool) -> None:
    """A line is there before the writer has closed the pipe, also where the first read ends within a line."""
    reader, writer = os.pipe()
    one, two = (member(b"one\n"), member(b"two\n")) if packed else (b"one\nt", b"wo\n")
    with os.fdopen(reader, "rb") as file, os.fdopen(writer, "wb", buffering=0) as output:
        output.write(one)
        lines = read_lines(file)
        assert next(lines) == b"one\n"
        output.write(two)
        output.close()
        assert list(lines) == [b"two\n"]
