"""Keeps the values of earlier frames that later frames of an exchange omit.

``parse`` changes only the memory that is passed to it. One adapter can therefore read all sockets of its venue, and it
can be replaced while they are open, when the instrument table is refreshed, without losing a funding rate or a channel
id.
"""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec import UNSET, UnsetType


class Latest(msgspec.Struct, gc=False):
    """Latest values of one symbol, in the exchange's own units; UNSET where none was reported.

    A value is replaced only by one with the same or a later time. Two sockets that carry the same frames therefore
    leave the same values, whichever of them is faster.

    Attributes:
        price: mark price of one of the symbol's base units.
        index_price: index price of one of the symbol's base units.
        interest: open interest, counting one side of each contract.
        interest_value: the same open interest in the exchange's second unit, usually its value.
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
        """Store a mark price unless a later one is known.

        A ``time_us`` of 0 means that the exchange sends no time with it; it then replaces the stored one.
        """
        if not time_us or time_us >= self.time_us:
            self.price = price
            self.time_us = time_us or self.time_us

    def update_funding(self, rate: float | UnsetType, next_us: int | UnsetType = UNSET, time_us: int = 0) -> None:
        """Store a funding rate unless a later one is known; ``time_us`` is as in :meth:`update_mark_price`."""
        if not time_us or time_us >= self.funding_us:
            self.rate = rate
            self.next_us = next_us
            self.funding_us = time_us or self.funding_us


class Memory:
    """Values from earlier frames that the parsing of a socket's later frames needs.

    Attributes:
        latest: latest values by symbol. All sockets of a venue share it, so it survives reconnects and rotation. Only
            symbols known to the adapter are stored, which limits its size.
        channels: subscription by channel id of this socket (Bitfinex).
        subscribed_us: receipt time of the last confirmation of this socket, microseconds, by channel; old rows that
            come within seconds of it are backlog (Bitfinex, Hyperliquid, OKX).
        columns: column names of this socket's rows, from its snapshot (Phemex).
        confirmed: number of subscriptions that this socket confirmed, by channel (MEXC).
    """

    __slots__ = ("channels", "columns", "confirmed", "latest", "subscribed_us")

    def __init__(self, latest: dict[str, Latest] | None = None) -> None:
        self.latest: dict[str, Latest] = {} if latest is None else latest
        self.channels: dict[int, str] = {}
        self.subscribed_us: dict[str, int] = {}
        self.columns: tuple[str, ...] = ()
        self.confirmed: Counter[str] = Counter()

    def for_new_socket(self) -> Memory:
        """Return the memory of a new socket, which shares the venue's latest values and nothing else."""
        return Memory(self.latest)
