"""Instrument tables: fetched from the exchanges' REST endpoints, kept on disk for when these cannot be reached."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import httpx
import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from monitor.adapters.adapter import Adapter, Instrument, InstrumentPage, RestRequest
from monitor.adapters.rows import UNREADABLE
from monitor.assets import split_symbol
from monitor.errors import OperatorError

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
"""The largest answer is 2 MB; an exchange that takes longer than this for it is as good as down."""

ATTEMPTS: Final = 4
"""With the waits between them, half a minute at most before the cache is used."""

LONGEST_WAIT_S: Final = 60.0
"""An exchange that asks for a longer pause has banned this address: the cache is used at once."""

MAX_PAGES: Final = 50
"""Fifty times the largest table known: a cursor that never ends is a fault of the exchange."""

THROTTLED: Final = frozenset({418, 429})
"""Too many requests; 418 is Binance's word for a ban."""

Clock = Callable[[], int]
Sleep = Callable[[float], Awaitable[None]]
OnBody = Callable[[str, int, bytes], None]
"""``on_body(venue, receive time, body)``: sees each table that was loaded, as JSON; for the recorder."""


class InstrumentsUnavailable(OSError):
    """Neither the exchange nor the cache gave a table."""


class FetchError(Exception):
    """One request failed; ``pause_s`` is how long the exchange asks to be left alone."""

    def __init__(self, detail: str, pause_s: float = 0.0) -> None:
        super().__init__(detail)
        self.pause_s = pause_s


class InstrumentTable(msgspec.Struct, frozen=True):
    """All instruments of a venue.

    Attributes:
        venue: the exchange's market.
        instruments: by symbol.
        left_out: why other symbols are not in it.
        fetched_us: when the exchange gave it.
        from_cache: whether the exchange could not be reached just now.
    """

    venue: str
    instruments: dict[str, Instrument]
    left_out: dict[str, str]
    fetched_us: int
    from_cache: bool = False

    def age_s(self, now_us: int) -> float:
        """How old it is."""
        return (now_us - self.fetched_us) / 1e6


class InstrumentStore:
    """Loads instrument tables; the latest of each venue is in :attr:`tables`."""

    def __init__(self, cache: Path, clock: Clock, on_body: OnBody | None = None, sleep: Sleep = asyncio.sleep) -> None:
        """``cache`` is a directory, made when first written to; ``clock`` gives microseconds."""
        self.tables: dict[str, InstrumentTable] = {}
        self._cache = cache
        self._clock = clock
        self._on_body = on_body
        self._sleep = sleep

    async def load(self, adapter: type[Adapter], rest_url: str | None = None) -> Mapping[str, Instrument]:
        """A venue's instruments by symbol, from the exchange or else from the cache.

        Raises:
            InstrumentsUnavailable: from neither.
        """
        try:
            table = await self._fetch(adapter(), rest_url or adapter.rest_url)
        except FetchError as error:
            log.warning("%s: instruments cannot be fetched: %s", adapter.venue, error)
            table = await asyncio.to_thread(self._cached, adapter.venue, str(error))
        else:
            await asyncio.to_thread(self._keep, table)
        if self._on_body is not None:
            self._on_body(adapter.venue, self._clock(), msgspec.json.encode(table))
        self.tables[adapter.venue] = table
        return table.instruments

    async def _fetch(self, adapter: Adapter, rest_url: str) -> InstrumentTable:
        """Ask the exchange, page by page."""
        instruments: dict[str, Instrument] = {}
        left_out: dict[str, str] = {}
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            for first in adapter.instruments_requests:
                request: RestRequest | None = first
                for _ in range(MAX_PAGES):
                    if request is None:
                        break
                    page = await self._page(client, adapter, rest_url, request)
                    instruments.update((instrument.symbol, instrument) for instrument in page.instruments)
                    left_out.update(page.left_out)
                    request = page.next_request
                else:
                    raise FetchError(f"more than {MAX_PAGES} pages")
        if not instruments:
            raise FetchError("the answer holds no instrument")
        return InstrumentTable(adapter.venue, instruments, left_out, self._clock())

    async def _page(
        self, client: httpx.AsyncClient, adapter: Adapter, rest_url: str, request: RestRequest
    ) -> InstrumentPage:
        """One page, tried several times."""
        retrying = AsyncRetrying(
            sleep=self._sleep,
            stop=stop_after_attempt(ATTEMPTS),
            wait=pause_before_retry,
            retry=retry_if_exception(worth_retrying),
            reraise=True,
        )
        return await retrying(self._page_once, client, adapter, rest_url.rstrip("/") + request.path, request)

    async def _page_once(
        self, client: httpx.AsyncClient, adapter: Adapter, url: str, request: RestRequest
    ) -> InstrumentPage:
        method = "GET" if request.body is None else "POST"
        try:
            response = await client.request(method, url, params=dict(request.query), json=request.body)
        except httpx.HTTPError as error:
            raise FetchError(f"{url}: {type(error).__name__} {error}") from error
        if response.status_code != httpx.codes.OK:
            throttled = response.status_code in THROTTLED
            pause_s = asked_pause_s(response.headers.get("Retry-After", "")) if throttled else 0.0
            raise FetchError(f"{url}: HTTP {response.status_code}", pause_s)
        try:
            return adapter.parse_instruments(response.content, request)
        except UNREADABLE as error:
            raise FetchError(f"{url}: {error}") from error

    def _path(self, venue: str) -> Path:
        return self._cache / f"instruments-{venue}.json"

    def _keep(self, table: InstrumentTable) -> None:
        """Write the table beside the old one, then put it in its place: a crash leaves one of them whole."""
        path = self._path(table.venue)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(table))
            fresh.replace(path)
        except OSError as error:
            log.warning("%s: instruments cannot be cached: %s", table.venue, error)

    def _cached(self, venue: str, why: str) -> InstrumentTable:
        """The table on disk."""
        path = self._path(venue)
        try:
            table = msgspec.json.decode(path.read_bytes(), type=InstrumentTable)
        except FileNotFoundError:
            raise InstrumentsUnavailable(f"{why}; there is no cache at {path}") from None
        except (OSError, *UNREADABLE) as error:
            raise InstrumentsUnavailable(f"{why}; the cache {path} cannot be read: {error}") from error
        return msgspec.structs.replace(table, from_cache=True)


_BACKOFF: Final = wait_exponential_jitter(multiplier=0.5, max=10.0)


def instruments_in(adapter: Adapter, body: bytes) -> dict[str, Instrument]:
    """The instruments in what a recorder kept: a table, or (until 0.1) an exchange's answer. Raises as the latter."""
    try:
        return msgspec.json.decode(body, type=InstrumentTable).instruments
    except UNREADABLE:
        page = adapter.parse_instruments(body, adapter.instruments_requests[0])
        return {instrument.symbol: instrument for instrument in page.instruments}


def pause_before_retry(state: RetryCallState) -> float:
    """Exponential backoff with jitter, or longer where the exchange asks for it."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.pause_s if isinstance(error, FetchError) else 0.0
    return max(asked_s, _BACKOFF(state))


def worth_retrying(error: BaseException) -> bool:
    """Whether to ask again: not within a ban."""
    return isinstance(error, FetchError) and error.pause_s <= LONGEST_WAIT_S


def asked_pause_s(retry_after: str) -> float:
    """Seconds of a ``Retry-After`` header; 0 where there is none or it is a date, which no exchange sends."""
    return float(retry_after) if retry_after.isdecimal() else 0.0


class GivenSize(msgspec.Struct, forbid_unknown_fields=True):
    """What the ``--instruments`` file says of a symbol."""

    contract_size: Annotated[float, msgspec.Meta(gt=0.0, lt=1e18)]
    contract_value_currency: Literal["base", "usd"]
    key: str = ""


def read_instruments(path: Path) -> dict[str, Instrument]:
    """Read the ``--instruments`` file: ``{"SYMBOL": {"contract_size": …, "contract_value_currency": "base"|"usd"}}``.

    Assets are read off the symbols' names. A venue that numbers its markets (Lighter) needs ``"key": "<number>"`` too.

    Raises:
        OperatorError: the file cannot be read or is not that.
    """
    try:
        given = msgspec.json.decode(path.read_bytes(), type=dict[str, GivenSize])
    except (OSError, *UNREADABLE) as error:
        raise OperatorError(f"{path}: {error}") from error
    instruments = {}
    for symbol, size in given.items():
        name = split_symbol(symbol)
        if name.quote and not name.is_usd:
            raise OperatorError(f"{path}: {symbol}: not quoted in US dollars")
        instruments[symbol] = Instrument(
            symbol, name.asset, name.units, size.contract_size, size.contract_value_currency, key=size.key
        )
    return instruments
