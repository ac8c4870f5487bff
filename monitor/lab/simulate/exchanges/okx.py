"""Builds OKX v5's swap frames: sizes in contracts, one forced order per contract and second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson

from monitor.lab.simulate.exchanges.dialect import Answer, Dialect, Outgoing, encode
from monitor.lab.simulate.ledger import Entry
from monitor.lab.simulate.listings import OKX, Asset, Listing
from monitor.lab.simulate.tape import ForcedOrder, Print, Quote
from monitor.lab.simulate.throttle import Batch, OnePerSecond

LIQUIDATIONS: Final = "liquidation-orders"
LIQUIDATIONS_ARG: Final = {"channel": LIQUIDATIONS, "instType": "SWAP"}
PUSH_US: Final = 1_500_000
"""Interval of forced-order frames, microseconds; longer than the throttle's second, so a contract has one or two."""
BACKLOG_US: Final = 600_000_000
"""Age of the order in the first frame for a subscriber, microseconds."""
MARK_US: Final = 200_000
INTEREST_US: Final = 3_000_000
FUNDING_US: Final = 30_000_000
FUNDING_INTERVAL_MS: Final = 8 * 3_600_000
PER_INSTRUMENT: Final = frozenset({"trades", "mark-price", "funding-rate", "open-interest"})
NET_EVERY: Final = 3
"""Every third order is of an account in net mode, where ``side`` names the side and ``posSide`` does not."""
LISTED_MS: Final = "1611907686000"


def topic_of(arg: Mapping[str, str]) -> str:
    """Return the topic of a subscription: the channel and its scope."""
    scope = arg.get("instType", "") if arg["channel"] == LIQUIDATIONS else arg.get("instId", "")
    return f"{arg['channel']}:{scope}"


class Okx(Dialect):
    """OKX v5 swaps; topics are ``channel:instId`` and ``channel:instType``."""

    venue: ClassVar[str] = OKX
    path: ClassVar[str] = "/ws/v5/public"

    def __init__(self, assets: Sequence[Asset], quotes: Mapping[str, Quote], now_us: int) -> None:
        super().__init__(assets, quotes, now_us)
        self._throttle = OnePerSecond()
        self._batch = Batch(PUSH_US)

    def entry(self, order: ForcedOrder) -> Entry:
        """Return the order with notional ``sz`` * ``ctVal`` * ``bkPx``."""
        return Entry(order.listing.symbol, order.side, order.bankruptcy_micro_usd)

    def liquidations(self, forced: Sequence[ForcedOrder]) -> list[Outgoing]:
        """Return the frames of ``liquidation-orders`` of all swaps."""
        return self._push(self._batch.feed(self._throttle.feed(forced), self.now_us))

    def flush(self) -> list[Outgoing]:
        """Return the frames of the batch that has not ended."""
        return self._push(self._batch.flush())

    def _push(self, orders: Sequence[ForcedOrder]) -> list[Outgoing]:
        if not orders:
            return []
        by_symbol: dict[str, list[ForcedOrder]] = {}
        # Newest first: the exchange documents that rows are not sorted by time.
        for order in reversed(orders):
            by_symbol.setdefault(order.listing.symbol, []).append(order)
        rows = [self._row_of(symbol, group) for symbol, group in by_symbol.items()]
        frame = encode({"arg": LIQUIDATIONS_ARG, "data": rows})
        return [Outgoing(topic_of(LIQUIDATIONS_ARG), frame, self.show(orders))]

    def _row_of(self, symbol: str, orders: Sequence[ForcedOrder]) -> dict[str, Any]:
        family = symbol.removesuffix("-SWAP")
        row = {"instType": "SWAP", "instId": symbol, "uly": family, "instFamily": family}
        return row | {"details": [self._detail(order) for order in orders]}

    def _detail(self, order: ForcedOrder) -> dict[str, str]:
        return {
            "side": "sell" if order.side == "long" else "buy",
            "posSide": "net" if order.order_id % NET_EVERY == 0 else order.side,
            "bkPx": order.listing.price_text(order.bankruptcy_ticks),
            "sz": order.listing.quantity_text(order.lots),
            "bkLoss": "0",
            "ccy": "",
            "ts": str(order.time_us // 1_000),
        }

    def trades(self, prints: Sequence[Print]) -> list[Outgoing]:
        """Return the frames of ``trades``, one trade a frame."""
        return [self._push_row("trades", one.listing.symbol, self._trade(one)) for one in prints]

    def _trade(self, one: Print) -> dict[str, Any]:
        number = self.next_id()
        return {
            "instId": one.listing.symbol,
            "tradeId": str(number),
            "px": one.listing.price_text(one.ticks),
            "sz": one.listing.quantity_text(one.lots),
            "side": one.taker_side,
            "ts": str(one.time_us // 1_000),
            "count": "1",
            "source": "0",
            "seqId": number,
        }

    def state(self) -> list[Outgoing]:
        """Return the frames of mark prices, open interest and funding, each at its own interval."""
        due = [
            channel
            for channel, every_us in (
                ("mark-price", MARK_US),
                ("open-interest", INTEREST_US),
                ("funding-rate", FUNDING_US),
            )
            if self.now_us % every_us == 0
        ]
        return [
            self._push_row(channel, symbol, self._row(channel, symbol)) for channel in due for symbol in self.by_symbol
        ]

    def _push_row(self, channel: str, symbol: str, row: Mapping[str, Any]) -> Outgoing:
        arg = {"channel": channel, "instId": symbol}
        return Outgoing(topic_of(arg), encode({"arg": arg, "data": [row]}))

    def _row(self, channel: str, symbol: str) -> dict[str, Any]:
        listing = self.by_symbol[symbol]
        quote = self.quotes[listing.asset]
        row: dict[str, Any] = {"instType": "SWAP", "instId": symbol, "ts": str(self.now_ms)}
        if channel == "mark-price":
            return row | {"markPx": listing.price_text(listing.ticks(quote.mark_price))}
        if channel == "open-interest":
            return row | self._interest(listing, quote)
        settles_ms = quote.next_funding_us // 1_000
        return row | {
            "fundingRate": f"{quote.funding_rate:.8f}",
            "fundingTime": str(settles_ms),
            "nextFundingRate": "",
            "nextFundingTime": str(settles_ms + FUNDING_INTERVAL_MS),
            "method": "current_period",
        }

    def _interest(self, listing: Listing, quote: Quote) -> dict[str, Any]:
        """Return ``oi`` in contracts, ``oiCcy`` in coins (a JSON number, unlike the rest), ``oiUsd``."""
        lots = quote.venue_lots[self.venue]
        coins = listing.base_quantity(lots)
        return {"oi": listing.quantity_text(lots), "oiCcy": coins, "oiUsd": f"{coins * quote.mark_price:.2f}"}

    def greeting(self, topic: str) -> bytes | None:
        """Return the first frame of a channel: its state, or a repetition of an old forced order."""
        channel, _, scope = topic.partition(":")
        if channel == "trades":
            return None
        if channel == LIQUIDATIONS:
            return self._backlog()
        return self._push_row(channel, scope, self._row(channel, scope)).frame

    def _backlog(self) -> bytes:
        """Return one order from long before; it is in no ledger, and counting it would repeat at every reconnect."""
        listing = next(iter(self.listings.values()))
        price = listing.ticks(self.quotes[listing.asset].mark_price)
        order = ForcedOrder(
            order_id=0,
            listing=listing,
            side="long",
            lots=1,
            last_fill_lots=1,
            fill_ticks=price,
            bankruptcy_ticks=price,
            time_us=self.now_us - BACKLOG_US,
        )
        return encode({"arg": LIQUIDATIONS_ARG, "data": [self._row_of(order.listing.symbol, [order])]})

    def answer(self, frame: str, path: str, client: int) -> Answer:
        """Answer subscriptions, one answer per argument, and the text ping."""
        if frame == "ping":
            return Answer((b"pong",))
        connection = f"{client:08x}"
        try:
            request = orjson.loads(frame)
            operation, args = request["op"], [dict(arg) for arg in request["args"]]
            faults = [self._find_fault(arg) for arg in args]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            return Answer((self._error(connection, "60012", f"Invalid request: {frame[:200]}"),))
        if operation not in {"subscribe", "unsubscribe"}:
            return Answer((self._error(connection, "60012", f"Invalid request: {frame[:200]}"),))
        frames = tuple(
            self._error(connection, "60018", fault)
            if fault
            else encode({"event": operation, "arg": arg, "connId": connection})
            for arg, fault in zip(args, faults, strict=True)
        )
        topics = tuple(topic_of(arg) for arg, fault in zip(args, faults, strict=True) if not fault)
        return Answer(frames, subscribe=topics) if operation == "subscribe" else Answer(frames, unsubscribe=topics)

    def _find_fault(self, arg: Mapping[str, str]) -> str:
        """Return why an argument names no channel: forced orders go by ``instType`` alone, others by ``instId``."""
        if arg == LIQUIDATIONS_ARG or (arg["channel"] in PER_INSTRUMENT and arg.get("instId") in self.by_symbol):
            return ""
        scope = {name: value for name, value in arg.items() if name != "channel"}
        return f"Wrong URL or channel:{arg['channel']}, {scope} doesn't exist."

    def _error(self, connection: str, code: str, text: str) -> bytes:
        return encode({"event": "error", "code": code, "msg": text, "connId": connection})

    def rest(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """Return the body of ``instruments`` of swaps; no dated futures are traded here."""
        if path != "/api/v5/public/instruments" or query.get("instType") not in ("SWAP", "FUTURES"):
            return None
        listings = self.listings.values() if query["instType"] == "SWAP" else ()
        data = [self._instrument(listing) for listing in listings]
        return encode({"code": "0", "msg": "", "data": data})

    def _instrument(self, listing: Listing) -> dict[str, str]:
        family = listing.symbol.removesuffix("-SWAP")
        return {
            "instType": "SWAP",
            "instId": listing.symbol,
            "uly": family,
            "instFamily": family,
            "baseCcy": "",
            "quoteCcy": "",
            "settleCcy": "USDT",
            "ctVal": format(listing.contract_size.normalize(), "f"),
            "ctMult": "1",
            "ctValCcy": listing.base,
            "ctType": "linear",
            "tickSz": listing.price_text(1),
            "lotSz": listing.quantity_text(1),
            "minSz": listing.quantity_text(1),
            "listTime": LISTED_MS,
            "state": "live",
        }
