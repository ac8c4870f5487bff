"""Requests the exchanges' REST APIs: one client a venue, one rate limit per exchange, a bounded number of retries.

All requests that count towards the same limit of an exchange (its markets, instrument tables, polls, history, backfill)
wait in one queue, first come first served; a rate-limit answer pauses all of them.
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
from monitor.collect.rest.rate_limit import DEFAULT_PAUSE_S, LONGEST_WAIT_S, Pool, Sleep
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.rest_requests import RestRequest
from monitor.model.backoff import Waits
from monitor.model.hosts import DIRECT
from monitor.model.http_limits import ACCEPTED_ENCODING, BoundedBody, UnreadableBodyError, retry_after_s
from monitor.model.validation import UNREADABLE

TIMEOUT_S: Final = 10.0
"""Timeout of one request, seconds; the largest answer is 2 MB."""

DEADLINE_S: Final = 30.0
"""Limit of one request from its first byte to the last of its answer, seconds. :data:`TIMEOUT_S` limits each wait for
bytes, so that a server that sends one byte a second would hold a request for ever."""

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
"""Largest accepted body after decompression, bytes: sixteen times the largest known answer."""

LONGEST_PAUSE_S: Final = 3600.0
"""Longest pause that a ``Retry-After`` can require, seconds; an absurd one would switch REST off until a restart."""

ATTEMPTS: Final = 4
"""Attempts of one request; with the waits between them they take half a minute at most."""

WAITS: Final = Waits(first_s=1.0, longest_s=10.0)
"""Waits between the attempts of one request, seconds."""

MAX_PAGES: Final = 50
"""Maximum number of pages, fifty times the largest known table; a cursor that goes on is a fault of the exchange."""

THROTTLED: Final = frozenset({418, 429})
"""HTTP statuses of an exceeded rate limit; Binance sends 418 for a temporary ban."""


T = TypeVar("T")


class Page(Protocol):
    """An answer that may have a following page."""

    @property
    def next_request(self) -> RestRequest | None:
        """The request for the next page, None on the last one."""


AnyPage = TypeVar("AnyPage", bound=Page)


class RestClient:
    """Requests one venue's REST API.

    Attributes:
        venue: the venue's name.
        pool: its rate limit, shared by all venues that name the same pool.
    """

    def __init__(self, rest: Rest, adapter: type[Adapter] | Adapter, url: str | None, pool: Pool) -> None:
        self.venue = adapter.venue
        self.pool = pool
        self._rest = rest
        self._url = (url or adapter.rest_url).rstrip("/")

    async def fetch(self, request: RestRequest, parse: Callable[[bytes], T]) -> T:
        """Send a request, with retries, and return the parsed answer.

        Raises:
            RestError: no attempt gave an answer that ``parse`` can read, or the exchange has banned this address.
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
        """Yield every page; raise :class:`RestError` as :meth:`fetch` does, or after :data:`MAX_PAGES` pages."""
        following: RestRequest | None = request
        for _ in range(MAX_PAGES):
            current = following
            if current is None:
                return
            page = await self.fetch(current, lambda body, current=current: parse(current, body))  # type: ignore[misc]
            following = page.next_request
            yield page
        if following is not None:
            raise RestError(f"{self._url}{request.path}: more than {MAX_PAGES} pages")

    async def _once(self, request: RestRequest, parse: Callable[[bytes], T]) -> T:
        await self.pool.take(request.weight)
        url = self._url + request.path
        method = "GET" if request.body is None else "POST"
        try:
            async with asyncio.timeout(self._rest.deadline_s), self._rest.http() as http:
                response, body = await self._answer(http, method, url, request)
        except (httpx.HTTPError, TimeoutError, UnreadableBodyError) as error:
            raise RestError(f"{url}: {type(error).__name__} {error}") from error
        if response.status_code in THROTTLED:
            pause_s = retry_after_s(response.headers.get("Retry-After", ""), LONGEST_PAUSE_S) or DEFAULT_PAUSE_S
            self.pool.pause(pause_s)
            raise RestError(f"{url}: HTTP {response.status_code}", pause_s)
        if response.status_code != httpx.codes.OK:
            raise RestError(f"{url}: HTTP {response.status_code}", final=response.is_client_error)
        try:
            return parse(body)
        except UNREADABLE as error:
            raise RestError(f"{url}: {error}") from error

    async def _answer(
        self, http: httpx.AsyncClient, method: str, url: str, request: RestRequest
    ) -> tuple[httpx.Response, bytes]:
        """Return an answer and its body, which is empty unless the status is 200; redirects are not followed."""
        query, headers = dict(request.query), {"Accept-Encoding": ACCEPTED_ENCODING}
        async with http.stream(method, url, params=query, json=request.body, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                return response, b""
            body = BoundedBody(response.headers.get("Content-Encoding", ""), MAX_BODY_BYTES)
            async for part in response.aiter_raw():
                body.add(part)
            return response, body.whole()


def new_http_client(timeout_s: float, proxy: str | None) -> httpx.AsyncClient:
    """Return an HTTP client that reaches all hosts but this machine through ``proxy``; None connects directly."""
    direct = dict.fromkeys(DIRECT)
    mounts = direct | {"all://": httpx.AsyncHTTPTransport(proxy=proxy)} if proxy is not None else {}
    return httpx.AsyncClient(timeout=timeout_s, trust_env=False, mounts=mounts)


def locator(adapter: Adapter, client: RestClient | None) -> Callable[[str], Awaitable[str]]:
    """Return the function that gives the address to dial instead of a plan's.

    Exchanges with a ``token_request`` are requested for a fresh address before each dial. The function raises
    :class:`RestError`.
    """
    request = adapter.token_request

    async def locate(url: str) -> str:
        if request is None or client is None:
            return url
        return await client.fetch(request, lambda answer: adapter.dial_url(url, answer))

    return locate


class Rest:
    """Makes the clients of all venues; as an async context it shares connections, otherwise each request opens its own.

    Args:
        sleep, now_s: the function that waits, and the clock that measures waits, seconds.
        proxy: proxy for all hosts but this machine; None connects directly, whatever the environment names.
        deadline_s: limit of one request from its first byte to the last of its answer, seconds.
    """

    def __init__(
        self,
        sleep: Sleep = asyncio.sleep,
        now_s: Callable[[], float] = time.monotonic,
        proxy: str | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.sleep = sleep
        self.deadline_s = deadline_s
        self._proxy = proxy
        self._now_s = now_s
        self._pools: dict[str, Pool] = {}
        self._http: httpx.AsyncClient | None = None

    def client(self, adapter: type[Adapter] | Adapter, rest_url: str | None = None) -> RestClient:
        """Return a venue's client; ``rest_url`` replaces the exchange's own address."""
        name = adapter.rest_pool or adapter.venue
        pool = self._pools.get(name)
        if pool is None:
            pool = self._pools[name] = Pool(name, adapter.rest_weight_per_minute, self.sleep, self._now_s)
        pool.restrict(adapter.rest_weight_per_minute)
        return RestClient(self, adapter, rest_url, pool)

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        """Yield the shared HTTP client, or one for a single request."""
        if self._http is not None:
            yield self._http
            return
        async with self._new_http() as http:
            yield http

    def _new_http(self) -> httpx.AsyncClient:
        return new_http_client(TIMEOUT_S, self._proxy)

    async def __aenter__(self) -> Self:
        self._http = self._new_http()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()


def pause_before_retry(state: RetryCallState) -> float:
    """Return the wait before the next attempt, seconds; a longer pause required by the exchange is the pool's."""
    return WAITS.after(state.attempt_number - 1, random.random())  # noqa: S311  # jitter is no secret


def worth_retrying(error: BaseException) -> bool:
    """Return false within a ban and for requests that the exchange refuses for good."""
    return isinstance(error, RestError) and error.pause_s <= LONGEST_WAIT_S and not error.final
