"""Simulates a Reya socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Reya(Dialect):
    """A socket of the main net."""

    venue: ClassVar[str] = "reya"
    symbols: ClassVar[tuple[str, ...]] = ("BTCRUSDPERP",)
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "BTCRUSDPERP": Instrument("BTCRUSDPERP", "BTC", 1, 1.0, "base"),
    }

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation, which names the channel and has no rows."""
        return [text({"type": "subscribed", "channel": fields(sent)["channel"]})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return an error that names the channel."""
        return [text({"type": "error", "message": "Invalid channel name", "channel": fields(sent)["channel"]})]

    def _push(self, channel: str, data: Any, time_ms: int) -> Frame:
        return text({"type": "channel_data", "timestamp": time_ms, "channel": channel, "data": data})

    def _row(self, number: int, time_ms: int, side: str, kind: str) -> dict[str, Any]:
        return {
            "exchangeId": 2,
            "symbol": self.symbol,
            "takerAccountId": 42,
            "makerAccountId": 43,
            "qty": "0.1",
            "side": side,
            "price": str(price_of(number)),
            "takerFee": "0.1",
            "type": kind,
            "timestamp": time_ms,
            "sequenceNumber": number,
        }

    def _executions(self, row: dict[str, Any], time_ms: int) -> Frame:
        return self._push(f"/v2/market/{self.symbol}/perpExecutions", [row], time_ms)

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return an execution of matched orders."""
        return self._executions(self._row(number, time_ms, "B", "ORDER_MATCH"), time_ms)

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a frame with the state of a market."""
        price = str(price_of(number))
        row = {
            "symbol": self.symbol,
            "updatedAt": time_ms,
            "oiQty": "5",
            "fundingRate": "0.00001",
            "longFundingValue": "4",
            "shortFundingValue": "4",
            "volume24h": "9",
            "markPrice": price,
            "oraclePrice": price,
            "throttledMidPrice": price,
            "pricesUpdatedAt": time_ms,
        }
        return self._push("/v2/perpMarkets/summary", [row], time_ms)

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return an execution of the type of liquidations, with the side of the liquidated taker."""
        return self._executions(self._row(number, time_ms, "A" if side == "long" else "B", "LIQUIDATION"), time_ms)

    def backlog(self, time_ms: int) -> Frame | None:
        """Return a further confirmation with past executions."""
        rows = [self._row(1, time_ms, "B", "ORDER_MATCH"), self._row(2, time_ms, "A", "LIQUIDATION")]
        channel = f"/v2/market/{self.symbol}/perpExecutions"
        return text({"type": "subscribed", "channel": channel, "contents": {"data": rows}})
