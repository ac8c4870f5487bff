"""Loads instrument tables from the exchanges' REST endpoints, with a cache on disk for when these are unreachable."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Set
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

import msgspec

from monitor.collect.rest.client import Rest
from monitor.collect.rest.errors import RestError
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.model.errors import OperatorError
from monitor.model.symbols import split_symbol
from monitor.model.validation import LONGEST_SYMBOL, UNREADABLE, asset_fault, id_fault, symbol_name_fault
from monitor.storage.atomic_file import replace_file
from monitor.storage.side_output import SideOutput

log = logging.getLogger(__name__)

CACHE_S: Final = 2.0
"""Seconds for which :meth:`InstrumentStore.load` waits for the disk, so that the cache has what it returns."""

LARGEST_SHRINK: Final = 0.3
"""Largest share of a market's trading symbols that may be gone at once. Exchanges delist a few symbols a day; in
maintenance they list all as halted, and under load a part of them with HTTP 200."""

SHRINK_FROM: Final = 10
"""Number of trading symbols from which a market is checked for shrinking; a few delistings are half of a small one."""

KEPT_S: Final = 86_400.0
"""Seconds for which a table is kept against one that has shrunk; a day later the smaller one is true."""

Clock = Callable[[], int]
OnBody = Callable[[str, int, bytes], None]
"""``on_body(venue, receive time, body)`` receives each loaded table as JSON; the recorder's hook."""


class InstrumentsUnavailable(OSError):
    """Reports that neither the exchange nor the cache has a table."""


class Market(msgspec.Struct, frozen=True):
    """Lists the symbols of one of a venue's markets, and when they were fetched."""

    symbols: list[str]
    left_out: list[str]
    fetched_us: int


class InstrumentTable(msgspec.Struct, frozen=True):
    """Holds all instruments of a venue.

    Attributes:
        venue: the venue's name.
        instruments: instruments by symbol.
        left_out: symbols that are not in it, with the reason.
        fetched_us: time of fetching; the oldest of several markets.
        from_cache: true if a market came from the cache, because the exchange was unreachable.
        markets: each market's symbols and time of fetching, by :func:`market_name`.
    """

    venue: str
    instruments: dict[str, Instrument]
    left_out: dict[str, str]
    fetched_us: int
    from_cache: bool = False
    markets: dict[str, Market] = {}

    def age_s(self, now_us: int) -> float:
        """Return the table's age in seconds."""
        return (now_us - self.fetched_us) / 1e6


class InstrumentStore:
    """Loads instrument tables and keeps the cache.

    Attributes:
        tables: the latest table of each venue.
        failures: number of markets whose instruments could not be fetched, by venue.
        output: thread that writes the cache.
    """

    def __init__(self, cache: Path, clock: Clock, on_body: OnBody | None = None, rest: Rest | None = None) -> None:
        """Make a store.

        Args:
            cache: the cache's directory, created when first written to.
            clock: returns the machine's time in microseconds.
            on_body: receives each loaded table as JSON.
            rest: makes the venues' clients.
        """
        self.tables: dict[str, InstrumentTable] = {}
        self.failures: Counter[str] = Counter()
        self._cache = cache
        self._clock = clock
        self._on_body = on_body
        self._rest = rest or Rest()
        self.output = SideOutput("instruments_cache")

    async def load(self, adapter: type[Adapter], rest_url: str | None = None) -> Mapping[str, Instrument]:
        """Return a venue's instruments by symbol, each market's from the exchange or else from the cache.

        Raises:
            InstrumentsUnavailable: neither has the instruments of one of its markets.
        """
        table, failed = await self._fetch(adapter(), rest_url)
        failed |= shrunk_markets(table, await self._previous(adapter.venue), self._clock())
        for _ in failed:
            self.failures[adapter.venue] += 1
        if failed:
            cached = await asyncio.to_thread(self._cached, adapter.venue, next(iter(failed.values())))
            table = with_cached(table, cached, failed.keys())
            for market, why in failed.items():
                log.warning("%s: instruments are taken from the cache (%s): %s", adapter.venue, market, why)
        if table.markets.keys() - failed.keys():
            self.output.put(partial(self._keep, table), key=adapter.venue)
            await asyncio.to_thread(self.output.settled, CACHE_S)
        if self._on_body is not None:
            self._on_body(adapter.venue, self._clock(), msgspec.json.encode(table))
        self.tables[adapter.venue] = table
        return table.instruments

    async def _fetch(self, adapter: Adapter, rest_url: str | None) -> tuple[InstrumentTable, dict[str, str]]:
        """Fetch all markets of a venue; return the table, and the error of each market that failed."""
        table = InstrumentTable(adapter.venue, {}, {}, self._clock())
        failed: dict[str, str] = {}
        client = self._rest.client(adapter, rest_url)
        for first in adapter.instruments_requests:
            instruments: dict[str, Instrument] = {}
            left_out: dict[str, str] = {}
            try:
                async for page in client.pages(first, lambda request, body: adapter.parse_instruments(body, request)):
                    page = without_refused_names(page)
                    instruments.update((instrument.symbol, instrument) for instrument in page.instruments)
                    left_out.update(page.left_out)
            except RestError as error:
                failed[market_name(first)] = str(error)
                continue
            table.instruments.update(instruments)
            table.left_out.update(left_out)
            table.markets[market_name(first)] = Market(list(instruments), list(left_out), self._clock())
        if not table.instruments:
            empty = dict.fromkeys(table.markets, "the answer holds no instrument")
            return msgspec.structs.replace(table, left_out={}, markets={}), failed | empty
        return table, failed

    async def _previous(self, venue: str) -> InstrumentTable | None:
        """Return the venue's last table, of this process or of one before it; None if there is none."""
        if venue in self.tables:
            return self.tables[venue]
        try:
            return await asyncio.to_thread(self._cached, venue, "no table yet")
        except InstrumentsUnavailable:
            return None

    def _path(self, venue: str) -> Path:
        return self._cache / f"instruments-{venue}.json"

    def _keep(self, table: InstrumentTable) -> None:
        """Replace the venue's table in the cache, which other processes may share; raise ``OSError`` on failure."""
        replace_file(self._path(table.venue), msgspec.json.encode(table), several_writers=True)

    def _cached(self, venue: str, why: str) -> InstrumentTable:
        """Return the table from the cache; ``why`` is the reason for which the exchange gave none."""
        path = self._path(venue)
        try:
            table = msgspec.json.decode(path.read_bytes(), type=InstrumentTable)
        except FileNotFoundError:
            raise InstrumentsUnavailable(f"{why}; there is no cache at {path}") from None
        except (OSError, *UNREADABLE) as error:
            raise InstrumentsUnavailable(f"{why}; the cache {path} cannot be read: {error}") from error
        return msgspec.structs.replace(table, from_cache=True)


def without_refused_names(page: InstrumentPage) -> InstrumentPage:
    """Return the page without the instruments whose symbol, asset or key is refused, which are left out with a reason.

    Symbols that are left out become keys of files and words of logs, so a refused one is escaped and shortened.
    """
    left_out = {shown_symbol(symbol): why for symbol, why in page.left_out.items()}
    instruments = []
    for each in page.instruments:
        fault = symbol_name_fault(each.symbol) or asset_fault(each.asset)
        if fault is None and each.key:
            fault = id_fault(each.key)
        if fault is None:
            instruments.append(each)
        else:
            left_out[shown_symbol(each.symbol)] = fault[1]
    return page._replace(instruments=instruments, left_out=left_out)


def shown_symbol(symbol: str) -> str:
    """Return a symbol as it is, or escaped and shortened where its name is refused."""
    return symbol if symbol_name_fault(symbol) is None else ascii(symbol[:LONGEST_SYMBOL])


def market_name(request: RestRequest) -> str:
    """Return a name for the market that a request fetches, unique within the venue."""
    return f"{request.path}?{urlencode(request.query)}" if request.query else request.path


def with_cached(fresh: InstrumentTable, cached: InstrumentTable, failed: Set[str]) -> InstrumentTable:
    """Return the fresh table with the failed markets taken from the cache.

    If the cache does not have a failed market by itself, or is of version 0.1 and lists no markets, the whole cached
    table is returned.
    """
    if not fresh.markets or failed - cached.markets.keys():
        return cached
    instruments, left_out, markets = dict(fresh.instruments), dict(fresh.left_out), dict(fresh.markets)
    for name in failed:
        market = markets[name] = cached.markets[name]
        instruments |= {symbol: cached.instruments[symbol] for symbol in market.symbols}
        left_out |= {symbol: cached.left_out[symbol] for symbol in market.left_out}
    oldest_us = min(market.fetched_us for market in markets.values())
    return InstrumentTable(fresh.venue, instruments, left_out, oldest_us, from_cache=True, markets=markets)


def shrunk_markets(fresh: InstrumentTable, last: InstrumentTable | None, now_us: int) -> dict[str, str]:
    """Return the markets whose trading symbols are too few beside those of the last table, with the reason."""
    shrunk: dict[str, str] = {}
    for name, market in fresh.markets.items():
        before = last.markets.get(name) if last is not None else None
        if last is None or before is None or now_us - before.fetched_us > KEPT_S * 1e6:
            continue
        earlier = sum(last.instruments[symbol].trading for symbol in before.symbols)
        now = sum(fresh.instruments[symbol].trading for symbol in market.symbols)
        if earlier >= SHRINK_FROM and now < earlier * (1.0 - LARGEST_SHRINK):
            shrunk[name] = f"the answer has {now} trading symbols of {earlier}"
    return shrunk


def instruments_in(adapter: Adapter, body: bytes) -> dict[str, Instrument]:
    """Return the instruments of a recorded line: a table, or an exchange's answer as version 0.1 recorded it.

    Raises what ``adapter.parse_instruments`` raises.
    """
    try:
        return msgspec.json.decode(body, type=InstrumentTable).instruments
    except UNREADABLE:
        page = without_refused_names(adapter.parse_instruments(body, adapter.instruments_requests[0]))
        return {instrument.symbol: instrument for instrument in page.instruments}


class GivenSize(msgspec.Struct, forbid_unknown_fields=True):
    """An entry of the ``--instruments`` file: one symbol's contract size."""

    contract_size: Annotated[float, msgspec.Meta(gt=0.0, lt=1e18)]
    contract_value_currency: Literal["base", "usd"]
    key: str = ""


def read_instruments(path: Path) -> dict[str, Instrument]:
    """Read the ``--instruments`` file: ``{"SYMBOL": {"contract_size": …, "contract_value_currency": "base"|"usd"}}``.

    Assets are derived from the symbols' names. A venue that numbers its markets (Lighter) also needs
    ``"key": "<number>"``.

    Raises:
        OperatorError: the file cannot be read or does not have this form.
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
