"""From a row's values, in its exchange's own units, to a record, or to a reject that says what is wrong with them.

For adapters that read row by row: a few hundred rows a second, where the calls for each of them cost nothing. An
adapter of more makes the usual trades in its own ``parse`` and leaves everything else to this.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Final, Generic, NamedTuple, TypeVar

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
from monitor.model.events import Liquidation, MarkPrice, OpenInterest, PriceKind, Reject, Side, TakerSide, Trade
from monitor.model.validation import (
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
"""A time as ISO 8601 with its zone."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

TAKER_SIDES: Final[dict[str, TakerSide]] = {"buy": "buy", "sell": "sell"}
CLOSED_BY: Final[dict[str, Side]] = {"sell": "long", "buy": "short"}
"""The position that an order closes, by the order's side."""
OPPOSITE: Final[dict[str, str]] = {"buy": "sell", "sell": "buy"}


SHORT_ID: Final = LONGEST_ID - LONGEST_SYMBOL - 24
"""Characters of an id that may stand behind any venue and symbol without making it too long."""


class Receipt(NamedTuple):
    """A frame, its time of receipt, and the memory of what earlier frames reported.

    Attributes:
        received_us: microseconds; 0 where it is not known.
        frame: its bytes.
        memory: None where the frame is read by itself.
    """

    received_us: int
    frame: bytes
    memory: Memory | None = None

    @property
    def kept(self) -> Memory:
        """The memory, or an empty one that nobody keeps."""
        return Memory() if self.memory is None else self.memory


class Fill(NamedTuple):
    """A trade, or an order that closed a position, as the exchange counts.

    Attributes:
        symbol: the venue's own.
        side: of the taker or the closing order: ``buy`` or ``sell`` in any case, or whatever the exchange wrote.
        price: of one of the symbol's base units.
        size: in contracts.
        time_us: when it happened.
        id: tells it apart within the symbol.
        trades: how many fills it stands for.
    """

    symbol: str
    side: str
    price: float
    size: float
    time_us: int
    id: str
    trades: int = 1


class MarkUpdate(NamedTuple):
    """A mark price with what comes along; prices of one of the symbol's base units."""

    symbol: str
    price: float
    time_us: int
    index_price: float | str | UnsetType = UNSET
    rate: float | str | UnsetType = UNSET
    next_us: int | UnsetType = UNSET


class RowDecoder(Generic[Row]):
    """Reads an array of rows at once, or one by one where one of them is bad."""

    def __init__(self, row: type[Row]) -> None:
        self._all = msgspec.json.Decoder(list[row], strict=False)  # type: ignore[valid-type]
        self._one = msgspec.json.Decoder(row, strict=False)

    def rows(self, raw: msgspec.Raw) -> tuple[list[Row], list[Fault]]:
        """The rows of an array, or the one row that is no array; what is wrong with the bad ones."""
        try:
            return self._all.decode(raw), []
        except UNREADABLE:
            rows, faults = decode_rows(raw_rows(raw), self._one)
            return rows, [fault for _, fault in faults]


class RecordBuilder:
    """Makes the records of one venue."""

    def __init__(self, venue: str, listings: Listings, eras: Sequence[CoverageEra] = (), remedy: str = "") -> None:
        """``remedy`` is added where a symbol is not known."""
        self.venue = venue
        self.listings = listings
        self._eras = eras
        self._remedy = remedy

    def refuse(self, fault: Fault, receipt: Receipt) -> Reject:
        """A reject of a row."""
        return reject(self.venue, fault, receipt.received_us, receipt.frame)

    def unknown_channel(self, channel: str, receipt: Receipt) -> Reject:
        """A push that nobody asked for."""
        return self.refuse(("unknown_channel", f"channel {channel[:64]!r}"), receipt)

    def malformed(self, receipt: Receipt) -> Reject:
        """A frame of no documented shape."""
        return self.refuse(("malformed", "neither a push nor an answer"), receipt)

    def unknown_symbol(self, symbol: str, receipt: Receipt) -> Reject:
        """Nothing is known of a symbol."""
        reason, detail = symbol_fault(symbol)
        return self.refuse((reason, detail + self._remedy if reason == "unknown_symbol" else detail), receipt)

    def read_rows(
        self,
        raw: msgspec.Raw,
        shape: RowDecoder[Row],
        read: Callable[[Row, Receipt], Iterable[Message]],
        receipt: Receipt,
    ) -> list[Message]:
        """What the rows of an array give; the bad ones are refused one by one."""
        rows, faults = shape.rows(raw)
        messages = [message for row in rows for message in read(row, receipt)]
        messages.extend(self.refuse(fault, receipt) for fault in faults)
        return messages

    def _checked(self, fill: Fill, receipt: Receipt) -> tuple[Listing, float, float, float] | Reject:
        """Listing, price, coins and USD of a fill, or what is wrong with it."""
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

    def trade(self, fill: Fill, receipt: Receipt) -> Trade | Reject:
        """A trade by its taker's side."""
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
        self, fill: Fill, kind: PriceKind, receipt: Receipt, seen: dict[str, int] | None = None
    ) -> Liquidation | Reject:
        """A liquidation by its closing order's side; its id begins with venue and symbol.

        ``seen`` are the ids of its frame so far, where rows that are alike are orders of their own.
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
            coverage_at(self._eras, fill.time_us),
            id_ if seen is None else number_duplicate(seen, id_),
            coins,
            price,
            kind,
        )

    def latest(self, symbol: str, receipt: Receipt) -> Latest:
        """Return a symbol's last reported values, to be read and updated; those of an unknown symbol are not kept."""
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
        """Remember a funding rate for the symbol's next mark price; an implausible one is refused instead.

        Remembered, it would have every mark price refused until the next rate comes.
        """
        value = optional_float(rate)
        if value is not UNSET and (fault := number_fault("funding_rate", value, FUNDING)):
            return [self.refuse(fault, receipt)]
        self.latest(symbol, receipt).update_funding(value, next_us, time_us)
        return []

    def plausible_time_us(self, time_ms: int | str, receipt: Receipt) -> int:
        """Return the time of a value to remember, microseconds; 0, undated, where it is not believable.

        A time that lies far ahead would otherwise hold back all later values.
        """
        time_us = optional_time_us(time_ms)
        return 0 if time_us is UNSET or time_fault(time_us, receipt.received_us) else time_us

    def mark(self, mark: MarkUpdate, receipt: Receipt) -> MarkPrice | Reject | Skipped:
        """A mark price; that of a dated future is not its asset's."""
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
        """A mark price and, where it is one, the open interest of one side that came with it, in contracts."""
        message = self.mark(mark, receipt)
        if not isinstance(size, float) or not isinstance(message, MarkPrice):
            return [message]
        return [message, self.open_interest(mark.symbol, size, mark.price, mark.time_us, receipt)]

    def open_interest(
        self, symbol: str, size: float, price: float, time_us: int, receipt: Receipt
    ) -> OpenInterest | Reject | Skipped:
        """Open interest of one side from contracts, by the price at that time."""
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
        """Open interest of one side; zero is one, of a new instrument. That of dated futures is left out."""
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
    """An adapter that reads row by row with :class:`Records`; its :meth:`read` may fail on what is no JSON.

    One that overrides :meth:`parse` for its most frequent frames falls back to it for all that are not as usual.
    """

    by_name: ClassVar[bool] = True
    """Whether a symbol tells its unit, so that it can be read without the instrument table."""

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        blind = instruments is None and self.counts_contracts
        remedy = ": sizes are contracts, so give the contract sizes with --instruments" if blind else ""
        self._listings = Listings(self.venue, instruments, by_name=self.by_name, listing_reader=self.listing_reader())
        self._records = RecordBuilder(self.venue, self._listings, self.eras, remedy)

    def listing_reader(self) -> ListingReader:
        """How a listing is read off a symbol."""
        return listing_by_name

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """Read one frame."""
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
        """What a frame holds. Raises ``ValueError`` or ``RecursionError`` where it is no JSON of a known shape."""


def events_of_channel(messages: Iterable[Message], channel: str) -> list[Message]:
    """The messages that belong to a channel that is filled after a gap, with what could not be read."""
    wanted = Liquidation if channel == "liquidations" else Trade
    return [message for message in messages if isinstance(message, wanted | Reject)]


def micros(moment: datetime) -> int:
    """A time in microseconds since the epoch."""
    return (moment - EPOCH) // timedelta(microseconds=1)
