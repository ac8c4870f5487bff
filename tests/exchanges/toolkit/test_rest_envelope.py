"""Tests that the envelope of a REST answer gives its data, or an error with the exchange's message."""

from __future__ import annotations

import pytest

from monitor.exchanges.toolkit.rest_envelope import unwrap_data


def test_the_data_of_a_success_come_out_unread() -> None:
    """The data of a successful answer are returned; they are null if absent."""
    assert bytes(unwrap_data("okx", b'{"code":"0","msg":"","data":[1, 2]}', "0")) == b"[1, 2]"
    assert bytes(unwrap_data("bingx", b'{"code":0}', 0)) == b"null"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"code":"50011","msg":"Too Many Requests","data":[]}', "okx answered with code 50011: Too Many Requests"),
        (b'{"code":0,"data":[]}', "okx answered with code 0"),
        (b"{}", "code"),
        (b"<html>", "malformed"),
    ],
)
def test_anything_else_is_an_error_in_words(body: bytes, words: str) -> None:
    """An answer with another code, without a code, or that is not JSON raises ValueError."""
    with pytest.raises(ValueError, match=words):
        unwrap_data("okx", body, "0")
