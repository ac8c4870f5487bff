"""Simulates a Pacifica socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Pacifica(Dialect):
    """A socket of the main net."""

    venue: ClassVar[str] = "pacifica"
    symbols: ClassVar[tuple[str, ...]] = ("BTC",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC": Instrument("BTC", "BTC", 1, 1.0, "base")}

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation, which repeats the parameters."""
        return [text({"channel": "subscribe", "data": fields(sent)["params"]})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return an error that does not name the request."""
        return [text({"code": 400, "err": "Invalid symbol", "t": 1764000000120})]

    def pong(self, sent: str) -> Frame | None:
        """Return the answer to a client's ping."""
        return text({"channel": "pong"}) if fields(sent).get("method") == "ping" else None

    def _row(self, number: int, time_ms: int, direction: str, cause: str) -> Frame:
        row: dict[str, Any] = {
            "h": number,
            "s": self.symbol,
            "a": "0.1",
            "p": str(price_of(number)),
            "d": direction,
            "tc": cause,
            "t": time_ms,
            "li": number,
            "it": 0,
        }
        return text({"channel": "trades", "data": [row]})

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a ``trades`` frame whose taker opened a long."""
        return self._row(number, time_ms, "open_long", "normal")

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a ``prices`` frame."""
        price = str(price_of(number))
        row = {
            "symbol": self.symbol,
            "mark": price,
            "mid": price,
            "oracle": price,
            "funding": "0.0000125",
            "next_funding": "0.0000125",
            "open_interest": "5",
            "timestamp": time_ms,
            "volume_24h": "1",
            "yesterday_price": price,
        }
        return text({"channel": "prices", "data": [row]})

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a trade that closed a position by force."""
        return self._row(number, time_ms, f"close_{side}", "market_liquidation")
