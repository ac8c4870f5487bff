"""Simulates a Bitfinex socket, which numbers its channels in the order of subscribing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.exchanges.adapter import Connection
from monitor.exchanges.instrument import Instrument
from monitor.model.events import Side
from tests.exchanges.dialects.base import Dialect, Frame, fields, price_of, text


class Bitfinex(Dialect):
    """A socket of the API ``ws/2``."""

    venue: ClassVar[str] = "bitfinex"
    symbols: ClassVar[tuple[str, ...]] = ("tBTCF0:USTF0",)
    instruments: ClassVar[Mapping[str, Instrument]] = {
        "tBTCF0:USTF0": Instrument("tBTCF0:USTF0", "BTC", 1, 1.0, "base")
    }

    def __init__(self, plan: Connection) -> None:
        super().__init__(plan)
        self._numbers = {one.acks[0]: number for number, one in enumerate(plan.requests, 100)}

    def greeting(self) -> Sequence[Frame]:
        """Return the frame with the version of the API."""
        return [text({"event": "info", "version": 2, "serverId": "a", "platform": {"status": 1}})]

    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmation with the channel's number."""
        ask = fields(sent)
        number = self._numbers[ask.get("symbol") or ask["key"]]
        return [text({**ask, "event": "subscribed", "chanId": number})]

    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return the error with the content of the request."""
        return [text({**fields(sent), "event": "error", "code": 10300, "msg": "symbol: invalid"})]

    def pong(self, sent: str) -> Frame | None:
        """Return the pong with the client's number."""
        return text({"event": "pong", "cid": 1, "ts": 1}) if fields(sent).get("event") == "ping" else None

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return a ``te`` frame, an executed trade."""
        return text([self._numbers[self.symbol], "te", [number, time_ms, 0.01, price_of(number)]])

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return a status of the type ``deriv``."""
        row = [time_ms, None, 1, 1, None, 1, None, 0, 0, 0, None, 0, None, None, price_of(number), None, None, 5]
        return text([self._numbers[f"deriv:{self.symbol}"], row])

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return a row of ``liq:global``, a market execution after its trigger, with the amount of the position."""
        amount = 0.1 if side == "long" else -0.1
        head = ["pos", number, time_ms, None, self.symbol, amount, 1, None]
        rows = [[*head, 0, 1, None, None], [*head, 1, 1, None, price_of(number)]]
        return text([self._numbers["liq:global"], rows])

    def backlog(self, time_ms: int) -> Frame | None:
        """Return the snapshot of past trades."""
        return text([self._numbers[self.symbol], [[1, time_ms, 1, 900], [2, time_ms, 1, 900]]])

    def maintenance(self) -> Frame | None:
        """Return the notice that the service restarts."""
        return text({"event": "info", "code": 20051, "msg": "Stopping. Please try to reconnect"})
