"""Remembers what earlier frames of an exchange reported and later frames leave out.

``parse`` changes nothing but the memory that it is given. So one adapter reads all sockets of its venue, and a fresh
adapter (with newer instruments) takes over on a live socket without losing a funding rate or a channel's number.
"""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec import UNSET, UnsetType


class Latest(msgspec.Struct, gc=False):
    """The last reported values of one symbol, in the exchange's own units; UNSET where none was reported.

    A value gives way to one of the same or a later time, never to an older one. Two sockets that carry the same frames
    therefore leave the same values, whichever of them is ahead.

    Attributes:
        price: mark price of one of the symbol's base units.
        index_price: index price of one of the symbol's base units.
        interest: open interest of one side.
        interest_value: what that is worth, in the exchange's other unit.
        time_us: event time of the values above, microseconds; 0 where no dated one was reported.
        rate: funding rate.
        next_us: when funding is next paid, microseconds.
        funding_us: event time of the funding, microseconds; 0 where no dated one was reported.
    """

    price: float | UnsetType = UNSET
    index_price: float | UnsetType = UNSET
    interest: float | UnsetType = UNSET
    interest_value: float | UnsetType = UNSET
    time_us: int = 0
    rate: float | UnsetType = UNSET
    next_us: int | UnsetType = UNSET
    funding_us: int = 0

    def update_mark_price(self, price: float, time_us: int = 0) -> None:
        """Remember a mark price unless a later one is known.

        A ``time_us`` of 0 means that the exchange dates it not: then the last one received stands.
        """
        if not time_us or time_us >= self.time_us:
            self.price = price
            self.time_us = time_us or self.time_us

    def update_funding(self, rate: float | UnsetType, next_us: int | UnsetType = UNSET, time_us: int = 0) -> None:
        """Remember a funding rate unless a later one is known; ``time_us`` is as in :meth:`update_mark_price`."""
        if not time_us or time_us >= self.funding_us:
            self.rate = rate
            self.next_us = next_us
            self.funding_us = time_us or self.funding_us


class Memory:
    """What the frames of one socket build on.

    Attributes:
        latest: the last values by symbol. All sockets of a venue share it, so it survives reconnects and rotation. Its
            keys are symbols that the adapter knows, which bounds it.
        channels: this socket's channel numbers (Bitfinex).
        columns: the names of this socket's columns, as its snapshot gave them (Phemex).
        confirmed: how many subscriptions of each kind this socket confirmed (MEXC).
    """

    __slots__ = ("channels", "columns", "confirmed", "latest")

    def __init__(self, latest: dict[str, Latest] | None = None) -> None:
        self.latest: dict[str, Latest] = {} if latest is None else latest
        self.channels: dict[int, str] = {}
        self.columns: tuple[str, ...] = ()
        self.confirmed: Counter[str] = Counter()

    def for_new_socket(self) -> Memory:
        """Return the memory of a fresh socket: the venue's last values, and nothing of another socket's own."""
        return Memory(self.latest)
