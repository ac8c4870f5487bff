"""MEXC's side of the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.exchanges.instrument import Instrument
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Mexc(Dialect):
    """One kind of socket; confirmations name no symbol."""

    venue: ClassVar[str] = "mexc"
    symbols: ClassVar[tuple[str, ...]] = ("BTC_USDT",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC_USDT": Instrument("BTC_USDT", "BTC", 1, 0.0001, "base")}

    def acks(self, asked: str) -> Sequence[Frame]:
        """By the channel alone."""
        return [text({"channel": f"rs.{fields(asked)['method']}", "data": "success", "ts": 1})]

    def refusals(self, asked: str) -> Sequence[Frame]:
        """An error that does not say of what."""
        return [text({"channel": "rs.error", "data": "Contract [FOO] not exists", "ts": 1})]

    def pong(self, asked: str) -> Frame | None:
        """A channel of its own."""
        return text({"channel": "pong", "data": 1, "ts": 1}) if fields(asked) == {"method": "ping"} else None

    def trade(self, number: int, time_ms: int) -> Frame:
        """``push.deal``."""
        row = {"p": price_of(number), "v": 1, "T": 1, "O": 3, "M": 2, "t": time_ms}
        return text({"symbol": self.symbol, "data": [row], "channel": "push.deal", "ts": time_ms})

    def mark(self, number: int, time_ms: int) -> Frame:
        """``push.ticker``."""
        row = {"symbol": self.symbol, "lastPrice": 1, "fairPrice": price_of(number), "timestamp": time_ms}
        return text({"symbol": self.symbol, "data": row, "channel": "push.ticker", "ts": time_ms})
