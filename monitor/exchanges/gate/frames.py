"""Defines Gate's frames for typed decoding; ``adapter.py`` explains the fields."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``futures.trades``; ``create_time`` is in seconds, and the only time of old frames."""

    id: int | str
    contract: str
    price: float
    size: float
    create_time: float = 0.0
    create_time_ms: float = 0.0
    is_internal: bool = False


class LiquidationRow(msgspec.Struct, gc=False):
    """One row of ``futures.public_liquidates``; documents have ``time_ms``, recorded frames have ``time``."""

    contract: str
    price: float
    size: float
    time: int = 0
    time_ms: int = 0


class Ticker(msgspec.Struct, gc=False):
    """One row of ``futures.tickers``; ``funding_next_apply`` is in seconds."""

    contract: str
    mark_price: float
    index_price: float | str | UnsetType = UNSET
    funding_rate: float | str | UnsetType = UNSET
    total_size: float | UnsetType = UNSET
    funding_next_apply: float = 0.0


class Announcement(msgspec.Struct, gc=False):
    """A message of ``futures.system``; before an upgrade the exchange closes the connection."""

    type: str = ""
    msg: str = ""


class ErrorDetail(msgspec.Struct, gc=False):
    """The reason why a request was refused."""

    code: int | str = ""
    message: str = ""


class Frame(msgspec.Struct, gc=False):
    """The envelope of any frame."""

    channel: str
    event: str = ""
    time: int = 0
    time_ms: int = 0
    id: int | str | None = None
    error: ErrorDetail | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")


FRAME: Final = msgspec.json.Decoder(Frame, strict=False)
SYSTEM: Final = msgspec.json.Decoder(Announcement)
TRADES: Final = RowDecoder(TradeRow)
LIQUIDATIONS: Final = RowDecoder(LiquidationRow)
TICKERS: Final = RowDecoder(Ticker)

KNOWN_KEYS: Final = keys(
    "time time_ms conn_id trace_id id channel event error code message result status payload requestId",  # envelope
    "header response_time data errs label",
    "contract price size create_time create_time_ms is_internal",  # rows of trades and liquidations
    "last change_percentage funding_rate funding_rate_indicative mark_price index_price total_size quanto_base_rate",
    "volume_24h volume_24h_btc volume_24h_usd volume_24h_base volume_24h_quote volume_24h_settle low_24h high_24h",
    "funding_interval funding_next_apply type msg",
    "price_type change_utc0 change_utc8 change_price settle_price basis_value basis_rate",
)
"""Every key of the documented frames."""
