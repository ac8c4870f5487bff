"""Deribit's frames and answers, as typed decoding reads them; the adapter beside it documents the fields."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.exchanges.toolkit.records import RowDecoder


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``trades``; the two at the end are absent from most."""

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
    """``data`` of ``ticker``; dated futures have no funding."""

    instrument_name: str
    timestamp: int
    mark_price: float
    index_price: float | UnsetType = UNSET
    open_interest: float | UnsetType = UNSET
    current_funding: float | UnsetType = UNSET


class Volatility(msgspec.Struct, gc=False):
    """``data`` of ``deribit_volatility_index``."""

    timestamp: int
    volatility: float
    index_name: str


class Params(msgspec.Struct, gc=False):
    """Of a push (``channel`` and ``data``) or a heartbeat (``type``)."""

    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    type: str = ""


class Error(msgspec.Struct, gc=False):
    """Of a refused request."""

    code: int
    message: str = ""


class Envelope(msgspec.Struct, gc=False):
    """Any frame: a push has ``method``, an answer has ``id``."""

    method: str = ""
    params: Params = msgspec.field(default_factory=Params)
    id: int | None = None
    result: msgspec.Raw | UnsetType = UNSET
    error: Error | UnsetType = UNSET


class ListedInstrument(msgspec.Struct):
    """What an instrument says of itself."""

    instrument_name: str
    base_currency: str
    quote_currency: str
    settlement_period: str
    instrument_type: str
    is_active: bool = True
    creation_timestamp: int = 0


class Answer(msgspec.Struct):
    """What REST answers."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Error | None = None


class TradePage(msgspec.Struct):
    """``public/get_last_trades_by_instrument``."""

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
"""Every key that the documented frames have."""
