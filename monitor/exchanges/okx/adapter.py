"""OKX v5 perpetuals and dated futures, linear and inverse: forced orders, trades, mark, funding, open interest.

Sizes are contracts: base units are ``sz`` times contract size, which is ``ctVal`` times ``ctMult`` of the exchange's
instrument table. An inverse contract's size is in USD, and its base units are that over the price. Without the table
sizes have no unit, so every row is quarantined.

Dated futures enter by their forced orders and trades alone. Their mark price has the time to expiry in it and is not
the asset's, so neither it nor their open interest is subscribed, or taken from a recording. Forced orders of all of
them come in a subscription of their own, as soon as one is watched. ``BTC-USD_UM_XPERP-310404`` and its like are of
the type ``FUTURES`` and have a day of expiry, in 2031, but a funding rate as well: they are perpetuals.

Liquidations (``liquidation-orders``, all swaps in one subscription): a sample, not the total. Each ``data`` item holds
several ``details``, in no order of time. ``side`` is the closing order's: sell closes a long, also if ``posSide`` is
``net``. ``bkPx`` is the price at which the position is handed over, a bankruptcy price. After subscribing the exchange
repeats old orders: rows of more than 60 s before the receipt are backlog in the first seconds, and make no event. Such
a row later on is a late report, and counts: in congestion rows came up to eight minutes late (a recorder's notes).

Funding comes on a channel of its own, without a price, and the record of a mark price is what carries funding: the last
funding of each symbol is remembered and goes out with its next mark price. An open interest without ``oiUsd`` is valued
by the last mark price.

REST: trades of a gap from ``history-trades``, which has each fill by itself; the socket's rows bear the id of the last
fill that they stand for. Open interest of thirty days from ``open-interest-history``, by the hour.

Ids:
    liquidation ``okx:<instId>:<ts>:<side>:<posSide>:<sz>:<bkPx>``, and ``#1``, ``#2`` … appended to further rows of one
    frame that are alike.
    trade ``<tradeId>``, which counts up by one per instrument.

Sources: okx.com/docs-v5 (Liquidation orders, Trades, Mark price, Funding rate, Open interest channels; Get instruments;
Get trades history; Get contract open interest history).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from msgspec import UNSET

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Notice, Pong, Refusal, Skipped
from monitor.exchanges.okx.frames import (
    DETAILS,
    ENVELOPE,
    FUNDINGS,
    INTERESTS,
    KNOWN_KEYS,
    LIQUIDATIONS,
    MARKS,
    TRADES,
    Arg,
    Detail,
    Envelope,
    FundingRow,
    InterestRow,
    LiquidationRow,
    MarkRow,
    TradeRow,
    decode_trades,
)
from monitor.exchanges.okx.rest import (
    HISTORY_TRADES,
    read_instruments,
    read_open_interest,
    read_trades,
    request_open_interest_history,
    request_trades,
)
from monitor.exchanges.rest_requests import InstrumentPage, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import optional_float, optional_time_us, unknown_value
from monitor.exchanges.toolkit.records import CLOSED_BY, TAKER_SIDES, Fill, MarkUpdate, Receipt, RowAdapter
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request, shard
from monitor.model.events import Channel, MarkPrice, Trade
from monitor.model.symbols import split_symbol
from monitor.model.validation import LEAST_COINS, LEAST_USD, MOST_COINS, MOST_USD, UNREADABLE

VENUE: Final = "okx"

LIQUIDATIONS_CHANNEL: Final = "liquidation-orders"
CHANNELS: Final[dict[Channel, tuple[str, ...]]] = {
    "liquidations": (LIQUIDATIONS_CHANNEL,),
    "mark_price": ("mark-price", "funding-rate"),
    "open_interest": ("open-interest",),
    "trades": ("trades",),
}
"""The exchange's channels behind each of ours, in the order of subscribing."""

BYTES_PER_CONNECTION: Final = 60_000
"""The exchange refuses a channel list above 64 kB; the rest is for the frames' own keys."""

ARGS_PER_REQUEST: Final = 100
"""About 5 kB a frame, and far below 480 requests an hour."""

STALE_AFTER_S: Final = 15.0
"""A mark price that does not move is repeated each 10 s."""

KEEPALIVE: Final = Keepalive("ping", interval_s=20.0, timeout_s=10.0)
"""The exchange cuts a connection that was idle for 30 s."""

# The first bytes of a push of trades as the exchange writes it; in any other layout it goes the longer way round.
TRADES_HEAD: Final = b'{"arg":{"channel":"trades",'
TRADES_HEAD_SIZE: Final = len(TRADES_HEAD)  # comparing a slice takes half of what startswith does


class Okx(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = VENUE
    ws_url: ClassVar[str] = "wss://ws.okx.com/ws/v5/public"
    rest_url: ClassVar[str] = "https://openapi.okx.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(
            0,
            "sampled",
            "says that it does not show all; by an older page one order a contract and second",
            "okx.com/docs-v5, Liquidation orders channel",
        ),
    )
    counts_contracts: ClassVar[bool] = True
    by_name: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (
        RestRequest("/api/v5/public/instruments", {"instType": "SWAP"}, about="SWAP"),
        RestRequest("/api/v5/public/instruments", {"instType": "FUTURES"}, about="FUTURES"),
    )
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(instruments)
        self._plain = self._listings.plain.get

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """The first socket carries all liquidations; symbols fill sockets up to the limit of the channel list."""
        carried = carried_channels(channels, tuple(CHANNELS))
        names = [name for channel in carried if channel != "liquidations" for name in CHANNELS[channel]]
        wanted = {symbol: [argument(name, symbol) for name in names if self._has(symbol, name)] for symbol in symbols}
        cost = {symbol: sum(len(str(one)) + 2 for one in arguments) for symbol, arguments in wanted.items()}
        plans = []
        for number, group in enumerate(shard(symbols, cost, BYTES_PER_CONNECTION) if carried else ()):
            arguments = [one for name in names for symbol in group for one in wanted[symbol] if one["channel"] == name]
            asked = {one["channel"] for one in arguments}
            here = frozenset(channel for channel in carried if asked.intersection(CHANNELS[channel]))
            if "liquidations" in carried and not number:
                here |= {"liquidations"}
                arguments[:0] = [{"channel": "liquidation-orders", "instType": kind} for kind in self._kinds(symbols)]
            requests = tuple(
                request({"op": "subscribe", "args": args}, map(acknowledgement, args))
                for args in chunked(arguments, ARGS_PER_REQUEST)
            )
            plans.append(
                Connection(
                    name=f"public-{number}",
                    url=ws_url or self.ws_url,
                    requests=requests,
                    channels=here,
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S,
                    keepalive=KEEPALIVE,
                )
            )
        return plans

    def _has(self, symbol: str, name: str) -> bool:
        """True if a symbol has a channel: dated futures have trades alone."""
        return name == "trades" or not self._dated(symbol)

    def _kinds(self, symbols: Sequence[str]) -> list[str]:
        """Return the instrument types to subscribe liquidations of: swaps, and futures where one is watched."""
        return ["SWAP"] if all(symbol.endswith("-SWAP") for symbol in symbols) else ["SWAP", "FUTURES"]

    def _dated(self, symbol: str) -> bool:
        return symbol in self._listings.dated or split_symbol(symbol).dated

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame; nearly every one is of trades, which need no look at each number."""
        if frame[:TRADES_HEAD_SIZE] != TRADES_HEAD:
            return super().parse(frame, received_us, memory)
        try:
            rows = decode_trades(frame).data
        except UNREADABLE:
            return super().parse(frame, received_us, memory)
        trades: list[Message] = []
        for row in rows:
            # Nearly every row: no calls but the record's own. A frame with another one is judged number by number, at
            # twice the time.
            plain = self._plain(symbol := row.instId)
            time_us = row.ts * 1000
            if plain is None or time_us > received_us:
                return self._trades(rows, Receipt(received_us, frame, memory))
            asset, size = plain
            price = row.px
            contracts = row.sz
            usd = price * contracts * size
            coins = contracts * size
            if not (LEAST_USD <= usd <= MOST_USD and LEAST_COINS <= coins <= MOST_COINS and row.tradeId.isprintable()):
                return self._trades(rows, Receipt(received_us, frame, memory))
            trades.append(
                Trade(
                    VENUE,
                    symbol,
                    asset,
                    time_us,
                    received_us,
                    row.side,
                    price,
                    coins,
                    usd,
                    row.count,
                    row.tradeId,
                )
            )
        return trades

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame row by row."""
        if receipt.frame == b"pong":
            return [Pong()]
        envelope = ENVELOPE.decode(receipt.frame)
        if envelope.arg is UNSET or envelope.data is UNSET:
            return [self._reply(envelope, receipt)]
        each, channel, data = self._records.read_rows, envelope.arg.channel, envelope.data
        if channel == "mark-price":
            return each(data, MARKS, self._mark, receipt)
        if channel == "funding-rate":
            return each(data, FUNDINGS, self._fund, receipt)
        if channel == "open-interest":
            return each(data, INTERESTS, self._interest, receipt)
        if channel == LIQUIDATIONS_CHANNEL:
            seen: dict[str, int] = {}
            return each(data, LIQUIDATIONS, lambda row, at: self._liquidations(row, seen, at), receipt)
        if channel == "trades":
            return each(data, TRADES, lambda row, at: [self._trade(row, at)], receipt)
        return [self._records.unknown_channel(channel, receipt)]

    def _trades(self, rows: Iterable[TradeRow], receipt: Receipt) -> list[Message]:
        return [self._trade(row, receipt) for row in rows]

    def _trade(self, row: TradeRow, receipt: Receipt) -> Message:
        """Read a trade that :meth:`parse` left."""
        if row.side not in TAKER_SIDES:
            return self._records.refuse(unknown_value("taker side", row.side), receipt)
        fill = Fill(row.instId, row.side, row.px, row.sz, row.ts * 1000, row.tradeId, row.count)
        return self._records.trade(fill, receipt)

    def _liquidations(self, row: LiquidationRow, seen: dict[str, int], receipt: Receipt) -> list[Message]:
        """Read the forced orders of an instrument."""
        symbol = row.instId
        return self._records.read_rows(
            row.details, DETAILS, lambda detail, at: [self._liquidation(symbol, detail, seen, at)], receipt
        )

    def _liquidation(self, symbol: str, row: Detail, seen: dict[str, int], receipt: Receipt) -> Message:
        time_us = row.ts * 1000
        if self._listings[symbol] is not None and receipt.is_backlog(time_us, LIQUIDATIONS_CHANNEL):
            return Skipped("backlog", 1)
        if row.side not in CLOSED_BY:
            return self._records.refuse(unknown_value("order side", row.side), receipt)
        key = f"{row.ts}:{row.side}:{row.posSide}:{row.sz!r}:{row.bkPx!r}"
        fill = Fill(symbol, row.side, row.bkPx, row.sz, time_us, key)
        return self._records.liquidation(fill, "bankruptcy", receipt, seen)

    def _mark(self, row: MarkRow, receipt: Receipt) -> list[Message]:
        """Read a mark price; the last funding goes out with it."""
        latest = self._records.latest(row.instId, receipt)
        time_us = row.ts * 1000
        mark = MarkUpdate(row.instId, row.markPx, time_us, UNSET, latest.rate, latest.next_us)
        message = self._records.mark(mark, receipt)
        if isinstance(message, MarkPrice):
            latest.update_mark_price(row.markPx, time_us)
        return [message]

    def _fund(self, row: FundingRow, receipt: Receipt) -> list[Message]:
        """Remember a funding rate for the next mark price."""
        if self._listings[row.instId] is None:
            return [self._records.unknown_symbol(row.instId, receipt)]
        if row.fundingRate is UNSET:
            return [Skipped("no_value", 1)]
        next_us, time_us = optional_time_us(row.fundingTime), self._records.plausible_time_us(row.ts, receipt)
        return self._records.remember_funding(row.instId, row.fundingRate, next_us, time_us, receipt)

    def _interest(self, row: InterestRow, receipt: Receipt) -> list[Message]:
        """Read an open interest; one without its value is worth its coins times the last mark price.

        Before the first mark price it makes no event: the next one comes within seconds.
        """
        listing = self._listings[row.instId]
        units = 1.0 if listing is None else listing[1]
        usd = optional_float(row.oiUsd)
        if usd is UNSET and listing is not None:
            price = self._records.latest(row.instId, receipt).price
            if price is UNSET:
                return [Skipped("unpriced", 1)]
            usd = row.oiCcy * price
        coins, usd = row.oiCcy * units, 0.0 if usd is UNSET else usd
        return [self._records.open_interest_from_amounts(row.instId, coins, usd, row.ts * 1000, receipt)]

    def _reply(self, envelope: Envelope, receipt: Receipt) -> Message:
        """Read an answer to a request, or a notice about the connection."""
        key = "" if envelope.arg is UNSET else envelope.arg.key
        if envelope.event == "subscribe" and envelope.arg is not UNSET:
            receipt.kept.subscribed_us[envelope.arg.channel] = receipt.received_us
            return Ack(key)
        if envelope.event == "error":
            return Refusal(key, f"{envelope.code}: {envelope.msg}")
        if envelope.event == "notice":
            # The exchange sends it shortly before it closes the connection for an upgrade.
            return Notice(f"{envelope.code}: {envelope.msg}", reconnect=True)
        if envelope.event.startswith("channel-conn-count"):
            return Notice(envelope.event, reconnect=False)
        return self._records.malformed(receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/api/v5/public/instruments``: perpetuals and dated futures whose contract size is known."""
        return read_instruments(body, request)

    def history(self, symbols: Sequence[str], now_us: int) -> Sequence[RestRequest]:
        """Return the requests for the hourly open interest of swaps."""
        return [
            one
            for symbol in symbols
            if symbol not in self._listings.dated
            for one in request_open_interest_history(symbol, now_us)
        ]

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """Return the requests for the trades of a gap; the exchange keeps no forced orders."""
        return [request_trades(symbol, from_us, to_us) for symbol in symbols] if channel == "trades" else ()

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read trades or open interest of the past."""
        receipt, further = Receipt(received_us, body, memory), None
        if request.path == HISTORY_TRADES:
            trades, faults, further = read_trades(request, body)
            messages = self._trades(trades, receipt)
        else:
            interests, faults = read_open_interest(request, body)
            messages = [message for row in interests for message in self._interest(row, receipt)]
        messages.extend(self._records.refuse(fault, receipt) for fault in faults)
        return RestPage(messages, further)


def argument(channel: str, symbol: str) -> dict[str, str]:
    """Return a subscription's argument."""
    return {"channel": channel, "instId": symbol}


def acknowledgement(args: Mapping[str, str]) -> str:
    """Return the key of the acknowledgement that an argument brings."""
    return Arg(**args).key
