"""Hyperliquid's frames and answers, as typed decoding reads them; the adapter beside it documents the fields."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``trades``."""

    coin: str
    side: str
    px: float
    sz: float
    time: int
    tid: int


class Forced(msgspec.Struct, gc=False):
    """What makes a fill a liquidation; whom it liquidates may be left out."""

    method: str
    liquidatedUser: str = ""


class FillRow(msgspec.Struct, gc=False):
    """One fill of an account, by its own side."""

    coin: str
    side: str
    px: float
    sz: float
    time: int
    tid: int
    liquidation: Forced | None = None


class Fills(msgspec.Struct, gc=False):
    """Data of ``userFills``."""

    user: str
    fills: msgspec.Raw
    isSnapshot: bool = False


class Context(msgspec.Struct, gc=False):
    """State of a coin. Prices are null before the first one."""

    markPx: float | None
    oraclePx: float | str | UnsetType | None = UNSET
    funding: float | str | UnsetType | None = UNSET
    openInterest: float | UnsetType | None = UNSET


class CoinContext(msgspec.Struct, gc=False):
    """Data of ``activeAssetCtx``."""

    coin: str
    ctx: Context


class AllContexts(msgspec.Struct, gc=False):
    """Data of ``allDexsAssetCtxs``: by exchange, contexts in the order of its universe."""

    ctxs: list[tuple[str, list[msgspec.Raw]]]


class Asked(msgspec.Struct, gc=False):
    """What a subscription asked for."""

    type: str
    coin: str = ""
    user: str = ""


class Response(msgspec.Struct, gc=False):
    """Data of ``subscriptionResponse``."""

    method: str
    subscription: Asked


class Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class ListedInstrument(msgspec.Struct):
    """What a universe says of a coin."""

    name: str
    isDelisted: bool = False


class Universe(msgspec.Struct):
    """One exchange's coins; the place of each is its number there for ever."""

    universe: list[ListedInstrument]


TRADES: Final = RowDecoder(TradeRow)
FILLS: Final = RowDecoder(FillRow)
USER_FILLS: Final = msgspec.json.Decoder(Fills)
COIN_CONTEXT: Final = msgspec.json.Decoder(CoinContext, strict=False)
CONTEXT: Final = msgspec.json.Decoder(Context, strict=False)
ALL_CONTEXTS: Final = msgspec.json.Decoder(AllContexts)
ASKED: Final = msgspec.json.Decoder(Asked)
RESPONSE: Final = msgspec.json.Decoder(Response)
ENVELOPE: Final = msgspec.json.Decoder(Envelope)
TEXT: Final = msgspec.json.Decoder(str)
UNIVERSES: Final = msgspec.json.Decoder(list[Universe])

KNOWN_KEYS: Final = keys(
    "channel data method subscription type coin user dex aggregateByTime",
    "side px sz hash time tid users isSnapshot fills ctx ctxs",
    "oid startPosition dir closedPnl crossed fee feeToken builderFee builder cloid twapId",
    "liquidation liquidatedUser markPx",
    "dayNtlVlm dayBaseVlm prevDayPx midPx oraclePx premium impactPxs funding openInterest",
)
"""Every key that the documented frames have."""
