"""Defines the control messages of a frame: acknowledgements, refusals, pings, notices and skipped rows."""

from __future__ import annotations

from typing import Literal, NamedTuple

from monitor.model.events import AnyEvent, Reject


class Ack(NamedTuple):
    """The exchange confirmed a subscription.

    Attributes:
        key: one of the ``acks`` of a ``Request``.
        accepted: names of the topics that it accepted; None if it does not list them.
    """

    key: str
    accepted: tuple[str, ...] | None = None


class Refusal(NamedTuple):
    """The exchange refused a request or reported an error.

    Attributes:
        key: one of the ``acks`` of a ``Request``; empty if the exchange did not name the request.
        detail: its explanation, which may name topics.
        repeated: true if the named topics were refused because they are subscribed already.
    """

    key: str
    detail: str
    repeated: bool = False


class Pong(NamedTuple):
    """The exchange answered a ``Keepalive`` frame."""


class Ping(NamedTuple):
    """The exchange sent a ping inside the data stream; ``reply`` is the frame to answer with."""

    reply: str


class Notice(NamedTuple):
    """The exchange announces maintenance or a closure; ``reconnect`` is true if a new socket is needed."""

    detail: str
    reconnect: bool


class Greeting(NamedTuple):
    """The exchange opened the conversation or confirmed an option of it; nothing follows from it."""


SkipReason = Literal[
    "not_executed",  # a forced order that is not filled yet; it is counted when it is filled
    "not_forced",  # an ordinary fill of an account whose fills are read to find liquidations
    "backlog",  # a row from before the subscription; it is part of the gap reported for that time
    "other_market",  # a row of another market of the exchange, or of a kind of instrument that is not watched
    "counted_before",  # a further update of an order that was already counted in full
    "off_book",  # a block trade, an assignment or a deleveraged position; it was not executed in the order book
    "remembered",  # values without a price or a time of their own; they are part of the symbol's next events
    "repeated",  # a row that the exchange sends a second time by design
    "unpriced",  # an open interest or a context from before the symbol's first price, which it needs
    "no_value",  # a row without any value that is read, such as a change of the best bid
]


class Skipped(NamedTuple):
    """A number of valid rows that make no event; they are counted by reason and are not errors."""

    reason: SkipReason
    rows: int


Control = Ack | Refusal | Pong | Ping | Notice | Greeting | Skipped


Message = AnyEvent | Reject | Control
