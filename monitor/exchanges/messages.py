"""Defines what a frame can be besides an event: acknowledgements, refusals, pings, notices, skipped rows."""

from __future__ import annotations

from typing import Literal, NamedTuple

from monitor.model.events import AnyEvent, Reject


class Ack(NamedTuple):
    """The exchange confirmed a subscription; ``key`` is one that a :class:`Request` listed."""

    key: str


class Refusal(NamedTuple):
    """The exchange refused a request or reported an error; ``key`` is empty when it does not name the request."""

    key: str
    detail: str


class Pong(NamedTuple):
    """The answer to our keep-alive."""


class Ping(NamedTuple):
    """The exchange's own ping inside the data stream, and the frame that answers it."""

    reply: str


class Notice(NamedTuple):
    """The exchange announces maintenance or a closure; ``reconnect`` is true if a new socket is needed."""

    detail: str
    reconnect: bool


SkipReason = Literal[
    "not_executed",  # a forced order that is new or partly filled: only the filled one is counted
    "not_forced",  # an account's own trading, among the fills that are read for its liquidations
    "backlog",  # a row from before the subscription: it belongs to a reported gap
    "other_market",  # a row of another of the exchange's markets in a merged stream
    "counted_before",  # a further execution of an order that was counted whole
    "off_book",  # a block trade, an assignment, a position closed against its counterpart: no order took a price
]


class Skipped(NamedTuple):
    """Rows that were read and rightly make no event: they are counted and are no error."""

    reason: SkipReason
    rows: int


Control = Ack | Refusal | Pong | Ping | Notice | Skipped


Message = AnyEvent | Reject | Control
