"""Defines Bybit's frames for typed decoding; ``adapter.py`` explains the fields."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder
from monitor.model.validation import ValidId, ValidPrice, ValidQuantity, ValidTimeMs


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``publicTrade``; ``BT`` is a block trade."""

    T: int
    S: str
    v: float
    p: float
    i: str
    BT: bool = False


class ValidTrade(TradeRow, gc=False):
    """A trade whose values the decoder has found to be in range."""

    T: ValidTimeMs
    S: Literal["Buy", "Sell"]
    v: ValidQuantity
    p: ValidPrice
    i: ValidId


class LiquidationRow(msgspec.Struct, gc=False):
    """One row of ``allLiquidation``."""

    T: int
    s: str
    S: str
    v: float
    p: float


class SampledLiquidationRow(msgspec.Struct, gc=False):
    """The row of a ``liquidation`` frame; before version 5 its size was ``qty`` and its time ``time``."""

    symbol: str
    side: str
    price: float
    size: float = 0.0
    qty: float = 0.0
    updatedTime: int = 0
    time: int = 0


class Ticker(msgspec.Struct, gc=False):
    """The ``data`` of ``tickers``; a delta omits unchanged fields. The funding fields of dated futures are empty."""

    symbol: str
    markPrice: float | UnsetType = UNSET
    indexPrice: float | str | UnsetType = UNSET
    fundingRate: float | str | UnsetType = UNSET
    nextFundingTime: int | str | UnsetType = UNSET
    openInterest: float | UnsetType = UNSET
    openInterestValue: float | UnsetType = UNSET
    singleOpenInterest: float | UnsetType = UNSET
    singleOpenInterestValue: float | UnsetType = UNSET

    @property
    def priced(self) -> bool:
        """True if the frame has a price or a funding field."""
        return not (
            self.markPrice is UNSET
            and self.indexPrice is UNSET
            and self.fundingRate is UNSET
            and self.nextFundingTime is UNSET
        )

    @property
    def interested(self) -> bool:
        """True if the frame has an amount or a value of open interest."""
        return self.interest is not UNSET or self.interest_value is not UNSET

    @property
    def interest(self) -> float | UnsetType:
        """Open interest, counting one side of each contract."""
        return half(self.openInterest) if self.singleOpenInterest is UNSET else self.singleOpenInterest

    @property
    def interest_value(self) -> float | UnsetType:
        """Value of the open interest, counting one side of each contract."""
        return half(self.openInterestValue) if self.singleOpenInterestValue is UNSET else self.singleOpenInterestValue


class Trades(msgspec.Struct, gc=False):
    """A ``publicTrade`` frame; the symbol is read from the topic only, though every row repeats it."""

    topic: str
    data: list[ValidTrade]


class TickerFrame(msgspec.Struct, gc=False):
    """A ``tickers`` frame, a ``snapshot`` or a ``delta``."""

    ts: int
    data: Ticker
    type: str = "snapshot"


class Envelope(msgspec.Struct, gc=False):
    """The envelope of any frame: one with data has ``topic`` and ``data``, an answer has ``op``."""

    topic: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    op: str = ""
    success: bool = True
    ret_msg: str = ""
    req_id: str = ""


def half(both_sides: float | UnsetType) -> float | UnsetType:
    """Return half of a number that counts both sides of each contract."""
    return both_sides if both_sides is UNSET else both_sides / 2


decode_trades: Final = msgspec.json.Decoder(Trades, strict=False).decode
TRADES: Final = RowDecoder(TradeRow)
LIQUIDATIONS: Final = RowDecoder(LiquidationRow)
SAMPLED_LIQUIDATIONS: Final = RowDecoder(SampledLiquidationRow)
TICKER: Final = msgspec.json.Decoder(TickerFrame, strict=False)
ENVELOPE: Final = msgspec.json.Decoder(Envelope)

KNOWN_KEYS: Final = keys(
    "topic type ts cs data op success ret_msg req_id conn_id args retCode",  # envelope and answers
    "updatedTime side size price qty time",  # rows of the topic ``liquidation``
    "T s S v p L i BT RPI seq mP iP mIv iv",  # rows of liquidations and trades; the last four are options'
    "symbol tickDirection price24hPcnt lastPrice prevPrice24h highPrice24h lowPrice24h prevPrice1h",
    "markPrice indexPrice openInterest openInterestValue singleOpenInterest singleOpenInterestValue",
    "turnover24h volume24h",
    "nextFundingTime fundingRate fundingIntervalHour fundingCap bid1Price bid1Size ask1Price ask1Size",
    "deliveryTime basisRate deliveryFeeRate predictedDeliveryPrice basis basisRateYear",  # dated futures
    "preOpenPrice preQty curPreListingPhase preListingPhase",  # before listing
)
"""Every key of the documented frames of both categories."""
