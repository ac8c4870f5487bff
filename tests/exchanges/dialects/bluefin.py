"""Simulates a market socket of Bluefin Pro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, price_of, text


class Bluefin(Dialect):
    """A socket of the main net."""

    venue: ClassVar[str] = "bluefin"
    symbols: ClassVar[tuple[str, ...]] = ("BTC-PERP",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC-PERP": Instrument("BTC-PERP", "BTC", 1, 1.0, "base")}

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation, which does not name the request."""
        return [text({"success": True, "message": "Subscribed"})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return a refusal, which does not name the request."""
        return [text({"success": False, "message": "Invalid symbol"})]

    def _row(self, number: int, time_ms: int, side: str, kind: str) -> dict[str, Any]:
        return {
            "id": str(number),
            "symbol": self.symbol,
            "tradeType": kind,
            "side": side,
            "priceE9": f"{price_of(number):.0f}000000000",
            "quantityE9": "100000000",
            "quoteQuantityE9": "1",
            "executedAtMillis": time_ms,
        }

    def _trades(self, *rows: dict[str, Any]) -> Frame:
        return text({"event": "RecentTradesUpdates", "payload": {"trades": rows}})

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a trade of an order that bought."""
        return self._trades(self._row(number, time_ms, "LONG", "ORDER"))

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return the tickers of all markets, which are one."""
        price = f"{price_of(number):.0f}000000000"
        row = {
            "symbol": self.symbol,
            "markPriceE9": price,
            "oraclePriceE9": price,
            "lastFundingRateE9": "12500",
            "nextFundingTimeAtMillis": time_ms + 60_000,
            "openInterestE9": "5000000000",
            "updatedAtMillis": time_ms,
        }
        return text({"event": "TickerAllUpdate", "payload": {"tickerAll": [row]}})

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a trade of the type of liquidations, with the side of the order that closes the position."""
        return self._trades(self._row(number, time_ms, "SHORT" if side == "long" else "LONG", "LIQUIDATION"))

    def backlog(self, time_ms: int) -> Frame | None:
        """Return past trades."""
        return self._trades(self._row(1, time_ms, "LONG", "ORDER"), self._row(2, time_ms, "SHORT", "LIQUIDATION"))
