"""Defines the interface of an exchange's format: pure builders of the server's frames and of its answers to clients.

A dialect processes every step once, independently of the clients, because the throttles apply to the market.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import orjson

from monitor.lab.simulate.ledger import Entry, Ledger, Shown
from monitor.lab.simulate.listings import Asset, Listing
from monitor.lab.simulate.tape import ForcedOrder, Print, Quote, Step


class Outgoing(NamedTuple):
    """A frame for everybody who subscribed to ``topic``, and the forced orders in it."""

    topic: str
    frame: bytes
    shown: tuple[Shown, ...] = ()


class Answer(NamedTuple):
    """The reaction to a client's frame: frames back, then topics to begin and to end."""

    frames: tuple[bytes, ...] = ()
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()


def encode(content: object) -> bytes:
    """Return JSON as it is on the wire."""
    return orjson.dumps(content)


class Dialect(ABC):
    """One exchange's market data: websocket frames, answers, and REST.

    Args:
        assets: assets to trade.
        quotes: state before the first step.
        now_us: time of that state; trade ids count up from it, so two runs do not share ids.
    """

    venue: ClassVar[str]
    path: ClassVar[str]
    """Path of the websocket to which a collector connects."""

    def __init__(self, assets: Sequence[Asset], quotes: Mapping[str, Quote], now_us: int) -> None:
        self.ledger = Ledger()
        self.listings: dict[str, Listing] = {asset.name: asset.listings[self.venue] for asset in assets}
        self.by_symbol = {listing.symbol: listing for listing in self.listings.values()}
        self.quotes: Mapping[str, Quote] = quotes
        self.now_us = now_us
        self._next_id = now_us // 1_000

    @property
    def now_ms(self) -> int:
        """Return the end of the last step, milliseconds, as the wires count time."""
        return self.now_us // 1_000

    def next_id(self, count: int = 1) -> int:
        """Return the first of ``count`` fresh ids."""
        first = self._next_id
        self._next_id += count
        return first

    def observe(self, quotes: Mapping[str, Quote], now_us: int) -> None:
        """Take over the state of a market that advanced without frames."""
        self.quotes, self.now_us = quotes, now_us

    def frames_for(self, step: Step) -> list[Outgoing]:
        """Return the frames that the exchange sends because of one step."""
        self.quotes, self.now_us = step.quotes, step.end_us
        forced = [order for order in step.forced if order.listing.venue == self.venue]
        for order in forced:
            self.ledger.execute(self.entry(order))
        prints = [one for one in step.prints if one.listing.venue == self.venue]
        return [*self.liquidations(forced), *self.trades(prints), *self.state()]

    def show(self, orders: Sequence[ForcedOrder]) -> tuple[Shown, ...]:
        """Record orders that the throttle let through, and return them."""
        return tuple(self.ledger.show(self.entry(order)) for order in orders)

    def carries_liquidations(self, topic: str) -> bool:
        """Return True if a topic carries forced orders."""
        return "liquidation" in topic.lower()

    @abstractmethod
    def entry(self, order: ForcedOrder) -> Entry:
        """Return the order as a correct reader counts it."""

    @abstractmethod
    def liquidations(self, forced: Sequence[ForcedOrder]) -> list[Outgoing]:
        """Return frames of forced orders, after the throttle."""

    @abstractmethod
    def flush(self) -> list[Outgoing]:
        """Return frames of the forced orders that still wait for their second or batch to end."""

    @abstractmethod
    def trades(self, prints: Sequence[Print]) -> list[Outgoing]:
        """Return frames of a step's trades."""

    @abstractmethod
    def state(self) -> list[Outgoing]:
        """Return frames of mark prices, funding and open interest that are due now."""

    def serves(self, path: str) -> bool:
        """Return True if a websocket can be opened at ``path``."""
        return path == self.path

    def opening(self, path: str, query: Mapping[str, str]) -> tuple[str, ...]:
        """Return the topics to which the address itself subscribes."""
        return ()

    def greeting(self, topic: str) -> bytes | None:
        """Return the first frame for a subscriber of ``topic``: the state, where the exchange sends it."""
        return None

    def envelope(self, path: str, topic: str, frame: bytes) -> bytes:
        """Return the frame as clients at ``path`` get it."""
        return frame

    @abstractmethod
    def answer(self, frame: str, path: str, client: int) -> Answer:
        """Return the reaction to a client's frame."""

    @abstractmethod
    def rest(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """Return the body of a GET; None where there is nothing."""
