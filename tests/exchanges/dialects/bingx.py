"""BingX' side of the conversation: every frame is gzip."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


def packed(content: Any) -> bytes:
    """As the wire has it; text stands for itself."""
    return gzip.compress((content if isinstance(content, str) else text(content)).encode(), mtime=0)


class Bingx(Dialect):
    """One kind of socket."""

    venue: ClassVar[str] = "bingx"
    symbols: ClassVar[tuple[str, ...]] = ("BTC-USDT",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC-USDT": Instrument("BTC-USDT", "BTC", 1, 1.0, "base")}

    def acks(self, asked: str) -> Sequence[Frame]:
        """By the request's id."""
        return [packed({"id": fields(asked)["id"], "code": 0, "msg": "", "dataType": "", "data": None})]

    def refusals(self, asked: str) -> Sequence[Frame]:
        """By the request's id."""
        why = "dataType not support"
        return [packed({"id": fields(asked)["id"], "code": 80015, "msg": why, "dataType": "", "data": None})]

    def trade(self, number: int, time_ms: int) -> Frame:
        """``@trade``."""
        row = {"q": "0.01", "p": str(price_of(number)), "T": time_ms, "m": False, "s": self.symbol}
        return packed({"code": 0, "dataType": f"{self.symbol}@trade", "data": [row]})

    def mark(self, number: int, time_ms: int) -> Frame:
        """``@markPrice``."""
        row = {"e": "markPriceUpdate", "E": time_ms, "s": self.symbol, "p": str(price_of(number))}
        return packed({"code": 0, "dataType": f"{self.symbol}@markPrice", "data": row})

    def ping(self) -> Frame | None:
        """A word."""
        return packed("Ping")

    def is_pong(self, asked: str) -> bool:
        """A word."""
        return asked == "Pong"

    def rate_limited(self) -> Frame | None:
        """An error of no request."""
        return packed({"id": "", "code": 100410, "msg": "rate limited", "dataType": "", "data": None})
