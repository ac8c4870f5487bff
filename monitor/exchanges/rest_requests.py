"""Defines the REST requests of an adapter and the results of reading their answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Message
from monitor.model.events import Channel

NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})


class RestRequest(NamedTuple):
    """One request to the venue's REST API.

    Attributes:
        path: path below the adapter's ``rest_url``.
        query: parameters of the query string.
        body: JSON body of a POST request; None for a GET request.
        about: what the adapter needs to read the answer and the answer itself does not contain, such as the symbol.
        weight: cost in the venue's REST budget (:attr:`Adapter.rest_weight_per_minute`).
    """

    path: str
    query: Mapping[str, str] = NO_QUERY
    body: Mapping[str, object] | None = None
    about: str = ""
    weight: int = 1


class InstrumentPage(NamedTuple):
    """The instruments of one REST answer.

    Attributes:
        instruments: instruments that can be watched.
        left_out: reason for each instrument that cannot be watched, by symbol.
        next_request: request of the next page; None if this is the last.
    """

    instruments: list[Instrument]
    left_out: dict[str, str]
    next_request: RestRequest | None


class Poll(NamedTuple):
    """A REST request to repeat every ``interval_s`` seconds, for a channel that no socket carries."""

    channel: Channel
    request: RestRequest
    interval_s: float


class RestPage(NamedTuple):
    """The messages of one REST answer, and the request of the next page if there is one."""

    messages: list[Message]
    next_request: RestRequest | None = None
