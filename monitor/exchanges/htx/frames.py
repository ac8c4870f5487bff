"""HTX's frames and answers, as typed decoding reads them; the adapter beside it documents the fields."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder


class LiquidationRow(msgspec.Struct, gc=False):
    """One row of ``liquidation_orders``; ``volume`` is contracts."""

    contract_code: str
    direction: str
    volume: float
    price: float
    created_at: int
    offset: str = "close"


class FundingRow(msgspec.Struct, gc=False):
    """One row of ``funding_rate``; ``settlement_time`` is when this rate is paid."""

    contract_code: str
    funding_rate: float | str | None = None
    settlement_time: int | str = 0


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``trade.detail``; ``amount`` is contracts of the buyer and the seller together."""

    id: int
    price: float
    amount: float
    direction: str
    ts: int


class Tick(msgspec.Struct, gc=False):
    """``tick`` of a market push, or a group of trades: ``data`` of trades, or the candle of the mark price."""

    data: msgspec.Raw | UnsetType = UNSET
    close: float | UnsetType = UNSET


class Envelope(msgspec.Struct, gc=False, rename={"error_code": "err-code", "error": "err-msg"}):
    """Any frame.

    Market sockets push ``ch`` and ``tick`` and answer requests by ``rep`` and ``data``; REST answers have ``ch`` and
    either. Notification sockets have ``op``, ``topic`` and ``data``.
    """

    ping: int | str | None = None
    ch: str = ""
    rep: str = ""
    tick: msgspec.Raw | UnsetType = UNSET
    status: str = ""
    subbed: str = ""
    id: str = ""
    op: str = ""
    topic: str = ""
    ts: int | str = 0
    data: msgspec.Raw = msgspec.Raw(b"[]")
    error_code: int | str = 0
    error: str = ""


class ListedInstrument(msgspec.Struct):
    """One contract of the exchange's table; a status of 1 is trading."""

    contract_code: str
    symbol: str
    contract_size: float
    contract_status: int = 1
    create_date: str = ""
    delivery_date: str = ""


class Interest(msgspec.Struct):
    """Open interest of both sides: contracts, coins, and USDT where it is linear."""

    contract_code: str
    volume: float
    amount: float
    value: float | None = None


class Answer(msgspec.Struct, rename={"error_code": "err_code", "error": "err_msg"}):
    """Any REST answer."""

    status: str
    data: msgspec.Raw = msgspec.Raw(b"[]")
    ts: int = 0
    error_code: int = 0
    error: str = ""


LIQUIDATIONS: Final = RowDecoder(LiquidationRow)
FUNDINGS: Final = RowDecoder(FundingRow)
TRADES: Final = RowDecoder(TradeRow)
TICK: Final = msgspec.json.Decoder(Tick, strict=False)
TICKS: Final = RowDecoder(Tick)
ENVELOPE: Final = msgspec.json.Decoder(Envelope)
LISTED: Final = RowDecoder(ListedInstrument)
INTERESTS: Final = RowDecoder(Interest)
ANSWER: Final = msgspec.json.Decoder(Answer)

KNOWN_KEYS: Final = keys(
    "ping pong ch rep ts tick status subbed id op cid topic data event err-code err-msg",
    "symbol contract_code direction offset volume price created_at amount trade_turnover pair business_type",
    "quantity mrid open close low high count vol",
    "fee_asset funding_time funding_rate estimated_rate settlement_time",
)
"""Every key that the documented frames have."""
