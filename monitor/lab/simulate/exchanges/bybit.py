"""Builds Bybit v5's linear frames: every forced order, in batches of 500 ms, by position side and bankruptcy price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson

from monitor.lab.simulate.exchanges.dialect import Answer, Dialect, Outgoing, encode
from monitor.lab.simulate.ledger import Entry
from monitor.lab.simulate.listings import BYBIT, Asset, Listing
from monitor.lab.simulate.tape import ForcedOrder, Print, Quote
from monitor.lab.simulate.throttle import Batch
from monitor.model.events import MICROS

BATCH_US: Final = 500_000
MAX_ARGS_CHARACTERS: Final = 21_000
"""Largest length of all topics of one request together; more is refused."""
DEFAULT_PAGE: Final = 500
"""Number of instruments of a REST page where the request names no limit."""
CHANNELS: Final = frozenset({"allLiquidation", "publicTrade", "tickers"})
LAUNCH_MS: Final = "1584230400000"
"""Day on which BTCUSDT was listed, 2020-03-15, milliseconds."""


def connection_id(client: int) -> str:
    """Return the id of a connection in the exchange's form."""
    return f"00000000-0000-4000-8000-{client:012x}"


class Bybit(Dialect):
    """Bybit v5 linear; topics are the exchange's own."""

    venue: ClassVar[str] = BYBIT
    path: ClassVar[str] = "/v5/public/linear"

    def __init__(self, assets: Sequence[Asset], quotes: Mapping[str, Quote], now_us: int) -> None:
        super().__init__(assets, quotes, now_us)
        self._batch = Batch(BATCH_US)
        self._tickers: dict[str, dict[str, str]] = {}
        self._sequence = self._next_id
        self.observe(self.quotes, self.now_us)

    def observe(self, quotes: Mapping[str, Quote], now_us: int) -> None:
        """Take over the state of a market that advanced without frames."""
        super().observe(quotes, now_us)
        for symbol, listing in self.by_symbol.items():
            self._tickers[symbol] = self._prices(listing) | self._interest(listing)

    def entry(self, order: ForcedOrder) -> Entry:
        """Return the order with notional ``v`` * ``p``."""
        return Entry(order.listing.symbol, order.side, order.bankruptcy_micro_usd)

    def liquidations(self, forced: Sequence[ForcedOrder]) -> list[Outgoing]:
        """Return the frames of ``allLiquidation.<symbol>``."""
        return self._push(self._batch.feed(forced, self.now_us))

    def flush(self) -> list[Outgoing]:
        """Return the frames of the batch that has not ended."""
        return self._push(self._batch.flush())

    def _push(self, orders: Sequence[ForcedOrder]) -> list[Outgoing]:
        by_symbol: dict[str, list[ForcedOrder]] = {}
        for order in orders:
            by_symbol.setdefault(order.listing.symbol, []).append(order)
        outgoing = []
        for symbol, group in by_symbol.items():
            topic = f"allLiquidation.{symbol}"
            rows = [
                {
                    "T": order.time_us // 1_000,
                    "s": symbol,
                    "S": "Buy" if order.side == "long" else "Sell",
                    "v": order.listing.quantity_text(order.lots),
                    "p": order.listing.price_text(order.bankruptcy_ticks),
                }
                for order in group
            ]
            frame = encode({"topic": topic, "type": "snapshot", "ts": self.now_ms, "data": rows})
            outgoing.append(Outgoing(topic, frame, self.show(group)))
        return outgoing

    def trades(self, prints: Sequence[Print]) -> list[Outgoing]:
        """Return the frames of ``publicTrade.<symbol>``: all trades of a step in one frame."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for one in prints:
            number = self.next_id()
            self._sequence += 1
            row = {
                "T": one.time_us // 1_000,
                "s": one.listing.symbol,
                "S": one.taker_side.capitalize(),
                "v": one.listing.quantity_text(one.lots),
                "p": one.listing.price_text(one.ticks),
                "L": "PlusTick" if one.taker_side == "buy" else "MinusTick",
                "i": f"{number >> 16 & 0xFFFFFFFF:08x}-{number & 0xFFFF:04x}-5000-8000-{number >> 48:012x}",
                "BT": False,
                "RPI": False,
                "seq": self._sequence,
            }
            rows.setdefault(f"publicTrade.{one.listing.symbol}", []).append(row)
        return [
            Outgoing(topic, encode({"topic": topic, "type": "snapshot", "ts": self.now_ms, "data": data}))
            for topic, data in rows.items()
        ]

    def state(self) -> list[Outgoing]:
        """Return the frames of ``tickers.<symbol>``: what changed, every step; open interest once a second."""
        outgoing = []
        for symbol, listing in self.by_symbol.items():
            known = self._tickers[symbol]
            now = self._prices(listing) | ({} if self.now_us % MICROS else self._interest(listing))
            changed = {name: value for name, value in now.items() if known[name] != value}
            if changed:
                known.update(changed)
                outgoing.append(Outgoing(f"tickers.{symbol}", self._ticker(symbol, "delta", changed)))
        return outgoing

    def _ticker(self, symbol: str, kind: str, fields: Mapping[str, str]) -> bytes:
        self._sequence += 1
        data = {"symbol": symbol, **fields}
        return encode(
            {"topic": f"tickers.{symbol}", "type": kind, "data": data, "cs": self._sequence, "ts": self.now_ms}
        )

    def _prices(self, listing: Listing) -> dict[str, str]:
        quote = self.quotes[listing.asset]
        mark = listing.price_text(listing.ticks(quote.mark_price))
        return {
            "lastPrice": mark,
            "markPrice": mark,
            "indexPrice": listing.price_text(listing.ticks(quote.index_price)),
            "fundingRate": f"{quote.funding_rate:.8f}",
            "nextFundingTime": str(quote.next_funding_us // 1_000),
            "fundingIntervalHour": "8",
        }

    def _interest(self, listing: Listing) -> dict[str, str]:
        """Return the open interest: ``openInterest`` counts both sides, ``singleOpenInterest`` one."""
        quote = self.quotes[listing.asset]
        lots = quote.venue_lots[self.venue]
        one_side = listing.base_quantity(lots) * quote.mark_price
        return {
            "openInterest": listing.quantity_text(2 * lots),
            "openInterestValue": f"{2 * one_side:.2f}",
            "singleOpenInterest": listing.quantity_text(lots),
            "singleOpenInterestValue": f"{one_side:.2f}",
        }

    def greeting(self, topic: str) -> bytes | None:
        """Return a ticker's snapshot, with which its subscription begins."""
        channel, _, symbol = topic.partition(".")
        return self._ticker(symbol, "snapshot", self._tickers[symbol]) if channel == "tickers" else None

    def answer(self, frame: str, path: str, client: int) -> Answer:
        """Answer subscriptions, and the exchange's own ping."""
        try:
            request = orjson.loads(frame)
            operation, args = request["op"], tuple(str(topic) for topic in request.get("args", ()))
            identifier = str(request.get("req_id", ""))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return self._refusal(client, "", "subscribe", "Params Error")
        if operation == "ping":
            return Answer((self._reply(client, identifier, "ping", True, "pong"),))
        if operation not in {"subscribe", "unsubscribe"}:
            return self._refusal(client, identifier, str(operation), f"error:invalid op:{operation}")
        if fault := self._find_fault(args):
            return self._refusal(client, identifier, operation, fault)
        done = (self._reply(client, identifier, operation, True, ""),)
        return Answer(done, subscribe=args) if operation == "subscribe" else Answer(done, unsubscribe=args)

    def _find_fault(self, args: Sequence[str]) -> str:
        """Return the exchange's message about a request that it refuses, or an empty text."""
        if sum(len(topic) for topic in args) > MAX_ARGS_CHARACTERS:
            return f"args size >{MAX_ARGS_CHARACTERS}"
        for topic in args:
            channel, _, symbol = topic.partition(".")
            if channel not in CHANNELS or symbol not in self.by_symbol:
                return f"error:handler not found,topic:{topic}"
        return ""

    def _refusal(self, client: int, identifier: str, operation: str, fault: str) -> Answer:
        return Answer((self._reply(client, identifier, operation, False, fault),))

    def _reply(self, client: int, identifier: str, operation: str, success: bool, text: str) -> bytes:
        content = {"success": success, "ret_msg": text, "conn_id": connection_id(client)}
        return encode({**content, "req_id": identifier, "op": operation})

    def rest(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """Return a page of ``instruments-info``; no inverse contract is traded here."""
        category = query.get("category")
        if path != "/v5/market/instruments-info" or category not in ("linear", "inverse"):
            return None
        start, limit = int(query.get("cursor") or 0), int(query.get("limit") or DEFAULT_PAGE)
        listings = list(self.listings.values()) if category == "linear" else []
        page = [self._instrument(listing) for listing in listings[start : start + limit]]
        cursor = str(start + limit) if start + limit < len(listings) else ""
        result = {"category": category, "list": page, "nextPageCursor": cursor}
        return encode({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": self.now_ms})

    def _instrument(self, listing: Listing) -> dict[str, Any]:
        step = listing.quantity_text(1)
        return {
            "symbol": listing.symbol,
            "contractType": "LinearPerpetual",
            "status": "Trading",
            "baseCoin": listing.base,
            "quoteCoin": "USDT",
            "settleCoin": "USDT",
            "symbolType": "",
            "launchTime": LAUNCH_MS,
            "deliveryTime": "0",
            "fundingInterval": 480,
            "priceFilter": {"tickSize": listing.price_text(1)},
            "lotSizeFilter": {"qtyStep": step, "minOrderQty": step},
        }
