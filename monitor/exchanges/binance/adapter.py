"""Binance's dialect, which USD-M, COIN-M and Aster speak: forced orders, aggregated trades, mark prices.

Liquidations (``forceOrder``): at most the latest order per symbol and second, so sums are a floor. ``o.S`` is the
closing order's side: SELL closes a long. Executed is ``z`` (cumulative filled) at ``ap`` (average fill); ``p`` is the
order's limit, 0.4 % away. Only FILLED orders count: an order that is partly filled comes again with its full ``z``.

Trades (``aggTrade``): ``m`` true means the buyer was the maker, so the taker sold. ``f`` to ``l`` are the fills' ids,
some of which may have been skipped, so their number is at most ``l - f + 1``.
Mark price: ``P`` is the estimated settlement price and no rate; ``r`` is the funding rate, ``T`` the next funding.

Quantities are base units, or contracts of a number of USD where the adapter counts those. Since 2026-06-30 Binance's
merged streams carry rows of both its markets, tagged ``st`` 1 (USD-M) and 2 (COIN-M): a row that bears another tag than
the adapter's is skipped, one that bears none is the adapter's own.

Open interest is REST alone (:mod:`monitor.exchanges.binance.rest`).

Ids:
    liquidation ``<venue>:<s>:<S>:<T>:<q>:<p>``: there is no order id; this tuple is the order's own.
    trade ``<a>``: the aggregate id, which counts up by one per symbol. It says enough beside venue and symbol, and the
    prefix would take a twentieth of the time of a frame.

Sources: developers.binance.com (Liquidation Order Streams, Aggregate Trade Streams, Mark Price Stream, Important
WebSocket Change Notice); doc comments of the npm package @binance/derivatives-trading-usds-futures 38.1.1.
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
from monitor.exchanges.messages import Ack, Message, Refusal, Skipped
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
"""Stream suffix per channel, in the order of subscribing. Open interest is REST only here."""

STREAMS_PER_CONNECTION: Final = 200
"""The most careful of the published limits; others report 1024."""

STREAMS_PER_REQUEST: Final = 50
"""Keeps a SUBSCRIBE frame below 2 kB."""

MAX_AGE_S: Final = 84_600.0
"""23.5 h: the exchange cuts every connection at 24 h."""

UNEXECUTED: Final = frozenset(
    {"NEW", "PARTIALLY_FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED", "NEW_INSURANCE", "NEW_ADL"}
)
"""Documented order states other than FILLED."""

SIDES: Final = {"SELL": "sell", "BUY": "buy"}
AVERAGE: Final[PriceKind] = "average_fill"
LIMIT: Final[PriceKind] = "order"


class Binance(RowAdapter):
    """What the three venues share; see :class:`monitor.exchanges.adapter.Adapter`."""

    paths: ClassVar[Paths]
    market_tag: ClassVar[int] = USD_M
    """The ``st`` of this market's rows."""
    request_interval_s: ClassVar[float] = 0.2
    rest_weight_per_minute: ClassVar[int] = 1200
    """Half of what the exchange allows an address."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(instruments)
        self._plain = self._listings.plain.get
        self._decode = (COMBINED_CONTRACTS if self.counts_contracts else COMBINED).decode

    def listing_reader(self) -> ListingReader:
        """By the quote."""
        return listing_of_base_units

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Every socket carries all channels of its symbols, at most 200 streams."""
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
        """Read one frame, wrapped by the combined endpoint or bare."""
        try:
            data = self._decode(frame).data
        except UNREADABLE:
            return super().parse(frame, received_us, memory)
        if type(data) is ValidTrade:
            # Nearly every frame: no calls but the record's own, no look at what is usual. What this leaves is judged
            # number by number, at twice the time.
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
        """Read what is no push of well-formed rows: answers, bare rows, rows of which one is bad, garbage."""
        try:
            envelope = ENVELOPE.decode(receipt.frame)
        except UNREADABLE:
            rows = raw_array(receipt.frame)
            if rows is None:
                raise
        else:
            if envelope.data is UNSET and envelope.e is UNSET:
                return [self._reply(receipt)]
            rows = [msgspec.Raw(receipt.frame)] if envelope.data is UNSET else raw_rows(envelope.data)
        pushes, faults = decode_rows(rows, PUSH)
        messages = [self._message(push, receipt) for push in pushes]
        messages.extend(self._records.refuse(untagged(fault, rows[number]), receipt) for number, fault in faults)
        return messages

    def _message(self, row: Push, receipt: Receipt) -> Message:
        """What one row says."""
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
        if order.st not in (0, self.market_tag):
            return Skipped("other_market", 1)
        if order.X in UNEXECUTED:
            return Skipped("not_executed", 1)
        side = SIDES.get(order.S)
        if side is None or order.X != "FILLED":
            return self._records.refuse(unknown_value("order side and status", f"{order.S} {order.X}"), receipt)
        # An average of zero means that the exchange does not know it; the limit is then the nearest thing.
        price, kind = (order.p, LIMIT) if order.ap == 0.0 else (order.ap, AVERAGE)
        key = f"{order.S}:{order.T}:{order.q!r}:{order.p!r}"
        return self._records.liquidation(Fill(order.s, side, price, order.z, order.T * 1000, key), kind, receipt)

    def _reply(self, receipt: Receipt) -> Message:
        """The answer to a request."""
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
        """Read ``exchangeInfo``: perpetuals in US dollars."""
        return read_instruments(body, self.counts_contracts)

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> Sequence[Poll]:
        """Open interest, symbol by symbol, as often as the budget allows."""
        if "open_interest" not in channels:
            return ()
        return poll_open_interest(self.paths, symbols, self.rest_weight_per_minute)

    def history(self, symbols: Sequence[str], now_us: int) -> Sequence[RestRequest]:
        """Open interest by the hour, where the exchange keeps it."""
        return request_open_interest_history(self.paths, symbols, now_us)

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """Aggregated trades of a gap; forced orders are not kept."""
        return request_trades(self.paths, symbols, from_us, to_us) if channel == "trades" else ()

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read an answer of any of the three."""
        return read_answer(self._records, self.paths, request, Receipt(received_us, body, memory))


def listing_of_base_units(venue: str, symbol: str) -> Listing | None:
    """The listing read off a name, where quantities are base units: not of what is quoted in USD itself.

    Those are COIN-M's, of contracts.
    """
    return None if split_symbol(symbol).quote == "USD" else listing_by_name(venue, symbol)
