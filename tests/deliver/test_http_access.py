"""Who may read the monitor's HTTP server."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.deliver.http_access import OPEN, Access, host_name, refuse_foreign_host, server_tls


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:9108", "localhost"),
        ("localhost", "localhost"),
        ("[::1]:9108", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("", ""),
    ],
)
def test_the_name_in_a_host_header_has_neither_port_nor_brackets(header: str, name: str) -> None:
    """IPv6 addresses stand in brackets where a port follows."""
    assert host_name(header) == name


@given(st.text(), st.text())
def test_no_other_text_passes_for_a_token(token: str, shown: str) -> None:
    """Whatever stands in the header, only the token itself admits, and nothing raises."""
    access = Access(token="0123456789abcdef" + token)
    answer = access.refusal("/metrics", shown)
    assert answer is not None
    assert access.token is not None
    assert access.token.encode() not in answer.body


def test_without_a_token_everybody_may_read() -> None:
    """A server on loopback is for whoever is on the machine."""
    assert OPEN.refusal("/metrics", "") is None


@pytest.mark.parametrize("header", ["", "localhost:9108", "[::1]"])
def test_loopback_names_and_no_name_are_admitted(header: str) -> None:
    """HTTP/1.0 has no such header, and no browser sends it."""
    assert refuse_foreign_host(header) is None


def test_a_foreign_name_is_refused() -> None:
    """The answer is the status for a request to the wrong server."""
    answer = refuse_foreign_host("rebound.example:9108")
    assert answer is not None
    assert answer.status == HTTPStatus.MISDIRECTED_REQUEST


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    """A missing or broken file ends the start in one line."""
    broken = tmp_path / "cert.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(ValueError, match=f"{path.name}: no usable certificate"):
            server_tls(path, None, None)
