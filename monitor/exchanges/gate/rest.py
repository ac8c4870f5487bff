"""Builds Gate's REST requests and reads their answers: contracts and liquidated orders."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Final

import msgspec

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import decode_rows, plausible_us, raw_array
from monitor.exchanges.toolkit.listings import TRADFI
from monitor.model.events import MICROS
from monitor.model.symbols import split_symbol
from monitor.model.validation import Fault

LONGEST_S: Final = 3_600
"""Longest span of one request."""

MOST_ROWS: Final = 1_000
"""Largest number of rows in an answer; after a full answer, the rows before its oldest one are requested."""

CRYPTO: Final = frozenset({"", "crypto"})
"""``contract_type`` of cryptocurrencies; stocks, metals, indices and currencies have others. Older answers omit it."""


class ListedInstrument(msgspec.Struct):
    """One contract of the exchange's table."""

    name: str
    type: str
    quanto_multiplier: float
    in_delisting: bool = False
    create_time: float = 0.0
    contract_type: str = ""


class LiquidatedOrder(msgspec.Struct, gc=False):
    """One row of ``liq_orders``; ``size`` is that of the position, ``order_size`` that of the order."""

    time: int
    contract: str
    size: float
    order_price: float
    fill_price: float = 0.0
    order_size: float = 0.0


_LISTED: Final = msgspec.json.Decoder(ListedInstrument, strict=False)
_ORDER: Final = msgspec.json.Decoder(LiquidatedOrder, strict=False)


def read_instruments(body: bytes, settlement: str) -> InstrumentPage:
    """Read the contracts of one settlement. Raises ``ValueError`` if the body is not the table of contracts."""
    raws = raw_array(body)
    if raws is None:
        raise ValueError(f"gate's contracts are no array: {body[:128]!r}")
    rows, faults = decode_rows(raws, _LISTED)
    left_out = {f"row {number}": detail for number, (_, detail) in faults}
    instruments = []
    for row in rows:
        if reason := exclusion_reason(row, settlement):
            left_out[row.name] = reason
            continue
        name = split_symbol(row.name)
        inverse = row.type == "inverse"
        instruments.append(
            Instrument(
                row.name,
                name.asset,
                name.units,
                1.0 if inverse else row.quanto_multiplier,  # an inverse contract is worth one USD
                "usd" if inverse else "base",
                not row.in_delisting,
                plausible_us(row.create_time * 1000),
                product=settlement,
            )
        )
    return InstrumentPage(instruments, left_out, None)


def exclusion_reason(row: ListedInstrument, settlement: str) -> str:
    """Return why a contract is not watched; empty if it is."""
    name = split_symbol(row.name)
    if not name.is_usd:
        return f"quoted in {name.quote}, which is not a US dollar"
    if row.contract_type not in CRYPTO:
        return TRADFI
    if row.type == "inverse":
        return "" if row.quanto_multiplier == 0.0 else f"an inverse contract of multiplier {row.quanto_multiplier}"
    if settlement == "btc":
        return "quanto: settled in a coin that is neither base nor quote"
    return "" if 0.0 < row.quanto_multiplier < inf else f"contract size {row.quanto_multiplier}"


def request_liquidations(settlement: str, from_us: int, to_us: int) -> Iterator[RestRequest]:
    """Return the requests for the liquidations of the whole seconds between two times."""
    first, end = -(-from_us // MICROS), to_us // MICROS
    for start in range(first, end, LONGEST_S):
        query = {"from": str(start), "to": str(min(start + LONGEST_S, end) - 1), "limit": str(MOST_ROWS)}
        yield RestRequest(f"/api/v4/futures/{settlement}/liq_orders", query, about=settlement)


def read_liquidations(
    request: RestRequest, body: bytes
) -> tuple[list[LiquidatedOrder], list[Fault], RestRequest | None]:
    """Return the rows, the faults of bad rows, and the request for older rows if the answer is full.

    Rows of its oldest second come twice, with the same ids. Raises ``ValueError`` if the body is not an array.
    """
    raws = raw_array(body)
    if raws is None:
        raise ValueError(f"gate's liquidated orders are no array: {body[:128]!r}")
    rows, faults = decode_rows(raws, _ORDER)
    further = None
    oldest = min((row.time for row in rows), default=0)
    if len(raws) >= MOST_ROWS and int(request.query["from"]) <= oldest < int(request.query["to"]):
        further = request._replace(query={**request.query, "to": str(oldest)})
    return rows, [fault for _, fault in faults], further
