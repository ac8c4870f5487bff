"""What a server can do to its client is bounded."""

from __future__ import annotations

import gzip
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.http_limits import BoundedBody, UnreadableBodyError, retry_after_s


@given(content=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 2000), max_size=5), packed=st.booleans())
def test_a_body_is_joined_from_parts(content: bytes, cuts: list[int], packed: bool) -> None:
    """However a body is cut into parts, plain or compressed, the whole of it is returned."""
    sent = gzip.compress(content) if packed else content
    edges = sorted({0, len(sent), *(min(cut, len(sent)) for cut in cuts)})
    body = BoundedBody("gzip" if packed else "", limit=2000)
    for start, end in itertools.pairwise(edges):
        body.add(sent[start:end])
    assert body.whole() == content


@given(size=st.integers(0, 5000), packed=st.booleans())
def test_a_body_above_the_limit_is_refused(size: int, packed: bool) -> None:
    """A body of more than the limit is refused, and one of just the limit is not."""
    sent = gzip.compress(bytes(size)) if packed else bytes(size)
    body = BoundedBody("gzip" if packed else "identity", limit=1000)
    if size > 1000:
        with pytest.raises(UnreadableBodyError, match="larger than 1000 bytes"):
            body.add(sent)
    else:
        body.add(sent)
        assert len(body.whole()) == size


def test_damaged_and_unknown_compression_is_refused() -> None:
    """A compression that was not accepted, damaged gzip and gzip that is cut off are errors that name it."""
    with pytest.raises(UnreadableBodyError, match="'br'"):
        BoundedBody("br", 10)
    with pytest.raises(UnreadableBodyError, match="damaged gzip"):
        BoundedBody("gzip", 10).add(b"no gzip")
    body = BoundedBody("gzip", 100)
    body.add(gzip.compress(b"abc")[:-9])
    with pytest.raises(UnreadableBodyError, match="cut off"):
        body.whole()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("", 0.0), ("99999999999", 60.0), ("9" * 400, 60.0), ("-5", 0.0), ("1e9", 0.0), ("٣", 0.0)],
)
def test_a_required_pause_is_capped(header: str, seconds: float) -> None:
    """Whole seconds are obeyed up to the cap; anything else is no pause."""
    assert retry_after_s(header, 60.0) == seconds
