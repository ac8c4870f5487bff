"""Simulates a Deribit socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Deribit(Dialect):
    """A JSON-RPC 2.0 socket."""

    venue: ClassVar[str] = "deribit"
    symbols: ClassVar[tuple[str, ...]] = ("BTC-PERPETUAL", "BTC_USDC-PERPETUAL")
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "BTC-PERPETUAL": Instrument("BTC-PERPETUAL", "BTC", 1, 1.0, "usd", product="inverse"),
        "BTC_USDC-PERPETUAL": Instrument("BTC_USDC-PERPETUAL", "BTC", 1, 1.0, "base", product="linear"),
    }

    def _answer(self, sent: str, **answer: Any) -> Frame:
        return text({"jsonrpc": "2.0", "id": fields(sent)["id"], **answer, "usIn": 1, "usOut": 2, "usDiff": 1})

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the subscribed channels, or ``ok`` to the request for heartbeats."""
        return [self._answer(sent, result=fields(sent)["params"].get("channels", "ok"))]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return an error with the request's id."""
        return [self._answer(sent, error={"code": -32602, "message": "Invalid params"})]

    def answers(self, sent: str, delisted: str) -> Sequence[Frame]:
        """Return the list of the accepted channels, in which those of the symbol are left out."""
        asked = fields(sent)["params"].get("channels")
        if asked is None:
            return self.acks(sent)
        return [self._answer(sent, result=[channel for channel in asked if delisted not in channel])]

    def pong(self, sent: str) -> Frame | None:
        """Return the version of the service."""
        if fields(sent).get("method") != "public/test":
            return None
        return self._answer(sent, result={"version": "1.2.26"})

    def _push(self, channel: str, data: Any) -> Frame:
        content = {"channel": f"{channel}.{self.symbol}.100ms", "data": data}
        return text({"jsonrpc": "2.0", "method": "subscription", "params": content})

    def _trade(self, number: int, time_ms: int, side: str, **more: str) -> Frame:
        row = {
            "trade_seq": number,
            "trade_id": str(number),
            "timestamp": time_ms,
            "tick_direction": 0,
            "price": price_of(number),
            "mark_price": 1000.0,
            "instrument_name": self.symbol,
            "index_price": 1000.0,
            "direction": side,
            "amount": 10,
            "contracts": 1,
        }
        return self._push("trades", [row | more])

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``trades``."""
        return self._trade(number, time_ms, "buy")

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a ``ticker``."""
        row = {
            "timestamp": time_ms,
            "state": "open",
            "open_interest": 1000,
            "mark_price": price_of(number),
            "instrument_name": self.symbol,
            "index_price": 1000.0,
            "current_funding": 0.0,
        }
        return self._push("ticker", row)

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a trade whose taker was liquidated."""
        return self._trade(number, time_ms, "sell" if side == "long" else "buy", liquidation="T")

    def ping(self) -> Frame | None:
        """Return a heartbeat that requires an answer."""
        return text({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}})

    def is_pong(self, sent: str) -> bool:
        """Return whether a client's frame is ``public/test``."""
        return fields(sent).get("method") == "public/test"

    def rate_limited(self) -> Frame | None:
        """Return the error of an exhausted rate limit."""
        return text({"jsonrpc": "2.0", "error": {"code": 10028, "message": "too_many_requests"}})
