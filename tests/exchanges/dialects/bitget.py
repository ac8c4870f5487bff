"""Simulates a Bitget socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text

PRODUCTS = {"BTCUSDT": "usdt-futures", "BTCPERP": "usdc-futures", "BTCUSD": "coin-futures"}


class Bitget(Dialect):
    """A public socket of the API v3."""

    venue: ClassVar[str] = "bitget"
    symbols: ClassVar[tuple[str, ...]] = tuple(PRODUCTS)
    instruments: ClassVar[Mapping[str, Instrument]] = {
        symbol: Instrument(symbol, "BTC", 1, 1.0, "base", product=product) for symbol, product in PRODUCTS.items()
    }

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return one confirmation for each argument."""
        return [text({"event": "subscribe", "arg": arg, "connId": "c1"}) for arg in fields(sent)["args"]]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return one error for each argument, which it names."""
        return [
            text({"event": "error", "arg": arg, "code": "30001", "msg": "doesn't exist"})
            for arg in fields(sent)["args"]
        ]

    def pong(self, sent: str) -> Frame | None:
        """Return the pong, which is plain text."""
        return "pong" if sent == "ping" else None

    def _push(self, topic: str, time_ms: int, action: str, *rows: Any) -> Frame:
        arg = {"instType": PRODUCTS[self.symbol], "topic": topic}
        if topic != "liquidation":
            arg["symbol"] = self.symbol
        return text({"action": action, "arg": arg, "data": rows, "ts": time_ms})

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a ``publicTrade`` frame."""
        row = {
            "i": str(number),
            "L": str(number),
            "p": str(price_of(number)),
            "v": "0.5",
            "S": "buy",
            "T": str(time_ms),
            "isRPI": "no",
        }
        return self._push("publicTrade", time_ms, "update", row)

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a ticker, which always has all fields."""
        price = str(price_of(number))
        return self._push(
            "ticker",
            time_ms,
            "snapshot",
            {
                "lastPrice": price,
                "markPrice": price,
                "indexPrice": price,
                "fundingRate": "0.0001",
                "nextFundingTime": str(time_ms + 3_600_000),
                "openInterest": "10",
            },
        )

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a ``liquidation`` row, which has the side of the position and its amount in USD."""
        row = {
            "symbol": self.symbol,
            "side": "buy" if side == "long" else "sell",
            "price": str(price_of(number)),
            "amount": "500",
            "ts": str(time_ms),
        }
        return self._push("liquidation", time_ms, "update", row)

    def backlog(self, time_ms: int) -> Frame | None:
        """Return the first frame of a subscription, which has past trades."""
        row = {"i": "1", "L": "1", "p": "900", "v": "7", "S": "sell", "T": str(time_ms), "isRPI": "no"}
        return self._push("publicTrade", time_ms, "snapshot", row, row | {"i": "2"})

    def rate_limited(self) -> Frame | None:
        """Return the error for too many requests on one socket."""
        return text({"event": "error", "code": "30007", "msg": "request too many"})
