"""One budget for all who ask an exchange, on a real HTTP server."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.rest import client
from monitor.collect.rest.client import LONGEST_PAUSE_S, Rest
from monitor.collect.rest.errors import RestError
from monitor.collect.rest.rate_limit import BURST_S, POLLS_SHARE, Pool
from monitor.exchanges.rest_requests import RestRequest
from tests.collect.exchange import LoopbackAdapter
from tests.collect.rest_server import Answer, Pauses, RestServer, rest_server
from tests.hostile_http import Script, bomb, endless, hostile, moved, trickle

__all__ = ["rest_server"]

ASK = RestRequest("/x")


class Sibling(LoopbackAdapter):
    """Another market of the same exchange."""

    venue: ClassVar[str] = "sibling"
    rest_pool: ClassVar[str] = "shared"
    rest_weight_per_minute: ClassVar[int] = 120


class Elder(Sibling):
    """And one that would allow itself more."""

    venue: ClassVar[str] = "elder"
    rest_weight_per_minute: ClassVar[int] = 600


def pool(pauses: Pauses, per_minute: int = 60) -> Pool:
    """A budget that waits on a clock of its own."""
    return Pool("test", per_minute, pauses, pauses.now_s)


@given(weights=st.lists(st.integers(1, 20), min_size=1, max_size=40), per_minute=st.integers(10, 3000))
async def test_a_budget_is_kept_in_any_order_of_weights(weights: list[int], per_minute: int) -> None:
    """What was spent by any time is at most the saved burst, what flowed in, and the one request in its debt."""
    pauses = Pauses()
    budget = pool(pauses, per_minute)
    spent = 0
    for weight in weights:
        await budget.take(weight)
        spent += weight
        allowed = per_minute * (BURST_S + pauses.now_s()) / 60.0
        assert spent <= allowed + max(weights) + 1e-6
    assert budget.spent == spent


async def test_markets_of_one_pool_share_the_smaller_budget(rest_server: RestServer) -> None:
    """Two adapters that name the same pool spend from one, and its limit is the more careful one's."""
    rest = Rest()
    one, other = rest.client(Elder, rest_server.url), rest.client(Sibling, rest_server.url)
    assert one.pool is other.pool
    assert one.pool.per_minute == 120
    assert rest.client(LoopbackAdapter).pool is not one.pool


async def test_a_throttled_answer_stops_all_who_share_the_pool(rest_server: RestServer) -> None:
    """After 429 with Retry-After no request is sent before the time is over, and then both get their answer."""
    rest_server.answers = [Answer(429, b"", (("Retry-After", "20"),)), Answer(200, b"fine")]
    pauses = Pauses()
    rest = Rest(pauses, pauses.now_s)
    first, second = rest.client(Elder, rest_server.url), rest.client(Sibling, rest_server.url)
    assert set(await asyncio.gather(first.fetch(ASK, bytes), second.fetch(ASK, bytes))) == {b"fine"}
    assert pauses.now_s() >= 20
    assert first.pool.throttled == 1


async def test_a_throttle_that_names_no_time_still_pauses(rest_server: RestServer) -> None:
    """A 429 without Retry-After is obeyed for some seconds."""
    rest_server.answers = [Answer(429, b""), Answer(200, b"fine")]
    pauses = Pauses()
    assert await Rest(pauses, pauses.now_s).client(Sibling, rest_server.url).fetch(ASK, bytes) == b"fine"
    assert pauses.now_s() >= 5


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (451, 1), (500, 4), (503, 4)])
async def test_what_would_only_fail_again_is_asked_once(rest_server: RestServer, status: int, times: int) -> None:
    """An unknown path or a closed region is an answer; a server error is retried."""
    rest_server.answers = [Answer(status, b"")]
    pauses = Pauses()
    with pytest.raises(RestError, match=f"HTTP {status}"):
        await Rest(pauses, pauses.now_s).client(Sibling, rest_server.url).fetch(ASK, bytes)
    assert len(rest_server.asked) == times


async def test_within_a_ban_nobody_asks(rest_server: RestServer) -> None:
    """A Retry-After of an hour stops all markets of the pool; the error gives the time."""
    rest_server.answers = [Answer(418, b"", (("Retry-After", "3600"),))]
    rest = Rest()
    with pytest.raises(RestError, match="HTTP 418"):
        await rest.client(Elder, rest_server.url).fetch(ASK, bytes)
    with pytest.raises(RestError, match="rate-limit pause of 3"):
        await rest.client(Sibling, rest_server.url).fetch(ASK, bytes)
    assert rest_server.asked == ["/x"]


async def test_polls_that_want_too_much_are_stretched() -> None:
    """The stretch brings all venues' polls of a pool down to their share of the budget."""
    budget = pool(Pauses(), 100)
    assert budget.stretch == 1.0
    budget.needs = {"one": 100.0, "other": 140.0}
    assert budget.stretch == pytest.approx(240.0 / (100 * POLLS_SHARE))


async def test_a_body_is_posted_and_connections_are_shared(rest_server: RestServer) -> None:
    """Inside the context one HTTP client serves all requests; a request with a body is a POST."""
    rest_server.answers = [Answer(200, b"{}")]
    async with Rest() as rest:
        client = rest.client(LoopbackAdapter, rest_server.url)
        async with rest.http() as one, rest.http() as other:
            assert one is other
        assert await client.fetch(RestRequest("/info", body={"type": "meta"}), bytes) == b"{}"
    assert rest_server.asked == ["/info"]


async def refused(script: Script, deadline_s: float = 30.0) -> str:
    """Return the error of a request to a server that runs ``script``."""
    async with hostile(script) as (address, _), Rest(Pauses(), deadline_s=deadline_s) as rest:
        with pytest.raises(RestError) as error:
            await rest.client(LoopbackAdapter, f"http://{address}").fetch(RestRequest("/x"), bytes)
    return str(error.value)


@pytest.mark.parametrize("script", [endless, bomb])
async def test_a_body_without_limit_is_refused(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless body and a gzip bomb are given up at the size limit."""
    monkeypatch.setattr(client, "MAX_BODY_BYTES", 1_000_000)
    assert "larger than 1000000 bytes" in await refused(script)


async def test_a_body_that_comes_byte_by_byte_is_refused() -> None:
    """A server that always sends a little is given up at the deadline of the whole request."""
    assert "TimeoutError" in await refused(trickle, deadline_s=0.2)


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    """The other host receives no request."""
    async with hostile(endless) as (other, heads):
        assert "HTTP 302" in await refused(moved(f"http://{other}/x"))
    assert not heads


async def test_an_absurd_pause_is_capped(rest_server: RestServer) -> None:
    """A ``Retry-After`` of three thousand years does not switch REST off until a restart."""
    rest_server.answers = [Answer(429, b"", (("Retry-After", "99999999999"),))]
    async with Rest(Pauses()) as rest:
        asked = rest.client(LoopbackAdapter, rest_server.url)
        with pytest.raises(RestError):
            await asked.fetch(RestRequest("/x"), bytes)
        assert 0.0 < asked.pool.paused_s <= LONGEST_PAUSE_S
