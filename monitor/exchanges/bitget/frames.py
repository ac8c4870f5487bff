"""Defines Bitget's frames for typed decoding; ``adapter.py`` explains the fields."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder
from monitor.model.validation import ValidId, ValidPrice, ValidQuantity, ValidTimeMs


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``publicTrade``; the symbol is in ``arg`` of the frame."""

    i: str
    p: float
    v: float
    S: str
    T: int


class ValidTrade(TradeRow, gc=False):
    """A trade whose values the decoder has found to be in range."""

    i: ValidId
    p: ValidPrice
    v: ValidQuantity
    S: Literal["buy", "sell"]
    T: ValidTimeMs


class TradesArg(msgspec.Struct, gc=False):
    """The ``arg`` of a ``publicTrade`` frame."""

    topic: Literal["publicTrade"]
    symbol: str


class Trades(msgspec.Struct, gc=False):
    """A ``publicTrade`` frame that is not a snapshot."""

    action: Literal["update"]
    arg: TradesArg
    data: list[ValidTrade]


class LiquidationRow(msgspec.Struct, gc=False):
    """One row of ``liquidation``, which is the same on the socket and in REST answers."""

    symbol: str
    side: str
    price: float
    amount: float
    ts: int


class Ticker(msgspec.Struct, gc=False):
    """One row of ``ticker``; the funding fields are empty for dated futures."""

    markPrice: float
    indexPrice: float | str | UnsetType = UNSET
    fundingRate: float | str | UnsetType = UNSET
    nextFundingTime: int | str = 0
    openInterest: float | UnsetType = UNSET


class Arg(msgspec.Struct, gc=False):
    """The subscription to which a frame belongs."""

    instType: str = ""
    topic: str = ""
    symbol: str = ""

    @property
    def key(self) -> str:
        """The key of the subscription's acknowledgement; in lower case, because the exchange may use capitals."""
        return f"{self.instType.lower()}:{self.topic}:{self.symbol}"


class Envelope(msgspec.Struct, gc=False):
    """The envelope of any frame: one with data has ``arg`` and ``data``, an answer has ``event``."""

    arg: Arg | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    action: str = ""
    ts: int = 0
    event: str = ""
    code: int | str = ""
    msg: str = ""


decode_trades: Final = msgspec.json.Decoder(Trades, strict=False).decode
TRADES: Final = RowDecoder(TradeRow)
LIQUIDATIONS: Final = RowDecoder(LiquidationRow)
TICKERS: Final = RowDecoder(Ticker)
ENVELOPE: Final = msgspec.json.Decoder(Envelope, strict=False)

KNOWN_KEYS: Final = keys(
    "action arg data ts event code msg connId id instType topic symbol op args",  # envelope, requests and answers
    "side price amount",  # rows of liquidations
    "i p v S T L isRPI",  # rows of trades
    "highPrice24h lowPrice24h openPrice24h lastPrice turnover24h volume24h bid1Price ask1Price bid1Size ask1Size",
    "price24hPcnt indexPrice markPrice fundingRate openInterest nextFundingTime",
    "deliveryTime deliveryStartTime deliveryStatus",
)
"""Every key of the documented frames."""
