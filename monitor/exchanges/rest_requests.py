"""Defines the REST requests of an adapter and what their answers are read into."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Message
from monitor.model.events import Channel

NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})


class RestRequest(NamedTuple):
    """One call of the venue's REST API.

    Attributes:
        path: below the adapter's ``rest_url``.
        query: of the address.
        body: sent as JSON by POST; None is a GET.
        about: the symbol or product that the answer is about.
        weight: its cost in the venue's budget (:attr:`Adapter.rest_weight_per_minute`).
    """

    path: str
    query: Mapping[str, str] = NO_QUERY
    body: Mapping[str, object] | None = None
    about: str = ""
    weight: int = 1


class InstrumentPage(NamedTuple):
    """One REST answer: its instruments, those left out with the reason, and the request of the next page if any."""

    instruments: list[Instrument]
    left_out: dict[str, str]
    next_request: RestRequest | None


class Poll(NamedTuple):
    """A channel that is polled by REST, because no socket carries it."""

    channel: Channel
    request: RestRequest
    interval_s: float


class RestPage(NamedTuple):
    """One REST answer: its messages, and the request of its next page if any."""

    messages: list[Message]
    next_request: RestRequest | None = None
