"""Defines the interface of a simulated exchange server in the conformance suite: the frames that it sends.

The suite numbers the events that it sends. Event ``n`` has the price ``price_of(n)`` and the time ``time_ms`` that the
suite passes with it, and the same id on every socket, so that the events that the monitor makes can be counted.

The module of an exchange writes the frames by hand, as the exchange documents them, and must not call the adapter.
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
"""A text frame, or a binary one, in which some exchanges send compressed JSON."""

ALL_CHANNELS: Final[tuple[Channel, ...]] = (
    "liquidations",
    "trades",
    "mark_price",
    "open_interest",
    "volatility_index",
)


def price_of(number: int) -> float:
    """Return the price of event ``number``, USD per coin; a whole number is a multiple of every tick size."""
    return 1000.0 + number


def text(content: object) -> str:
    """Return compact JSON, as the exchanges send it."""
    return orjson.dumps(content).decode()


def fields(frame: str) -> dict[str, Any]:
    """Return a client's frame as a JSON object; empty if it is not one (a bare ``ping``)."""
    try:
        content = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


class Dialect(ABC):
    """The server's side of one socket of an exchange. Each socket has an instance of its own, which may keep state.

    The suite calls :meth:`trade` only if the plan of the socket has the channel ``trades``, :meth:`mark` only if it has
    ``mark_price`` and :meth:`liquidation` only if it has ``liquidations``. A method returns None for a frame that the
    exchange does not have; the scenario then uses what every exchange can do (close the socket, refuse the handshake).

    Attributes:
        plan: the adapter's plan of this socket.
        symbol: symbol of the events: the first of ``symbols`` that the plan's requests contain, else the first.
    """

    venue: ClassVar[str]
    symbols: ClassVar[tuple[str, ...]]
    """One symbol for each market that the adapter supports, of a single coin quoted in US dollars."""
    instruments: ClassVar[Mapping[str, Instrument]]
    """Instruments of at least ``symbols``, with contract sizes, products and keys where the venue has them."""
    channels: ClassVar[tuple[Channel, ...]] = ALL_CHANNELS
    """Channels that the suite subscribes to; an adapter ignores those that it does not support."""
    prices_liquidations: ClassVar[bool] = True
    """False for an exchange whose liquidations have no price; the suite then sends a mark price before each."""

    def __init__(self, plan: Connection) -> None:
        self.plan = plan
        sent = " ".join(request.frame for request in plan.requests).lower()
        self.symbol = next((symbol for symbol in self.symbols if symbol.lower() in sent), self.symbols[0])

    # Answers to a client's frames.

    @abstractmethod
    def acks(self, sent: str) -> Sequence[Frame]:
        """Return the confirmations of one of the plan's requests; called once for each request, in order."""

    @abstractmethod
    def refusals(self, sent: str) -> Sequence[Frame]:
        """Return the refusals of a request; empty if the exchange sends nothing in that case."""

    def answers(self, sent: str, delisted: str) -> Sequence[Frame]:
        """Return the answers to a request while the symbol ``delisted`` is not traded.

        Most exchanges refuse the whole request because of one symbol.
        """
        return self.refusals(sent) if delisted in sent else self.acks(sent)

    def pong(self, sent: str) -> Frame | None:
        """Return the answer to a client's ping; None if ``sent`` is not a ping or is not answered."""
        return None

    # Frames that the exchange sends without a request.

    def greeting(self) -> Sequence[Frame]:
        """Return the frames that the exchange sends on every new socket before any request."""
        return ()

    def trade(self, number: int, time_ms: int) -> Frame:
        """Return the frame of one trade of any quantity whose taker bought."""
        raise NotImplementedError

    def mark(self, number: int, time_ms: int) -> Frame:
        """Return the frame of a mark price of ``price_of(number)``."""
        raise NotImplementedError

    def liquidation(self, number: int, time_ms: int, side: Side) -> Frame:
        """Return the frame of one executed liquidation of a position of ``side``, at ``price_of(number)``.

        The price is left out where :attr:`prices_liquidations` is False.
        """
        raise NotImplementedError

    def backlog(self, time_ms: int) -> Frame | None:
        """Return past rows, dated ten minutes ago (``time_ms``) and sent after subscribing; they must make no event.

        None if the exchange sends no past rows on such a socket.
        """
        return None

    def maintenance(self) -> Frame | None:
        """Return the notice of maintenance, after which a client must reconnect; None if none is documented."""
        return None

    def rate_limited(self) -> Frame | None:
        """Return the error of an exceeded rate limit; None if the exchange closes or refuses the socket instead."""
        return None

    def ping(self) -> Frame | None:
        """Return the ping that the exchange sends inside the stream; None if it sends none."""
        return None

    def is_pong(self, sent: str) -> bool:
        """Return whether a client's frame answers :meth:`ping`."""
        return False

    def token(self, url: str) -> bytes:
        """Return the answer to the adapter's ``token_request`` that directs a client to ``url``."""
        raise NotImplementedError
