"""GET on loopback, for tests that wait for what a server shows."""

from __future__ import annotations

import ssl
from typing import Final

import httpx

from tests.waiting import patient

CONTEXT: Final = ssl.create_default_context()
"""Made once: a client that makes its own takes 29 ms of CPU for it, and a wait makes many clients."""


async def get(url: str) -> httpx.Response:
    """Return the answer to one GET, past any proxy."""
    async with httpx.AsyncClient(trust_env=False, verify=CONTEXT, timeout=patient(10)) as client:
        return await client.get(url)
