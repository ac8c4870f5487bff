"""Simulates a Lighter socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Lighter(Dialect):
    """A socket of the main net's stream."""

    venue: ClassVar[str] = "lighter"
    symbols: ClassVar[tuple[str, ...]] = ("BTC",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC": Instrument("BTC", "BTC", 1, 1.0, "base", key="1")}

    def greeting(self) -> Sequence[Frame]:
        """Return the frame with the id of the session."""
        return [text({"session_id": "6b27", "type": "connected"})]

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation, which has past rows."""
        channel = fields(sent)["channel"]
        kind = channel.partition("/")[0]
        content: dict[str, Any] = {"market_stats": {}} if kind == "market_stats" else {"trades": []}
        return [text({"type": f"subscribed/{kind}", "channel": channel.replace("/", ":"), **content})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return an error that does not name the request."""
        return [text({"error": {"code": 30005, "message": "Invalid Channel"}})]

    def pong(self, sent: str) -> Frame | None:
        """Return the answer to a client's ping, of the type ``pong``."""
        return text({"type": "pong"}) if fields(sent).get("type") == "ping" else None

    def _row(self, number: int, time_ms: int, **more: Any) -> dict[str, Any]:
        row = {
            "trade_id": number,
            "type": "trade",
            "market_id": 1,
            "size": "0.1",
            "price": str(price_of(number)),
            "is_maker_ask": True,
            "timestamp": time_ms,
        }
        return row | more

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a ``trade`` frame."""
        return text({"type": "update/trade", "channel": "trade:1", "trades": [self._row(number, time_ms)]})

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a ``market_stats`` frame."""
        stats = {"1": {"market_id": 1, "mark_price": str(price_of(number)), "index_price": "1", "open_interest": "5"}}
        content = {"channel": "market_stats:all", "market_stats": stats, "timestamp": time_ms}
        return text({"type": "update/market_stats", **content})

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a trade in ``liquidation_trades``."""
        row = self._row(number, time_ms, type="liquidation", is_maker_ask=side == "short")
        return text({"type": "update/trade", "channel": "trade:1", "trades": [], "liquidation_trades": [row]})

    def backlog(self, time_ms: int) -> Frame | None:
        """Return a further confirmation with past trades."""
        rows = [self._row(1, time_ms), self._row(2, time_ms)]
        return text({"type": "subscribed/trade", "channel": "trade:1", "trades": rows})

    def ping(self) -> Frame | None:
        """Return the ping, which is a frame of the stream."""
        return text({"type": "ping"})

    def is_pong(self, sent: str) -> bool:
        """Return whether a client's frame has the type ``pong``."""
        return fields(sent) == {"type": "pong"}
