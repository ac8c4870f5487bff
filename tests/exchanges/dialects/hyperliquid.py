"""Simulates a Hyperliquid socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text

VAULT = "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14"
DEAD = "0x1111111111111111111111111111111111111111"


class Hyperliquid(Dialect):
    """A socket with trades, contexts and the fills of a vault."""

    venue: ClassVar[str] = "hyperliquid"
    symbols: ClassVar[tuple[str, ...]] = ("BTC",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC": Instrument("BTC", "BTC", 1, 1.0, "base", key=":0")}

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation, which repeats the request."""
        return [text({"channel": "subscriptionResponse", "data": fields(sent)})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return the error, which quotes the request."""
        return [text({"channel": "error", "data": f"Invalid subscription {text(fields(sent)['subscription'])}"})]

    def pong(self, sent: str) -> Frame | None:
        """Return the pong, which has a channel of its own."""
        return text({"channel": "pong"}) if fields(sent) == {"method": "ping"} else None

    def _row(self, number: int, time_ms: int, **more: Any) -> dict[str, Any]:
        row = {
            "coin": self.symbol,
            "side": "B",
            "px": str(price_of(number)),
            "sz": "0.01",
            "hash": "0x0",
            "time": time_ms,
            "tid": number,
        }
        return row | more

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``trades``."""
        return text({"channel": "trades", "data": [self._row(number, time_ms, users=[VAULT, DEAD])]})

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return an ``activeAssetCtx`` frame."""
        context = {"markPx": str(price_of(number)), "oraclePx": "1000.0", "funding": "0.0000125", "openInterest": "5"}
        return text({"channel": "activeAssetCtx", "data": {"coin": self.symbol, "ctx": context}})

    def _fills(self, *rows: dict[str, Any], snapshot: bool = False) -> Frame:
        return text({"channel": "userFills", "data": {"isSnapshot": snapshot, "user": VAULT, "fills": rows}})

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a fill of a vault that is the counterparty of the closing order."""
        forced = {"liquidatedUser": DEAD, "markPx": "1000.0", "method": "backstop"}
        return self._fills(self._row(number, time_ms, side="B" if side == "long" else "A", liquidation=forced))

    def backlog(self, time_ms: int) -> Frame | None:
        """Return the first rows of a subscription to trades, which are past ones."""
        return text({"channel": "trades", "data": [self._row(1, time_ms), self._row(2, time_ms)]})

    def rate_limited(self) -> Frame | None:
        """Return the error of an exceeded rate limit."""
        return text({"channel": "error", "data": "Too many requests"})
