"""Decodes rows one by one, converts numbers and times, and builds the rejects of rows that are refused.

The adapters' hot paths rely on the ranges that the decoder checks (:mod:`monitor.model.validation`). The functions here
are used for a frame that fails those checks: they examine each row and state what is wrong with it.
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
    """Convert a price and a size in contracts to USD per coin, coins and USD; a price of zero gives zero coins."""
    _, units, size, inverse, _ = listing
    if inverse:
        return price / units, contracts * size / (price or inf) * units, contracts * size
    return price / units, contracts * size * units, price * contracts * size


def symbol_fault(symbol: str) -> Fault:
    """Return why a symbol is not known: a bad name, a quote that is not a US dollar, or no instrument data."""
    name = split_symbol(symbol[: LONGEST_SYMBOL + 1])
    if fault := symbol_name_fault(symbol) or (asset_fault(name.asset) if name.asset in RESERVED else None):
        return fault
    if name.quote and not name.is_usd:
        return "unsupported_quote", f"{symbol[:64]} is quoted in {name.quote[:64]}"
    return "unknown_symbol", f"no instrument data for {symbol[:64]!r}"


def find_fault(kind: type[Event], time_us: int, received_us: int, **numbers: float) -> Fault | None:
    """Return the first implausible number of an event of this kind, or its implausible time; None if there is none."""
    ranges = RANGES[kind]
    for name, value in numbers.items():
        low, high, _, _ = allowed = ranges[name]
        if not low <= value <= high and (fault := number_fault(name, value, allowed)):
            return fault
    return None if EARLIEST_US <= time_us <= received_us else time_fault(time_us, received_us)


def unknown_value(what: str, value: str) -> Fault:
    """Return the fault of a value that the exchange's documentation does not list."""
    return "unknown_value", f"undocumented {what} {value[:64]!r}"


def reject(venue: str, fault: Fault, received_us: int, frame: bytes) -> Reject:
    """Return a :class:`Reject` with the first bytes of the frame as its sample."""
    return Reject(venue, fault[0], fault[1], received_us, frame[:SAMPLE_BYTES])


def unreadable(error: Exception) -> Fault:
    """Return the fault for an error of typed decoding."""
    detail = str(error)
    # A number beyond the range of float64 (1e999) is valid JSON; msgspec raises this error for it.
    return ("not_finite" if detail.startswith("Number out of range") else "malformed"), detail


def decode_rows(
    raws: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[Row]
) -> tuple[list[Row], list[tuple[int, Fault]]]:
    """Decode rows one by one, so that a bad row does not lose the others; return the rows, and faults by row number."""
    rows: list[Row] = []
    faults: list[tuple[int, Fault]] = []
    for number, raw in enumerate(raws):
        try:
            rows.append(decoder.decode(raw))
        except UNREADABLE as error:
            faults.append((number, unreadable(error)))
    return rows, faults


def raw_array(raw: bytes | msgspec.Raw) -> list[msgspec.Raw] | None:
    """Return the undecoded items of a JSON array; None if the value is not an array."""
    try:
        return _RAWS.decode(raw)
    except UNREADABLE:
        return None


def number_duplicate(seen: dict[str, int], event_id: str) -> str:
    """Make an id unique within its frame: append ``#1``, ``#2`` … to the second, third … row with the same id.

    For exchanges without order ids, where identical rows of one frame are different orders. ``seen`` holds the ids of
    the frame so far, and is updated.
    """
    earlier = seen[event_id] = seen.get(event_id, -1) + 1
    return f"{event_id}#{earlier}" if earlier else event_id


def raw_rows(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Return the undecoded items of a JSON array; a value that is not an array is returned as the only item."""
    rows = raw_array(raw)
    return [raw] if rows is None else rows


def quote_constants(frame: bytes) -> bytes | None:
    """Put the literals ``NaN`` and ``Infinity`` of a frame in quotes; None if it has none or is not JSON.

    These literals are not valid JSON, but some servers send them. Typed decoding accepts the quoted ones as numbers,
    so only the row that contains one is rejected (``not_finite``) and not the whole frame.
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
    """Return all words of the lines, as :attr:`monitor.exchanges.adapter.Adapter.known_keys`."""
    return frozenset(word for line in lines for word in line.split())


def optional_float(text: str | float | msgspec.UnsetType, floor: float = -inf) -> float | msgspec.UnsetType:
    """Read an optional number; UNSET if it is absent, empty, not a finite number, or not above ``floor``."""
    if text is msgspec.UNSET:
        return text
    try:
        value = float(text)
    except ValueError:
        return msgspec.UNSET
    return value if isfinite(value) and value > floor else msgspec.UNSET


def optional_time_us(time_ms: int | str) -> int | msgspec.UnsetType:
    """Convert an optional time from milliseconds to microseconds; UNSET if it is empty, zero or implausible."""
    try:
        time_us = int(time_ms) * 1000
    except ValueError:
        return msgspec.UNSET
    return time_us if EARLIEST_US <= time_us <= LATEST_US else msgspec.UNSET


def plausible_us(time_ms: float) -> int:
    """Convert a time in milliseconds, with or without a fraction, to microseconds; 0 if it is implausible.

    A row with time 0 is then rejected (``bad_time``).
    """
    return round(time_ms * 1000) if 0.0 < time_ms <= LATEST_MS else 0


def onboard_us(time_ms: int | str) -> int:
    """Convert the time when trading of an instrument began from milliseconds to microseconds; 0 if it is not known."""
    time_us = optional_time_us(time_ms)
    return 0 if time_us is msgspec.UNSET else time_us
