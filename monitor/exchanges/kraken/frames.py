"""Defines the frames and REST answers of Kraken Futures for typed decoding; ``adapter.py`` explains the fields."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder


class TradeFrame(msgspec.Struct, gc=False):
    """A frame of the feed ``trade``, which holds one fill."""

    product_id: str
    side: str
    type: str
    time: int
    qty: float
    price: float
    uid: str = ""
    seq: int = 0


class TickerFrame(msgspec.Struct, gc=False):
    """A frame of the feed ``ticker``; dated futures have no funding."""

    product_id: str
    time: int
    markPrice: float
    index: float | UnsetType = UNSET
    openInterest: float | UnsetType = UNSET
    relative_funding_rate: float | UnsetType = UNSET
    next_funding_rate_time: int = 0


class Envelope(msgspec.Struct, gc=False):
    """The envelope of any frame: one with data has ``feed`` only, an answer has ``event``."""

    feed: str = ""
    event: str = ""
    product_ids: list[str] = []
    trades: list[msgspec.Raw] = []
    message: str = ""


class ListedInstrument(msgspec.Struct):
    """An instrument in ``/instruments``; ``base`` and ``quote`` are absent if it is not a future."""

    symbol: str
    type: str
    tradeable: bool = True
    contractSize: float = 0.0
    base: str = ""
    quote: str = ""
    openingDate: str = ""
    lastTradingTime: str = ""
    tradfi: bool = False


class Instruments(msgspec.Struct):
    """The answer to ``GET /derivatives/api/v3/instruments``."""

    result: str
    instruments: msgspec.Raw = msgspec.Raw(b"[]")
    error: str = ""


class Order(msgspec.Struct):
    """The taker's order of an execution."""

    tradeable: str
    direction: str
    orderType: str = ""


class Execution(msgspec.Struct):
    """One fill."""

    uid: str
    takerOrder: Order
    timestamp: int
    quantity: float
    price: float


class Executed(msgspec.Struct):
    """The object around an :class:`Execution`."""

    execution: Execution


class Event(msgspec.Struct):
    """The object around an :class:`Executed`."""

    Execution: Executed


class Element(msgspec.Struct):
    """One row of the history of executions."""

    event: Event


class Executions(msgspec.Struct):
    """The answer to ``GET /api/history/v3/market/{symbol}/executions``."""

    elements: msgspec.Raw
    continuationToken: str | None = None


TRADE: Final = msgspec.json.Decoder(TradeFrame, strict=False)
TICKER: Final = msgspec.json.Decoder(TickerFrame, strict=False)
ENVELOPE: Final = msgspec.json.Decoder(Envelope)
LISTED: Final = RowDecoder(ListedInstrument)
INSTRUMENTS: Final = msgspec.json.Decoder(Instruments)
EXECUTIONS: Final = msgspec.json.Decoder(Executions)
ELEMENTS: Final = RowDecoder(Element)

KNOWN_KEYS: Final = keys(
    "event feed product_id product_ids version message time error",
    "uid side type seq qty price trades",
    "bid ask bid_size ask_size volume volumeQuote dtm leverage index premium last change suspended tag pair",
    "openInterest markPrice maturityTime post_only open high low",
    "funding_rate funding_rate_prediction relative_funding_rate relative_funding_rate_prediction",
    "next_funding_rate_time",
)
"""Every key of the documented frames."""
