"""Simulates a Bybit socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Bybit(Dialect):
    """A public socket of the API v5."""

    venue: ClassVar[str] = "bybit"
    symbols: ClassVar[tuple[str, ...]] = ("BTCUSDT", "BTCUSD")
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base", product="linear"),
        "BTCUSD": Instrument("BTCUSD", "BTC", 1, 1.0, "usd", product="inverse"),
    }

    def _reply(self, sent: str, success: bool, message: str, operation: str = "subscribe") -> Frame:
        identifier = fields(sent).get("req_id", "")
        return text({"success": success, "ret_msg": message, "conn_id": "cf71", "req_id": identifier, "op": operation})

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return one confirmation for all topics of a request."""
        return [self._reply(sent, True, "")]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return the error by which an unknown topic makes the exchange refuse the whole request."""
        return [self._reply(sent, False, "error:handler not found,topic:allLiquidation.FOO")]

    def pong(self, sent: str) -> Frame | None:
        """Return the pong in the form of the linear socket."""
        return self._reply(sent, True, "pong", "ping") if fields(sent).get("op") == "ping" else None

    def _push(self, topic: str, time_ms: int, data: Any) -> Frame:
        return text({"topic": f"{topic}.{self.symbol}", "type": "snapshot", "ts": time_ms, "data": data})

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a ``publicTrade`` frame."""
        row = {
            "T": time_ms,
            "s": self.symbol,
            "S": "Buy",
            "v": "0.5",
            "p": f"{price_of(number):.2f}",
            "L": "PlusTick",
            "i": f"00000000-0000-4000-8000-{number:012x}",
            "BT": False,
            "RPI": False,
            "seq": number,
        }
        return self._push("publicTrade", time_ms, [row])

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return the snapshot of a ticker."""
        price = f"{price_of(number):.2f}"
        return self._push(
            "tickers",
            time_ms,
            {
                "symbol": self.symbol,
                "lastPrice": price,
                "markPrice": price,
                "indexPrice": price,
                "fundingRate": "0.0001",
                "nextFundingTime": str(time_ms + 3_600_000),
                "fundingIntervalHour": "8",
                "openInterest": "20",
                "openInterestValue": "20000",
                "singleOpenInterest": "10",
                "singleOpenInterestValue": "10000",
            },
        )

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return an ``allLiquidation`` row, which has the side of the position."""
        died = "Buy" if side == "long" else "Sell"
        row = {"T": time_ms, "s": self.symbol, "S": died, "v": "1", "p": f"{price_of(number):.2f}"}
        return self._push("allLiquidation", time_ms, [row])

    def rate_limited(self) -> Frame | None:
        """Return the error for too many requests on one socket."""
        return text({"success": False, "ret_msg": "Too many visits!", "conn_id": "cf71", "op": "subscribe"})
