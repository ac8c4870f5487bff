"""Defines OKX' frames for typed decoding; ``adapter.py`` explains the fields."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder
from monitor.model.validation import ValidCount, ValidId, ValidPrice, ValidQuantity, ValidTimeMs


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``trades``; ``count`` is the number of fills that it aggregates."""

    instId: str
    tradeId: str
    px: float
    sz: float
    side: str
    ts: int
    count: int = 1


class ValidTrade(TradeRow, gc=False):
    """A trade whose values the decoder has found to be in range."""

    tradeId: ValidId
    px: ValidPrice
    sz: ValidQuantity
    side: Literal["buy", "sell"]
    ts: ValidTimeMs
    count: ValidCount = 1


class Detail(msgspec.Struct, gc=False):
    """One forced order."""

    side: str
    bkPx: float
    sz: float
    ts: int
    posSide: str = "net"


class LiquidationRow(msgspec.Struct, gc=False):
    """One instrument's forced orders."""

    instId: str
    details: msgspec.Raw


class MarkRow(msgspec.Struct, gc=False):
    """One row of ``mark-price``."""

    instId: str
    markPx: float
    ts: int


class FundingRow(msgspec.Struct, gc=False):
    """One row of ``funding-rate``; ``fundingTime`` is the time of the next payment, ``ts`` that of sending.

    Rows of 2021 have no ``ts``, and the first rows of a new swap have no rate.
    """

    instId: str
    fundingRate: float | str | UnsetType = UNSET
    fundingTime: int | str = 0
    ts: int | str = 0


class InterestRow(msgspec.Struct, gc=False):
    """One row of ``open-interest``; ``oi`` is in contracts, ``oiCcy`` in coins. Older frames have no ``oiUsd``."""

    instId: str
    oiCcy: float
    ts: int
    oiUsd: float | str | UnsetType = UNSET


class Trades(msgspec.Struct, gc=False):
    """A ``trades`` frame."""

    data: list[ValidTrade]


class Arg(msgspec.Struct, gc=False):
    """The subscription to which a frame belongs."""

    channel: str = ""
    instId: str = ""
    instType: str = ""

    @property
    def key(self) -> str:
        """The key of the subscription's acknowledgement."""
        return f"{self.channel}:{self.instId or self.instType}"


class Envelope(msgspec.Struct, gc=False):
    """The envelope of any frame: one with data has ``arg`` and ``data``, an answer has ``event``."""

    arg: Arg | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    event: str = ""
    code: str = ""
    msg: str = ""


decode_trades: Final = msgspec.json.Decoder(Trades, strict=False).decode
TRADES: Final = RowDecoder(TradeRow)
MARKS: Final = RowDecoder(MarkRow)
FUNDINGS: Final = RowDecoder(FundingRow)
INTERESTS: Final = RowDecoder(InterestRow)
LIQUIDATIONS: Final = RowDecoder(LiquidationRow)
DETAILS: Final = RowDecoder(Detail)
ENVELOPE: Final = msgspec.json.Decoder(Envelope)

KNOWN_KEYS: Final = keys(
    "arg channel instId instType instFamily uly data event code msg connId connCount op args id",  # envelope
    "details side posSide bkPx sz bkLoss ccy ts",  # liquidations
    "tradeId px count seqId source",  # trades
    "markPx oi oiCcy oiUsd",
    "fundingRate nextFundingRate fundingTime nextFundingTime minFundingRate maxFundingRate interestRate impactValue",
    "settState settFundingRate method premium formulaType",
)
"""Every key of the documented frames."""
