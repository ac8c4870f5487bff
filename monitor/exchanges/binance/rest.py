"""REST of Binance's dialect: instruments, open interest now and of a month, trades of a gap.

Open interest is asked symbol by symbol and comes without a price, so a second request asks for the mark price of the
same symbol, and its ``about`` carries what the first one said. The history has both: amount and value (USD-M: coins and
USD; COIN-M: contracts and coins).

Sources: developers.binance.com (Open Interest, Mark Price, Open Interest Statistics, Compressed/Aggregate Trades List,
Exchange Information); github.com/asterdex/api-docs.
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
"""Of the budget; the rest is for instruments, history and backfill."""

SHORTEST_POLL_S: Final = 15.0
"""Open interest decides over minutes; oftener says nothing more."""

POLL_WEIGHT: Final = 2
"""Of the two requests that make an open interest."""

HOUR_US: Final = 3_600 * MICROS
HISTORY_HOURS: Final = 719
"""Of thirty days; the first hour of a month is refused when the request arrives a moment later."""

HISTORY_ROWS: Final = 360
"""Half a month by the hour; an answer has at most 500."""

TRADES_WEIGHT: Final = 20
TRADES_ROWS: Final = 1_000
LONGEST_TRADES_US: Final = HOUR_US - 1_000
"""A request with both times must ask for less than an hour."""


class Paths(NamedTuple):
    """Where a venue's REST is: the prefix of its paths, and what asks for a symbol's history, None without one."""

    prefix: str
    history: str | None = None
    by_pair: bool = False


class ListedInstrument(msgspec.Struct):
    """What an instrument says of itself in ``exchangeInfo``; COIN-M has ``contractStatus`` and ``contractSize``."""

    symbol: str
    contractType: str
    baseAsset: str
    quoteAsset: str
    status: str = ""
    contractStatus: str = ""
    contractSize: float = 0.0
    onboardDate: int = 0


class ExchangeInfo(msgspec.Struct):
    """``exchangeInfo``."""

    symbols: list[msgspec.Raw]


class OpenInterestNow(msgspec.Struct):
    """``openInterest``: coins, or contracts."""

    symbol: str
    openInterest: float
    time: int


class PremiumIndex(msgspec.Struct):
    """``premiumIndex`` of one symbol."""

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
    """The perpetuals in US dollars. Raises ``ValueError`` when the body is no table."""
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
    """Why an instrument is not watched; empty when it is."""
    if row.quoteAsset not in USD_QUOTES:
        return f"quoted in {row.quoteAsset}, which is no US dollar"
    if row.contractType == "TRADIFI_PERPETUAL":
        return TRADFI
    if row.contractType != "PERPETUAL":
        return f"dated ({row.contractType}): its price is not the perpetual's"
    if contracts and not 0.0 < row.contractSize < inf:
        return f"contract size {row.contractSize}"
    return ""


def poll_open_interest(paths: Paths, symbols: Sequence[str], weight_per_minute: int) -> list[Poll]:
    """One poll a symbol, all as often as the budget's share for them allows."""
    per_second = weight_per_minute / 60 * POLLED_SHARE
    interval_s = max(SHORTEST_POLL_S, len(symbols) * POLL_WEIGHT / per_second)
    return [
        Poll("open_interest", RestRequest(f"{paths.prefix}/openInterest", {"symbol": symbol}, about=symbol), interval_s)
        for symbol in symbols
    ]


def request_open_interest_history(paths: Paths, symbols: Sequence[str], now_us: int) -> list[RestRequest]:
    """A month of every symbol, by the hour, in two parts."""
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
    """The trades of a gap, at most an hour a request."""
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
    """What an answer to any request of this module holds. Raises ``ValueError`` when it is none."""
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
    """Rows of a month of open interest."""
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
    """The fills that an aggregated trade stands for."""
    side = "sell" if row.m else "buy"
    return Fill(symbol, side, row.p, row.q, row.T * 1000, str(row.a), row.l - row.f + 1)


def _trades(records: RecordBuilder, request: RestRequest, receipt: Receipt) -> RestPage:
    """Trades; a full answer is continued from its last millisecond, whose trades come twice with the same ids."""
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
