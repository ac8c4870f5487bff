"""Simulates a Gate socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Gate(Dialect):
    """A socket of futures of the API v4."""

    venue: ClassVar[str] = "gate"
    symbols: ClassVar[tuple[str, ...]] = ("BTC_USDT", "BTC_USD")
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "BTC_USDT": Instrument("BTC_USDT", "BTC", 1, 0.0001, "base", product="usdt"),
        "BTC_USD": Instrument("BTC_USD", "BTC", 1, 1.0, "usd", product="btc"),
    }

    def _answer(self, sent: str, **more: object) -> Frame:
        request = fields(sent)
        seconds = request["time"]
        assert isinstance(seconds, int)
        assert seconds > 1_700_000_000
        return text({"time": seconds, "id": request["id"], "channel": request["channel"], "event": "subscribe"} | more)

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return one confirmation for the whole request, with its id."""
        return [self._answer(sent, error=None, result={"status": "success"})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return the error by which an unknown contract makes the exchange refuse the whole request."""
        error = {"code": 2, "message": "unknown contract FOO_USDT"}
        return [self._answer(sent, error=error, result={"status": "fail"})]

    def pong(self, sent: str) -> Frame | None:
        """Return the pong, which has a channel of its own."""
        if fields(sent).get("channel") != "futures.ping":
            return None
        return text(
            {"time": fields(sent)["time"], "channel": "futures.pong", "event": "", "error": None, "result": None}
        )

    def _push(self, channel: str, time_ms: int, result: object) -> Frame:
        return text(
            {
                "time": time_ms // 1000,
                "time_ms": time_ms,
                "channel": f"futures.{channel}",
                "event": "update",
                "result": result,
            }
        )

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``futures.trades``."""
        row = {
            "contract": self.symbol,
            "create_time": time_ms // 1000,
            "create_time_ms": time_ms,
            "id": number,
            "price": str(price_of(number)),
            "size": 20,
        }
        return self._push("trades", time_ms, [row])

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``futures.tickers``."""
        price = str(price_of(number))
        row = {
            "contract": self.symbol,
            "last": price,
            "mark_price": price,
            "index_price": price,
            "funding_rate": "0.0001",
            "total_size": "1000",
        }
        return self._push("tickers", time_ms, [row])

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a ``futures.public_liquidates`` frame in its recorded form: one object, with the sign of the order."""
        row = {
            "contract": self.symbol,
            "price": str(price_of(number)),
            "size": -20 if side == "long" else 20,
            "time": time_ms,
        }
        return self._push("public_liquidates", time_ms, row)

    def rate_limited(self) -> Frame | None:
        """Return the error of an exceeded rate limit."""
        return text(
            {
                "time": 1,
                "channel": "futures.trades",
                "event": "subscribe",
                "result": None,
                "error": {"code": 3, "message": "Too many requests"},
            }
        )
