"""Simulates an HTX socket, whose frames are compressed with gzip."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


def packed(content: Any) -> bytes:
    """Return the content compressed with gzip."""
    return gzip.compress(text(content).encode(), mtime=0)


class Htx(Dialect):
    """A market, notification or index socket of either kind of swaps."""

    venue: ClassVar[str] = "htx"
    symbols: ClassVar[tuple[str, ...]] = ("BTC-USDT", "BTC-USD")
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "BTC-USDT": Instrument("BTC-USDT", "BTC", 1, 0.001, "base", product="linear"),
        "BTC-USD": Instrument("BTC-USD", "BTC", 1, 100.0, "usd", product="coin"),
    }

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the answers by topic, in the format of this kind of socket."""
        ask = fields(sent)
        if ask.get("op") == "sub":
            return [packed({"op": "sub", "cid": ask["cid"], "topic": ask["topic"], "ts": 1, "err-code": 0})]
        return [packed({"id": ask["id"], "status": "ok", "subbed": ask["sub"], "ts": 1})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return the answers by topic, in the format of this kind of socket."""
        ask, why = fields(sent), "invalid topic"
        if ask.get("op") == "sub":
            content = {"op": "sub", "cid": ask["cid"], "topic": ask["topic"], "ts": 1, "err-code": 2011, "err-msg": why}
        else:
            content = {"ts": 1, "status": "error", "id": ask["id"], "err-code": "bad-request", "err-msg": why}
        return [packed(content)]

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``trade.detail``."""
        row = {
            "amount": 2,
            "quantity": 0.002,
            "trade_turnover": 2.0,
            "ts": time_ms,
            "id": number,
            "price": price_of(number),
            "direction": "buy",
        }
        tick = {"id": number, "ts": time_ms, "data": [row]}
        return packed({"ch": f"market.{self.symbol}.trade.detail", "ts": time_ms, "tick": tick})

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a candle of ``mark_price.1min``."""
        tick = {"id": time_ms // 60_000 * 60, "close": str(price_of(number)), "open": "1", "high": "1", "low": "1"}
        return packed({"ch": f"market.{self.symbol}.mark_price.1min", "ts": time_ms, "tick": tick})

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a row of ``liquidation_orders``, which has the direction of the closing order."""
        row = {
            "symbol": "BTC",
            "contract_code": self.symbol,
            "direction": "sell" if side == "long" else "buy",
            "offset": "close",
            "volume": 100,
            "price": price_of(number),
            "created_at": time_ms,
            "amount": 0.1,
            "trade_turnover": 100.0,
        }
        return packed({"op": "notify", "topic": "public.*.liquidation_orders", "ts": time_ms, "data": [row]})

    def ping(self) -> Frame | None:
        """Return the ping of this kind of socket."""
        if "notification" in self.plan.name:
            return packed({"op": "ping", "ts": "1492420473058"})
        return packed({"ping": 1492420473027})

    def is_pong(self, sent: str) -> bool:
        """Return whether a client's frame is the pong of this kind of socket."""
        if "notification" in self.plan.name:
            return fields(sent) == {"op": "pong", "ts": "1492420473058"}
        return fields(sent) == {"pong": 1492420473027}

    def maintenance(self) -> Frame | None:
        """Return the notice that the notification server closes; market sockets close without one."""
        return packed({"op": "close", "ts": 1}) if "notification" in self.plan.name else None
