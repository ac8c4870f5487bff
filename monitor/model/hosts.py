"""Defines which hosts are this machine itself, and through which proxy the others are reached.

One rule holds for REST, pagers and websockets alike: the proxy of the settings, never that of the environment, and
never for a loopback address. The environment's variables have no common syntax, and a wrong one must not end a monitor.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

DIRECT: Final = ("all://localhost", "all://127.0.0.1", "all://[::1]")
"""Addresses of this machine as patterns of httpx's ``mounts``."""


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own loopback."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bracketed(host: str) -> str:
    """Return a host as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def proxy_for(url: str, proxy: str | None) -> str | None:
    """Return the proxy for an address: none for this machine's own, or where the settings name none."""
    return None if proxy is None or is_loopback(urlsplit(url).hostname or "") else proxy


def check_proxy(url: str) -> str:
    """Return the address of a proxy without surrounding space.

    Raises:
        ValueError: it is not of the form ``http://[USER:PASSWORD@]HOST:PORT``; the message does not repeat it, because
            it may hold a password.
    """
    stripped = url.strip()
    try:
        parts = urlsplit(stripped)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("a proxy is given as http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ where needed")
    return stripped
