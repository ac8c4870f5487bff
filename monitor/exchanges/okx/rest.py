"""Builds OKX' REST requests and reads their answers: instruments, trades of a gap, thirty days of open interest.

Sources: okx.com/docs-v5 (Get instruments, Get trades history, Get contract open interest history).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Final

import msgspec

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.okx.frames import InterestRow, TradeRow
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import decode_rows, onboard_us, raw_array
from monitor.exchanges.toolkit.listings import TRADFI
from monitor.exchanges.toolkit.rest_envelope import unwrap_data
from monitor.model.symbols import USD_QUOTES, split_base, split_symbol
from monitor.model.validation import Fault

HISTORY_TRADES: Final = "/api/v5/market/history-trades"
HISTORY_INTEREST: Final = "/api/v5/rubik/stat/contracts/open-interest-history"

PAGE_ROWS: Final = 100
"""Largest number of rows in an answer of either kind."""

HOUR_MS: Final = 3_600_000
MONTH_HOURS: Final = 720
HOURS_A_REQUEST: Final = 90
"""Hours of one request: thirty days in eight parts, each with room for a further row at either end."""

INTEREST_WEIGHT: Final = 2
"""Weight of a request, twice that of others: five a second are allowed, half of the other endpoints' rate limit."""

CRYPTO: Final = frozenset({"", "1"})
"""``instCategory`` of cryptocurrencies; stocks, commodities and currencies have others. Older answers omit it."""

FUTURES: Final = "FUTURES"


class ListedInstrument(msgspec.Struct):
    """One instrument of the exchange's table."""

    instId: str
    ctVal: float
    ctMult: float
    ctValCcy: str
    ctType: str
    state: str
    settleCcy: str = ""
    instCategory: str = ""
    listTime: int | str = 0


_LISTED: Final = msgspec.json.Decoder(ListedInstrument, strict=False)
_TRADE: Final = msgspec.json.Decoder(TradeRow, strict=False)
_INTEREST: Final = msgspec.json.Decoder(tuple[int, float, float, float], strict=False)


def read_rows(body: bytes) -> list[msgspec.Raw]:
    """Return the rows of an answer. Raises ``ValueError`` if the answer is an error."""
    rows = raw_array(unwrap_data("okx", body, "0"))
    if rows is None:
        raise ValueError(f"okx answers without rows: {body[:128]!r}")
    return rows


def read_instruments(body: bytes, request: RestRequest) -> InstrumentPage:
    """Read the instruments of one type. Raises ``ValueError`` if the body is not the table of instruments."""
    rows, faults = decode_rows(read_rows(body), _LISTED)
    left_out = {f"row {number}": detail for number, (_, detail) in faults}
    instruments = []
    for row in rows:
        dated = request.about == FUTURES and split_symbol(row.instId).dated
        if reason := exclusion_reason(row, dated):
            left_out[row.instId] = reason
            continue
        asset, units = split_base(row.instId.partition("-")[0])
        currency = "usd" if row.ctType == "inverse" else "base"
        instruments.append(
            Instrument(
                row.instId,
                asset,
                units,
                row.ctVal * row.ctMult,
                currency,
                row.state == "live",
                onboard_us(row.listTime),
                product=request.about,
                dated=dated,
            )
        )
    return InstrumentPage(instruments, left_out, None)


def exclusion_reason(row: ListedInstrument, dated: bool) -> str:
    """Return why an instrument is not watched; empty if it is."""
    name = split_symbol(row.instId)
    base = row.instId.partition("-")[0]
    if not name.is_usd:
        return f"quoted in {name.quote}, which is not a US dollar"
    if name.dated and not dated:
        return "dated: its price is not the perpetual's"
    if row.instCategory not in CRYPTO:
        return TRADFI
    expected = {"linear": (base,), "inverse": USD_QUOTES}.get(row.ctType, ())
    if row.ctValCcy not in expected:
        return f"a {row.ctType} contract counted in {row.ctValCcy}"
    if not 0.0 < row.ctVal * row.ctMult < inf:
        return f"contract size {row.ctVal} times {row.ctMult}"
    return ""


def request_trades(symbol: str, from_us: int, to_us: int) -> RestRequest:
    """Return the request for the latest trades before a time; ``about`` holds the span to read."""
    query = {"instId": symbol, "type": "2", "after": str(-(-to_us // 1000)), "limit": str(PAGE_ROWS)}
    return RestRequest(HISTORY_TRADES, query, about=f"{from_us}-{to_us}")


def read_trades(request: RestRequest, body: bytes) -> tuple[list[TradeRow], list[Fault], RestRequest | None]:
    """Return the trades within the gap, the faults of bad rows, and the request of the page before, if needed."""
    rows, faults = decode_rows(read_rows(body), _TRADE)
    from_us, to_us = map(int, request.about.split("-"))
    further = None
    if rows and rows[-1].ts * 1000 >= from_us:
        further = request._replace(query={**request.query, "type": "1", "after": rows[-1].tradeId})
    wanted = [row for row in rows if from_us <= row.ts * 1000 < to_us]
    return wanted, [fault for _, fault in faults], further


def request_open_interest_history(symbol: str, now_us: int) -> Iterator[RestRequest]:
    """Return the requests for a symbol's hourly open interest of the last thirty days."""
    last_ms = now_us // (HOUR_MS * 1000) * HOUR_MS
    for hours in range(MONTH_HOURS, 0, -HOURS_A_REQUEST):
        begin_ms = last_ms - hours * HOUR_MS
        span = {"begin": str(begin_ms), "end": str(begin_ms + HOURS_A_REQUEST * HOUR_MS + 1), "period": "1H"}
        query = {"instId": symbol, "limit": str(PAGE_ROWS)} | span
        yield RestRequest(HISTORY_INTEREST, query, about=symbol, weight=INTEREST_WEIGHT)


def read_open_interest(request: RestRequest, body: bytes) -> tuple[list[InterestRow], list[Fault]]:
    """Return the open interest in the format of the socket, and the faults of bad rows."""
    rows, faults = decode_rows(read_rows(body), _INTEREST)
    interests = [InterestRow(request.about, coins, time_ms, usd) for time_ms, _, coins, usd in rows]
    return interests, [fault for _, fault in faults]
