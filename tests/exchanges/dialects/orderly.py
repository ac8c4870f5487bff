"""Simulates a public socket of Orderly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Orderly(Dialect):
    """A socket of the main net."""

    venue: ClassVar[str] = "orderly"
    symbols: ClassVar[tuple[str, ...]] = ("PERP_BTC_USDC",)
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "PERP_BTC_USDC": Instrument("PERP_BTC_USDC", "BTC", 1, 1.0, "base"),
    }
    prices_liquidations: ClassVar[bool] = False

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation, which names the request."""
        return [text({"id": fields(sent)["id"], "event": "subscribe", "success": True, "ts": 1764000000120})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return a refusal, which names the request."""
        answer = {"id": fields(sent)["id"], "event": "subscribe", "success": False, "errorMsg": "invalid topic"}
        return [text({**answer, "ts": 1764000000120})]

    def pong(self, sent: str) -> Frame | None:
        """Return the answer to a client's ping."""
        return text({"event": "pong", "ts": 1764000000120}) if fields(sent).get("event") == "ping" else None

    def _push(self, topic: str, time_ms: int, data: Any) -> Frame:
        return text({"topic": topic, "ts": time_ms, "data": data})

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a trade whose taker bought."""
        row = {"symbol": self.symbol, "price": price_of(number), "size": 0.1, "side": "BUY"}
        return self._push(f"{self.symbol}@trade", time_ms, row)

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return the mark prices of all markets, which are one."""
        return self._push("markprices", time_ms, [{"symbol": self.symbol, "price": price_of(number)}])

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a liquidated account with one position, without a price."""
        quantity = 0.1 if side == "long" else -0.1
        positions = [{"symbol": self.symbol, "positionQty": quantity, "liquidatorFee": 0.0175}]
        row = {"liquidationId": number, "timestamp": time_ms, "type": "liquidated", "positionsByPerp": positions}
        return self._push("liquidation", time_ms, [row])

    def ping(self) -> Frame | None:
        """Return the ping, which is a frame of the stream."""
        return text({"event": "ping", "ts": 1764000000120})

    def is_pong(self, sent: str) -> bool:
        """Return whether a client's frame has the event ``pong``."""
        return fields(sent).get("event") == "pong"
