"""What the conformance suite must know of an exchange to play it: the frames that it sends and those that it answers.

The suite numbers what it sends. Number ``n`` costs ``price_of(n)`` USD a coin, happened at the ``time_ms`` that the
suite gives with it, and has the same id on every socket, so that the events that come out can be counted.

An exchange's module states the frames in the documented shapes, by hand: it must not call the adapter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson

from monitor.exchanges.adapter import Connection
from monitor.exchanges.instrument import Instrument
from monitor.model.events import Channel, Side

Frame = str | bytes
"""A text frame, or a binary one (compressed venues send their JSON so)."""

ALL_CHANNELS: Final[tuple[Channel, ...]] = (
    "liquidations", "trades", "mark_price", "open_interest", "volatility_index",
)  # fmt: skip


def price_of(number: int) -> float:
    """What number ``n`` costs, in USD a coin; a whole number, on every exchange's grid."""
    return 1000.0 + number


def text(content: object) -> str:
    """Compact JSON, as the wire has it."""
    return orjson.dumps(content).decode()


def fields(frame: str) -> dict[str, Any]:
    """A client's frame as a JSON object; empty where it is none (a bare ``ping``)."""
    try:
        content = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


class Dialect(ABC):
    """One socket of one exchange, as the exchange sees it. A fresh one for each socket, so it may remember.

    Only what a socket carries is asked for: :meth:`trade` where its plan has ``trades``, :meth:`mark` where it has
    ``mark_price``, :meth:`liquidation` where it has ``liquidations``. A frame that the exchange does not have is None,
    and its scenario then takes what every exchange can do instead (close the socket, refuse the handshake).

    Attributes:
        plan: which of the adapter's sockets it is.
        symbol: what it speaks of: the first of ``symbols`` that the plan's requests name, else the first.
    """

    venue: ClassVar[str]
    symbols: ClassVar[tuple[str, ...]]
    """One symbol for each market that the adapter knows; single coins, quoted in US dollars."""
    instruments: ClassVar[Mapping[str, Instrument]]
    """At least of ``symbols``; with contract sizes, products and keys where the venue has them."""
    channels: ClassVar[tuple[Channel, ...]] = ALL_CHANNELS
    """What the suite subscribes; adapters leave out what they do not carry."""

    def __init__(self, plan: Connection) -> None:
        self.plan = plan
        asked = " ".join(request.frame for request in plan.requests).lower()
        self.symbol = next((symbol for symbol in self.symbols if symbol.lower() in asked), self.symbols[0])

    # What a client's frame brings.

    @abstractmethod
    def acks(self, asked: str) -> Sequence[Frame]:
        """Confirm all that one of the plan's requests asks for; called once for each, in order."""

    @abstractmethod
    def refusals(self, asked: str) -> Sequence[Frame]:
        """Refuse all that a request asks for; none where the exchange stays silent instead."""

    def pong(self, asked: str) -> Frame | None:
        """The answer to the client's own keep-alive; None where ``asked`` is none, or nothing answers it."""
        return None

    # What the exchange says by itself.

    def greeting(self) -> Sequence[Frame]:
        """What comes first on every socket, before anything was asked."""
        return ()

    def trade(self, number: int, time_ms: int) -> Frame:
        """One trade: any quantity, a buyer as its taker."""
        raise NotImplementedError

    def mark(self, number: int, time_ms: int) -> Frame:
        """A mark price of ``price_of(number)``."""
        raise NotImplementedError

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """One executed liquidation of a position of that side, with ``price_of(number)`` as the price that is read."""
        raise NotImplementedError

    def backlog(self, time_ms: int) -> Frame | None:
        """Rows of before the subscription, as sent after it; ``time_ms`` is ten minutes ago. None must become events.

        None where the exchange sends no backlog on such a socket.
        """
        return None

    def maintenance(self) -> Frame | None:
        """The notice that asks for a new socket, where one is documented."""
        return None

    def rate_limited(self) -> Frame | None:
        """The error that says that too much was asked; None where the exchange just closes or refuses the handshake."""
        return None

    def ping(self) -> Frame | None:
        """The exchange's own ping inside the stream, where it has one."""
        return None

    def is_pong(self, asked: str) -> bool:
        """Whether a client's frame answers :meth:`ping`."""
        return False

    def token(self, url: str) -> bytes:
        """The answer to the adapter's ``token_request`` that sends a client to ``url``."""
        raise NotImplementedError
