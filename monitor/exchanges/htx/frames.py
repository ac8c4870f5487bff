"""Defines HTX' frames and REST answers for typed decoding; ``adapter.py`` explains the fields."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder


class LiquidationRow(msgspec.Struct, gc=False):
    """One row of ``liquidation_orders``; ``volume`` is in contracts."""

    contract_code: str
    direction: str
    volume: float
    price: float
    created_at: int
    offset: str = "close"


class FundingRow(msgspec.Struct, gc=False):
    """One row of ``funding_rate``; ``settlement_time`` is the time at which this rate is paid."""

    contract_code: str
    funding_rate: float | str | None = None
    settlement_time: int | str = 0


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``trade.detail``; ``amount`` is in contracts and counts both the buyer and the seller."""

    id: int
    price: float
    amount: float
    direction: str
    ts: int


class Tick(msgspec.Struct, gc=False):
    """The ``tick`` of a market frame, or a group of a REST answer: trades in ``data``, or a candle."""

    data: msgspec.Raw | UnsetType = UNSET
    close: float | UnsetType = UNSET


class Envelope(msgspec.Struct, gc=False, rename={"error_code": "err-code", "error": "err-msg"}):
    """The envelope of any frame.

    Market sockets send data with ``ch`` and ``tick``, and answers with ``rep`` and ``data``; REST answers have ``ch``
    and either. Notification sockets have ``op``, ``topic`` and ``data``.
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
    """One contract of the exchange's table; a status of 1 means that it is open for trading."""

    contract_code: str
    symbol: str
    contract_size: float
    contract_status: int = 1
    create_date: str = ""
    delivery_date: str = ""


class Interest(msgspec.Struct):
    """Open interest, counting both sides of each contract, in contracts, coins and, for linear swaps, USDT."""

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
    "contract_type trade_partition quantity mrid open close low high count vol",
    "fee_asset funding_time funding_rate estimated_rate settlement_time",
)
"""Every key of the documented frames."""
