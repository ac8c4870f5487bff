"""Builds Binance USD-M's frames: ``/market`` streams, with the latest forced order per symbol and second.

The merged array streams carry COIN-M rows (``st`` 2) beside USD-M's (``st`` 1), as they do since 2026-06-30; those rows
are not this market's and are in no ledger. The paths from before 2026-04-23 still connect but carry no market data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson

from monitor.lab.simulate.exchanges.dialect import Answer, Dialect, Outgoing, encode
from monitor.lab.simulate.ledger import Entry, Shown
from monitor.lab.simulate.listings import BINANCE_USDM, Asset, Listing
from monitor.lab.simulate.tape import ForcedOrder, Print, Quote
from monitor.lab.simulate.throttle import FirstOfWindow
from monitor.model.events import MICROS

MARKET_PATHS: Final = frozenset({"/market/stream", "/market/ws"})
SILENT_PATHS: Final = frozenset({"/stream", "/ws"})
ALL_ORDERS: Final = "!forceOrder@arr"
ALL_MARKS: Final = "!markPrice@arr@1s"
USD_M, COIN_M = 1, 2
COIN_M_EVERY: Final = 5
"""Every fifth forced order of BTC on the array stream has a COIN-M one beside it."""
ONBOARD_MS: Final = 1_569_398_400_000
"""Day on which BTCUSDT was listed, 2019-09-25, milliseconds."""


class BinanceUsdm(Dialect):
    """Binance USD-M; topics are stream names."""

    venue: ClassVar[str] = BINANCE_USDM
    path: ClassVar[str] = "/market/stream"

    def __init__(self, assets: Sequence[Asset], quotes: Mapping[str, Quote], now_us: int) -> None:
        super().__init__(assets, quotes, now_us)
        self._throttle = FirstOfWindow()
        self._pushes = 0
        self._aggregate_ids = dict.fromkeys(self.by_symbol, self._next_id)

    def entry(self, order: ForcedOrder) -> Entry:
        """Return the order with notional ``z`` * ``ap``."""
        return Entry(order.listing.symbol, order.side, order.filled_micro_usd)

    def carries_liquidations(self, topic: str) -> bool:
        """Return True if a stream carries forced orders."""
        return "forceOrder" in topic

    def liquidations(self, forced: Sequence[ForcedOrder]) -> list[Outgoing]:
        """Return the frames of ``<symbol>@forceOrder`` and ``!forceOrder@arr``."""
        return self._push(self._throttle.feed(forced, self.now_us))

    def flush(self) -> list[Outgoing]:
        """Return the frames of the orders of a second that has not ended."""
        return self._push(self._throttle.flush())

    def _push(self, orders: Sequence[ForcedOrder]) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        for order, shown in zip(orders, self.show(orders), strict=True):
            outgoing += self._forced(order, shown)
        return outgoing

    def _forced(self, order: ForcedOrder, shown: Shown) -> list[Outgoing]:
        listing = order.listing
        content = {
            "s": listing.symbol,
            "S": "SELL" if order.side == "long" else "BUY",
            "o": "LIMIT",
            "f": "IOC",
            "q": listing.quantity_text(order.lots),
            "p": listing.price_text(order.bankruptcy_ticks),
            "ap": listing.price_text(order.fill_ticks),
            "X": "FILLED",
            "l": listing.quantity_text(order.last_fill_lots),
            "z": listing.quantity_text(order.lots),
            "T": order.time_us // 1_000,
        }
        frame = encode({"e": "forceOrder", "E": self.now_ms, "st": USD_M, "o": content})
        outgoing = [
            Outgoing(f"{listing.symbol.lower()}@forceOrder", frame, (shown,)),
            Outgoing(ALL_ORDERS, frame, (shown,)),
        ]
        if listing.asset == "BTC":
            self._pushes += 1
            if self._pushes % COIN_M_EVERY == 0:
                outgoing.append(Outgoing(ALL_ORDERS, self._coin_m(content)))
        return outgoing

    def _coin_m(self, like: Mapping[str, Any]) -> bytes:
        """Return a COIN-M order of 12 contracts of 100 USD; read as coins it would be worth 780,000 USD."""
        content = {**like, "s": "BTCUSD_PERP", "ps": "BTCUSD", "q": "12", "l": "12", "z": "12"}
        return encode({"e": "forceOrder", "E": self.now_ms, "st": COIN_M, "ps": "BTCUSD", "o": content})

    def trades(self, prints: Sequence[Print]) -> list[Outgoing]:
        """Return the frames of ``<symbol>@aggTrade``: prints of one price and taker within a step are one."""
        merged: dict[tuple[Listing, int, str], list[Print]] = {}
        for one in prints:
            merged.setdefault((one.listing, one.ticks, one.taker_side), []).append(one)
        return [self._aggregate(group) for group in merged.values()]

    def _aggregate(self, group: Sequence[Print]) -> Outgoing:
        listing, taker, ticks = group[0].listing, group[0].taker_side, group[0].ticks
        quantity = listing.quantity_text(sum(one.lots for one in group))
        first = self.next_id(len(group))
        self._aggregate_ids[listing.symbol] += 1
        frame = encode(
            {
                "e": "aggTrade",
                "E": self.now_ms,
                "s": listing.symbol,
                "a": self._aggregate_ids[listing.symbol],
                "p": listing.price_text(ticks),
                "q": quantity,
                "nq": quantity,
                "f": first,
                "l": first + len(group) - 1,
                "T": group[0].time_us // 1_000,
                "m": taker == "sell",
                "st": USD_M,
            }
        )
        return Outgoing(f"{listing.symbol.lower()}@aggTrade", frame)

    def state(self) -> list[Outgoing]:
        """Return the frames of mark prices, once a second."""
        if self.now_us % MICROS:
            return []
        rows = [self._mark(asset, listing) for asset, listing in self.listings.items()]
        outgoing = [Outgoing(f"{row['s'].lower()}@markPrice@1s", encode(row)) for row in rows]
        coin_m = {**rows[0], "s": "BTCUSD_PERP", "ps": "BTCUSD", "st": COIN_M}
        return [*outgoing, Outgoing(ALL_MARKS, encode([*rows, coin_m]))]

    def _mark(self, asset: str, listing: Listing) -> dict[str, Any]:
        quote = self.quotes[asset]
        index = listing.price_text(listing.ticks(quote.index_price))
        return {
            "e": "markPriceUpdate",
            "E": self.now_ms,
            "s": listing.symbol,
            "p": listing.price_text(listing.ticks(quote.mark_price)),
            "i": index,
            "P": index,
            "r": f"{quote.funding_rate:.8f}",
            "T": quote.next_funding_us // 1_000,
            "st": USD_M,
        }

    def serves(self, path: str) -> bool:
        """Return True for the routed paths and for the old ones, which connect but carry no market data."""
        return path in MARKET_PATHS or path in SILENT_PATHS or path.startswith(("/market/ws/", "/ws/"))

    def opening(self, path: str, query: Mapping[str, str]) -> tuple[str, ...]:
        """Return the streams that the address names."""
        if path.startswith("/market/ws/"):
            return (path.removeprefix("/market/ws/"),)
        named = query.get("streams", "") if path == "/market/stream" else ""
        return tuple(stream for stream in named.split("/") if stream)

    def envelope(self, path: str, topic: str, frame: bytes) -> bytes:
        """Return the frame; combined streams name the stream beside it."""
        if path != "/market/stream":
            return frame
        return b'{"stream":"' + topic.encode() + b'","data":' + frame + b"}"

    def answer(self, frame: str, path: str, client: int) -> Answer:
        """Answer SUBSCRIBE and UNSUBSCRIBE; the exchange does not check that a stream exists."""
        try:
            request = orjson.loads(frame)
            method, identifier = request["method"], request.get("id")
            streams = tuple(str(stream) for stream in request.get("params", ()))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return Answer((encode({"error": {"code": 2, "msg": "Invalid request: no valid JSON request"}}),))
        done = encode({"result": None, "id": identifier})
        streams_served = streams if path not in SILENT_PATHS and not path.startswith("/ws/") else ()
        if method == "SUBSCRIBE":
            return Answer((done,), subscribe=streams_served)
        if method == "UNSUBSCRIBE":
            return Answer((done,), unsubscribe=streams_served)
        refusal = {"code": 2, "msg": f"Invalid request: unknown method {method!r}"}
        return Answer((encode({"error": refusal, "id": identifier}),))

    def rest(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """Return the body of ``exchangeInfo`` or ``openInterest``."""
        if path == "/fapi/v1/exchangeInfo":
            symbols = [self._instrument(listing) for listing in self.listings.values()]
            return encode({"timezone": "UTC", "serverTime": self.now_ms, "symbols": symbols})
        listing = self.by_symbol.get(query.get("symbol", ""))
        if path != "/fapi/v1/openInterest" or listing is None:
            return None
        lots = self.quotes[listing.asset].venue_lots[self.venue]
        content = {"symbol": listing.symbol, "openInterest": listing.quantity_text(lots), "time": self.now_ms}
        return encode(content)

    def _instrument(self, listing: Listing) -> dict[str, Any]:
        step = listing.quantity_text(1)
        return {
            "symbol": listing.symbol,
            "pair": listing.symbol,
            "contractType": "PERPETUAL",
            "status": "TRADING",
            "onboardDate": ONBOARD_MS,
            "baseAsset": listing.base,
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "underlyingType": "COIN",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": listing.price_text(1)},
                {"filterType": "LOT_SIZE", "stepSize": step, "minQty": step},
                {"filterType": "MARKET_LOT_SIZE", "stepSize": step, "minQty": step},
            ],
        }
