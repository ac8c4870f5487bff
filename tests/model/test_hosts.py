"""Which hosts are this machine, and which proxy the others are reached through."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.hosts import bracketed, check_proxy, is_loopback, proxy_for

PROXY = "http://user:secret@proxy.example:3128"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("Localhost.", True),
        ("127.0.0.1", True),
        ("127.255.0.3", True),
        ("::1", True),
        ("0.0.0.0", False),  # noqa: S104  # no address is bound here
        ("::", False),
        ("192.168.0.2", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_loopback_names_are_told_from_others(host: str, loopback: bool) -> None:
    """Only what never leaves the machine is loopback."""
    assert is_loopback(host) == loopback


def test_ipv6_addresses_get_brackets_in_urls() -> None:
    """Other hosts stay as they are."""
    assert (bracketed("::1"), bracketed("localhost")) == ("[::1]", "localhost")


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:9/x", "http://localhost/", "https://[::1]:8443/x", "wss://LOCALHOST:1/ws?x=1"]
)
def test_this_machine_is_reached_without_the_proxy(url: str) -> None:
    """A recorded or simulated exchange on loopback is no business of a proxy."""
    assert proxy_for(url, PROXY) is None


def test_other_hosts_are_reached_through_the_proxy() -> None:
    """Without a proxy in the settings there is none."""
    assert proxy_for("wss://fstream.binance.com/ws", PROXY) == PROXY
    assert proxy_for("wss://fstream.binance.com/ws", None) is None


@pytest.mark.parametrize(
    "url", ["proxy.example:3128", "socks5://h:1", "http://h", "http://:1", "http://h:port", "http://[::1", ""]
)
def test_what_is_no_proxy_is_refused_without_repeating_it(url: str) -> None:
    """The address may hold a password, so the message shows the form only."""
    with pytest.raises(ValueError, match="a proxy is given as http://HOST:PORT"):
        check_proxy(url)


@given(st.text())
def test_any_text_is_an_address_or_refused(url: str) -> None:
    """Whatever stands in the settings, nothing else is raised."""
    with suppress(ValueError):
        assert check_proxy(url) == url.strip()
