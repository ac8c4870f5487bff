"""Simulates a socket of Binance USD-M."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class BinanceUsdm(Dialect):
    """A socket of the combined streams on ``/market``."""

    venue: ClassVar[str] = "binance-usdm"
    tag: ClassVar[int] = 1
    symbols: ClassVar[tuple[str, ...]] = ("BTCUSDT",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base")}

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return a result of null with the request's id."""
        return [text({"result": None, "id": fields(sent)["id"]})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return an error with the request's id."""
        return [text({"error": {"code": 2, "msg": "Invalid request: unknown stream"}, "id": fields(sent)["id"]})]

    def _stream(self, name: str, data: object) -> Frame:
        return text({"stream": self.symbol.lower() + name, "data": data})

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return an ``aggTrade``."""
        price = f"{price_of(number):.2f}"
        return self._stream(
            "@aggTrade",
            {
                "e": "aggTrade",
                "E": time_ms,
                "s": self.symbol,
                "a": number,
                "p": price,
                "q": "0.5",
                "nq": "0.5",
                "f": number,
                "l": number,
                "T": time_ms,
                "m": False,
                "st": self.tag,
            },
        )

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a ``markPriceUpdate``."""
        price = f"{price_of(number):.2f}"
        return self._stream(
            "@markPrice@1s",
            {
                "e": "markPriceUpdate",
                "E": time_ms,
                "s": self.symbol,
                "p": price,
                "i": price,
                "P": price,
                "r": "0.0001",
                "T": time_ms + 3_600_000,
                "st": self.tag,
            },
        )

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a ``forceOrder``, the order that closed the position, with its average fill price."""
        order = {
            "s": self.symbol,
            "S": "SELL" if side == "long" else "BUY",
            "o": "LIMIT",
            "f": "IOC",
            "q": "1.000",
            "p": f"{price_of(number) * 0.996:.2f}",
            "ap": f"{price_of(number):.2f}",
            "X": "FILLED",
            "l": "1.000",
            "z": "1.000",
            "T": time_ms,
        }
        return self._stream("@forceOrder", {"e": "forceOrder", "E": time_ms, "o": order, "st": self.tag})

    def rate_limited(self) -> Frame | None:
        """Return the error for more than ten messages a second."""
        return text({"error": {"code": -1, "msg": "Too many requests"}})
