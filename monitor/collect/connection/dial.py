"""Opens one websocket, and turns what an exchange answers instead of one into errors that name it."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from monitor.model.hosts import proxy_for
from monitor.model.http_limits import retry_after_s

LONGEST_PAUSE_S: Final = 3600.0
"""Longest pause that an exchange can require between two dials, seconds. Binance bans an address for up to three days;
a dial an hour does not extend that, and an absurd header costs an hour at most."""

THROTTLED: Final = frozenset({418, 429})
"""HTTP statuses of an exceeded rate limit; Binance sends 418 for a temporary ban."""


class RedirectRefused(InvalidHandshake):
    """Reports a redirect to another host, which would receive our requests and give us its own data."""


class SameHost(connect):
    """Connects as ``websockets`` does, and follows redirects within the host alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the address to dial instead; an exception if the answer is no redirect or leads elsewhere."""
        target = super().process_redirect(exc)
        if isinstance(target, str) and urlsplit(target).netloc != urlsplit(self.uri).netloc:
            return RedirectRefused(f"redirected to another host, {target[:200]!r}")
        return target


async def dial(
    url: str, proxy: str | None, *, open_timeout_s: float, close_timeout_s: float, max_frame_bytes: int, max_queue: int
) -> ClientConnection:
    """Open a websocket. Raises ``OSError`` or ``WebSocketException``, also for an address that cannot exist."""
    try:
        return await SameHost(
            url,
            compression=None,  # inflating costs as much CPU as parsing; without the offer, frames come plain
            max_size=max_frame_bytes,
            max_queue=max_queue,
            open_timeout=open_timeout_s,
            close_timeout=close_timeout_s,
            ping_interval=None,
            proxy=proxy_for(url, proxy),  # the default of the library is the proxy of the environment
        )
    except ValueError as error:  # a host name that IDNA cannot encode, a port out of range
        raise InvalidHandshake(f"impossible address: {error}") from error


def required_pause_s(error: Exception) -> float:
    """Return the pause that the exchange requires before the next dial after a failed one, seconds; 0 for none."""
    if isinstance(error, InvalidStatus) and error.response.status_code in THROTTLED:
        return retry_after_s(error.response.headers.get("Retry-After", ""), LONGEST_PAUSE_S)
    return 0.0
