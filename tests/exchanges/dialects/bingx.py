"""Simulates a BingX socket, whose frames are compressed with gzip."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


def packed(content: Any) -> bytes:
    """Return the content compressed with gzip; text is returned as it is."""
    return gzip.compress((content if isinstance(content, str) else text(content)).encode(), mtime=0)


class Bingx(Dialect):
    """A socket for trades and mark prices."""

    venue: ClassVar[str] = "bingx"
    symbols: ClassVar[tuple[str, ...]] = ("BTC-USDT",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC-USDT": Instrument("BTC-USDT", "BTC", 1, 1.0, "base")}

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the answer with the request's id."""
        return [packed({"id": fields(sent)["id"], "code": 0, "msg": "", "dataType": "", "data": None})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return the answer with the request's id."""
        why = "dataType not support"
        return [packed({"id": fields(sent)["id"], "code": 80015, "msg": why, "dataType": "", "data": None})]

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``@trade``."""
        row = {"q": "0.01", "p": str(price_of(number)), "T": time_ms, "m": False, "s": self.symbol}
        return packed({"code": 0, "dataType": f"{self.symbol}@trade", "data": [row]})

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``@markPrice``."""
        row = {"e": "markPriceUpdate", "E": time_ms, "s": self.symbol, "p": str(price_of(number))}
        return packed({"code": 0, "dataType": f"{self.symbol}@markPrice", "data": row})

    def ping(self) -> Frame | None:
        """Return the ping, which is the text ``Ping``."""
        return packed("Ping")

    def is_pong(self, sent: str) -> bool:
        """Return whether a client's frame is the text ``Pong``."""
        return sent == "Pong"

    def rate_limited(self) -> Frame | None:
        """Return an error that does not name a request."""
        return packed({"id": "", "code": 100410, "msg": "rate limited", "dataType": "", "data": None})
