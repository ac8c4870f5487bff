"""Defines the interface of an exchange's adapter: endpoints, subscription frames and a pure ``parse``.

An adapter never awaits, never reads a clock and never changes after its construction. Values that a frame omits because
an earlier frame had them are kept in the :class:`~monitor.exchanges.memory.Memory` passed to ``parse``; liquidations
and trades never depend on an earlier frame. Production, replay, tests and fuzzing therefore run the same ``parse``. The
session (:mod:`monitor.collect.connection.session`) does all I/O, following the adapter's :class:`Connection` plans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final, Literal, NamedTuple, Protocol, Self

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Message
from monitor.exchanges.rest_requests import InstrumentPage, Poll, RestPage, RestRequest
from monitor.model.events import Channel, Coverage


class CoverageEra(NamedTuple):
    """A period in which a venue published a given part of its liquidations.

    Attributes:
        from_us: beginning of the period, microseconds since the Unix epoch; it ends where the next one begins.
        coverage: part of the liquidations that the venue published.
        rule: the venue's rule in a few words, for ``docs/exchanges.md``.
        source: where the rule is documented.
    """

    from_us: int
    coverage: Coverage
    rule: str
    source: str


SEND_TIME: Final = "@now_s@"
"""Placeholder for the time of sending. This JSON string is replaced by the number of seconds since the Unix epoch."""


class Topic(NamedTuple):
    """One stream of one symbol, as a request names it.

    Attributes:
        name: its name in the request's frame.
        channel: channel that it carries, the main one of several; empty if it is not known.
    """

    name: str
    channel: Channel | Literal[""]


class Request(NamedTuple):
    """A frame to send after connecting.

    Attributes:
        frame: text of the frame; a :data:`SEND_TIME` in it is replaced when it is sent.
        acks: keys of the acknowledgements that the exchange must send in answer, each once.
        topics: topics that the frame lists one after the other, if the exchange refuses all of them because of one.
    """

    frame: str
    acks: tuple[str, ...]
    topics: tuple[Topic, ...] = ()

    def narrowed(self, topics: Sequence[Topic]) -> Request:
        """Return the request for some of its topics."""
        whole, part = ([topic.name for topic in some] for some in (self.topics, topics))
        separator = next(mark for mark in ('","', ",") if mark.join(whole) in self.frame)
        frame = self.frame.replace(separator.join(whole), separator.join(part), 1)
        return Request(frame, self.acks, tuple(topics))


class Keepalive(NamedTuple):
    """A ping inside the exchange's protocol, for exchanges that do not use WebSocket pings.

    Attributes:
        frame: text of the ping; a :data:`SEND_TIME` in it is replaced when it is sent.
        interval_s: seconds between pings.
        timeout_s: seconds without any frame after a ping until the socket is treated as lost.
    """

    frame: str
    interval_s: float
    timeout_s: float


DENSE: Final[frozenset[Channel]] = frozenset({"mark_price", "trades"})
"""Channels that have events at least every few seconds on any socket with an actively traded symbol.

Only their absence shows that a stream is stale; the other channels may be quiet for hours.
"""


class Connection(NamedTuple):
    """The plan of one WebSocket connection.

    Attributes:
        name: stable name within the venue, such as ``market-0``; used in metric labels and logs.
        url: address of the socket.
        requests: frames to send after connecting, in this order.
        channels: channels that this socket carries.
        symbols: symbols assigned to this socket. A subscription to a whole market (all liquidations, all tickers)
            brings events of other symbols too.
        stale_after_s: seconds without an event of a :attr:`dense` channel after which the stream is treated as stale
            and the socket replaced, even if other channels still have events.
        request_interval_s: seconds between two requests.
        keepalive: ping inside the exchange's protocol; None where WebSocket pings suffice.
        max_age_s: age in seconds before which the socket is replaced by a fresh one that overlaps it; None where the
            exchange sets no limit.
    """

    name: str
    url: str
    requests: tuple[Request, ...]
    channels: frozenset[Channel]
    symbols: tuple[str, ...]
    stale_after_s: float = 10.0
    request_interval_s: float = 0.2
    keepalive: Keepalive | None = None
    max_age_s: float | None = None

    @property
    def dense(self) -> frozenset[Channel]:
        """Channels of this socket that are in :data:`DENSE`."""
        return self.channels & DENSE


class Adapter(Protocol):
    """Adapter of one market of an exchange; :mod:`monitor.exchanges.registry` lists them all."""

    venue: ClassVar[str]
    closed: ClassVar[str] = ""
    """ISO date on which the exchange closed; empty while it operates. Only recordings of a closed exchange are read."""
    ws_url: ClassVar[str]
    rest_url: ClassVar[str]
    eras: ClassVar[tuple[CoverageEra, ...]]
    """Coverage of the venue's liquidations by period, earliest first; empty for a venue that publishes none."""
    counts_contracts: ClassVar[bool]
    """True if sizes are contracts. Without the instrument table they have no unit, so every row is then rejected."""
    instruments_requests: ClassVar[tuple[RestRequest, ...]]
    """REST requests for the instrument tables, one a market."""
    rest_weight_per_minute: ClassVar[int] = 600
    """REST weight that all tasks together may use in a minute, well below the venue's own rate limit."""
    rest_pool: ClassVar[str] = ""
    """Name of the REST budget that this venue shares with others; empty for a budget of its own."""
    token_request: ClassVar[RestRequest | None] = None
    """REST request to send before each connection, where sockets need a token; :meth:`dial_url` reads its answer."""
    known_keys: ClassVar[frozenset[str]] = frozenset()
    """Every key of the documented frames; a frame with another key is reported as schema drift. Empty: no check."""
    accounts: tuple[str, ...] = ()
    """Configured accounts whose fills are read as well, on venues that publish the fills of accounts."""

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        """Create an adapter for an instrument table.

        Args:
            instruments: the venue's instruments by symbol; rows of other symbols are rejected. None: assets are derived
                from the symbols' names, as ``cascade-monitor decode`` does without a table. Sizes in contracts then
                have no unit, so a venue that counts contracts rejects every row.
        """

    @classmethod
    def for_decoding(cls, instruments: Mapping[str, Instrument] | None) -> Self:
        """Return an adapter whose table only adds to what the names of symbols show.

        A live adapter rejects symbols outside its table, because the table is complete; the ``--instruments`` file of
        ``decode`` need not be.
        """
        return cls(instruments)

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets that carry ``channels`` of ``symbols`` within the venue's limits.

        ``ws_url`` replaces the exchange's address, for simulations and proxies.
        """

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame into events and control messages. It never raises: an unreadable row becomes a ``Reject``.

        Args:
            frame: the frame's bytes as received.
            received_us: time of receipt, microseconds since the Unix epoch; 0 if it is not known (``decode``), and then
                event times are not compared with it.
            memory: values from earlier frames of the same socket and venue; ``parse`` changes nothing else. None: the
                frame is read alone.
        """

    def dial_url(self, url: str, answer: bytes) -> str:
        """Return the address to connect to instead of a plan's ``url``, from the answer to :attr:`token_request`.

        Raises ``ValueError`` if the body is not such an answer.
        """
        raise ValueError(f"{self.venue} needs no token: {url} {answer[:64]!r}")

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read an answer to one of ``instruments_requests`` or to the request of a further page.

        Raises ``ValueError`` if the body is not such an answer.
        """

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> Sequence[Poll]:
        """Return the polls for those of ``channels`` that no socket carries, within the venue's REST budget."""
        return ()

    def history(self, symbols: Sequence[str], now_us: int) -> Sequence[RestRequest]:
        """Return the requests for the open interest of the last thirty days; none where the venue does not offer it."""
        return ()

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """Return the requests for a channel's events within a gap; none where the venue does not offer them."""
        return ()

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read the answer to a request of :meth:`polls`, :meth:`history` or :meth:`backfill`.

        An event has the same id as on a socket, so that it can be deduplicated. ``memory`` is as in :meth:`parse`.
        Raises ``ValueError`` if the body is not such an answer.
        """
        raise ValueError(f"{self.venue} sends no such REST request: {request.path} {body[:64]!r} {received_us}")


def coverage_at(eras: Sequence[CoverageEra], time_us: int) -> Coverage:
    """Return the coverage of a venue's liquidations at a time; before the first period it is that of the first.

    Raises ``IndexError`` if there is no period.
    """
    return next((era.coverage for era in reversed(eras) if era.from_us <= time_us), eras[0].coverage)
