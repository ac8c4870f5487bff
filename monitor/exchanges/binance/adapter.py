"""Parses the message format that Binance USD-M, Binance COIN-M and Aster share.

Liquidations are forced orders (``forceOrder``). The exchange sends at most the latest one per symbol and second, so
their sum is a lower bound. ``o.S`` is the side of the closing order: SELL closes a long. The executed quantity is ``z``
(cumulative filled quantity), its price ``ap`` (average fill price); ``p`` is the limit price of the order, about 0.4 %
away. Only FILLED orders are counted: a partly filled order is sent again, with its full ``z``, when it is filled.

Trades are aggregated (``aggTrade``). ``m`` is true if the buyer was the maker, that is, if the taker sold. ``f`` and
``l`` are the ids of the first and the last fill. Ids between them may be missing, so there are at most ``l - f + 1``
fills.

Mark prices (``markPriceUpdate``): ``r`` is the funding rate and ``T`` the next funding time. ``P`` is the estimated
settlement price and is not used.

Quantities are base units on USD-M and Aster, and contracts of a fixed number of USD on COIN-M. Since 2026-06-30
Binance's streams carry rows of both markets, marked ``st`` 1 (USD-M) or 2 (COIN-M). A row of the other market is
skipped; a row without ``st`` is a row of the adapter's own market.

No stream carries open interest; :mod:`monitor.exchanges.binance.rest` polls it.

Ids:
    liquidation ``<venue>:<s>:<S>:<T>:<q>:<p>``, because the exchange sends no order id.
    trade ``<a>``, the aggregate trade id, which counts up by one per symbol. It has no prefix, because it is unique
    together with venue and symbol, and building a longer one would take 5 % of the time of a frame.

Sources: developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams (pages Liquidation Order
Streams, Aggregate Trade Streams, Mark Price Stream, Important WebSocket Change Notice); comments in the npm package
@binance/derivatives-trading-usds-futures 38.1.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET

from monitor.exchanges.adapter import Connection
from monitor.exchanges.binance.frames import (
    COIN_M,
    COMBINED,
    COMBINED_CONTRACTS,
    ENVELOPE,
    KNOWN_KEYS,
    PUSH,
    REPLY,
    USD_M,
    ForceOrder,
    MarkPriceUpdate,
    Order,
    Push,
    ValidTrade,
    untagged,
)
from monitor.exchanges.binance.rest import (
    Paths,
    fill_of,
    poll_open_interest,
    read_answer,
    read_instruments,
    request_open_interest_history,
    request_trades,
)
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Notice, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, Poll, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import decode_rows, optional_time_us, raw_array, raw_rows, unknown_value
from monitor.exchanges.toolkit.listings import Listing, ListingReader, listing_by_name
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel, PriceKind, TakerSide, Trade
from monitor.model.symbols import split_symbol
from monitor.model.validation import LEAST_USD, MOST_TRADES, MOST_USD, UNREADABLE

STREAMS: Final[dict[Channel, str]] = {
    "liquidations": "@forceOrder",
    "mark_price": "@markPrice@1s",
    "trades": "@aggTrade",
}
"""Suffix of a symbol's stream by channel, in the order of subscribing. There is no stream of open interest."""

STREAMS_PER_CONNECTION: Final = 200
"""The lowest of the published limits; other sources report 1,024."""

STREAMS_PER_REQUEST: Final = 50
"""Streams of one SUBSCRIBE frame, so that the frame stays below 2 kB."""

MAX_AGE_S: Final = 84_600.0
"""Age in seconds (23.5 h) at which a connection is replaced; the exchange closes every connection after 24 h."""

UNEXECUTED: Final = frozenset(
    {"NEW", "PARTIALLY_FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED", "NEW_INSURANCE", "NEW_ADL"}
)
"""Documented order states (``o.X``) other than FILLED; such an order is not counted."""

SIDES: Final = {"SELL": "sell", "BUY": "buy"}
AVERAGE: Final[PriceKind] = "average_fill"
LIMIT: Final[PriceKind] = "order"


SHUTDOWN: Final = "serverShutdown"
"""Event that announces the closure of the socket some minutes ahead."""


class Binance(RowAdapter):
    """Base class of the adapters of the three venues; see :class:`monitor.exchanges.adapter.Adapter`."""

    paths: ClassVar[Paths]
    market_tag: ClassVar[int] = USD_M
    """Value of ``st`` in the rows of this adapter's market."""
    request_interval_s: ClassVar[float] = 0.2
    rest_weight_per_minute: ClassVar[int] = 1200
    """Half of the 2,400 that the exchange allows an IP address."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(instruments)
        self._plain = self._listings.plain.get
        self._decode = (COMBINED_CONTRACTS if self.counts_contracts else COMBINED).decode

    def listing_reader(self) -> ListingReader:
        """Return the reader of symbols whose sizes are base units."""
        return listing_of_base_units

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets. Each carries all channels of its symbols, in at most 200 streams."""
        carried = carried_channels(channels, tuple(STREAMS))
        if not carried:
            return []
        plans = []
        for number, group in enumerate(chunked(symbols, STREAMS_PER_CONNECTION // len(carried))):
            streams = [symbol.lower() + STREAMS[channel] for channel in carried for symbol in group]
            requests = tuple(
                request({"method": "SUBSCRIBE", "params": params, "id": identifier}, [str(identifier)])
                for identifier, params in enumerate(chunked(streams, STREAMS_PER_REQUEST), 1)
            )
            plans.append(
                Connection(
                    name=f"market-{number}",
                    url=ws_url or self.ws_url,
                    requests=requests,
                    channels=frozenset(carried),
                    symbols=tuple(group),
                    request_interval_s=self.request_interval_s,
                    max_age_s=MAX_AGE_S,
                )
            )
        return plans

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame: ``{"stream": ..., "data": ...}`` of the combined endpoint, or the data alone."""
        try:
            data = self._decode(frame).data
        except UNREADABLE:
            return super().parse(frame, received_us, memory)
        if type(data) is ValidTrade:
            # The hot path: nearly every frame is a trade whose values the decoder found in range. It makes no call but
            # that of the record's constructor. Everything else takes the slower path below, which takes twice the time.
            plain = self._plain(symbol := data.s)
            time_us = data.T * 1000
            fills = data.l - data.f + 1
            price = data.p
            quantity = data.q
            usd = price * quantity
            if (
                plain is not None
                and time_us <= received_us
                and 0 < fills <= MOST_TRADES
                and LEAST_USD <= usd <= MOST_USD
            ):
                side: TakerSide = "sell" if data.m else "buy"
                id_ = str(data.a)
                return [
                    Trade(self.venue, symbol, plain[0], time_us, received_us, side, price, quantity, usd, fills, id_)
                ]
        receipt = Receipt(received_us, frame, memory)
        return [self._message(row, receipt) for row in (data if isinstance(data, list) else [data])]

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame that the fast path could not: an answer, rows without envelope, or rows of which one is bad."""
        try:
            envelope = ENVELOPE.decode(receipt.frame)
        except UNREADABLE:
            rows = raw_array(receipt.frame)
            if rows is None:
                raise
        else:
            if envelope.data is UNSET and envelope.e is UNSET:
                return [self._reply(receipt)]
            if envelope.e == SHUTDOWN:
                return [Notice(SHUTDOWN, reconnect=True)]
            rows = [msgspec.Raw(receipt.frame)] if envelope.data is UNSET else raw_rows(envelope.data)
        pushes, faults = decode_rows(rows, PUSH)
        messages = [self._message(push, receipt) for push in pushes]
        messages.extend(self._records.refuse(untagged(fault, rows[number]), receipt) for number, fault in faults)
        return messages

    def _message(self, row: Push, receipt: Receipt) -> Message:
        """Turn one row into an event, a skip or a reject."""
        if row.st not in (0, self.market_tag):
            if row.st in (USD_M, COIN_M):
                return Skipped("other_market", 1)
            return self._records.refuse(unknown_value("market tag", str(row.st)), receipt)
        if isinstance(row, ForceOrder):
            return self._liquidation(row.o, receipt)
        if isinstance(row, MarkPriceUpdate):
            next_us = optional_time_us(row.T)
            return self._records.mark(MarkUpdate(row.s, row.p, row.E * 1000, row.i, row.r, next_us), receipt)
        return self._records.trade(fill_of(row, row.s), receipt)

    def _liquidation(self, order: Order, receipt: Receipt) -> Message:
        """Turn a forced order into a liquidation if it is filled."""
        if order.st not in (0, self.market_tag):
            return Skipped("other_market", 1)
        if order.X in UNEXECUTED:
            return Skipped("not_executed", 1)
        side = SIDES.get(order.S)
        if side is None or order.X != "FILLED":
            return self._records.refuse(unknown_value("order side and status", f"{order.S} {order.X}"), receipt)
        # The exchange sends an average price of 0 where it has none; the limit price is then the best estimate.
        price, kind = (order.p, LIMIT) if order.ap == 0.0 else (order.ap, AVERAGE)
        key = f"{order.S}:{order.T}:{order.q!r}:{order.p!r}"
        return self._records.liquidation(Fill(order.s, side, price, order.z, order.T * 1000, key), kind, receipt)

    def _reply(self, receipt: Receipt) -> Message:
        """Read the answer to a subscription request."""
        reply = REPLY.decode(receipt.frame)
        key = "" if reply.id is None else str(reply.id)
        if reply.error is not UNSET:
            return Refusal(key, f"{reply.error.code}: {reply.error.msg}")
        if reply.code is not UNSET:
            return Refusal(key, f"{reply.code}: {reply.msg}")
        if key and reply.result is not UNSET:
            return Ack(key)
        return self._records.malformed(receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``exchangeInfo`` and keep the perpetuals quoted in US dollars."""
        return read_instruments(body, self.counts_contracts)

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> Sequence[Poll]:
        """Return the polls of open interest, one a symbol, at the shortest interval that the budget allows."""
        if "open_interest" not in channels:
            return ()
        return poll_open_interest(self.paths, symbols, self.rest_weight_per_minute)

    def history(self, symbols: Sequence[str], now_us: int) -> Sequence[RestRequest]:
        """Return the requests for hourly open interest of the last thirty days, where the exchange offers it."""
        return request_open_interest_history(self.paths, symbols, now_us)

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """Return the requests for the aggregated trades of a gap; the exchange does not serve past forced orders."""
        return request_trades(self.paths, symbols, from_us, to_us) if channel == "trades" else ()

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read the answer to a poll, to a history request or to a backfill request."""
        return read_answer(self._records, self.paths, request, Receipt(received_us, body, memory))


def listing_of_base_units(venue: str, symbol: str) -> Listing | None:
    """Derive a listing from a symbol whose sizes are base units; None if it is quoted in USD itself.

    The latter are COIN-M symbols, whose sizes are contracts.
    """
    return None if split_symbol(symbol).quote == "USD" else listing_by_name(venue, symbol)
