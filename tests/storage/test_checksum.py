from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.storage import checksum
from monitor.storage.checksum import DamagedError, NewerEnvelopeError, seal, unseal


@given(st.binary(max_size=200))
def test_what_was_sealed_comes_out(content: bytes) -> None:
    """Any content survives the envelope."""
    assert unseal(seal(content)) == content


@given(st.binary(max_size=200), st.data())
def test_a_changed_or_missing_byte_is_noticed(content: bytes, data: st.DataObject) -> None:
    """A byte that was flipped or a cut is refused, unless it destroys the mark of an envelope itself."""
    sealed = seal(content)
    at = data.draw(st.integers(len(checksum.MAGIC), len(sealed) - 1))
    flipped = bytes([sealed[at] ^ data.draw(st.integers(1, 255))])
    for damaged in (sealed[:at] + flipped + sealed[at + 1 :], sealed[:at], sealed + flipped):
        with pytest.raises(DamagedError, match="checksum"):
            unseal(damaged)


@given(st.binary(max_size=50))
def test_what_was_written_before_envelopes_is_read(content: bytes) -> None:
    """Content without the mark is returned as it is."""
    assert unseal(b"\x92" + content) == b"\x92" + content


def test_a_later_envelope_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole envelope of an unknown version is no damage: it is refused by another error."""
    with monkeypatch.context() as later:
        later.setattr(checksum, "_VERSION", b"\x02")
        sealed = seal(b"state")
    with pytest.raises(NewerEnvelopeError, match="version 2"):
        unseal(sealed)
