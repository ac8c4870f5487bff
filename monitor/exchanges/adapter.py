"""Defines what an exchange's adapter is: endpoints, subscribe frames and a pure ``parse``.

An adapter never awaits, never reads a clock and never changes once it is made. What frames leave out because earlier
frames reported it lives in the :class:`~monitor.exchanges.memory.Memory` that ``parse`` is given; what was executed or
traded never depends on an earlier frame. So production, replay, tests and fuzzing run the same ``parse``. The session
(:mod:`monitor.collect.connection.session`) does all I/O, by the :class:`Connection` plans that the adapter makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final, Literal, NamedTuple, Protocol

import msgspec

from monitor.exchanges.memory import Memory
from monitor.model.events import AnyEvent, Channel, Coverage, Reject


class Instrument(msgspec.Struct, frozen=True):
    """What must be known of a symbol before its events can be trusted.

    Attributes:
        symbol: the venue's own id, as its frames spell it.
        asset: canonical base asset.
        units: how many of ``asset`` one unit of the symbol's base stands for (1000 for ``1000PEPEUSDT``).
        contract_size: what one contract is worth, in the symbol's base units or in USD; 1.0 where the venue counts in
            base units, which is then the exchange's own unit and no default.
        contract_value_currency: ``base`` or ``usd``.
        trading: whether it trades now.
        onboard_us: when trading began, 0 where unknown.
        product: the venue's own word for the market that it belongs to (``inverse``, ``coin-futures``), empty where
            the venue has one market.
        key: what frames call it where that is not the symbol (a market number), else empty.
        dated: a future with a last day: its liquidations and trades are the asset's, its mark price is not.
    """

    symbol: str
    asset: str
    units: int
    contract_size: float
    contract_value_currency: str
    trading: bool = True
    onboard_us: int = 0
    product: str = ""
    key: str = ""
    dated: bool = False


NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})


class RestRequest(NamedTuple):
    """One call of the venue's REST API.

    Attributes:
        path: below the adapter's ``rest_url``.
        query: of the address.
        body: sent as JSON by POST; None is a GET.
        about: the symbol or product that it asks about, for whoever reads the answer.
        weight: what it costs of the venue's budget (:attr:`Adapter.rest_weight_per_minute`).
    """

    path: str
    query: Mapping[str, str] = NO_QUERY
    body: Mapping[str, object] | None = None
    about: str = ""
    weight: int = 1


class InstrumentPage(NamedTuple):
    """One REST answer: its instruments, those left out with the reason, and what asks for the next page if any."""

    instruments: list[Instrument]
    left_out: dict[str, str]
    next_request: RestRequest | None


class Poll(NamedTuple):
    """A channel that is asked for again and again, because no socket carries it."""

    channel: Channel
    request: RestRequest
    interval_s: float


class RestPage(NamedTuple):
    """What a REST answer holds, and what asks for the rest of it if any."""

    messages: list[Message]
    next_request: RestRequest | None = None


class CoverageEra(NamedTuple):
    """From ``from_us`` on the venue showed this much of its liquidations; ``rule`` is its rule in a few words."""

    from_us: int
    coverage: Coverage
    rule: str
    source: str


class Ack(NamedTuple):
    """The exchange confirmed a subscription; ``key`` is one that a :class:`Request` listed."""

    key: str


class Refusal(NamedTuple):
    """The exchange refused a request or reported an error; ``key`` is empty when it does not say which."""

    key: str
    detail: str


class Pong(NamedTuple):
    """The answer to our keep-alive."""


class Ping(NamedTuple):
    """The exchange's own ping inside the data stream, and the frame that answers it."""

    reply: str


class Notice(NamedTuple):
    """Something the exchange says of the connection: maintenance, going away. ``reconnect`` asks for a new socket."""

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
    """Rows that were read and understood, and rightly make no event: to be counted, never an error."""

    reason: SkipReason
    rows: int


Control = Ack | Refusal | Pong | Ping | Notice | Skipped
Message = AnyEvent | Reject | Control


NOW_S: Final = "@now_s@"
"""Stands in a frame, as a JSON string, for the time of its sending: seconds since the Unix epoch, as a number."""


class Request(NamedTuple):
    """A frame to send after connecting, and the acknowledgements that it must bring (each key once).

    A :data:`NOW_S` in the frame is replaced when it is sent, as it is in a :class:`Keepalive`.
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
