"""A page is sent until it is accepted or refused for good, by the API's rules, and no secret is ever said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from monitor.deliver.paging.channel import LONGEST_PAUSE_S, THROTTLED_WAIT_S, Channel
from monitor.deliver.paging.incidents import Page
from monitor.deliver.paging.pagerduty import renderer
from monitor.deliver.paging.text import Links
from tests.deliver.paging.events_api import Answer, EventsApi
from tests.deliver.paging.signals import signal
from tests.hostile_http import head, hostile

SECRET = "a1b2c3d4" * 4
PAGE = Page("trigger", "BTC-long-20251124T160000Z", "error", signal(2, "cascade", "building"))


class Naps:
    """Sleeps that are noted and not slept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Note one."""
        self.seconds.append(seconds)


@pytest.fixture
def api() -> Iterator[EventsApi]:
    """A running stand-in."""
    with EventsApi() as running:
        yield running


async def deliver(url: str, naps: Naps) -> tuple[bool, Channel]:
    """Deliver the page once."""
    channel = Channel("pagerduty", url, renderer(SECRET, Links()), SECRET, naps)
    try:
        return await channel.deliver(PAGE), channel
    finally:
        await channel.close()


async def test_a_page_that_is_accepted_is_sent_once(api: EventsApi) -> None:
    """202 is the end of it."""
    accepted, channel = await deliver(api.url, Naps())
    assert accepted
    assert channel.accepted == {"trigger": 1, "update": 0, "resolve": 0}
    assert [event["routing_key"] for event in api.accepted] == [SECRET]


async def test_server_errors_and_throttling_are_tried_again(api: EventsApi) -> None:
    """500, 429 with and without Retry-After, 503, then accepted: one page, four pauses that obey the API."""
    api.answers = [Answer(500), Answer(429, headers=(("Retry-After", "7"),)), Answer(429), Answer(503)]
    naps = Naps()
    accepted, channel = await deliver(api.url, naps)
    assert accepted
    assert len(api.accepted) == 1
    assert channel.failures == {"network": 0, "throttled": 2, "server": 2, "refused": 0}
    assert naps.seconds[1] >= 7
    assert naps.seconds[2] >= THROTTLED_WAIT_S
    assert naps.seconds[0] < 7


async def test_an_absurd_pause_is_capped(api: EventsApi) -> None:
    """A ``Retry-After`` of three thousand years holds back the page for minutes and not for ever."""
    api.answers = [Answer(429, headers=(("Retry-After", "99999999999"),))]
    naps = Naps()
    accepted, _ = await deliver(api.url, naps)
    assert accepted
    assert naps.seconds == [LONGEST_PAUSE_S]


async def test_an_answer_without_end_is_given_up() -> None:
    """A refusal whose explanation has no end is a failed attempt, and is tried again."""
    naps = Naps()

    async def script(writer: asyncio.StreamWriter) -> None:
        status = "400 Bad Request" if not naps.seconds else "202 Accepted"
        writer.write(head(status))
        while not naps.seconds:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with hostile(script) as (address, _):
        accepted, channel = await deliver(f"http://{address}/", naps)
    assert accepted
    assert channel.failures["network"] == 1


async def test_a_network_error_is_tried_again() -> None:
    """Nobody listens twice, then somebody does: one page."""
    with EventsApi() as gone:
        port = gone.server_address[1]
        url = gone.url
    with ExitStack() as stack:
        back: list[EventsApi] = []

        class Return(Naps):
            async def __call__(self, seconds: float) -> None:
                await super().__call__(seconds)
                if len(self.seconds) == 2:
                    back.append(stack.enter_context(EventsApi(port)))

        accepted, channel = await deliver(url, Return())
    assert accepted
    assert channel.failures["network"] == 2
    assert len(back[0].accepted) == 1


async def test_a_refusal_is_final_and_said_without_the_key(api: EventsApi, caplog: pytest.LogCaptureFixture) -> None:
    """400 is never repeated; the log says what to check and not the key, though the answer repeats it."""
    api.answers = [Answer(400, f'{{"message":"Event object is invalid","errors":["bad key {SECRET}"]}}'.encode())]
    with caplog.at_level(logging.DEBUG, "monitor"):
        accepted, channel = await deliver(api.url, Naps())
    assert not accepted
    assert len(api.tries) == 1
    assert channel.failures["refused"] == 1
    assert "check its key" in caplog.text
    assert "Event object is invalid; bad key ***" in caplog.text
    assert SECRET not in caplog.text


async def test_a_chat_s_refusal_is_text(api: EventsApi, caplog: pytest.LogCaptureFixture) -> None:
    """What is no JSON is said as it is; nothing is said of nothing."""
    api.answers = [Answer(404, b"no_service"), Answer(410, b"")]
    for _ in range(2):
        await deliver(api.url, Naps())
    assert "HTTP 404, no_service; check its key and address" in caplog.text
    assert "no reason given; check" in caplog.text
