"""Simulates a Phemex socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.exchanges.instrument import Instrument
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Phemex(Dialect):
    """A socket; the first one has the tickers as well as trades."""

    venue: ClassVar[str] = "phemex"
    symbols: ClassVar[tuple[str, ...]] = ("BTCUSDT",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base")}

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the answer with the request's id."""
        return [text({"error": None, "id": fields(sent)["id"], "result": {"status": "success"}})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return the answer with the request's id."""
        return [
            text({"error": {"code": 6001, "message": "invalid argument"}, "id": fields(sent)["id"], "result": None})
        ]

    def pong(self, sent: str) -> Frame | None:
        """Return the pong, which is a result."""
        ask = fields(sent)
        ours = ask.get("method") == "server.ping"
        return text({"error": None, "id": ask["id"], "result": "pong"}) if ours else None

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a ``trades_p`` frame, whose times are in nanoseconds."""
        row = [time_ms * 1_000_000, "Buy", str(price_of(number)), "0.01"]
        return text({"sequence": number, "symbol": self.symbol, "trades_p": [row], "type": "incremental"})

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return the frame with the tickers of all symbols."""
        row = [self.symbol, "1", "1", str(price_of(number)), "0.0001"]
        columns = ["symbol", "openInterestRv", "indexRp", "markRp", "fundingRateRr"]
        method = "perp_market24h_pack_p.update"
        return text({"data": [row], "fields": columns, "method": method, "timestamp": time_ms * 1_000_000})

    def backlog(self, time_ms: int) -> Frame | None:
        """Return the first frame of trades, which are past ones."""
        row = [time_ms * 1_000_000, "Sell", "999", "0.01"]
        return text({"sequence": 1, "symbol": self.symbol, "trades_p": [row], "type": "snapshot"})

    def rate_limited(self) -> Frame | None:
        """Return an error that does not name a request."""
        return text({"error": {"code": 10500, "message": "too many requests"}, "id": None, "result": None})
