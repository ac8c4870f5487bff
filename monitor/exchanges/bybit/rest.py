"""Builds Bybit's REST requests and reads their answers: instruments, latest trades, thirty days of open interest.

The history of open interest counts one side of each contract, in base units or, for inverse symbols, in USD. It has no
price. Therefore the mark prices of the same hours are requested first, and the field ``about`` of the second request
carries them.

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
"""Hours of one request: thirty days in four parts; an answer has at most 200 rows."""

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
    """The ``about`` of the second request: a symbol, and its mark price by the first millisecond of each hour."""

    symbol: str
    prices: dict[int, float]


class Interest(NamedTuple):
    """An open interest in the exchange's unit, and the mark price at that time; zero if there is none."""

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
    """Return the result of an answer. Raises ``ValueError`` if the answer is an error."""
    answer = _ANSWER.decode(body)
    if answer.retCode != 0:
        raise ValueError(f"bybit answers {answer.retCode}: {answer.retMsg}")
    return answer.result


def read_instruments(body: bytes, request: RestRequest) -> InstrumentPage:
    """Read the perpetuals of one category. Raises ``ValueError`` if the body is not the table of instruments."""
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
                1.0,  # sizes are base units (linear) or USD (inverse)
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
    """Return why an instrument is not watched; empty if it is."""
    if row.quoteCoin not in USD_QUOTES:
        return f"quoted in {row.quoteCoin}, which is not a US dollar"
    if row.symbolType in TRADFI_TYPES:
        return TRADFI
    if row.contractType not in ("LinearPerpetual", "InversePerpetual"):
        return f"dated ({row.contractType}): its price is not the perpetual's"
    return ""


def request_trades(category: str, symbol: str, from_us: int, to_us: int) -> RestRequest:
    """Return the request for a symbol's latest trades; ``about`` holds the span to read."""
    query = {"category": category, "symbol": symbol, "limit": "1000"}
    return RestRequest(RECENT_TRADES, query, about=f"{from_us}-{to_us}")


def read_trades(request: RestRequest, body: bytes) -> tuple[str, list[TradeRow], list[Fault]]:
    """Return the symbol, its trades within the span in the format of the socket, and the faults of bad rows."""
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
    """Return the request for the open interest of the hours whose opening prices an answer contains."""
    candles, _ = decode_rows(_ROWS.decode(read_result(body)).rows, _CANDLE)
    query = {"category": request.query["category"], "symbol": request.query["symbol"], "intervalTime": "1h"}
    span = {"startTime": request.query["start"], "endTime": request.query["end"], "limit": "200"}
    hours = Hours(request.about, {candle[0]: candle[1] for candle in candles})
    return RestRequest(OPEN_INTEREST, query | span, about=msgspec.json.encode(hours).decode())


def read_open_interest(request: RestRequest, body: bytes) -> tuple[str, list[Interest], list[Fault]]:
    """Return the symbol, its open interest with prices, and the faults of bad rows."""
    rows, faults = decode_rows(_ROWS.decode(read_result(body)).rows, _INTEREST)
    hours = _HOURS.decode(request.about)
    interests = [Interest(row.timestamp, row.openInterest, hours.prices.get(row.timestamp, 0.0)) for row in rows]
    return hours.symbol, interests, [fault for _, fault in faults]
