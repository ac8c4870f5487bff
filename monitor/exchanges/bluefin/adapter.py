"""Reads Bluefin Pro perpetuals: trades with their type, and tickers of all markets.

All numbers are integers in billionths (``priceE9``). Sizes are base coins, and a symbol is the coin with ``-PERP``,
settled in a dollar coin, so no instrument table is needed.

Liquidations are rows of ``RecentTradesUpdates`` whose ``tradeType`` is ``LIQUIDATION``. ``side`` is that of the order
that was executed: a SHORT order sells, and ends a long. The price is the fill's. Such a row is a trade as well, and
gives a trade and a liquidation. ``DELEVERAGE`` (ADL) closes a position against another account and is skipped. The
type is optional, and a row without one is a trade; whether the public channel always has it is not documented, so the
coverage is ``partial``. Another type is rejected, because it may be a new word for a liquidation. Old trades that
come in the first seconds after a confirmation are backlog.

``TickerAllUpdate`` has mark price, oracle price (the index), the last hourly funding rate with the time of the next
payment, and the open interest (taken for coins of one side) of all markets. Confirmations do not name their request:
they are counted by socket.

Ids:
    liquidation ``bluefin:<symbol>:<id>``.
    trade ``<id>``.

Sources: github.com/fireflyprotocol/pro-sdk (websocket-api.yaml); crate bluefin_api 1.13.0 (trades, markets); tickers
that others captured in August 2026. Unverified on the wire: a liquidation, its side, and the unit of the open
interest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Request
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Ack, Message, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, optional_time_us, plausible_us, unknown_value
from monitor.exchanges.toolkit.listings import Listing, ListingReader
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.subscriptions import carried_channels, request, sockets_by_market
from monitor.model.events import Channel
from monitor.model.symbols import split_base

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")
TICKERS_ONLY: Final[frozenset[Channel]] = frozenset({"mark_price", "open_interest"})

PERPETUAL: Final = re.compile(r"(\w+)-PERP", re.ASCII)
SYMBOLS_PER_CONNECTION: Final = 50
"""No limit is documented; this many keeps the loss of one socket small."""
REQUEST_INTERVAL_S: Final = 0.2
STALE_AFTER_S: Final = 30.0
QUIET_S: Final = 3600.0
"""Seconds after which a socket with trades alone is stale: a market was seen without a trade for more than an hour."""
BILLION: Final = 1e9
SIDES: Final = {"LONG": "buy", "SHORT": "sell"}
ON_BOOK: Final = frozenset({"ORDER", "LIQUIDATION", "UNSPECIFIED"})
OFF_BOOK: Final = "DELEVERAGE"


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``RecentTradesUpdates``."""

    id: str
    symbol: str
    side: str
    priceE9: float
    quantityE9: float
    executedAtMillis: int
    tradeType: str = "ORDER"


class TickerRow(msgspec.Struct, gc=False):
    """One row of ``TickerAllUpdate``."""

    symbol: str
    markPriceE9: float
    updatedAtMillis: int
    oraclePriceE9: float | UnsetType = UNSET
    lastFundingRateE9: float | UnsetType = UNSET
    nextFundingTimeAtMillis: int = 0
    openInterestE9: float | UnsetType = UNSET


class Payload(msgspec.Struct, gc=False):
    """The rows of an event."""

    trades: msgspec.Raw = msgspec.Raw(b"[]")
    tickerAll: msgspec.Raw = msgspec.Raw(b"[]")


class Envelope(msgspec.Struct, gc=False):
    """Any frame: an event, or the answer to a subscription."""

    event: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    success: bool | None = None
    message: str = ""


class ListedInstrument(msgspec.Struct):
    """A market in the exchange's list."""

    symbol: str
    status: str = "ACTIVE"


class ExchangeInfo(msgspec.Struct):
    """``GET /v1/exchange/info``."""

    markets: msgspec.Raw


TRADES: Final = RowDecoder(TradeRow)
TICKERS: Final = RowDecoder(TickerRow)
LISTED: Final = RowDecoder(ListedInstrument)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_PAYLOAD: Final = msgspec.json.Decoder(Payload)
_INFO: Final = msgspec.json.Decoder(ExchangeInfo)


class Bluefin(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "bluefin"
    ws_url: ClassVar[str] = "wss://stream.api.sui-prod.bluefin.io/ws/market"
    rest_url: ClassVar[str] = "https://api.sui-prod.bluefin.io"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(
            0,
            "partial",
            "trades have an optional type, and it is not documented that each has one",
            "github.com/fireflyprotocol/pro-sdk, websocket-api.yaml",
        ),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/v1/exchange/info"),)
    rest_weight_per_minute: ClassVar[int] = 30
    known_keys: ClassVar[frozenset[str]] = keys(
        "event payload success message trades tickerAll id clientOrderId symbol orderHash orderType tradeType",
        "side isMaker priceE9 quantityE9 quoteQuantityE9 realizedPnlE9 positionSide tradingFeeE9",
        "tradingFeeAsset gasFeeE9 gasFeeAsset markPriceE9 oraclePriceE9 executedAtMillis lastQuantityE9",
        "lastTimeAtMillis lastPriceE9 lastFundingRateE9 nextFundingTimeAtMillis avgFundingRate8hrE9",
        "oraclePriceDirection markPriceDirection marketPriceE9 marketPriceDirection bestBidPriceE9",
        "bestBidQuantityE9 bestAskPriceE9 bestAskQuantityE9 openInterestE9 highPrice24hrE9 lowPrice24hrE9",
        "volume24hrE9 quoteVolume24hrE9 closePrice24hrE9 openPrice24hrE9 closeTime24hrAtMillis",
        "openTime24hrAtMillis firstId24hr lastId24hr count24hr priceChange24hrE9 priceChangePercent24hrE9",
        "updatedAtMillis",
    )

    def listing_reader(self) -> ListingReader:
        """Return the reader of symbols."""
        return listing_of_perpetual

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: 50 markets' trades each; the first one carries the tickers of all markets.

        Each market has a request of its own, so that a market that is refused does not cost the others.
        """
        carried = frozenset(carried_channels(channels, OFFERED))
        plans = []
        for number, group, here in sockets_by_market(symbols, SYMBOLS_PER_CONNECTION, carried, TICKERS_ONLY):
            asks = [("", "Ticker_All")] if here & TICKERS_ONLY else []
            if here - TICKERS_ONLY:
                asks += [(symbol, "Recent_Trade") for symbol in group]
            plans.append(
                Connection(
                    name=f"market-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(subscription(place, *ask) for place, ask in enumerate(asks, 1)),
                    channels=here,
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S if here & TICKERS_ONLY else QUIET_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        envelope = _ENVELOPE.decode(receipt.frame)
        if envelope.success is not None:
            return [self._answer(envelope, receipt)]
        if envelope.event == "RecentTradesUpdates":
            rows = _PAYLOAD.decode(envelope.payload).trades
            return self._records.read_rows(rows, TRADES, self._trade, receipt)
        if envelope.event == "TickerAllUpdate":
            rows = _PAYLOAD.decode(envelope.payload).tickerAll
            return self._records.read_rows(rows, TICKERS, self._ticker, receipt)
        if envelope.event:
            return [self._records.unknown_channel(envelope.event, receipt)]
        return [self._records.malformed(receipt)]

    def _answer(self, envelope: Envelope, receipt: Receipt) -> Message:
        """Read the answer to a subscription, which does not name it: the answers come in the order of the requests."""
        if not envelope.success:
            return Refusal("", envelope.message)
        confirmed = receipt.kept.confirmed
        confirmed["subscription"] += 1
        receipt.kept.subscribed_us["trades"] = receipt.received_us
        return Ack(str(confirmed["subscription"]))

    def _trade(self, row: TradeRow, receipt: Receipt) -> list[Message]:
        """Read the trade of a row, and the liquidation if it is one."""
        if row.tradeType == OFF_BOOK:
            return [Skipped("off_book", 1)]
        if row.tradeType not in ON_BOOK:
            return [self._records.refuse(unknown_value("trade type", row.tradeType), receipt)]
        time_us = plausible_us(row.executedAtMillis)
        if self._listings[row.symbol] is not None and receipt.is_backlog(time_us, "trades"):
            return [Skipped("backlog", 1)]
        side = SIDES.get(row.side, row.side)
        fill = Fill(row.symbol, side, row.priceE9 / BILLION, row.quantityE9 / BILLION, time_us, row.id)
        return self._records.trade_and_liquidation(fill, receipt, liquidated=row.tradeType == "LIQUIDATION")

    def _ticker(self, row: TickerRow, receipt: Receipt) -> list[Message]:
        """Build the mark price and the open interest of a market that is watched."""
        if self._listings[row.symbol] is None:
            return [Skipped("other_market", 1)]
        mark = MarkUpdate(
            row.symbol,
            row.markPriceE9 / BILLION,
            plausible_us(row.updatedAtMillis),
            from_billionths(row.oraclePriceE9),
            from_billionths(row.lastFundingRateE9),
            optional_time_us(row.nextFundingTimeAtMillis),
        )
        return self._records.ticker(mark, from_billionths(row.openInterestE9), receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/v1/exchange/info``."""
        rows, faults = LISTED.rows(_INFO.decode(body).markets)
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError("bluefin lists no market")
        instruments = []
        for row in rows:
            listing = listing_of_perpetual(self.venue, row.symbol)
            if listing is None:
                left_out[row.symbol] = "no perpetual"
                continue
            trading = row.status in ("ACTIVE", "BETA")
            instruments.append(Instrument(row.symbol, listing[0], int(listing[1]), 1.0, "base", trading))
        return InstrumentPage(instruments, left_out, None)


def from_billionths(number: float | UnsetType) -> float | UnsetType:
    """Convert a number of billionths; UNSET stays."""
    return UNSET if number is UNSET else number / BILLION


def listing_of_perpetual(venue: str, symbol: str) -> Listing | None:
    """Derive a listing from a symbol (``BTC-PERP``); None for a symbol of another form."""
    found = PERPETUAL.fullmatch(symbol)
    if found is None:
        return None
    asset, units = split_base(found[1])
    return asset, float(units), 1.0, False, f"{venue}:{symbol}:"


def subscription(place: int, symbol: str, stream: str) -> Request:
    """Return request number ``place`` of a socket, for a stream of a symbol."""
    streams = [{"symbol": symbol, "streams": [stream]}]
    return request({"method": "Subscribe", "dataStreams": streams}, [str(place)])
