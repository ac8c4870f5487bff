"""Defines the plausible range of every number, time and name of an event, and states why a value is rejected.

These ranges are defined nowhere else. The adapters apply them to every row of a frame or REST answer,
:mod:`monitor.collect.recording` to every line and :mod:`monitor.bus.codec` to every record. Values that pass can be
added, divided, encoded and stored without overflow. The bounds lie beyond all values ever observed: they reject wrong
units and damaged data, not extreme markets.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import isfinite
from typing import Annotated, Any, Final, NamedTuple

from msgspec import UNSET, Meta

from monitor.model.events import (
    ALL,
    MARKET,
    AnyEvent,
    Gap,
    Heartbeat,
    Liquidation,
    MarkPrice,
    OpenInterest,
    RejectReason,
    Trade,
    TradeBar,
    VolatilityIndex,
)

UNREADABLE: Final = (ValueError, RecursionError)
"""Exceptions that msgspec raises for bytes that it cannot decode: ValueErrors, and RecursionError for deep nesting."""

Fault = tuple[RejectReason, str]
"""The reason of a reject, and a text with the details."""

# Times

FUTURE_TOLERANCE_US: Final = 5_000_000
"""Longest time, microseconds, by which an event time may be later than its receipt.

The clocks of servers with NTP differ by milliseconds, those of laptops by seconds.
"""

EARLIEST_US: Final = 1_230_768_000_000_000
"""2009-01-01, when bitcoin began. An earlier time is zero, or a number of seconds that was read as milliseconds."""

LATEST_US: Final = 4_102_444_800_000_000
"""2100-01-01. A later time is a number of microseconds that was read as milliseconds."""

LATEST_MS: Final = LATEST_US // 1000


# Numbers


class Range(NamedTuple):
    """The plausible values of a number; both bounds are included.

    Attributes:
        low, high: bounds, in ``unit``.
        unit: unit of the number.
        or_zero: True if zero is accepted although it is below ``low``.
    """

    low: float
    high: float
    unit: str
    or_zero: bool = False


PRICE: Final = Range(1e-15, 1e8, "USD per coin")
"""The cheapest listed coin (BABYDOGE) costs 1e-9 USD and the dearest ever (BTC, YFI) about 1e5 USD."""

QUANTITY: Final = Range(1e-15, 1e18, "coins")
"""The smallest lot of any exchange is 1e-9 coins; the largest supply of a listed coin (BABYDOGE) is 4.2e17."""

NOTIONAL: Final = Range(1e-12, 2e10, "USD")
"""The largest single liquidation was about 2e8 USD; all exchanges together on the worst day (2025-10-10) 1.9e10 USD."""

VOLUME: Final = Range(1e-12, 1e12, "USD", or_zero=True)
"""Volume of one side of a bar: all exchanges together trade about 5e11 USD of perpetuals on the busiest day."""

COINS: Final = QUANTITY._replace(or_zero=True)
"""Coins of one side of a bar, or open interest in coins; zero if nothing was traded or no position is open."""

INTEREST: Final = Range(1e-12, 1e12, "USD", or_zero=True)
"""Open interest of one symbol: the largest total of all exchanges so far was about 2.5e11 USD."""

COUNT: Final = Range(1, 10_000_000, "orders or trades")
"""One record for a second aggregates at most about 10,000; one for an hour of the largest market about 1e6."""

INTERVAL: Final = Range(1_000, 86_400_000_000, "microseconds")
"""A bar spans 100 ms to a few seconds when live, and at most a day in historical data."""

FUNDING: Final = Range(-1.0, 1.0, "per funding interval")
"""The highest limit of an exchange is 0.04 an hour (Hyperliquid); at 1, one payment would be the whole notional."""

VOLATILITY: Final = Range(0.01, 10_000.0, "percent a year")
"""Deribit's index has been between 30 and 250 for BTC and ETH."""

RANGES: Final[dict[type, dict[str, Range]]] = {
    Liquidation: {"notional_usd": NOTIONAL, "quantity": QUANTITY, "price": PRICE, "orders": COUNT},
    Trade: {"price": PRICE, "quantity": QUANTITY, "notional_usd": NOTIONAL, "trades": COUNT},
    TradeBar: {
        "interval_us": INTERVAL, "open": PRICE, "high": PRICE, "low": PRICE, "close": PRICE, "trades": COUNT,
        "buy_quantity": COINS, "sell_quantity": COINS, "buy_usd": VOLUME, "sell_usd": VOLUME,
    },
    MarkPrice: {"mark_price": PRICE, "index_price": PRICE, "funding_rate": FUNDING},
    OpenInterest: {"open_interest": COINS, "open_interest_usd": INTEREST},
    VolatilityIndex: {"value": VOLATILITY},
    Gap: {},
    Heartbeat: {},
}  # fmt: skip
"""The range of every number of every event; an UNSET field is not checked."""

_PLAIN: Final = {kind: tuple((name, *each[:2]) for name, each in ranges.items()) for kind, ranges in RANGES.items()}

# Types with these ranges, which msgspec checks while it decodes, for the adapters' hot paths. A frame with a value out
# of range is decoded again without them, and each of its rows is then checked with the functions below.
ValidPrice = Annotated[float, Meta(ge=PRICE.low, le=PRICE.high)]
ValidQuantity = Annotated[float, Meta(ge=QUANTITY.low, le=QUANTITY.high)]
ValidTimeMs = Annotated[int, Meta(ge=EARLIEST_US // 1000, le=LATEST_MS)]
ValidCount = Annotated[int, Meta(ge=COUNT.low, le=COUNT.high)]
ValidIdNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]
ValidId = Annotated[str, Meta(min_length=1, max_length=100)]

# The bounds as plain numbers, for the hot paths: msgspec cannot check products such as price times quantity.
LEAST_PRICE: Final = PRICE.low
MOST_PRICE: Final = PRICE.high
LEAST_USD: Final = NOTIONAL.low
MOST_USD: Final = NOTIONAL.high
LEAST_COINS: Final = QUANTITY.low
MOST_COINS: Final = QUANTITY.high
MOST_TRADES: Final = round(COUNT.high)


def shown(value: float) -> str:
    """Return a number as text, or the length of an integer of more than 64 bits.

    Python refuses to convert very long integers to text (``sys.set_int_max_str_digits``).
    """
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    return str(value)


def number_fault(name: str, value: float, allowed: Range) -> Fault | None:
    """Return the fault of a number outside its range; None if it is plausible."""
    low, high, unit, or_zero = allowed
    if low <= value <= high or (or_zero and value == 0):
        return None
    if isinstance(value, float) and not isfinite(value):
        return "not_finite", f"{name} is {value}"
    if value <= 0 <= low:
        return "not_positive", f"{name} is {shown(value)}"
    return "implausible", f"{name} is {shown(value)}, outside {low:g} to {high:g} {unit}"


def time_fault(time_us: int, received_us: int) -> Fault | None:
    """Return the fault of an implausible event time; None if it is plausible.

    ``received_us`` is 0 if the time of receipt is not known; the event time is then not compared with it.
    """
    if not EARLIEST_US <= time_us <= LATEST_US:
        return "bad_time", f"time {shown(time_us)} us is not between 2009 and 2100"
    if received_us and time_us > received_us + FUTURE_TOLERANCE_US:
        return "future_time", f"event time is {(time_us - received_us) / 1e6:.1f} s later than the receipt"
    return None


# Names

RESERVED: Final = frozenset({MARKET, ALL})
"""Names that are not assets: that of the market as a whole, and that of all symbols of a venue."""

LONGEST_ASSET: Final = 40
"""Characters of an asset's name at most."""
LONGEST_SYMBOL: Final = 100
"""Characters of a symbol at most; some of dYdX consist of coin, exchange and contract address (66 characters)."""
LONGEST_ID: Final = 256
"""Characters of an id at most; the longest in use consist of a venue, a symbol and a hash of 64 characters."""
KNOWN_NAMES: Final = 32_768
"""Names whose check is cached at most, about ten times the number of symbols of all exchanges."""

# Letters of the scripts in which exchanges name coins: ASCII, kana, Chinese characters and Hangul. Letters of other
# scripts are excluded because some look like these and some are written from right to left; other characters are
# excluded because they could be markup.
_LETTERS: Final = "0-9A-Za-z\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
_ASSET: Final = re.compile(rf"[{_LETTERS}][{_LETTERS}._\-:]{{0,{LONGEST_ASSET - 1}}}")
_SYMBOL: Final = re.compile(rf"[{_LETTERS}@.][{_LETTERS}._\-:/@,]{{0,{LONGEST_SYMBOL - 1}}}")


def asset_fault(asset: str) -> Fault | None:
    """Return the fault of an invalid or reserved asset name; None if it is valid."""
    if asset in RESERVED:
        return "bad_name", f"the asset name {asset} is reserved"
    if not asset:
        return "unknown_symbol", "the asset is empty"
    return None if len(asset) <= LONGEST_ASSET and _is_asset(asset) else _name_refused("asset", asset, LONGEST_ASSET)


def symbol_name_fault(symbol: str) -> Fault | None:
    """Return the fault of an invalid symbol name; None if it is valid."""
    if len(symbol) <= LONGEST_SYMBOL and _is_symbol(symbol):
        return None
    return _name_refused("symbol", symbol, LONGEST_SYMBOL)


def _name_refused(what: str, name: str, longest: int) -> Fault:
    return "bad_name", f"{what} {name[:longest]!a} is empty, longer than {longest} or has forbidden characters"


@lru_cache(KNOWN_NAMES)
def _is_asset(name: str) -> bool:
    return _ASSET.fullmatch(name) is not None


@lru_cache(KNOWN_NAMES)
def _is_symbol(name: str) -> bool:
    return _SYMBOL.fullmatch(name) is not None


def id_fault(id_: str) -> Fault | None:
    """Return the fault of an invalid id; None if it is valid."""
    if 0 < len(id_) <= LONGEST_ID and id_.isprintable():
        return None
    return _name_refused("id", id_, LONGEST_ID)


# Events


_named: dict[tuple[str, str, str], None] = {}  # venue, symbol and asset of trades whose names were accepted


def _is_usual(trade: Trade) -> bool:
    """Return whether all values of a trade are plausible; it takes a quarter of the time of :func:`_find_fault`."""
    return (
        LEAST_PRICE <= trade.price <= MOST_PRICE
        and LEAST_USD <= trade.notional_usd <= MOST_USD
        and LEAST_COINS <= trade.quantity <= MOST_COINS
        and 1 <= trade.trades <= MOST_TRADES
        and EARLIEST_US <= trade.event_time_us <= trade.receive_time_us <= LATEST_US
        and 0 < len(trade.id) <= LONGEST_ID
        and trade.id.isprintable()
        and (trade.venue, trade.symbol, trade.asset) in _named
    )


def event_fault(event: AnyEvent) -> Fault | None:
    """Return the fault of an event with an implausible value; None if all values are plausible."""
    if type(event) is not Trade:
        return _find_fault(event)
    if _is_usual(event):
        return None
    fault = _find_fault(event)
    if fault is None:
        if len(_named) >= KNOWN_NAMES:
            _named.clear()
        _named[event.venue, event.symbol, event.asset] = None
    return fault


def _find_fault(event: AnyEvent) -> Fault | None:
    """Return the fault of an event's first implausible value: numbers first, then names, then times."""
    kind: Any = type(event)
    for name, low, high in _PLAIN[kind]:
        value = getattr(event, name)
        if value is not UNSET and not low <= value <= high and (fault := number_fault(name, value, RANGES[kind][name])):
            return fault
    if fault := _name_fault(event):
        return fault
    received_us = event.receive_time_us
    if received_us and not EARLIEST_US <= received_us <= LATEST_US:
        return "bad_time", f"receive time {shown(received_us)} us is not between 2009 and 2100"
    if kind is Gap and not EARLIEST_US <= event.from_us <= event.to_us <= LATEST_US:  # type: ignore[union-attr]
        return "bad_time", f"a gap from {shown(event.from_us)} to {shown(event.to_us)}"  # type: ignore[union-attr]
    if kind is MarkPrice and event.next_funding_time_us is not UNSET:  # type: ignore[union-attr]
        next_us: int = event.next_funding_time_us  # type: ignore[union-attr]
        if not EARLIEST_US <= next_us <= LATEST_US:
            return "bad_time", f"next funding time {shown(next_us)} us is not between 2009 and 2100"
    return time_fault(event.event_time_us, received_us)


def _name_fault(event: AnyEvent) -> Fault | None:
    """Return the fault of an event's first invalid name or id; None if all are valid."""
    fault = symbol_name_fault(event.venue)
    of_all = isinstance(event, Gap | Heartbeat)
    if fault is None and not (of_all and event.asset == ALL):
        fault = asset_fault(event.asset)
    if fault is None and not (of_all and event.symbol == ALL):
        fault = symbol_name_fault(event.symbol)
    if fault is None and isinstance(event, Liquidation | Trade):
        return id_fault(event.id)
    return fault
