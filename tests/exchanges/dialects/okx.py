"""Simulates an OKX socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Okx(Dialect):
    """A public socket of the API v5."""

    venue: ClassVar[str] = "okx"
    symbols: ClassVar[tuple[str, ...]] = ("BTC-USDT-SWAP",)
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "BTC-USDT-SWAP": Instrument("BTC-USDT-SWAP", "BTC", 1, 0.01, "base")
    }

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return one confirmation for each argument."""
        return [text({"event": "subscribe", "arg": arg, "connId": "a4d3ae55"}) for arg in fields(sent)["args"]]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return one error for the whole request, which does not name it."""
        return [text({"event": "error", "code": "60018", "msg": "Wrong URL or channel", "connId": "a4d3ae55"})]

    def pong(self, sent: str) -> Frame | None:
        """Return the pong, which is plain text."""
        return "pong" if sent == "ping" else None

    def _push(self, channel: str, *rows: Any) -> Frame:
        return text({"arg": {"channel": channel, "instId": self.symbol}, "data": rows})

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``trades``."""
        price = f"{price_of(number):.1f}"
        row = {
            "instId": self.symbol,
            "tradeId": str(number),
            "px": price,
            "sz": "50",
            "side": "buy",
            "ts": str(time_ms),
            "count": "1",
        }
        return self._push("trades", row)

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``mark-price``."""
        row = {"instType": "SWAP", "instId": self.symbol, "markPx": f"{price_of(number):.1f}", "ts": str(time_ms)}
        return self._push("mark-price", row)

    def _liquidations(self, *details: Any) -> Frame:
        row = {
            "instType": "SWAP",
            "instId": self.symbol,
            "uly": "BTC-USDT",
            "instFamily": "BTC-USDT",
            "details": details,
        }
        return text({"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [row]})

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a row of ``liquidation-orders``, which has the side of the closing order."""
        return self._liquidations(
            {
                "side": "sell" if side == "long" else "buy",
                "posSide": side,
                "bkPx": f"{price_of(number):.1f}",
                "sz": "100",
                "bkLoss": "0",
                "ccy": "",
                "ts": str(time_ms),
            },
        )

    def backlog(self, time_ms: int) -> Frame | None:
        """Return past orders, which are not in order of time."""
        row = {"side": "sell", "posSide": "net", "bkPx": "900", "sz": "7", "bkLoss": "0", "ccy": ""}
        return self._liquidations(row | {"ts": str(time_ms)}, row | {"ts": str(time_ms - 5000)})

    def maintenance(self) -> Frame | None:
        """Return the notice that the service is upgraded."""
        return text(
            {
                "event": "notice",
                "code": "64008",
                "connId": "a4d3ae55",
                "msg": "The connection will soon be closed for a service upgrade. Please reconnect.",
            },
        )

    def rate_limited(self) -> Frame | None:
        """Return the error for more than 480 requests an hour."""
        return text({"event": "error", "code": "60014", "msg": "Requests too frequent", "connId": "a4d3ae55"})
