"""Builds the REST requests of Binance and Aster and reads their answers.

They are the instruments, the current open interest, its last thirty days, and the trades of a gap.

The current open interest is requested symbol by symbol and has no price. A second request therefore fetches the mark
price of the same symbol; the field ``about`` of that request carries the answer to the first. The history has an amount
and a value: coins and USD on USD-M, contracts and coins on COIN-M.

Sources: developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api (pages Open Interest, Mark
Price, Open Interest Statistics, Compressed/Aggregate Trades List, Exchange Information); github.com/asterdex/api-docs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from monitor.exchanges.binance.frames import AggTrade
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Message
from monitor.exchanges.rest_requests import InstrumentPage, Poll, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import decode_rows, raw_array
from monitor.exchanges.toolkit.listings import TRADFI
from monitor.exchanges.toolkit.records import Fill, Receipt, RecordBuilder
from monitor.model.events import MICROS
from monitor.model.symbols import USD_QUOTES, split_base

POLLED_SHARE: Final = 0.6
"""Share of the REST budget that polling open interest may use; the rest is for instruments, history and backfill."""

SHORTEST_POLL_S: Final = 15.0
"""Shortest interval in seconds between polls; the detector uses changes of open interest over minutes."""

POLL_WEIGHT: Final = 2
"""Weight of the two requests that one reading of open interest needs."""

HOUR_US: Final = 3_600 * MICROS
HISTORY_HOURS: Final = 719
"""Hours in thirty days less one: the exchange refuses a start that is thirty days old when the request arrives."""

HISTORY_ROWS: Final = 360
"""Hourly rows of one request, half of the thirty days; an answer has at most 500."""

TRADES_WEIGHT: Final = 20
TRADES_ROWS: Final = 1_000
LONGEST_TRADES_US: Final = HOUR_US - 1_000
"""Longest span of one request; one with start and end time must cover less than an hour."""


class Paths(NamedTuple):
    """The REST paths of a venue.

    Attributes:
        prefix: beginning of its paths.
        history: path of the history of open interest, None where the exchange offers none.
        by_pair: True if that history is requested by pair and contract type (COIN-M), False if by symbol.
    """

    prefix: str
    history: str | None = None
    by_pair: bool = False


class ListedInstrument(msgspec.Struct):
    """An instrument in ``exchangeInfo``; only COIN-M has ``contractStatus`` and ``contractSize`` (USD)."""

    symbol: str
    contractType: str
    baseAsset: str
    quoteAsset: str
    status: str = ""
    contractStatus: str = ""
    contractSize: float = 0.0
    onboardDate: int = 0


class ExchangeInfo(msgspec.Struct):
    """The answer to ``exchangeInfo``."""

    symbols: list[msgspec.Raw]


class OpenInterestNow(msgspec.Struct):
    """The answer to ``openInterest``, in coins or, on COIN-M, in contracts."""

    symbol: str
    openInterest: float
    time: int


class PremiumIndex(msgspec.Struct):
    """The answer to ``premiumIndex`` for one symbol."""

    symbol: str
    markPrice: float


class OpenInterestPoint(msgspec.Struct):
    """A row of ``openInterestHist``."""

    sumOpenInterest: float
    sumOpenInterestValue: float
    timestamp: int


class HistoricalTrade(msgspec.Struct):
    """A row of ``aggTrades``."""

    a: int
    p: float
    q: float
    f: int
    l: int  # noqa: E741 - the exchange's name
    T: int
    m: bool


_EXCHANGE_INFO: Final = msgspec.json.Decoder(ExchangeInfo)
_LISTED: Final = msgspec.json.Decoder(ListedInstrument, strict=False)
_INTEREST: Final = msgspec.json.Decoder(OpenInterestNow, strict=False)
_PREMIUM: Final = msgspec.json.Decoder(PremiumIndex | list[PremiumIndex], strict=False)
_THEN: Final = msgspec.json.Decoder(OpenInterestPoint, strict=False)
_TRADE: Final = msgspec.json.Decoder(HistoricalTrade, strict=False)


def read_instruments(body: bytes, contracts: bool) -> InstrumentPage:
    """Read the perpetuals quoted in US dollars. Raises ``ValueError`` if the body is not ``exchangeInfo``."""
    rows, faults = decode_rows(_EXCHANGE_INFO.decode(body).symbols, _LISTED)
    left_out = {f"row {number}": detail for number, (_, detail) in faults}
    instruments = []
    for row in rows:
        if reason := exclusion_reason(row, contracts):
            left_out[row.symbol] = reason
            continue
        asset, units = split_base(row.baseAsset)
        size, currency = (row.contractSize, "usd") if contracts else (1.0, "base")
        trading = (row.contractStatus or row.status) == "TRADING"
        onboard_us = max(row.onboardDate, 0) * 1000
        instruments.append(Instrument(row.symbol, asset, units, size, currency, trading, onboard_us))
    return InstrumentPage(instruments, left_out, None)


def exclusion_reason(row: ListedInstrument, contracts: bool) -> str:
    """Return why an instrument is not watched; empty if it is."""
    if row.quoteAsset not in USD_QUOTES:
        return f"quoted in {row.quoteAsset}, which is not a US dollar"
    if row.contractType == "TRADIFI_PERPETUAL":
        return TRADFI
    if row.contractType != "PERPETUAL":
        return f"dated ({row.contractType}): its price is not the perpetual's"
    if contracts and not 0.0 < row.contractSize < inf:
        return f"implausible contract size {row.contractSize}"
    return ""


def poll_open_interest(paths: Paths, symbols: Sequence[str], weight_per_minute: int) -> list[Poll]:
    """Return one poll a symbol, at the shortest interval that :data:`POLLED_SHARE` of the budget allows."""
    per_second = weight_per_minute / 60 * POLLED_SHARE
    interval_s = max(SHORTEST_POLL_S, len(symbols) * POLL_WEIGHT / per_second)
    return [
        Poll("open_interest", RestRequest(f"{paths.prefix}/openInterest", {"symbol": symbol}, about=symbol), interval_s)
        for symbol in symbols
    ]


def request_open_interest_history(paths: Paths, symbols: Sequence[str], now_us: int) -> list[RestRequest]:
    """Return two requests a symbol for the hourly open interest of the last thirty days."""
    if paths.history is None:
        return []
    last_ms = now_us // HOUR_US * HOUR_US // 1000
    hour_ms = HOUR_US // 1000
    requests = []
    for symbol in symbols:
        which = {"symbol": symbol}
        if paths.by_pair:
            which = {"pair": symbol.partition("_")[0], "contractType": "PERPETUAL"}
        for hours in range(HISTORY_HOURS, 0, -HISTORY_ROWS):
            begin_ms = last_ms - hours * hour_ms
            end_ms = min(last_ms, begin_ms + (HISTORY_ROWS - 1) * hour_ms)
            span = {"period": "1h", "limit": "500", "startTime": str(begin_ms), "endTime": str(end_ms)}
            requests.append(RestRequest(paths.history, which | span, about=symbol))
    return requests


def request_trades(paths: Paths, symbols: Sequence[str], from_us: int, to_us: int) -> list[RestRequest]:
    """Return the requests for the trades of a gap, each for at most an hour."""
    return [
        RestRequest(
            f"{paths.prefix}/aggTrades",
            {
                "symbol": symbol,
                "startTime": str(-(-start // 1000)),
                "endTime": str((min(start + LONGEST_TRADES_US, to_us) - 1) // 1000),
                "limit": str(TRADES_ROWS),
            },
            about=symbol,
            weight=TRADES_WEIGHT,
        )
        for symbol in symbols
        for start in range(from_us, to_us, LONGEST_TRADES_US)
    ]


def read_answer(records: RecordBuilder, paths: Paths, request: RestRequest, receipt: Receipt) -> RestPage:
    """Read the answer to any request of this module. Raises ``ValueError`` if the body is not such an answer."""
    body = receipt.frame
    if request.path == paths.history:
        return _history(records, request, receipt)
    if request.path == f"{paths.prefix}/aggTrades":
        return _trades(records, request, receipt)
    if request.path == f"{paths.prefix}/openInterest":
        now = _INTEREST.decode(body)
        about = f"{now.symbol} {now.openInterest!r} {now.time}"
        return RestPage([], RestRequest(f"{paths.prefix}/premiumIndex", {"symbol": now.symbol}, about=about))
    symbol, amount, time_ms = request.about.split(" ")
    index = _PREMIUM.decode(body)
    if isinstance(index, list):
        index = index[0] if index else PremiumIndex(symbol, 0.0)
    return RestPage([records.open_interest(symbol, float(amount), index.markPrice, int(time_ms) * 1000, receipt)])


def _history(records: RecordBuilder, request: RestRequest, receipt: Receipt) -> RestPage:
    """Read the hourly rows of open interest."""
    symbol = request.about
    listing = records.listings[symbol]
    raws = raw_array(receipt.frame)
    if raws is None or listing is None:
        raise ValueError(f"no open interest of {symbol}: {receipt.frame[:128]!r}")
    rows, faults = decode_rows(raws, _THEN)
    messages: list[Message] = []
    _, units, size, inverse, _ = listing
    for row in rows:
        coins, usd = row.sumOpenInterest * units, row.sumOpenInterestValue
        if inverse:  # contracts, and coins
            coins, usd = row.sumOpenInterestValue * units, row.sumOpenInterest * size
        messages.append(records.open_interest_from_amounts(symbol, coins, usd, row.timestamp * 1000, receipt))
    messages.extend(records.refuse(fault, receipt) for _, fault in faults)
    return RestPage(messages)


def fill_of(row: AggTrade | HistoricalTrade, symbol: str) -> Fill:
    """Return an aggregated trade as a :class:`Fill`."""
    side = "sell" if row.m else "buy"
    return Fill(symbol, side, row.p, row.q, row.T * 1000, str(row.a), row.l - row.f + 1)


def _trades(records: RecordBuilder, request: RestRequest, receipt: Receipt) -> RestPage:
    """Read aggregated trades.

    A full answer is continued from its last millisecond. The trades of that millisecond come twice, with the same ids,
    and are deduplicated later.
    """
    raws = raw_array(receipt.frame)
    if raws is None:
        raise ValueError(f"no trades: {receipt.frame[:128]!r}")
    rows, faults = decode_rows(raws, _TRADE)
    messages: list[Message] = [records.trade(fill_of(row, request.about), receipt) for row in rows]
    messages.extend(records.refuse(fault, receipt) for _, fault in faults)
    query: Mapping[str, str] = MappingProxyType(dict(request.query))
    latest = max((row.T for row in rows), default=0)
    further = None
    if len(raws) >= TRADES_ROWS and int(query["startTime"]) < latest <= int(query["endTime"]):
        further = request._replace(query={**query, "startTime": str(latest)})
    return RestPage(messages, further)
