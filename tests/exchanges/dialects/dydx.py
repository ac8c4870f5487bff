"""Simulates a socket of dYdX's indexer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


def moment(time_ms: int) -> str:
    """Return a time in the indexer's format."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Dydx(Dialect):
    """A socket of the indexer's API v4."""

    venue: ClassVar[str] = "dydx"
    symbols: ClassVar[tuple[str, ...]] = ("BTC-USD",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTC-USD": Instrument("BTC-USD", "BTC", 1, 1.0, "base")}

    def greeting(self) -> Sequence[Frame]:
        """Return the frame with the id of the connection."""
        return [text({"type": "connected", "connection_id": "c", "message_id": 0})]

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation, which has past rows."""
        ask = fields(sent)
        contents: dict[str, Any] = {"markets": {}} if ask["channel"] == "v4_markets" else {"trades": []}
        return [text({**ask, "type": "subscribed", "connection_id": "c", "message_id": 1, "contents": contents})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return an error that does not name the request."""
        return [text({"type": "error", "message": "Invalid channel", "connection_id": "c", "message_id": 1})]

    def _push(self, channel: str, contents: Any) -> Frame:
        head = {"type": "channel_data", "connection_id": "c", "message_id": 2, "version": "2.1.0"}
        return text({**head, "channel": channel, "id": self.symbol, "contents": contents})

    def _row(self, number: int, time_ms: int, **more: str) -> dict[str, str]:
        row = {
            "id": str(number),
            "size": "0.01",
            "price": str(price_of(number)),
            "side": "BUY",
            "createdAt": moment(time_ms),
            "type": "LIMIT",
            "createdAtHeight": "1",
        }
        return row | more

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a row of ``v4_trades``."""
        return self._push("v4_trades", {"trades": [self._row(number, time_ms)]})

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return an oracle price of ``v4_markets``."""
        price = {"oraclePrice": str(price_of(number)), "effectiveAt": moment(time_ms), "effectiveAtHeight": "1"}
        return self._push("v4_markets", {"oraclePrices": {self.symbol: price}})

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a trade of the type of liquidations."""
        row = self._row(number, time_ms, type="LIQUIDATED", side="SELL" if side == "long" else "BUY")
        return self._push("v4_trades", {"trades": [row]})

    def backlog(self, time_ms: int) -> Frame | None:
        """Return a further confirmation with past trades."""
        rows = [self._row(1, time_ms, type="LIQUIDATED"), self._row(2, time_ms)]
        return text(
            {
                "type": "subscribed",
                "connection_id": "c",
                "message_id": 3,
                "channel": "v4_trades",
                "id": self.symbol,
                "contents": {"trades": rows},
            }
        )
