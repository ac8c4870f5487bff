"""Dials that are answered by something else than a websocket."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.http11 import Response

from monitor.collect.connection.dial import LONGEST_PAUSE_S, RedirectRefused, dial, required_pause_s
from tests.hostile_http import endless, hostile, moved


async def dialled(address: str) -> ClientConnection:
    """Dial with the limits of the tests."""
    return await dial(address, None, open_timeout_s=5.0, close_timeout_s=0.2, max_frame_bytes=1000, max_queue=8)


async def test_a_redirect_to_another_host_is_refused() -> None:
    """The other host is not dialled."""
    async with hostile(endless) as (other, heads), hostile(moved(f"ws://{other}/x")) as (address, _):
        with pytest.raises(RedirectRefused, match=other):
            await dialled(f"ws://{address}/")
    assert not heads


@pytest.mark.parametrize("location", ["ws://a..b/", "ws://[::1", "ws://host:99999999/", "http:///", "\u2603"])
async def test_a_redirect_to_nowhere_is_a_failed_dial(location: str) -> None:
    """An address that cannot exist is an error of the dial and not of ours."""
    async with hostile(moved(location)) as (address, _):
        with pytest.raises((OSError, WebSocketException)):
            await dialled(f"ws://{address}/")


@pytest.mark.parametrize("url", ["ws://a..b/", "ws://" + "a" * 70 + ".example/"])
async def test_an_address_that_cannot_exist_is_a_failed_dial(url: str) -> None:
    """A host name that cannot be encoded is an error of the dial."""
    with pytest.raises((OSError, InvalidHandshake)):
        await dialled(url)


@pytest.mark.parametrize(
    ("status", "header", "pause_s"),
    [(429, "7", 7.0), (418, "120", 120.0), (429, "", 0.0), (503, "7", 0.0), (418, "9999999999", LONGEST_PAUSE_S)],
)
def test_a_required_pause_is_read_from_the_refusal(status: int, header: str, pause_s: float) -> None:
    """The pause of an exceeded rate limit or a ban is obeyed up to an hour; other refusals have none."""
    response = Response(status, HTTPStatus(status).phrase, Headers({"Retry-After": header}))
    assert required_pause_s(InvalidStatus(response)) == pause_s
    assert required_pause_s(OSError()) == 0.0
