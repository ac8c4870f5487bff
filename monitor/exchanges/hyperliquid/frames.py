"""Defines Hyperliquid's frames and REST answers for typed decoding; ``adapter.py`` explains the fields."""

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


class LiquidationDetail(msgspec.Struct, gc=False):
    """The field ``liquidation`` of a fill; ``liquidatedUser`` may be absent."""

    method: str
    liquidatedUser: str = ""


class FillRow(msgspec.Struct, gc=False):
    """One fill of an account; ``side`` is that of the account."""

    coin: str
    side: str
    px: float
    sz: float
    time: int
    tid: int
    liquidation: LiquidationDetail | None = None


class Fills(msgspec.Struct, gc=False):
    """The data of a ``userFills`` frame."""

    user: str
    fills: msgspec.Raw
    isSnapshot: bool = False


class Context(msgspec.Struct, gc=False):
    """Prices, funding and open interest of a coin; prices are null before the first one."""

    markPx: float | None
    oraclePx: float | str | UnsetType | None = UNSET
    funding: float | str | UnsetType | None = UNSET
    openInterest: float | UnsetType | None = UNSET


class CoinContext(msgspec.Struct, gc=False):
    """The data of an ``activeAssetCtx`` frame."""

    coin: str
    ctx: Context


class AllContexts(msgspec.Struct, gc=False):
    """The data of an ``allDexsAssetCtxs`` frame: contexts by exchange, in the order of the exchange's list of coins."""

    ctxs: list[tuple[str, list[msgspec.Raw]]]


class Subscription(msgspec.Struct, gc=False):
    """The content of a subscription."""

    type: str
    coin: str = ""
    user: str = ""


class Response(msgspec.Struct, gc=False):
    """The data of a ``subscriptionResponse`` frame."""

    method: str
    subscription: Subscription


class Envelope(msgspec.Struct, gc=False):
    """The envelope of any frame."""

    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class ListedInstrument(msgspec.Struct):
    """A coin in the list of an exchange."""

    name: str
    isDelisted: bool = False


class Universe(msgspec.Struct):
    """The list of an exchange's coins; the position of a coin in it never changes."""

    universe: list[ListedInstrument]


TRADES: Final = RowDecoder(TradeRow)
FILLS: Final = RowDecoder(FillRow)
USER_FILLS: Final = msgspec.json.Decoder(Fills)
COIN_CONTEXT: Final = msgspec.json.Decoder(CoinContext, strict=False)
CONTEXT: Final = msgspec.json.Decoder(Context, strict=False)
ALL_CONTEXTS: Final = msgspec.json.Decoder(AllContexts)
SUBSCRIPTION: Final = msgspec.json.Decoder(Subscription)
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
"""Every key of the documented frames."""
