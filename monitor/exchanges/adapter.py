"""Defines what an exchange's adapter is: endpoints, subscribe frames and a pure ``parse``.

An adapter never awaits, never reads a clock and never changes once it is made. What frames leave out because earlier
frames reported it lives in the :class:`~monitor.exchanges.memory.Memory` that ``parse`` is given; what was executed or
traded never depends on an earlier frame. So production, replay, tests and fuzzing run the same ``parse``. The session
(:mod:`monitor.collect.connection.session`) does all I/O, by the :class:`Connection` plans that the adapter makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final, NamedTuple, Protocol

from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Message
from monitor.exchanges.rest_requests import InstrumentPage, Poll, RestPage, RestRequest
from monitor.model.events import Channel, Coverage


class CoverageEra(NamedTuple):
    """From ``from_us`` on the venue showed this much of its liquidations; ``rule`` is its rule in a few words."""

    from_us: int
    coverage: Coverage
    rule: str
    source: str


SEND_TIME: Final = "@now_s@"
"""Stands in a frame, as a JSON string, for the time of its sending: seconds since the Unix epoch, as a number."""


class Request(NamedTuple):
    """A frame to send after connecting, and the acknowledgements that it must bring (each key once).

    A :data:`SEND_TIME` in the frame is replaced when it is sent, as it is in a :class:`Keepalive`.
    """

    frame: str
    acks: tuple[str, ...]


class Keepalive(NamedTuple):
    """The exchange's own ping: send ``frame`` every ``interval_s``; silence for ``timeout_s`` after it is death."""

    frame: str
    interval_s: float
    timeout_s: float


DENSE: Final[frozenset[Channel]] = frozenset({"mark_price", "trades"})
"""Channels that speak at least every few seconds on any socket that carries a traded symbol."""


class Connection(NamedTuple):
    """One socket as the adapter wants it.

    Attributes:
        name: stable name within the venue, ``market-0``; a metric label and a log word.
        url: where to dial.
        requests: what to send, in order, ``request_interval_s`` apart.
        channels: what this socket carries.
        symbols: those laid out on it. What it carries of a whole market (all liquidations, all tickers) goes beyond
            them, and is asked for by market.
        stale_after_s: this long without any of the :attr:`dense` ones means that the stream is dead, whatever the
            sparse ones do.
        keepalive: the exchange's own ping, None where protocol pings suffice.
        max_age_s: rotate to a fresh socket, overlapping, before this age; None where the exchange sets no limit.
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
        """Its channels that always speak."""
        return self.channels & DENSE


class Adapter(Protocol):
    """One exchange's market. One module, one class, one line in :mod:`monitor.exchanges.registry`."""

    venue: ClassVar[str]
    closed: ClassVar[str] = ""
    """The day, ISO, on which the exchange closed: its recordings are read, and nothing is dialled. Empty: it trades."""
    ws_url: ClassVar[str]
    rest_url: ClassVar[str]
    eras: ClassVar[tuple[CoverageEra, ...]]
    """How much of its liquidations the venue shows, by date, earliest first; none for a venue that shows none."""
    counts_contracts: ClassVar[bool]
    """Whether sizes are contracts: without instrument data nothing can be said, so everything is quarantined."""
    instruments_requests: ClassVar[tuple[RestRequest, ...]]
    """What asks for the instruments of each of its markets."""
    rest_weight_per_minute: ClassVar[int] = 600
    """REST weight that all tasks together may spend; well below the venue's own limit."""
    rest_pool: ClassVar[str] = ""
    """Venues that name the same pool share one budget; empty is the venue's own."""
    token_request: ClassVar[RestRequest | None] = None
    """Asked before each dial, where sockets need a fresh address; :meth:`dial_url` reads the answer."""
    known_keys: ClassVar[frozenset[str]] = frozenset()
    """Every key that documented frames have: another one is schema drift. Empty checks nothing."""
    accounts: tuple[str, ...] = ()
    """Accounts whose fills are to be read as well, as configured; of no use where the venue shows no fills."""

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        """With ``instruments``, a symbol outside it is quarantined; None reads assets off the symbols' names.

        None is for ``decode`` and for venues that count base units; a venue that counts contracts quarantines all.
        """

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets that carry ``channels`` for ``symbols`` within the venue's limits."""

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame. Never raises: what cannot be read comes back as a :class:`Reject`, row by row.

        Args:
            frame: the bytes as they came.
            received_us: time of receipt, microseconds; 0 where it is not known (``decode``), and then no check against
                it is made.
            memory: what earlier frames of the same socket and venue reported; the only thing that this changes. None
                reads the frame by itself.
        """

    def dial_url(self, url: str, answer: bytes) -> str:
        """Where to dial instead of a plan's ``url``, by the answer to :attr:`token_request`.

        Raises ``ValueError`` when it is none.
        """
        raise ValueError(f"{self.venue} needs no token: {url} {answer[:64]!r}")

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read one REST answer to one of ``instruments_requests`` or a page after it.

        Raises ``ValueError`` when it is not one.
        """

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> Sequence[Poll]:
        """What of ``channels`` must be asked for because no socket carries it; within the venue's budget."""
        return ()

    def history(self, symbols: Sequence[str], now_us: int) -> Sequence[RestRequest]:
        """What asks for the open interest of the last thirty days, where the venue keeps it."""
        return ()

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """What asks for a channel's events of a gap, where the venue keeps them; none where it does not."""
        return ()

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read the answer to a request of :meth:`polls`, :meth:`history` or :meth:`backfill`.

        Ids are those of the same events on a socket. ``memory`` is the venue's, as in :meth:`parse`. Raises
        ``ValueError`` when the body is no such answer.
        """
        raise ValueError(f"{self.venue} asked for nothing: {request.path} {body[:64]!r} {received_us}")


def coverage_at(eras: Sequence[CoverageEra], time_us: int) -> Coverage:
    """How much of the truth the venue showed at a time; before the first era as in it. Raises where there is none."""
    return next((era.coverage for era in reversed(eras) if era.from_us <= time_us), eras[0].coverage)
