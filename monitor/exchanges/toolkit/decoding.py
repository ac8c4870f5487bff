"""Helpers of all adapters: listings of symbols, row-by-row decoding, and the reject of a refused row or frame.

The hot loops leave the checks to the decoder's ranges (:mod:`monitor.model.validation`); only for a frame that fails
them do the functions here look at each row and find what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import inf, isfinite
from typing import Final, TypeVar

import msgspec

from monitor.exchanges.toolkit.listings import Listing
from monitor.model.events import SAMPLE_BYTES, Event, Reject
from monitor.model.symbols import split_symbol
from monitor.model.validation import (
    EARLIEST_US,
    LATEST_MS,
    LATEST_US,
    LONGEST_SYMBOL,
    RANGES,
    RESERVED,
    UNREADABLE,
    Fault,
    asset_fault,
    number_fault,
    symbol_name_fault,
    time_fault,
)

_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])

Row = TypeVar("Row")


def convert_amounts(listing: Listing, price: float, contracts: float) -> tuple[float, float, float]:
    """Price of one coin, coins, and USD of a number of contracts; a price of zero gives no coins."""
    _, units, size, inverse, _ = listing
    if inverse:
        return price / units, contracts * size / (price or inf) * units, contracts * size
    return price / units, contracts * size * units, price * contracts * size


def symbol_fault(symbol: str) -> Fault:
    """Return why nothing is known of a symbol."""
    name = split_symbol(symbol[: LONGEST_SYMBOL + 1])
    if fault := symbol_name_fault(symbol) or (asset_fault(name.asset) if name.asset in RESERVED else None):
        return fault
    if name.quote and not name.is_usd:
        return "unsupported_quote", f"{symbol[:64]} is quoted in {name.quote[:64]}"
    return "unknown_symbol", f"no instrument data for {symbol[:64]!r}"


def find_fault(kind: type[Event], time_us: int, received_us: int, **numbers: float) -> Fault | None:
    """Return the first number of an event of this kind, or its time, that is not plausible; None when all are."""
    ranges = RANGES[kind]
    for name, value in numbers.items():
        low, high, _, _ = allowed = ranges[name]
        if not low <= value <= high and (fault := number_fault(name, value, allowed)):
            return fault
    return None if EARLIEST_US <= time_us <= received_us else time_fault(time_us, received_us)


def unknown_value(what: str, value: str) -> Fault:
    """A value that is not in the exchange's documents."""
    return "unknown_value", f"{what} {value[:64]!r}"


def reject(venue: str, fault: Fault, received_us: int, frame: bytes) -> Reject:
    """A :class:`Reject` with the head of the frame as its sample."""
    return Reject(venue, fault[0], fault[1], received_us, frame[:SAMPLE_BYTES])


def unreadable(error: Exception) -> Fault:
    """Why typed decoding failed."""
    detail = str(error)
    # A literal beyond float64 (1e999) is JSON, and msgspec has no infinity to give for it.
    return ("not_finite" if detail.startswith("Number out of range") else "malformed"), detail


def decode_rows(
    raws: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[Row]
) -> tuple[list[Row], list[tuple[int, Fault]]]:
    """Decode rows one by one, so that one bad row costs only itself; the bad ones with their number."""
    rows: list[Row] = []
    faults: list[tuple[int, Fault]] = []
    for number, raw in enumerate(raws):
        try:
            rows.append(decoder.decode(raw))
        except UNREADABLE as error:
            faults.append((number, unreadable(error)))
    return rows, faults


def raw_array(raw: bytes | msgspec.Raw) -> list[msgspec.Raw] | None:
    """The items of a JSON array, unread; None where it is no array."""
    try:
        return _RAWS.decode(raw)
    except UNREADABLE:
        return None


def number_duplicate(seen: dict[str, int], event_id: str) -> str:
    """The id of a row that may have twins in its frame: itself, then with ``#1``, ``#2`` … appended."""
    twin = seen[event_id] = seen.get(event_id, -1) + 1
    return f"{event_id}#{twin}" if twin else event_id


def raw_rows(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The items of a JSON array, or the one item that is no array."""
    rows = raw_array(raw)
    return [raw] if rows is None else rows


def quote_constants(frame: bytes) -> bytes | None:
    """The frame with the literals ``NaN`` and ``Infinity`` as strings; None where it has none or is no JSON.

    These literals are not JSON, yet some servers write them. As strings they pass typed decoding, and the row that
    holds one is refused as not finite while its neighbours come out.
    """
    found: list[str] = []

    def quote(literal: str) -> str:
        found.append(literal)
        return literal

    try:
        content = json.loads(frame, parse_constant=quote)
        return json.dumps(content).encode() if found else None
    except UNREADABLE:
        return None


def keys(*lines: str) -> frozenset[str]:
    """The words of all lines: for :attr:`monitor.exchanges.adapter.Adapter.known_keys`."""
    return frozenset(word for line in lines for word in line.split())


def optional_float(text: str | float | msgspec.UnsetType, floor: float = -inf) -> float | msgspec.UnsetType:
    """A number that a feed may leave empty; UNSET where it is empty, not a number, or not above ``floor``."""
    if text is msgspec.UNSET:
        return text
    try:
        value = float(text)
    except ValueError:
        return msgspec.UNSET
    return value if isfinite(value) and value > floor else msgspec.UNSET


def optional_time_us(time_ms: int | str) -> int | msgspec.UnsetType:
    """A time in milliseconds that a feed may leave empty or zero, in microseconds; UNSET where it is no time."""
    try:
        time_us = int(time_ms) * 1000
    except ValueError:
        return msgspec.UNSET
    return time_us if EARLIEST_US <= time_us <= LATEST_US else msgspec.UNSET


def plausible_us(time_ms: float) -> int:
    """A time in milliseconds that may have a fraction, in microseconds; 0, at which no row is believed, for no time."""
    return round(time_ms * 1000) if 0.0 < time_ms <= LATEST_MS else 0


def onboard_us(time_ms: int | str) -> int:
    """When trading of an instrument began, in microseconds; 0 where that is not known."""
    time_us = optional_time_us(time_ms)
    return 0 if time_us is msgspec.UNSET else time_us
