"""Builds an event from a row's values in its exchange's own units, or a reject that states what is wrong with them.

It is made for a few hundred rows a second, where a few function calls a row are cheap. An adapter with more trades
builds valid trades in its own ``parse`` and leaves everything else to this module.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Final, Generic, NamedTuple, Self, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Adapter, CoverageEra, coverage_at
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Latest, Memory
from monitor.exchanges.messages import Message, Skipped
from monitor.exchanges.toolkit.decoding import (
    convert_amounts,
    decode_rows,
    find_fault,
    number_duplicate,
    optional_float,
    optional_time_us,
    quote_constants,
    raw_rows,
    reject,
    symbol_fault,
    unknown_value,
    unreadable,
)
from monitor.exchanges.toolkit.listings import Listing, ListingReader, Listings, listing_by_name
from monitor.model.events import (
    Coverage,
    Liquidation,
    MarkPrice,
    OpenInterest,
    PriceKind,
    Reject,
    Side,
    TakerSide,
    Trade,
)
from monitor.model.validation import (
    EARLIEST_US,
    FUNDING,
    LONGEST_ID,
    LONGEST_SYMBOL,
    PRICE,
    UNREADABLE,
    Fault,
    id_fault,
    number_fault,
    time_fault,
)

Row = TypeVar("Row")

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time in ISO 8601 format with its time zone."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

TAKER_SIDES: Final[dict[str, TakerSide]] = {"buy": "buy", "sell": "sell"}
CLOSED_BY: Final[dict[str, Side]] = {"sell": "long", "buy": "short"}
"""Side of the position that an order closes, by the side of the order."""
OPPOSITE: Final[dict[str, str]] = {"buy": "sell", "sell": "buy"}


SHORT_ID: Final = LONGEST_ID - LONGEST_SYMBOL - 24
"""Longest id, in characters, that stays within :data:`LONGEST_ID` with any venue and symbol in front of it."""


REMEDY: Final = ": sizes are contracts, so give the contract sizes with --instruments"
"""Ending of the reject of a symbol without a contract size."""
BACKLOG_AGE_US: Final = 60_000_000
"""Minimum age of a row at receipt, microseconds, to be taken for backlog; younger repetitions have ids seen before."""
BACKLOG_LASTS_US: Final = 10_000_000
"""Longest time after the confirmation of a subscription, microseconds, in which old rows are backlog."""


class Receipt(NamedTuple):
    """A received frame or REST answer.

    Attributes:
        received_us: time of receipt, microseconds since the Unix epoch; 0 if it is not known.
        frame: its bytes.
        memory: values from earlier frames; None if the frame is read alone.
    """

    received_us: int
    frame: bytes
    memory: Memory | None = None

    @property
    def kept(self) -> Memory:
        """The memory, or a temporary empty one if the frame is read alone."""
        return Memory() if self.memory is None else self.memory

    def is_backlog(self, time_us: int, channel: str) -> bool:
        """Return whether a row is an old one that the exchange repeats because ``channel`` was just subscribed.

        Only the first seconds after the confirmation have such rows. An old row that comes later is a late report of
        something that nobody saw before: OKX was measured eight minutes late in congestion.

        Args:
            time_us: event time of the row, microseconds.
            channel: key in :attr:`monitor.exchanges.memory.Memory.subscribed_us`.
        """
        if not EARLIEST_US <= time_us < self.received_us - BACKLOG_AGE_US:
            return False
        confirmed_us = self.kept.subscribed_us.get(channel)
        return confirmed_us is None or self.received_us < confirmed_us + BACKLOG_LASTS_US


class Fill(NamedTuple):
    """A trade, or an order that closed a position, in the exchange's own units.

    Attributes:
        symbol: the venue's own symbol.
        side: side of the taker or of the closing order, as the exchange wrote it; only ``buy`` and ``sell``, in any
            case, are accepted later.
        price: price of one of the symbol's base units, USD.
        size: size in contracts, or in base units where the venue does not count contracts.
        time_us: event time, microseconds since the Unix epoch.
        id: identifier that is unique within the symbol.
        trades: number of fills that it aggregates.
    """

    symbol: str
    side: str
    price: float
    size: float
    time_us: int
    id: str
    trades: int = 1


class MarkUpdate(NamedTuple):
    """A mark price in the exchange's own units, with the index price and the funding that the exchange sent with it.

    Attributes:
        symbol: the venue's own symbol.
        price: mark price of one of the symbol's base units, USD.
        time_us: event time, microseconds since the Unix epoch.
        index_price: index price of one of the symbol's base units, USD.
        rate: funding rate per funding interval, as a fraction.
        next_us: time of the next funding payment, microseconds since the Unix epoch.
    """

    symbol: str
    price: float
    time_us: int
    index_price: float | str | UnsetType = UNSET
    rate: float | str | UnsetType = UNSET
    next_us: int | UnsetType = UNSET


class RowDecoder(Generic[Row]):
    """Decodes an array of rows at once, or one by one if one of them is bad."""

    def __init__(self, row: type[Row]) -> None:
        self._all = msgspec.json.Decoder(list[row], strict=False)  # type: ignore[valid-type]
        self._one = msgspec.json.Decoder(row, strict=False)

    def rows(self, raw: msgspec.Raw) -> tuple[list[Row], list[Fault]]:
        """Return the rows of an array and the faults of its bad rows; a value that is no array is taken as one row."""
        try:
            return self._all.decode(raw), []
        except UNREADABLE:
            rows, faults = decode_rows(raw_rows(raw), self._one)
            return rows, [fault for _, fault in faults]


class RecordBuilder:
    """Builds the events and the rejects of one venue."""

    def __init__(self, venue: str, listings: Listings, eras: Sequence[CoverageEra] = (), remedy: str = "") -> None:
        """Create a builder.

        Args:
            venue: the venue.
            listings: asset and contract size by symbol.
            eras: coverage of the venue's liquidations by period.
            remedy: text that is added to the reject of an unknown symbol.
        """
        self.venue = venue
        self.listings = listings
        self._eras = eras
        self._remedy = remedy

    def refuse(self, fault: Fault, receipt: Receipt) -> Reject:
        """Return the reject of a row."""
        return reject(self.venue, fault, receipt.received_us, receipt.frame)

    def unknown_channel(self, channel: str, receipt: Receipt) -> Reject:
        """Return the reject of a message on a channel that was not subscribed to."""
        return self.refuse(("unknown_channel", f"channel {channel[:64]!r}"), receipt)

    def malformed(self, receipt: Receipt) -> Reject:
        """Return the reject of a frame that is in none of the documented formats."""
        return self.refuse(("malformed", "neither a channel's data nor an answer to a request"), receipt)

    def unknown_symbol(self, symbol: str, receipt: Receipt) -> Reject:
        """Return the reject of a symbol without a listing."""
        reason, detail = symbol_fault(symbol)
        return self.refuse((reason, detail + self._remedy if reason == "unknown_symbol" else detail), receipt)

    def read_rows(
        self,
        raw: msgspec.Raw,
        shape: RowDecoder[Row],
        read: Callable[[Row, Receipt], Iterable[Message]],
        receipt: Receipt,
    ) -> list[Message]:
        """Turn the rows of an array into messages with ``read``, and each bad row into a reject."""
        rows, faults = shape.rows(raw)
        messages = [message for row in rows for message in read(row, receipt)]
        messages.extend(self.refuse(fault, receipt) for fault in faults)
        return messages

    def _checked(self, fill: Fill, receipt: Receipt) -> tuple[Listing, float, float, float] | Reject:
        """Return a fill's listing, price (USD), coins and USD, or its reject."""
        listing = self.listings[fill.symbol]
        if listing is None:
            return self.unknown_symbol(fill.symbol, receipt)
        price, coins, usd = convert_amounts(listing, fill.price, fill.size)
        fault = find_fault(
            Trade, fill.time_us, receipt.received_us, price=price, quantity=coins, notional_usd=usd, trades=fill.trades
        )
        if fault is None and not (fill.id and len(fill.id) <= SHORT_ID and fill.id.isprintable()):
            fault = id_fault(fill.id) or ("bad_name", f"id {fill.id[:64]!a} is longer than {SHORT_ID}")
        return self.refuse(fault, receipt) if fault else (listing, price, coins, usd)

    def trade_and_liquidation(self, fill: Fill, receipt: Receipt, *, liquidated: bool) -> list[Message]:
        """Build the trade of a fill, and the liquidation that it also is if ``liquidated``; one reject for both."""
        trade = self.trade(fill, receipt)
        if not liquidated or isinstance(trade, Reject):
            return [trade]
        return [trade, self.liquidation(fill, "fill", receipt)]

    def trade(self, fill: Fill, receipt: Receipt) -> Trade | Reject:
        """Build a trade from a fill whose side is that of the taker."""
        checked = self._checked(fill, receipt)
        if isinstance(checked, Reject):
            return checked
        listing, price, coins, usd = checked
        side = TAKER_SIDES.get(fill.side.lower())
        if side is None:
            return self.refuse(unknown_value("taker side", fill.side), receipt)
        return Trade(
            self.venue,
            fill.symbol,
            listing[0],
            fill.time_us,
            receipt.received_us,
            side,
            price,
            coins,
            usd,
            fill.trades,
            fill.id,
        )

    def liquidation(
        self,
        fill: Fill,
        kind: PriceKind,
        receipt: Receipt,
        seen: dict[str, int] | None = None,
        coverage: Coverage | None = None,
    ) -> Liquidation | Reject:
        """Build a liquidation from a fill whose side is that of the closing order; its id begins with venue and symbol.

        ``seen`` holds the ids of the frame so far, for exchanges where identical rows of a frame are different orders.
        ``coverage`` is that of the channel, for exchanges whose channels differ in it; else it follows from the date.
        """
        checked = self._checked(fill, receipt)
        if isinstance(checked, Reject):
            return checked
        listing, price, coins, usd = checked
        side = CLOSED_BY.get(fill.side.lower())
        if side is None:
            return self.refuse(unknown_value("order side", fill.side), receipt)
        id_ = listing[4] + fill.id
        return Liquidation(
            self.venue,
            fill.symbol,
            listing[0],
            fill.time_us,
            receipt.received_us,
            side,
            usd,
            coverage or coverage_at(self._eras, fill.time_us),
            id_ if seen is None else number_duplicate(seen, id_),
            coins,
            price,
            kind,
        )

    def latest(self, symbol: str, receipt: Receipt) -> Latest:
        """Return a symbol's latest values, to be read and updated; those of an unknown symbol are not kept."""
        kept = receipt.kept.latest
        latest = kept.get(symbol)
        if latest is None:
            latest = Latest()
            if self.listings[symbol] is not None:
                kept[symbol] = latest
        return latest

    def remember_funding(
        self, symbol: str, rate: float | str | UnsetType, next_us: int | UnsetType, time_us: int, receipt: Receipt
    ) -> list[Message]:
        """Store a funding rate for the symbol's next mark price and count it; return the reject of an implausible one.

        A stored implausible rate would cause the reject of every mark price until the next rate.
        """
        value = optional_float(rate)
        if value is not UNSET and (fault := number_fault("funding_rate", value, FUNDING)):
            return [self.refuse(fault, receipt)]
        self.latest(symbol, receipt).update_funding(value, next_us, time_us)
        return [Skipped("remembered", 1)]

    def plausible_time_us(self, time_ms: int | str, receipt: Receipt) -> int:
        """Convert the time of a value to store from milliseconds to microseconds; 0 if it is implausible.

        A stored time far in the future would prevent all later values from being stored.
        """
        time_us = optional_time_us(time_ms)
        return 0 if time_us is UNSET or time_fault(time_us, receipt.received_us) else time_us

    def mark(self, mark: MarkUpdate, receipt: Receipt) -> MarkPrice | Reject | Skipped:
        """Build a mark price; that of a dated future is skipped, because it differs from the perpetual's."""
        listing = self.listings[mark.symbol]
        if listing is None:
            return self.unknown_symbol(mark.symbol, receipt)
        if mark.symbol in self.listings.dated:
            return Skipped("other_market", 1)
        asset, units, _, _, _ = listing
        price = mark.price / units
        numbers = {"mark_price": price}
        index = optional_float(mark.index_price, 0.0)
        if index is not UNSET:
            index = numbers["index_price"] = index / units
        rate = optional_float(mark.rate)
        if rate is not UNSET:
            numbers["funding_rate"] = rate
        if fault := find_fault(MarkPrice, mark.time_us, receipt.received_us, **numbers):
            return self.refuse(fault, receipt)
        return MarkPrice(
            self.venue,
            mark.symbol,
            asset,
            mark.time_us,
            receipt.received_us,
            price,
            index,
            rate,
            mark.next_us,
        )

    def ticker(self, mark: MarkUpdate, size: float | UnsetType | None, receipt: Receipt) -> list[Message]:
        """Build a mark price and, if the mark price is valid, the open interest that came with it.

        ``size`` is the open interest in contracts, counting one side of each; None or UNSET if there is none.
        """
        message = self.mark(mark, receipt)
        if not isinstance(size, float) or not isinstance(message, MarkPrice):
            return [message]
        return [message, self.open_interest(mark.symbol, size, mark.price, mark.time_us, receipt)]

    def open_interest(
        self, symbol: str, size: float, price: float, time_us: int, receipt: Receipt
    ) -> OpenInterest | Reject | Skipped:
        """Build an open interest from a number of contracts, counting one side of each, and the price at that time."""
        listing = self.listings[symbol]
        if listing is None:
            return self.unknown_symbol(symbol, receipt)
        if fault := number_fault("price", price / listing[1], PRICE):
            return self.refuse(fault, receipt)
        _, coins, usd = convert_amounts(listing, price, size)
        return self.open_interest_from_amounts(symbol, coins, usd, time_us, receipt)

    def open_interest_from_amounts(
        self, symbol: str, coins: float, usd: float, time_us: int, receipt: Receipt
    ) -> OpenInterest | Reject | Skipped:
        """Build an open interest from coins and USD, counting one side of each contract.

        Zero is valid: a new instrument has no open positions. The open interest of dated futures is skipped.
        """
        listing = self.listings[symbol]
        if listing is None:
            return self.unknown_symbol(symbol, receipt)
        if symbol in self.listings.dated:
            return Skipped("other_market", 1)
        fault = find_fault(OpenInterest, time_us, receipt.received_us, open_interest=coins, open_interest_usd=usd)
        if fault:
            return self.refuse(fault, receipt)
        return OpenInterest(self.venue, symbol, listing[0], time_us, receipt.received_us, coins, usd)


class RowAdapter(Adapter):
    """Base class of an adapter that reads row by row; its subclasses implement :meth:`read`.

    A subclass may override :meth:`parse` with a fast path for its most frequent frames; it then calls this ``parse``
    for all other frames.
    """

    by_name: ClassVar[bool] = True
    """True if asset and unit can be derived from a symbol's name, without the instrument table."""

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        remedy = REMEDY if instruments is None and self.counts_contracts else ""
        self._listings = Listings(self.venue, instruments, by_name=self.by_name, listing_reader=self.listing_reader())
        self._records = RecordBuilder(self.venue, self._listings, self.eras, remedy)

    @classmethod
    def for_decoding(cls, instruments: Mapping[str, Instrument] | None) -> Self:
        """Return an adapter whose table only adds to what the names of symbols show."""
        adapter = cls(instruments)
        if cls.by_name:
            adapter._listings.derive_unlisted()
        if cls.counts_contracts:
            adapter._records = RecordBuilder(cls.venue, adapter._listings, cls.eras, REMEDY)
        return adapter

    def listing_reader(self) -> ListingReader:
        """Return the function that derives a listing from a symbol's name."""
        return listing_by_name

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame with :meth:`read`; a frame that cannot be decoded becomes a reject."""
        receipt = Receipt(received_us, frame, memory)
        try:
            return self.read(receipt)
        except UNREADABLE as error:
            quoted = quote_constants(frame)
            if quoted is not None:
                return self.parse(quoted, received_us, memory)
            return [self._records.refuse(unreadable(error), receipt)]

    @abstractmethod
    def read(self, receipt: Receipt) -> list[Message]:
        """Read one frame. Raises ``ValueError`` or ``RecursionError`` if it cannot be decoded."""


def events_of_channel(messages: Iterable[Message], channel: str) -> list[Message]:
    """Return the events of a channel that is backfilled after a gap, and all rejects."""
    wanted = Liquidation if channel == "liquidations" else Trade
    return [message for message in messages if isinstance(message, wanted | Reject)]


def micros(moment: datetime) -> int:
    """Return a time in microseconds since the Unix epoch."""
    return (moment - EPOCH) // timedelta(microseconds=1)
