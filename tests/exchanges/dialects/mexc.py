"""Simulates a MEXC socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.exchanges.instrument import Instrument
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Mexc(Dialect):
    """A socket whose confirmations do not name the symbol."""

    venue: ClassVar[str] = "mexc"
    symbols: ClassVar[tuple[str, ...]] = ("BTC_USDT",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC_USDT": Instrument("BTC_USDT", "BTC", 1, 0.0001, "base")}

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation, which names only the channel."""
        return [text({"channel": f"rs.{fields(sent)['method']}", "data": "success", "ts": 1})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return an error that does not name the request."""
        return [text({"channel": "rs.error", "data": "Contract [FOO] not exists", "ts": 1})]

    def pong(self, sent: str) -> Frame | None:
        """Return the pong, which has a channel of its own."""
        return text({"channel": "pong", "data": 1, "ts": 1}) if fields(sent) == {"method": "ping"} else None

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a ``push.deal`` frame."""
        row = {"p": price_of(number), "v": 1, "T": 1, "O": 3, "M": 2, "t": time_ms}
        return text({"symbol": self.symbol, "data": [row], "channel": "push.deal", "ts": time_ms})

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a ``push.ticker`` frame."""
        row = {"symbol": self.symbol, "lastPrice": 1, "fairPrice": price_of(number), "timestamp": time_ms}
        return text({"symbol": self.symbol, "data": row, "channel": "push.ticker", "ts": time_ms})
