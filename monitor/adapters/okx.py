"""OKX v5 perpetual swaps and dated futures, linear and inverse: forced orders, trades, mark, funding, open interest.

Sizes are contracts: base units are ``sz`` times contract size, which is ``ctVal`` times ``ctMult`` of the exchange's
instrument table. An inverse contract's size is in USD, and its base units are that over the price. Without the table
nothing can be said, so every row is quarantined.

Dated futures enter by their forced orders and trades alone. Their mark price has the time to expiry in it and is not
the asset's, so it is not subscribed, nor is their open interest. Forced orders of all of them come in a subscription of
their own, as soon as one is watched.

Liquidations (``liquidation-orders``, all swaps in one subscription): a sample, not the total. Each ``data`` item holds
several ``details``, in no order of time. ``side`` is the closing order's: sell closes a long, also if ``posSide`` is
``net``. ``bkPx`` is the price at which the position is handed over, a bankruptcy price. After subscribing the exchange
repeats old orders: rows of more than 60 s before the receipt are backlog and make no event.

Funding comes on a channel of its own, without a price, and the record of a mark price is what carries funding: the last
funding of each symbol is kept and goes out with its next mark price.

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

import msgspec
from msgspec import UNSET, UnsetType

from monitor.adapters.adapter import (
    Ack,
    Adapter,
    Connection,
    CoverageEra,
    Instrument,
    InstrumentPage,
    Keepalive,
    Message,
    Notice,
    Pong,
    Refusal,
    RestPage,
    RestRequest,
    Skipped,
    coverage_at,
)
from monitor.adapters.okx_frames import (
    DETAIL,
    FUNDING,
    INTEREST,
    KNOWN_KEYS,
    LIQUIDATION,
    LOOSE,
    MARK,
    MARKS,
    TRADE,
    Arg,
    Detail,
    FundingRow,
    InterestRow,
    LiquidationRow,
    Loose,
    MarkRow,
    TradeRow,
    decode_trades,
)
from monitor.adapters.okx_rest import (
    HISTORY_TRADES,
    instruments_in,
    interest_in,
    month_of,
    trades_between,
    trades_in,
)
from monitor.adapters.plan import carried_channels, chunked, request, shard
from monitor.adapters.rows import (
    EARLIEST_US,
    UNREADABLE,
    Fault,
    Listing,
    Listings,
    amount_fault,
    amounts,
    decode_rows,
    find_fault,
    numbered,
    optional_float,
    optional_time_us,
    quote_constants,
    raw_array,
    reject,
    symbol_fault,
    time_fault,
    unknown_value,
    unreadable,
)
from monitor.assets import split_symbol
from monitor.events import Channel, Liquidation, MarkPrice, OpenInterest, Side, TakerSide, Trade

VENUE: Final = "okx"

CHANNELS: Final[dict[Channel, tuple[str, ...]]] = {
    "liquidations": ("liquidation-orders",),
    "mark_price": ("mark-price", "funding-rate"),
    "open_interest": ("open-interest",),
    "trades": ("trades",),
}
"""The exchange's channels behind each of ours, in the order of subscribing."""

BACKLOG_US: Final = 60_000_000
"""Older liquidations than this at receipt are the exchange's repetition after a subscription."""

BYTES_PER_CONNECTION: Final = 60_000
"""The exchange refuses a channel list above 64 kB; the rest is for the frames' own keys."""

ARGS_PER_REQUEST: Final = 100
"""About 5 kB a frame, and far below 480 requests an hour."""

STALE_AFTER_S: Final = 15.0
"""A mark price that does not move is repeated each 10 s."""

KEEPALIVE: Final = Keepalive("ping", interval_s=20.0, timeout_s=10.0)
"""The exchange cuts a connection that was idle for 30 s."""

POSITION_SIDES: Final[dict[str, Side]] = {"sell": "long", "buy": "short"}
TAKER_SIDES: Final[dict[str, TakerSide]] = {"buy": "buy", "sell": "sell"}


# The first bytes of a push as the exchange writes them; in any other layout a frame goes the longer way round.
TRADES_HEAD: Final = b'{"arg":{"channel":"trades",'
TRADES_HEAD_SIZE: Final = len(TRADES_HEAD)  # comparing a slice takes half of what startswith does
MARKS_HEAD: Final = b'{"arg":{"channel":"mark-price",'


class Okx(Adapter):
    """See :class:`monitor.adapters.adapter.Adapter`."""

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
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (
        RestRequest("/api/v5/public/instruments", {"instType": "SWAP"}, about="SWAP"),
        RestRequest("/api/v5/public/instruments", {"instType": "FUTURES"}, about="FUTURES"),
    )
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        self._listings = Listings(self.venue, instruments, by_name=False)
        self._plain = self._listings.plain.get
        self._blind = instruments is None
        self._funding: dict[str, tuple[float | UnsetType, int | UnsetType]] = {}

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
        """Whether a symbol's channel is wanted: of dated futures the trades alone."""
        return name == "trades" or not self._dated(symbol)

    def _kinds(self, symbols: Sequence[str]) -> list[str]:
        """The kinds of instruments whose liquidations are wanted: swaps, and futures where any is watched."""
        return ["SWAP", "FUTURES"] if any(map(self._dated, symbols)) else ["SWAP"]

    def _dated(self, symbol: str) -> bool:
        return symbol in self._listings.dated or split_symbol(symbol).dated

    def parse(self, frame: bytes, received_us: int) -> list[Message]:
        """Read one frame."""
        try:
            if frame[:TRADES_HEAD_SIZE] == TRADES_HEAD:
                rows = decode_trades(frame).data
                trades: list[Message] = []
                for row in rows:
                    # Nearly every row: no calls but the record's own. A frame with another one is judged number by
                    # number, at twice the time.
                    plain = self._plain(symbol := row.instId)
                    time_us = row.ts * 1000
                    if plain is None or time_us > received_us:
                        return self._trades(rows, received_us, frame)
                    asset, size = plain
                    price = row.px
                    contracts = row.sz
                    usd = price * contracts * size
                    coins = contracts * size
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
            if frame.startswith(MARKS_HEAD):
                return self._marks(MARKS.decode(frame).data, received_us, frame)
        except UNREADABLE:
            return self._any(frame, received_us)
        return self._any(frame, received_us)

    def _trades(self, rows: Sequence[TradeRow], received_us: int, frame: bytes) -> list[Message]:
        """Trades of a frame that :meth:`parse` would not have, judged row by row."""
        messages: list[Message] = []
        for row in rows:
            listing = self._listings[row.instId]
            side = TAKER_SIDES.get(row.side)
            if listing is None:
                messages.append(reject(VENUE, self._symbol_fault(row.instId), received_us, frame))
                continue
            if side is None:
                messages.append(reject(VENUE, unknown_value("taker side", row.side), received_us, frame))
                continue
            time_us = row.ts * 1000
            price, quantity, usd = amounts(listing, row.px, row.sz)
            fault = find_fault(time_us, received_us, price=price, quantity=quantity, notional=usd, count=row.count)
            if fault:
                messages.append(reject(VENUE, fault, received_us, frame))
                continue
            id_ = row.tradeId
            messages.append(
                Trade(VENUE, row.instId, listing[0], time_us, received_us, side, price, quantity, usd, row.count, id_)
            )
        return messages

    def _any(self, frame: bytes, received_us: int) -> list[Message]:
        """Read a frame of any kind, row by row."""
        if frame == b"pong":
            return [Pong()]
        try:
            loose = LOOSE.decode(frame)
        except UNREADABLE as error:
            quoted = quote_constants(frame)
            if quoted is not None:
                return self.parse(quoted, received_us)
            return [reject(VENUE, unreadable(error), received_us, frame)]
        if loose.arg is UNSET or loose.data is UNSET:
            return [self._reply(loose, received_us, frame)]
        raws = raw_array(loose.data)
        if raws is None:
            return [reject(VENUE, ("malformed", "data is no array"), received_us, frame)]
        return self._push(loose.arg.channel, raws, received_us, frame)

    def _push(self, channel: str, raws: list[msgspec.Raw], received_us: int, frame: bytes) -> list[Message]:
        """The rows of a push, each decoded by itself."""
        faults: list[tuple[int, Fault]]
        if channel == "liquidation-orders":
            orders, faults = decode_rows(raws, LIQUIDATION)
            messages = self._liquidations(orders, received_us, frame)
        elif channel == "trades":
            trades, faults = decode_rows(raws, TRADE)
            messages = self._trades(trades, received_us, frame)
        elif channel == "mark-price":
            marks, faults = decode_rows(raws, MARK)
            messages = self._marks(marks, received_us, frame)
        elif channel == "funding-rate":
            fundings, faults = decode_rows(raws, FUNDING)
            messages = self._fundings(fundings, received_us, frame)
        elif channel == "open-interest":
            interests, faults = decode_rows(raws, INTEREST)
            messages = self._interests(interests, received_us, frame)
        else:
            return [reject(VENUE, ("unknown_channel", f"channel {channel[:64]!r}"), received_us, frame)]
        messages.extend(reject(VENUE, fault, received_us, frame) for _, fault in faults)
        return messages

    def _liquidations(self, rows: list[LiquidationRow], received_us: int, frame: bytes) -> list[Message]:
        messages: list[Message] = []
        seen: dict[str, int] = {}
        for row in rows:
            details, faults = decode_rows(row.details, DETAIL)
            messages.extend(reject(VENUE, fault, received_us, frame) for _, fault in faults)
            listing = self._listings[row.instId]
            for detail in details:
                if listing is None:
                    messages.append(reject(VENUE, self._symbol_fault(row.instId), received_us, frame))
                elif received_us and EARLIEST_US <= detail.ts * 1000 < received_us - BACKLOG_US:
                    messages.append(Skipped("backlog", 1))
                else:
                    messages.append(self._liquidation(row.instId, listing, detail, seen, received_us, frame))
        return messages

    def _liquidation(
        self, symbol: str, listing: Listing, row: Detail, seen: dict[str, int], received_us: int, frame: bytes
    ) -> Message:
        side = POSITION_SIDES.get(row.side)
        if side is None:
            return reject(VENUE, unknown_value("order side", row.side), received_us, frame)
        asset, prefix = listing[0], listing[4]
        time_us = row.ts * 1000
        price, quantity, usd = amounts(listing, row.bkPx, row.sz)
        fault = find_fault(time_us, received_us, price=price, quantity=quantity, notional=usd)
        if fault:
            return reject(VENUE, fault, received_us, frame)
        id_ = numbered(seen, f"{prefix}{row.ts}:{row.side}:{row.posSide}:{row.sz!r}:{row.bkPx!r}")
        return Liquidation(
            VENUE,
            symbol,
            asset,
            time_us,
            received_us,
            side,
            usd,
            coverage_at(self.eras, time_us),
            id_,
            quantity,
            price,
            "bankruptcy",
        )

    def _marks(self, rows: list[MarkRow], received_us: int, frame: bytes) -> list[Message]:
        messages: list[Message] = []
        for row in rows:
            listing = self._listings[row.instId]
            if listing is None:
                messages.append(reject(VENUE, self._symbol_fault(row.instId), received_us, frame))
                continue
            asset, units, _, _, _ = listing
            time_us = row.ts * 1000
            price = row.markPx / units
            if fault := find_fault(time_us, received_us, mark_price=price):
                messages.append(reject(VENUE, fault, received_us, frame))
                continue
            rate, next_us = self._funding.get(row.instId, (UNSET, UNSET))
            messages.append(MarkPrice(VENUE, row.instId, asset, time_us, received_us, price, UNSET, rate, next_us))
        return messages

    def _fundings(self, rows: list[FundingRow], received_us: int, frame: bytes) -> list[Message]:
        messages: list[Message] = []
        for row in rows:
            if self._listings[row.instId] is None:
                messages.append(reject(VENUE, self._symbol_fault(row.instId), received_us, frame))
            else:
                self._funding[row.instId] = optional_float(row.fundingRate), optional_time_us(row.fundingTime)
        return messages

    def _interests(self, rows: list[InterestRow], received_us: int, frame: bytes) -> list[Message]:
        messages: list[Message] = []
        for row in rows:
            listing = self._listings[row.instId]
            if listing is None:
                messages.append(reject(VENUE, self._symbol_fault(row.instId), received_us, frame))
                continue
            asset, units, _, _, _ = listing
            time_us = row.ts * 1000
            coins = row.oiCcy * units
            # Zero is an open interest: that of an instrument listed a moment ago.
            fault = amount_fault("oiCcy", coins) or amount_fault("oiUsd", row.oiUsd) or time_fault(time_us, received_us)
            if fault:
                messages.append(reject(VENUE, fault, received_us, frame))
            else:
                messages.append(OpenInterest(VENUE, row.instId, asset, time_us, received_us, coins, row.oiUsd))
        return messages

    def _symbol_fault(self, symbol: str) -> Fault:
        """Why nothing is known of a symbol, with the remedy where no instrument data were given at all."""
        reason, detail = symbol_fault(symbol)
        if self._blind and reason == "unknown_symbol":
            detail += ": sizes are contracts, so give the contract sizes with --instruments"
        return reason, detail

    def _reply(self, loose: Loose, received_us: int, frame: bytes) -> Message:
        """What the exchange says of a request or of the connection."""
        key = "" if loose.arg is UNSET else loose.arg.key
        if loose.event == "subscribe" and key:
            return Ack(key)
        if loose.event == "error":
            return Refusal(key, f"{loose.code}: {loose.msg}")
        if loose.event == "notice":
            # The exchange sends it shortly before it closes the connection for an upgrade.
            return Notice(f"{loose.code}: {loose.msg}", reconnect=True)
        if loose.event.startswith("channel-conn-count"):
            return Notice(loose.event, reconnect=False)
        return reject(VENUE, ("malformed", "neither a push nor an answer"), received_us, frame)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/api/v5/public/instruments``: swaps and dated futures whose contract size is known."""
        return instruments_in(body, request)

    def history(self, symbols: Sequence[str], now_us: int) -> Sequence[RestRequest]:
        """Open interest of swaps by the hour."""
        return [one for symbol in symbols if symbol not in self._listings.dated for one in month_of(symbol, now_us)]

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """Trades of a gap; forced orders are not kept."""
        return [trades_between(symbol, from_us, to_us) for symbol in symbols] if channel == "trades" else ()

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int) -> RestPage:
        """Read trades or open interest of the past."""
        if request.path == HISTORY_TRADES:
            trades, faults, further = trades_in(request, body)
            messages = self._trades(trades, received_us, body)
        else:
            interests, faults = interest_in(request, body)
            messages = self._interests(interests, received_us, body)
            further = None
        messages.extend(reject(VENUE, fault, received_us, body) for fault in faults)
        return RestPage(messages, further)


def argument(channel: str, symbol: str) -> dict[str, str]:
    """A subscription's argument."""
    return {"channel": channel, "instId": symbol}


def acknowledgement(args: Mapping[str, str]) -> str:
    """The key of the acknowledgement that an argument brings."""
    return Arg(**args).key
