"""The exchanges' REST APIs: one client a venue, one budget of weight for all that asks there, retries within reason.

Whoever shares an exchange's pool of weight (its markets, its instrument tables, polls, history, backfill) waits in one
queue, in the order of asking; a request to slow down stops all of them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from monitor.collect.rest.errors import RestError
from monitor.collect.rest.rate_limit import LONGEST_WAIT_S, UNTOLD_PAUSE_S, Pool, Sleep
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.rest_requests import RestRequest
from monitor.model.backoff import Waits
from monitor.model.validation import UNREADABLE

TIMEOUT_S: Final = 10.0
"""The largest answer is 2 MB; an exchange that takes longer than this for it is as good as down."""

ATTEMPTS: Final = 4
"""With the waits between them, half a minute at most."""

WAITS: Final = Waits(first_s=1.0, longest_s=10.0)
"""Waits between the attempts of one request, seconds."""

MAX_PAGES: Final = 50
"""Fifty times the largest table known: a cursor that never ends is a fault of the exchange."""

THROTTLED: Final = frozenset({418, 429})
"""Too many requests; 418 is Binance's word for a ban."""


T = TypeVar("T")


class Page(Protocol):
    """An answer that may have a next one."""

    @property
    def next_request(self) -> RestRequest | None:
        """What asks for the next page."""


AnyPage = TypeVar("AnyPage", bound=Page)


class RestClient:
    """One venue's REST API.

    Attributes:
        venue: whose.
        pool: what it may spend, shared with whoever names the same.
    """

    def __init__(self, rest: Rest, adapter: type[Adapter] | Adapter, url: str | None, pool: Pool) -> None:
        self.venue = adapter.venue
        self.pool = pool
        self._rest = rest
        self._url = (url or adapter.rest_url).rstrip("/")

    async def fetch(self, request: RestRequest, parse: Callable[[bytes], T]) -> T:
        """Ask, several times where it fails, and read the answer.

        Raises:
            RestError: there is no answer that ``parse`` can read, or the exchange has banned this address.
        """
        retrying = AsyncRetrying(
            sleep=self._rest.sleep,
            stop=stop_after_attempt(ATTEMPTS),
            wait=pause_before_retry,
            retry=retry_if_exception(worth_retrying),
            reraise=True,
        )
        return await retrying(self._once, request, parse)

    async def pages(
        self, request: RestRequest, parse: Callable[[RestRequest, bytes], AnyPage]
    ) -> AsyncIterator[AnyPage]:
        """Every page, from the request on. Raises :class:`RestError` as :meth:`fetch` does, or after too many."""
        following: RestRequest | None = request
        for _ in range(MAX_PAGES):
            asked = following
            if asked is None:
                return
            page = await self.fetch(asked, lambda body, asked=asked: parse(asked, body))  # type: ignore[misc]
            following = page.next_request
            yield page
        if following is not None:
            raise RestError(f"{self._url}{request.path}: more than {MAX_PAGES} pages")

    async def _once(self, request: RestRequest, parse: Callable[[bytes], T]) -> T:
        await self.pool.take(request.weight)
        url = self._url + request.path
        method = "GET" if request.body is None else "POST"
        try:
            async with self._rest.http() as http:
                response = await http.request(method, url, params=dict(request.query), json=request.body)
        except httpx.HTTPError as error:
            raise RestError(f"{url}: {type(error).__name__} {error}") from error
        if response.status_code in THROTTLED:
            pause_s = asked_pause_s(response.headers.get("Retry-After", "")) or UNTOLD_PAUSE_S
            self.pool.pause(pause_s)
            raise RestError(f"{url}: HTTP {response.status_code}", pause_s)
        if response.status_code != httpx.codes.OK:
            raise RestError(f"{url}: HTTP {response.status_code}", final=response.is_client_error)
        try:
            return parse(response.content)
        except UNREADABLE as error:
            raise RestError(f"{url}: {error}") from error


def locator(adapter: Adapter, client: RestClient | None) -> Callable[[str], Awaitable[str]]:
    """Where to dial instead of a plan's address: what the venue says, for those that must be asked before each dial.

    The result raises :class:`RestError`.
    """
    request = adapter.token_request

    async def locate(url: str) -> str:
        if request is None or client is None:
            return url
        return await client.fetch(request, lambda answer: adapter.dial_url(url, answer))

    return locate


class Rest:
    """All venues' clients. As an async context they share connections; outside it each request has its own.

    Args:
        sleep, now_s: how to wait, and the clock by which waiting is measured.
    """

    def __init__(self, sleep: Sleep = asyncio.sleep, now_s: Callable[[], float] = time.monotonic) -> None:
        self.sleep = sleep
        self._now_s = now_s
        self._pools: dict[str, Pool] = {}
        self._http: httpx.AsyncClient | None = None

    def client(self, adapter: type[Adapter] | Adapter, rest_url: str | None = None) -> RestClient:
        """A venue's client; ``rest_url`` is another address than the exchange's own."""
        name = adapter.rest_pool or adapter.venue
        pool = self._pools.get(name)
        if pool is None:
            pool = self._pools[name] = Pool(name, adapter.rest_weight_per_minute, self.sleep, self._now_s)
        pool.per_minute = min(pool.per_minute, adapter.rest_weight_per_minute)
        return RestClient(self, adapter, rest_url, pool)

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        """The HTTP client in force."""
        if self._http is not None:
            yield self._http
            return
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as http:
            yield http

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()


def pause_before_retry(state: RetryCallState) -> float:
    """Return the wait before the next attempt, seconds; a longer pause that the exchange asks for is the pool's."""
    return WAITS.after(state.attempt_number - 1, random.random())  # noqa: S311  # jitter


def worth_retrying(error: BaseException) -> bool:
    """Whether to ask again: not within a ban, and not what the exchange does not know or does not allow."""
    return isinstance(error, RestError) and error.pause_s <= LONGEST_WAIT_S and not error.final


def asked_pause_s(retry_after: str) -> float:
    """Seconds of a ``Retry-After`` header; 0 where there is none or it is a date, which no exchange sends."""
    return float(retry_after) if retry_after.isdecimal() else 0.0
