"""Bybit's REST answers: instruments, the latest trades, open interest of a month.

Open interest of the past comes without a price (one side's, in base units, or USD of inverse symbols), so the mark
prices of the same hours are requested first, and the ``about`` of the second request carries them.

Sources: github.com/bybit-exchange/docs (Get Instruments Info, Get Public Recent Trading History, Get Open Interest, Get
Mark Price Kline).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from monitor.exchanges.bybit.frames import TradeRow
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import decode_rows, onboard_us
from monitor.exchanges.toolkit.listings import TRADFI
from monitor.model.symbols import USD_QUOTES, split_base
from monitor.model.validation import Fault

RECENT_TRADES: Final = "/v5/market/recent-trade"
MARK_PRICES: Final = "/v5/market/mark-price-kline"
OPEN_INTEREST: Final = "/v5/market/open-interest"

HOUR_MS: Final = 3_600_000
MONTH_HOURS: Final = 720
PAGE_ROWS: Final = 180
"""A month in four parts; an answer has at most 200 rows."""

TRADFI_TYPES: Final = frozenset({"stock", "commodity", "forex"})


class ListedInstrument(msgspec.Struct):
    """One instrument of the exchange's table."""

    symbol: str
    contractType: str
    status: str
    baseCoin: str
    quoteCoin: str
    launchTime: str = "0"
    symbolType: str = ""


class Page(msgspec.Struct, rename={"rows": "list"}):
    """One page of instruments."""

    rows: list[msgspec.Raw]
    nextPageCursor: str = ""


class Answer(msgspec.Struct):
    """Any REST answer."""

    retCode: int
    retMsg: str = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")


class HistoricalTrade(msgspec.Struct):
    """A row of ``recent-trade``."""

    execId: str
    symbol: str
    price: float
    size: float
    side: str
    time: int
    isBlockTrade: bool = False


class OpenInterestPoint(msgspec.Struct):
    """A row of ``open-interest``."""

    openInterest: float
    timestamp: int


class Rows(msgspec.Struct, rename={"rows": "list"}):
    """The rows of an answer."""

    rows: list[msgspec.Raw]


class Hours(msgspec.Struct):
    """A symbol and its mark price by the hour's first millisecond: ``about`` of the second request."""

    symbol: str
    prices: dict[int, float]


class Interest(NamedTuple):
    """Open interest as the exchange counts it, and the mark price of that time; zero where none was given."""

    time_ms: int
    amount: float
    price: float


_ANSWER: Final = msgspec.json.Decoder(Answer)
_PAGE: Final = msgspec.json.Decoder(Page)
_LISTED: Final = msgspec.json.Decoder(ListedInstrument)
_ROWS: Final = msgspec.json.Decoder(Rows)
_TRADE: Final = msgspec.json.Decoder(HistoricalTrade, strict=False)
_CANDLE: Final = msgspec.json.Decoder(tuple[int, float, float, float, float], strict=False)
_INTEREST: Final = msgspec.json.Decoder(OpenInterestPoint, strict=False)
_HOURS: Final = msgspec.json.Decoder(Hours, strict=False)


def read_result(body: bytes) -> msgspec.Raw:
    """Return the result of an answer. Raises ``ValueError`` when it is an error."""
    answer = _ANSWER.decode(body)
    if answer.retCode != 0:
        raise ValueError(f"bybit answers {answer.retCode}: {answer.retMsg}")
    return answer.result


def read_instruments(body: bytes, request: RestRequest) -> InstrumentPage:
    """Read the perpetuals of one category. Raises ``ValueError`` when the body is no table."""
    page = _PAGE.decode(read_result(body))
    rows, faults = decode_rows(page.rows, _LISTED)
    left_out = {f"row {number}": detail for number, (_, detail) in faults}
    instruments = []
    for row in rows:
        if reason := exclusion_reason(row):
            left_out[row.symbol] = reason
            continue
        asset, units = split_base(row.baseCoin)
        inverse = row.contractType == "InversePerpetual"
        instruments.append(
            Instrument(
                row.symbol,
                asset,
                units,
                1.0,  # base unit or USD: either is what the exchange counts in
                "usd" if inverse else "base",
                row.status == "Trading",
                onboard_us(row.launchTime),
                product="inverse" if inverse else "linear",
            )
        )
    cursor = page.nextPageCursor
    further = request._replace(query={**request.query, "cursor": cursor}) if cursor else None
    return InstrumentPage(instruments, left_out, further)


def exclusion_reason(row: ListedInstrument) -> str:
    """Return why an instrument is not watched; empty when it is."""
    if row.quoteCoin not in USD_QUOTES:
        return f"quoted in {row.quoteCoin}, which is no US dollar"
    if row.symbolType in TRADFI_TYPES:
        return TRADFI
    if row.contractType not in ("LinearPerpetual", "InversePerpetual"):
        return f"dated ({row.contractType}): its price is not the perpetual's"
    return ""


def request_trades(category: str, symbol: str, from_us: int, to_us: int) -> RestRequest:
    """Return the request for a symbol's latest trades, of which those between two times are read."""
    query = {"category": category, "symbol": symbol, "limit": "1000"}
    return RestRequest(RECENT_TRADES, query, about=f"{from_us}-{to_us}")


def read_trades(request: RestRequest, body: bytes) -> tuple[str, list[TradeRow], list[Fault]]:
    """Return symbol, the trades of the requested time as the socket has them, and the faults of other rows."""
    rows, faults = decode_rows(_ROWS.decode(read_result(body)).rows, _TRADE)
    from_us, to_us = map(int, request.about.split("-"))
    wanted = [
        TradeRow(row.time, row.side, row.size, row.price, row.execId, row.isBlockTrade)
        for row in rows
        if from_us <= row.time * 1000 < to_us
    ]
    return request.query["symbol"], wanted, [fault for _, fault in faults]


def request_hourly_prices(category: str, symbol: str, now_us: int) -> Iterator[RestRequest]:
    """Return the requests for a symbol's hourly mark prices of the last thirty days."""
    last_ms = now_us // (HOUR_MS * 1000) * HOUR_MS
    for hours in range(MONTH_HOURS, 0, -PAGE_ROWS):
        begin_ms = last_ms - (hours - 1) * HOUR_MS
        end_ms = begin_ms + (PAGE_ROWS - 1) * HOUR_MS
        span = {"start": str(begin_ms), "end": str(end_ms), "limit": "200", "interval": "60"}
        yield RestRequest(MARK_PRICES, {"category": category, "symbol": symbol} | span, about=symbol)


def request_open_interest(request: RestRequest, body: bytes) -> RestRequest:
    """Return the request for the open interest of the hours whose opening prices an answer holds."""
    candles, _ = decode_rows(_ROWS.decode(read_result(body)).rows, _CANDLE)
    query = {"category": request.query["category"], "symbol": request.query["symbol"], "intervalTime": "1h"}
    span = {"startTime": request.query["start"], "endTime": request.query["end"], "limit": "200"}
    hours = Hours(request.about, {candle[0]: candle[1] for candle in candles})
    return RestRequest(OPEN_INTEREST, query | span, about=msgspec.json.encode(hours).decode())


def read_open_interest(request: RestRequest, body: bytes) -> tuple[str, list[Interest], list[Fault]]:
    """Return symbol, open interest with its price, and the faults of other rows."""
    rows, faults = decode_rows(_ROWS.decode(read_result(body)).rows, _INTEREST)
    hours = _HOURS.decode(request.about)
    interests = [Interest(row.timestamp, row.openInterest, hours.prices.get(row.timestamp, 0.0)) for row in rows]
    return hours.symbol, interests, [fault for _, fault in faults]
