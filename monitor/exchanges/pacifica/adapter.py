"""Reads Pacifica perpetuals: trades with their cause, mark prices, funding and open interest.

Sizes are base coins, and a symbol is the name of its coin (``BTC``, ``kBONK``), so no instrument table is needed.

Liquidations are rows of ``trades`` whose cause ``tc`` is ``market_liquidation`` or ``backstop_liquidation``. The
channel shows the taker's side of each trade, and the taker of a liquidation is the liquidated account, so ``d`` names
the position: ``close_long`` means that a long was liquidated. A liquidation that opens a position is rejected,
because it would be the side of another account. A market liquidation is a trade of the order book as well, and gives
a trade and a liquidation. A backstop liquidation transfers the position to the backstop liquidator outside the order
book: it gives a liquidation at the price of the transfer, and no trade. Settlements of delisted markets
(``settlement``) and ADL (``adl``) close positions outside the order book too and are skipped. Another cause is
rejected, because it may be a new word for a liquidation.

``prices`` has the mark price, the index (``oracle``), the funding rate of the running hour and the open interest
(coins, taken for that of one side) of all symbols. The rate is paid when the hour ends.

Ids:
    liquidation ``pacifica:<symbol>:<h>``.
    trade ``<h>``.

Sources: docs.pacifica.fi (websocket: trades, prices, heartbeat; account liquidations; rate limits; market info); ccxt
4.5.90. Unverified on the wire: every frame, the unit of the open interest, and which symbols are stocks, so that none
is left out for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive, Request
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Ack, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, onboard_us, optional_time_us, plausible_us, unknown_value
from monitor.exchanges.toolkit.listings import Listing, ListingReader
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.subscriptions import carried_channels, request, sockets_by_market
from monitor.model.events import Channel, Reject
from monitor.model.symbols import split_base

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")
PRICES_ONLY: Final[frozenset[Channel]] = frozenset({"mark_price", "open_interest"})

SYMBOLS_PER_CONNECTION: Final = 20
"""A socket takes 20 subscriptions of a channel."""
REQUEST_INTERVAL_S: Final = 0.2
STALE_AFTER_S: Final = 30.0
QUIET_S: Final = 180.0
"""Seconds after which a socket with trades alone is stale: on 20 small markets nothing may trade for a minute."""
KEEPALIVE: Final = Keepalive('{"method":"ping"}', interval_s=30.0, timeout_s=10.0)
"""A socket without a message for 60 s is closed."""
MAX_AGE_S: Final = 23.5 * 3600
"""A socket is closed after 24 hours."""
HOUR_MS: Final = 3_600_000
"""Funding interval, milliseconds."""

SIDES: Final = {"open_long": "buy", "close_short": "buy", "open_short": "sell", "close_long": "sell"}
"""Side of the taker by the word for it."""
ON_BOOK: Final = frozenset({"normal", "market_liquidation"})
LIQUIDATED: Final = frozenset({"market_liquidation", "backstop_liquidation"})
OFF_BOOK: Final = frozenset({"settlement", "adl"})


class TradeRow(msgspec.Struct, gc=False):
    """One row of ``trades``: number, symbol, amount, price, direction, time in milliseconds, cause."""

    h: int
    s: str
    a: float
    p: float
    d: str
    t: int
    tc: str = "normal"


class PriceRow(msgspec.Struct, gc=False):
    """One row of ``prices``."""

    symbol: str
    mark: float
    timestamp: int
    oracle: float | str | UnsetType = UNSET
    funding: float | str | UnsetType = UNSET
    open_interest: float | UnsetType = UNSET


class Subscription(msgspec.Struct, gc=False):
    """A subscription that the exchange confirmed."""

    source: str
    symbol: str = ""


class Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    code: int = 0
    err: str | None = None


class ListedInstrument(msgspec.Struct):
    """A market in the exchange's list."""

    symbol: str
    instrument_type: str = "perpetual"
    created_at: int = 0


class Markets(msgspec.Struct):
    """``GET /api/v1/info``."""

    success: bool
    data: msgspec.Raw = msgspec.Raw(b"[]")
    error: str | None = None
    code: int | None = None


TRADES: Final = RowDecoder(TradeRow)
PRICES: Final = RowDecoder(PriceRow)
LISTED: Final = RowDecoder(ListedInstrument)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_SUBSCRIPTION: Final = msgspec.json.Decoder(Subscription)
_MARKETS: Final = msgspec.json.Decoder(Markets)


class Pacifica(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "pacifica"
    ws_url: ClassVar[str] = "wss://ws.pacifica.fi/ws"
    rest_url: ClassVar[str] = "https://api.pacifica.fi"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "complete", "every trade has its cause", "docs.pacifica.fi, websocket, trades"),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/api/v1/info"),)
    rest_weight_per_minute: ClassVar[int] = 50
    """The exchange allows 100 credits a minute."""
    known_keys: ClassVar[frozenset[str]] = keys(
        "channel data method params source symbol code err id type t rl",
        "h s a p d tc li it",
        "funding mark mid next_funding open_interest oracle timestamp volume_24h yesterday_price",
    )

    def listing_reader(self) -> ListingReader:
        """Return the reader of coins' names."""
        return listing_of_coin

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: 20 markets' trades each; the first one carries the prices of all markets."""
        carried = frozenset(carried_channels(channels, OFFERED))
        plans = []
        for number, group, here in sockets_by_market(symbols, SYMBOLS_PER_CONNECTION, carried, PRICES_ONLY):
            requests: list[Request] = []
            if here & PRICES_ONLY:
                requests.append(subscription({"source": "prices"}, "prices"))
            if here - PRICES_ONLY:
                requests += [
                    subscription({"source": "trades", "symbol": symbol}, f"trades:{symbol}") for symbol in group
                ]
            plans.append(
                Connection(
                    name=f"stream-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(requests),
                    channels=here,
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S if here & PRICES_ONLY else QUIET_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                    keepalive=KEEPALIVE,
                    max_age_s=MAX_AGE_S,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        envelope = _ENVELOPE.decode(receipt.frame)
        if envelope.err is not None:
            return [Refusal("", f"{envelope.code}: {envelope.err}")]
        if envelope.channel == "trades":
            return self._records.read_rows(envelope.data, TRADES, self._trade, receipt)
        if envelope.channel == "prices":
            return self._records.read_rows(envelope.data, PRICES, self._price, receipt)
        if envelope.channel == "subscribe":
            opened = _SUBSCRIPTION.decode(envelope.data)
            return [Ack(f"{opened.source}:{opened.symbol}" if opened.symbol else opened.source)]
        if envelope.channel == "unsubscribe":
            return [Refusal("", "unsubscribed")]
        if envelope.channel == "pong":
            return [Pong()]
        if envelope.channel:
            return [self._records.unknown_channel(envelope.channel, receipt)]
        return [self._records.malformed(receipt)]

    def _trade(self, row: TradeRow, receipt: Receipt) -> list[Message]:
        """Read the trade and the liquidation of a row, as far as it is one."""
        if row.tc in OFF_BOOK:
            return [Skipped("off_book", 1)]
        if row.tc not in ON_BOOK | LIQUIDATED:
            return [self._records.refuse(unknown_value("trade cause", row.tc), receipt)]
        liquidated = row.tc in LIQUIDATED
        if row.d not in SIDES or (liquidated and not row.d.startswith("close_")):
            return [self._records.refuse(unknown_value(f"direction of a {row.tc} trade", row.d), receipt)]
        fill = Fill(row.s, SIDES[row.d], row.p, row.a, plausible_us(row.t), str(row.h))
        messages: list[Message] = []
        if row.tc in ON_BOOK:
            messages.append(self._records.trade(fill, receipt))
        if liquidated and not any(isinstance(message, Reject) for message in messages):
            messages.append(self._records.liquidation(fill, "fill", receipt))
        return messages

    def _price(self, row: PriceRow, receipt: Receipt) -> list[Message]:
        """Build the mark price and the open interest of a symbol that is watched."""
        if self._listings[row.symbol] is None:
            return [Skipped("other_market", 1)]
        next_us = optional_time_us((row.timestamp // HOUR_MS + 1) * HOUR_MS)
        mark = MarkUpdate(row.symbol, row.mark, plausible_us(row.timestamp), row.oracle, row.funding, next_us)
        return self._records.ticker(mark, row.open_interest, receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/api/v1/info``: the perpetuals."""
        answer = _MARKETS.decode(body)
        if not answer.success:
            raise ValueError(f"pacifica answers {answer.code}: {answer.error}")
        rows, faults = LISTED.rows(answer.data)
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError("pacifica lists no market")
        instruments = []
        for row in rows:
            asset, units = split_base(row.symbol)
            if row.instrument_type != "perpetual" or not asset.isalnum():
                left_out[row.symbol] = "no perpetual on one coin"
                continue
            since_us = onboard_us(row.created_at)
            instruments.append(Instrument(row.symbol, asset, units, 1.0, "base", onboard_us=since_us))
        return InstrumentPage(instruments, left_out, None)


def listing_of_coin(venue: str, symbol: str) -> Listing | None:
    """Derive a listing from the name of a coin; None for a pair of coins, which is a spot market."""
    asset, units = split_base(symbol)
    return (asset, float(units), 1.0, False, f"{venue}:{symbol}:") if asset.isalnum() else None


def subscription(params: dict[str, object], key: str) -> Request:
    """Return the request for a subscription, which is confirmed with ``key``."""
    return request({"method": "subscribe", "params": params}, [key])
