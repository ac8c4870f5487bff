"""HTX's side of the conversation: every frame is gzip."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


def packed(content: Any) -> bytes:
    """As the wire has it."""
    return gzip.compress(text(content).encode(), mtime=0)


class Htx(Dialect):
    """The market, notification and index sockets of both kinds of swaps."""

    venue: ClassVar[str] = "htx"
    symbols: ClassVar[tuple[str, ...]] = ("BTC-USDT", "BTC-USD")
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "BTC-USDT": Instrument("BTC-USDT", "BTC", 1, 0.001, "base", product="linear"),
        "BTC-USD": Instrument("BTC-USD", "BTC", 1, 100.0, "usd", product="coin"),
    }

    def acks(self, asked: str) -> Sequence[Frame]:
        """By topic, in the words of the socket."""
        ask = fields(asked)
        if ask.get("op") == "sub":
            return [packed({"op": "sub", "cid": ask["cid"], "topic": ask["topic"], "ts": 1, "err-code": 0})]
        return [packed({"id": ask["id"], "status": "ok", "subbed": ask["sub"], "ts": 1})]

    def refusals(self, asked: str) -> Sequence[Frame]:
        """By topic, in the words of the socket."""
        ask, why = fields(asked), "invalid topic"
        if ask.get("op") == "sub":
            content = {"op": "sub", "cid": ask["cid"], "topic": ask["topic"], "ts": 1, "err-code": 2011, "err-msg": why}
        else:
            content = {"ts": 1, "status": "error", "id": ask["id"], "err-code": "bad-request", "err-msg": why}
        return [packed(content)]

    def trade(self, number: int, time_ms: int) -> Frame:
        """``trade.detail``."""
        row = {"amount": 2, "quantity": 0.002, "trade_turnover": 2.0, "ts": time_ms, "id": number,
               "price": price_of(number), "direction": "buy"}  # fmt: skip
        tick = {"id": number, "ts": time_ms, "data": [row]}
        return packed({"ch": f"market.{self.symbol}.trade.detail", "ts": time_ms, "tick": tick})

    def mark(self, number: int, time_ms: int) -> Frame:
        """``mark_price.1min``."""
        tick = {"id": time_ms // 60_000 * 60, "close": str(price_of(number)), "open": "1", "high": "1", "low": "1"}
        return packed({"ch": f"market.{self.symbol}.mark_price.1min", "ts": time_ms, "tick": tick})

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """``liquidation_orders``: the closing order's direction."""
        row = {"symbol": "BTC", "contract_code": self.symbol, "direction": "sell" if side == "long" else "buy",
               "offset": "close", "volume": 100, "price": price_of(number), "created_at": time_ms,
               "amount": 0.1, "trade_turnover": 100.0}  # fmt: skip
        return packed({"op": "notify", "topic": "public.*.liquidation_orders", "ts": time_ms, "data": [row]})

    def ping(self) -> Frame | None:
        """Each kind of socket has its own."""
        if "notification" in self.plan.name:
            return packed({"op": "ping", "ts": "1492420473058"})
        return packed({"ping": 1492420473027})

    def is_pong(self, asked: str) -> bool:
        """In kind."""
        if "notification" in self.plan.name:
            return fields(asked) == {"op": "pong", "ts": "1492420473058"}
        return fields(asked) == {"pong": 1492420473027}

    def maintenance(self) -> Frame | None:
        """The notification server goes away; market sockets just close."""
        return packed({"op": "close", "ts": 1}) if "notification" in self.plan.name else None
