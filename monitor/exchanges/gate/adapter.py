"""Gate v4 perpetuals, settled in USDT, USD1 or BTC: liquidations, trades, tickers.

Three settlements on a path each. Sizes are contracts of ``quanto_multiplier`` base units; that of BTC_USD is "0", and
its contract is one USD. Without the table sizes have no unit, so every row is quarantined.

Liquidations (``futures.public_liquidates``, a settlement's in one subscription): ``size`` is the **order's**, so
negative sold a long. Its sign is not documented; recorded frames show a falling price with negative sizes. ``price`` is
the order's. Documented as an array with numbers and ``time_ms``, seen (2026-08) as a single object with text and
``time``, which is then in milliseconds: both are read. At most one order a contract and second, and which one is not
documented. By Gate's page of 2026-08-20 all orders of a second come as one array since then; no recording of that was
seen, so the coverage stays ``sampled``, and rows of one frame that are alike are counted as orders.

Trades (``futures.trades``): ``size`` is signed, positive bought. ``is_internal`` is a take-over by the insurance fund
or a deleveraging: it met no order book and is left out.

Tickers (``futures.tickers``): mark, index, funding rate, when it is next applied, and ``total_size``, the open interest
in contracts. Frames of 2021 have their rows in an array within the array. ``futures.system`` announces an upgrade.

REST (``/futures/<settle>/liq_orders``, an hour at most a request) shows more: ``size`` there is the **position's**
(positive: a long), ``order_size`` the order's and ``fill_price`` its average fill. Its times are whole seconds, so only
seconds that lie wholly within a gap are taken: an id could not distinguish such a row from one of the socket.

Ids:
    liquidation ``gate:<contract>:<time in ms>:<size>:<price>``, and ``#1``, ``#2`` … appended to further rows of one
    frame that are alike; of REST ``gate:<contract>:<time in s>:<order_size>:<order_price>:<fill_price>``.
    trade ``<id>``.

Sources: gate.com/docs/developers/futures/ws and /apiv4 (List liquidated orders, FuturesLiqOrder, Contract);
github.com/gateio/WebSocket-API issue 132 (recorded frames).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET

from monitor.exchanges.adapter import SEND_TIME, Connection, CoverageEra, Keepalive, Request, Topic
from monitor.exchanges.gate.frames import (
    FRAME,
    KNOWN_KEYS,
    LIQUIDATIONS,
    SYSTEM,
    TICKERS,
    TRADES,
    Frame,
    LiquidationRow,
    Ticker,
    TradeRow,
)
from monitor.exchanges.gate.rest import read_instruments, read_liquidations, request_liquidations
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Notice, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import plausible_us, raw_rows
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, market_url, request
from monitor.model.events import Channel, PriceKind

SETTLEMENTS: Final = ("usdt", "btc", "usd1")

CHANNELS: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")

SYMBOLS_PER_CONNECTION: Final = 100
"""No limit is documented; six sockets carry all contracts, and a lost one costs a sixth."""

SYMBOLS_PER_REQUEST: Final = 50
"""About 1 kB a frame; one unknown contract costs its whole request."""

ALL: Final = ("!all",)

CHANNEL_OF: Final[dict[str, Channel]] = {
    "futures.public_liquidates": "liquidations",
    "futures.tickers": "mark_price",
    "futures.trades": "trades",
}
"""Main channel per name of a stream."""

KEEPALIVE: Final = Keepalive(f'{{"time":"{SEND_TIME}","channel":"futures.ping"}}', interval_s=15.0, timeout_s=10.0)
"""The exchange recommends a ping each 10 to 20 s."""
REPEATED: Final = "Alert sub"
"""Beginning of the error about a subscription that the socket already has: it is confirmed, not refused."""

MILLISECONDS_FROM: Final = 1_000_000_000_000
"""A time of that many seconds would be the year 33658, so it is one in milliseconds."""


class Gate(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "gate"
    ws_url: ClassVar[str] = "wss://fx-ws.gateio.ws/v4/ws/usdt"
    rest_url: ClassVar[str] = "https://api.gateio.ws"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(
            0,
            "sampled",
            "at most one order a contract and second, and not said which",
            "gate.com/docs/developers/futures/ws, Public Liquidates Order Channel",
        ),
        CoverageEra(
            1_787_184_000_000_000,  # 2026-08-20
            "sampled",
            "all orders of a second in one array, by a page that no recording confirms",
            "gate.com/docs/developers/futures/ws, changelog 2026-08-20",
        ),
    )
    counts_contracts: ClassVar[bool] = True
    by_name: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = tuple(
        RestRequest(f"/api/v4/futures/{settlement}/contracts", about=settlement) for settlement in SETTLEMENTS
    )
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Each settlement has its sockets; its first one carries all its liquidations."""
        carried = carried_channels(channels, CHANNELS)
        names = (["futures.tickers"] if {"mark_price", "open_interest"} & set(carried) else []) + (
            ["futures.trades"] if "trades" in carried else []
        )
        plans = []
        for settlement in SETTLEMENTS if carried else ():
            members = [symbol for symbol in symbols if settlement_of(symbol) == settlement]
            for number, group in enumerate(chunked(members, SYMBOLS_PER_CONNECTION)):
                asked = [(name, part) for name in names for part in chunked(group, SYMBOLS_PER_REQUEST)]
                here = frozenset(carried)
                if number:
                    here -= {"liquidations"}
                elif "liquidations" in here:
                    asked.insert(0, ("futures.public_liquidates", ALL))
                plans.append(
                    Connection(
                        name=f"{settlement}-{number}",
                        url=market_url(ws_url or self.ws_url, settlement, SETTLEMENTS),
                        requests=tuple(
                            subscription(identifier, name, part) for identifier, (name, part) in enumerate(asked, 1)
                        ),
                        channels=here,
                        symbols=tuple(group),
                        keepalive=KEEPALIVE,
                    )
                )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        frame = FRAME.decode(receipt.frame)
        if frame.event not in ("update", "all"):
            return [self._reply(frame, receipt)]
        records = self._records
        if frame.channel == "futures.trades":
            return records.read_rows(frame.result, TRADES, self._trade, receipt)
        if frame.channel == "futures.tickers":
            time_us = (frame.time_ms or frame.time * 1000) * 1000
            return [
                message
                for raw in arrays_of_rows(frame.result)
                for message in records.read_rows(raw, TICKERS, lambda row, at: self._ticker(row, time_us, at), receipt)
            ]
        if frame.channel == "futures.public_liquidates":
            seen: dict[str, int] = {}
            return records.read_rows(
                frame.result, LIQUIDATIONS, lambda row, _: [self._liquidation(row, seen, receipt)], receipt
            )
        if frame.channel == "futures.system":
            announced = SYSTEM.decode(frame.result)
            return [Notice(f"{announced.type}: {announced.msg}", reconnect=announced.type == "upgrade")]
        return [records.unknown_channel(frame.channel, receipt)]

    def _trade(self, row: TradeRow, receipt: Receipt) -> Iterable[Message]:
        if row.is_internal:
            return [Skipped("off_book", 1)]
        time_ms = row.create_time_ms or row.create_time * 1000
        side = "buy" if row.size > 0 else "sell"
        fill = Fill(row.contract, side, row.price, abs(row.size), plausible_us(time_ms), str(row.id))
        return [self._records.trade(fill, receipt)]

    def _liquidation(self, row: LiquidationRow, seen: dict[str, int], receipt: Receipt) -> Message:
        time = row.time_ms or row.time
        time_ms = time if time >= MILLISECONDS_FROM else time * 1000
        # The order's sign: what was sold was long.
        side = "sell" if row.size < 0 else "buy"
        key = f"{time_ms}:{row.size!r}:{row.price!r}"
        fill = Fill(row.contract, side, row.price, abs(row.size), time_ms * 1000, key)
        return self._records.liquidation(fill, "order", receipt, seen)

    def _ticker(self, row: Ticker, time_us: int, receipt: Receipt) -> list[Message]:
        """Read a contract's mark price and open interest."""
        next_us = plausible_us(row.funding_next_apply * 1000) or UNSET
        mark = MarkUpdate(row.contract, row.mark_price, time_us, row.index_price, row.funding_rate, next_us)
        return self._records.ticker(mark, row.total_size, receipt)

    def _reply(self, frame: Frame, receipt: Receipt) -> Message:
        """Read the answer to a request or a ping."""
        key = "" if frame.id is None else str(frame.id)
        if frame.channel == "futures.pong":
            return Pong()
        if frame.error is not None and frame.error.message.startswith(REPEATED):
            return Ack(key)
        if frame.error is not None:
            return Refusal(key, f"{frame.channel}: {frame.error.code}: {frame.error.message}")
        if frame.event == "subscribe":
            return Ack(key)
        return self._records.malformed(receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/futures/<settle>/contracts``: perpetuals whose contract size is known."""
        return read_instruments(body, request.about)

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """The liquidations of the gap's whole seconds, an hour a request."""
        if channel != "liquidations":
            return ()
        wanted = {settlement_of(symbol) for symbol in symbols}
        return [
            one
            for settlement in SETTLEMENTS
            if settlement in wanted
            for one in request_liquidations(settlement, from_us, to_us)
        ]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read liquidations: the position's sign, the average fill where there is one."""
        receipt = Receipt(received_us, body, memory)
        rows, faults, further = read_liquidations(request, body)
        messages: list[Message] = []
        for row in rows:
            side = "sell" if row.size > 0 else "buy"
            size = abs(row.order_size or row.size)
            kind: PriceKind = "average_fill" if row.fill_price else "order"
            id_ = f"{row.time}:{row.order_size!r}:{row.order_price!r}:{row.fill_price!r}"
            fill = Fill(row.contract, side, row.fill_price or row.order_price, size, row.time * 1_000_000, id_)
            messages.append(self._records.liquidation(fill, kind, receipt))
        messages.extend(self._records.refuse(fault, receipt) for fault in faults)
        return RestPage(messages, further)


def settlement_of(symbol: str) -> str:
    """Return the settlement of a contract; one quoted in US dollars themselves is settled in bitcoin."""
    quote = symbol.rpartition("_")[2]
    return {"USD": "btc", "USD1": "usd1"}.get(quote, "usdt")


def arrays_of_rows(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Return the arrays of rows in a result: itself, or the arrays that are its items in frames of 2021."""
    return [one if bytes(one).startswith(b"[") else msgspec.Raw(b"[" + bytes(one) + b"]") for one in raw_rows(raw)]


def subscription(identifier: int, channel: str, contracts: Sequence[str]) -> Request:
    """Return a subscription; the exchange sends its number back, and refuses a time that is a minute off."""
    content = {
        "time": SEND_TIME,
        "id": identifier,
        "channel": channel,
        "event": "subscribe",
        "payload": list(contracts),
    }
    return request(content, [str(identifier)], [Topic(contract, CHANNEL_OF[channel]) for contract in contracts])
