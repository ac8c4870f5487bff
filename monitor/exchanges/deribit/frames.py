"""Defines Deribit's frames and REST answers for typed decoding; ``adapter.py`` explains the fields."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``trades``; most rows have no ``liquidation`` and no ``block_trade_id``."""

    instrument_name: str
    trade_id: str
    trade_seq: int
    timestamp: int
    price: float
    amount: float
    direction: str
    liquidation: str = ""
    block_trade_id: str | None = None


class Ticker(msgspec.Struct, gc=False):
    """The ``data`` of a ``ticker`` frame; dated futures have no funding."""

    instrument_name: str
    timestamp: int
    mark_price: float
    index_price: float | UnsetType = UNSET
    open_interest: float | UnsetType = UNSET
    current_funding: float | UnsetType = UNSET


class Volatility(msgspec.Struct, gc=False):
    """The ``data`` of a ``deribit_volatility_index`` frame."""

    timestamp: int
    volatility: float
    index_name: str


class Params(msgspec.Struct, gc=False):
    """The ``params`` of a frame with data (``channel`` and ``data``) or of a heartbeat (``type``)."""

    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    type: str = ""


class Error(msgspec.Struct, gc=False):
    """The ``error`` of a refused request."""

    code: int
    message: str = ""


class Envelope(msgspec.Struct, gc=False):
    """The envelope of any frame: one with data and a heartbeat have ``method``, an answer has ``id``."""

    method: str = ""
    params: Params = msgspec.field(default_factory=Params)
    id: int | None = None
    result: msgspec.Raw | UnsetType = UNSET
    error: Error | UnsetType = UNSET


class ListedInstrument(msgspec.Struct):
    """An instrument in ``public/get_instruments``."""

    instrument_name: str
    base_currency: str
    quote_currency: str
    settlement_period: str
    instrument_type: str
    is_active: bool = True
    creation_timestamp: int = 0


class Answer(msgspec.Struct):
    """A REST answer."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Error | None = None


class TradePage(msgspec.Struct):
    """The result of ``public/get_last_trades_by_instrument``."""

    trades: msgspec.Raw
    has_more: bool = False


TRADES: Final = RowDecoder(TradeRow)
TICKERS: Final = RowDecoder(Ticker)
VOLATILITIES: Final = RowDecoder(Volatility)
LISTED: Final = RowDecoder(ListedInstrument)
ENVELOPE: Final = msgspec.json.Decoder(Envelope)
ANSWER: Final = msgspec.json.Decoder(Answer)
TRADE_PAGE: Final = msgspec.json.Decoder(TradePage)

KNOWN_KEYS: Final = keys(
    "jsonrpc id method params channel data label type",
    "result error code message version usIn usOut usDiff testnet",
    "trade_seq trade_id timestamp tick_direction price mark_price index_price instrument_name direction amount",
    "contracts liquidation block_trade_id block_trade_leg_count combo_id combo_trade_id block_rfq_id iv",
    "state settlement_price open_interest min_price max_price last_price interest_value funding_8h current_funding",
    "estimated_delivery_price delivery_price best_bid_price best_bid_amount best_ask_price best_ask_amount",
    "stats volume volume_usd volume_notional price_change low high",
    "volatility index_name",
)
"""Every key of the documented frames."""
