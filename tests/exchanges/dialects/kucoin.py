"""Simulates a KuCoin socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.exchanges.instrument import Instrument
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Kucoin(Dialect):
    """A socket to which clients connect with a token."""

    venue: ClassVar[str] = "kucoin"
    symbols: ClassVar[tuple[str, ...]] = ("XBTUSDTM",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"XBTUSDTM": Instrument("XBTUSDTM", "BTC", 1, 0.001, "base")}

    def greeting(self) -> Sequence[Frame]:
        """Return the ``welcome`` frame."""
        return [text({"id": "hQvf8jkno", "type": "welcome"})]

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the answer with the request's id."""
        return [text({"id": fields(sent)["id"], "type": "ack"})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return the answer with the request's id."""
        return [text({"id": fields(sent)["id"], "type": "error", "code": 404, "data": "topic is not found"})]

    def pong(self, sent: str) -> Frame | None:
        """Return the pong with the ping's id."""
        return text({"id": "ping", "type": "pong"}) if fields(sent).get("type") == "ping" else None

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a ``match`` frame, whose times are in nanoseconds."""
        row = {
            "symbol": self.symbol,
            "sequence": number,
            "side": "buy",
            "size": 1,
            "price": str(price_of(number)),
            "takerOrderId": "a",
            "makerOrderId": "b",
            "tradeId": str(number),
            "ts": time_ms * 1_000_000,
        }
        topic = f"/contractMarket/execution:{self.symbol}"
        return text({"topic": topic, "type": "message", "subject": "match", "sn": number, "data": row})

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a ``mark.index.price`` frame."""
        row = {"granularity": 1000, "indexPrice": 1.0, "markPrice": price_of(number), "timestamp": time_ms}
        topic = f"/contract/instrument:{self.symbol}"
        return text({"topic": topic, "type": "message", "subject": "mark.index.price", "data": row})

    def rate_limited(self) -> Frame | None:
        """Return an error that does not name a request."""
        return text({"id": "", "type": "error", "code": 509, "data": "exceed max subscription count limitation"})

    def token(self, url: str) -> bytes:
        """Return the answer to ``bullet-public``, which names the server ``url``."""
        data = {"token": "2neAiuYvAU", "instanceServers": [{"endpoint": url, "pingInterval": 18000}]}
        return text({"code": "200000", "data": data}).encode()
