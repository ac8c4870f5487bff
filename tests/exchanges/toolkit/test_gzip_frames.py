from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.exchanges.toolkit.gzip_frames import MAX_PLAIN_BYTES, inflate


@given(st.binary(max_size=500))
def test_a_gzip_frame_is_made_plain(content: bytes) -> None:
    """A compressed frame is decompressed; an uncompressed one is returned as it is."""
    assert inflate(gzip.compress(content)) == content
    assert inflate(b"{" + content) == b"{" + content


@given(st.binary(max_size=200))
def test_anything_after_the_header_gives_bytes_or_an_error(content: bytes) -> None:
    """A damaged frame raises ``ValueError`` and nothing else."""
    try:
        plain = inflate(b"\x1f\x8b" + content)
    except ValueError:
        return
    assert isinstance(plain, bytes)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (gzip.compress(b"x" * 1000, mtime=0)[:-9], "cut off"),
        (gzip.compress(bytes(MAX_PLAIN_BYTES + 1), mtime=0), "larger than the limit"),
        (b"\x1f\x8b\x08\xff damaged", "compressed frame"),
    ],
    ids=["cut", "large", "damaged"],
)
def test_a_frame_that_cannot_be_made_plain_says_why(frame: bytes, why: str) -> None:
    """A frame that is truncated, damaged or too large after decompression raises ``ValueError``."""
    with pytest.raises(ValueError, match=why):
        inflate(frame)
