"""Reads Bitget's REST answers: instruments, and the liquidations of the last three days."""

from __future__ import annotations

from typing import Final

import msgspec

from monitor.exchanges.bitget.frames import LiquidationRow
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import decode_rows, onboard_us, raw_array
from monitor.exchanges.toolkit.listings import TRADFI
from monitor.exchanges.toolkit.rest_envelope import unwrap_data
from monitor.model.symbols import USD_QUOTES, split_base
from monitor.model.validation import Fault

SUCCESS: Final = "00000"

PAGE_ROWS: Final = "100"
"""Rows of one page, the most that the exchange allows."""


class LiquidationPage(msgspec.Struct, rename={"rows": "list"}):
    """The data of ``GET /api/v3/market/liquidations``, newest rows first."""

    rows: list[msgspec.Raw]
    cursor: str | None = None


class ListedInstrument(msgspec.Struct):
    """An instrument in ``GET /api/v3/market/instruments``."""

    symbol: str
    category: str
    baseCoin: str
    quoteCoin: str
    status: str
    type: str = "perpetual"
    launchTime: str = ""
    isRwa: str = ""


_LIQUIDATION_PAGE: Final = msgspec.json.Decoder(LiquidationPage)
_LISTED: Final = msgspec.json.Decoder(ListedInstrument)
_LIQUIDATION: Final = msgspec.json.Decoder(LiquidationRow, strict=False)


def read_instruments(body: bytes) -> InstrumentPage:
    """Read the futures of one product. Raises ``ValueError`` if the body is not the table of instruments."""
    raws = raw_array(unwrap_data("bitget", body, SUCCESS))
    if raws is None:
        raise ValueError("bitget's table of instruments is not an array")
    rows, faults = decode_rows(raws, _LISTED)
    left_out = {f"row {number}": detail for number, (_, detail) in faults}
    instruments = []
    for row in rows:
        if reason := exclusion_reason(row):
            left_out[row.symbol] = reason
            continue
        asset, units = split_base(row.baseCoin)
        instruments.append(
            Instrument(
                row.symbol,
                asset,
                units,
                1.0,
                "base",
                row.status == "online",
                onboard_us(row.launchTime),
                product=row.category.lower(),
                dated=row.type != "perpetual",
            )
        )
    return InstrumentPage(instruments, left_out, None)


def exclusion_reason(row: ListedInstrument) -> str:
    """Return why an instrument is not watched; empty if it is."""
    if row.quoteCoin not in USD_QUOTES:
        return f"quoted in {row.quoteCoin}, which is not a US dollar"
    if row.isRwa.upper() == "YES":
        return TRADFI
    return ""


def request_liquidations(product: str, from_us: int, to_us: int) -> RestRequest:
    """Return the request for a product's liquidations, newest first; ``about`` holds the span to read."""
    query = {"category": product.upper(), "limit": PAGE_ROWS}
    return RestRequest("/api/v3/market/liquidations", query, about=f"{from_us}-{to_us}")


def read_liquidations(
    request: RestRequest, body: bytes
) -> tuple[list[LiquidationRow], list[Fault], RestRequest | None]:
    """Return a page's rows within the requested span, the faults of its bad rows, and the request of the next page.

    There is no next request if all rows of the page are older than that span.
    """
    page = _LIQUIDATION_PAGE.decode(unwrap_data("bitget", body, SUCCESS))
    rows, faults = decode_rows(page.rows, _LIQUIDATION)
    from_us, to_us = map(int, request.about.split("-"))
    wanted = [row for row in rows if from_us <= row.ts * 1000 < to_us]
    further = None
    if page.cursor and any(row.ts * 1000 >= from_us for row in rows):
        further = request._replace(query={**request.query, "cursor": page.cursor})
    return wanted, [fault for _, fault in faults], further
