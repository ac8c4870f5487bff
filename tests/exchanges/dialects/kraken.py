"""Simulates a Kraken Futures socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Kraken(Dialect):
    """A socket of the API ``ws/v1``."""

    venue: ClassVar[str] = "kraken"
    symbols: ClassVar[tuple[str, ...]] = ("PI_XBTUSD", "PF_SOLUSD")
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "PI_XBTUSD": Instrument("PI_XBTUSD", "BTC", 1, 1.0, "usd", product="inverse"),
        "PF_SOLUSD": Instrument("PF_SOLUSD", "SOL", 1, 1.0, "base", product="linear"),
    }

    def greeting(self) -> Sequence[Frame]:
        """Return the frame with the version of the API."""
        return [text({"event": "info", "version": 1})]

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return one confirmation for each product."""
        feed, symbols = fields(sent)["feed"], fields(sent)["product_ids"]
        return [text({"event": "subscribed", "feed": feed, "product_ids": [symbol]}) for symbol in symbols]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return an error that does not name the request."""
        return [text({"event": "error", "message": "Invalid product id"})]

    def _trade(self, number: int, time_ms: int, **more: Any) -> dict[str, Any]:
        row = {
            "feed": "trade",
            "product_id": self.symbol,
            "uid": f"u{number}",
            "side": "buy",
            "type": "fill",
            "seq": number,
            "time": time_ms,
            "qty": 100,
            "price": price_of(number),
        }
        return row | more

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a ``trade`` frame."""
        return text(self._trade(number, time_ms))

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a ``ticker`` frame."""
        return text(
            {
                "feed": "ticker",
                "product_id": self.symbol,
                "time": time_ms,
                "markPrice": price_of(number),
                "index": 1000.0,
                "openInterest": 5000.0,
                "tag": "perpetual",
            },
        )

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a fill of the type ``liquidation``."""
        return text(self._trade(number, time_ms, type="liquidation", side="sell" if side == "long" else "buy"))

    def backlog(self, time_ms: int) -> Frame | None:
        """Return the snapshot of past trades."""
        rows = [self._trade(1, time_ms, type="liquidation"), self._trade(2, time_ms)]
        return text({"feed": "trade_snapshot", "product_id": self.symbol, "trades": rows})

    def rate_limited(self) -> Frame | None:
        """Return the error for too many requests."""
        return text({"event": "alert", "message": "Rate limit exceeded"})
