"""Simulates a JSON-RPC socket of Extended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Extended(Dialect):
    """A socket of ``v2/rpc`` with subscriptions to all markets."""

    venue: ClassVar[str] = "extended"
    symbols: ClassVar[tuple[str, ...]] = ("BTC-USD",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC-USD": Instrument("BTC-USD", "BTC", 1, 1.0, "base")}

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation, which names the topic."""
        ask = fields(sent)
        selector = ask["params"]["selector"]
        kind = f".{selector['type']}" if "type" in selector else ""
        result = {"method": "subscribe", "status": "OK", "subscription": f"{ask['params']['scope']}{kind}.all"}
        return [text({"id": ask["id"], "result": result, "jsonrpc": "2.0"})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return an error with the number of the request."""
        error = {"code": -32602, "message": "Invalid params"}
        return [text({"id": fields(sent)["id"], "error": error, "jsonrpc": "2.0"})]

    def _push(self, kind: str, data: Any, time_ms: int, topic: str) -> Frame:
        return text({"type": kind, "data": data, "ts": time_ms, "seq": 1, "subscription": topic})

    def _row(self, number: int, time_ms: int, side: str = "BUY", kind: str = "TRADE") -> dict[str, Any]:
        price = str(price_of(number))
        return {"i": number, "m": self.symbol, "S": side, "tT": kind, "T": time_ms, "p": price, "q": "0.1"}

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a frame of ``TRADES``."""
        return self._push("TRADES", [self._row(number, time_ms)], time_ms, "trades.all")

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a frame of ``PRICES.MP``, whose own time is 0."""
        data = {"m": self.symbol, "p": str(price_of(number)), "ts": 0}
        return self._push("PRICES.MP", data, time_ms, "prices.mark.all")

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a trade of the type of liquidations, with the side of the liquidated taker."""
        row = self._row(number, time_ms, "SELL" if side == "long" else "BUY", "LIQUIDATION")
        return self._push("TRADES", [row], time_ms, "trades.all")

    def backlog(self, time_ms: int) -> Frame | None:
        """Return the past trades that follow a confirmation."""
        rows = [self._row(1, time_ms), self._row(2, time_ms, "SELL", "LIQUIDATION")]
        return self._push("TRADES", rows, time_ms + 600_000, "trades.all")
