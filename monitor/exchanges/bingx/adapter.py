"""BingX perpetuals settled in USDT and USDC: trades, mark prices, funding, open interest. No liquidations are shown.

Sizes are base coins, as the quote in the name shows (``BTC-USDT``), so no instrument table is needed. Those of
coin-margined ones (``BTC-USD``), which are traded on another address, are contracts of some dollars each: they are read
with an instrument table that has the contracts' sizes, and quarantined without one.

Trades (``<symbol>@trade``): ``m`` is true if the buyer was the maker, so that the taker sold. ``<symbol>@markPrice``
has the mark price alone. Index and funding are polled by REST, all symbols at once, and go out as further mark prices.
Open interest is polled symbol by symbol and is in dollars (for BTC 3.3 billion when a coin cost 17,000); coins are that
over the last mark price, which is remembered; before the first one an answer makes no event. Whether it counts one side
is not documented; it is taken for one side's.

Frames are binary gzip. The exchange sends ``Ping``, answered by ``Pong``, or ``{"ping": …, "time": …}``, answered by
the same with ``pong``.

Ids:
    trade ``<T>:<m>:<q>:<p>``, since trades have no number, and ``#1``, ``#2`` … appended to twins of one frame.

Sources: bingx-api.github.io (swap: websocket market data, contracts, premium index, open interest); ccxt 4.5.90
(frames of trades). Not seen on the wire: the frames of mark prices, and that names which begin with ``NC`` and two
letters (``NCSK``, ``NCCO``, ``NCFX``, ``NCSI``) are all of the traditional markets'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET

from monitor.exchanges.adapter import Connection, CoverageEra
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Ping, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, Poll, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, number_duplicate, optional_time_us
from monitor.exchanges.toolkit.gzip_frames import inflate
from monitor.exchanges.toolkit.listings import TRADFI, Listing, ListingReader, listing_by_name
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.rest_envelope import unwrap_data
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel, MarkPrice
from monitor.model.symbols import split_symbol

OFFERED: Final[tuple[Channel, ...]] = ("mark_price", "trades")
"""Channels that the sockets carry."""

TOPICS: Final[dict[Channel, str]] = {"mark_price": "@markPrice", "trades": "@trade"}
SYMBOLS_PER_CONNECTION: Final = 100
"""Two of the 200 subscriptions of a socket each."""
REQUEST_INTERVAL_S: Final = 0.1
STALE_AFTER_S: Final = 20.0
PREMIUM_S: Final = 30.0
INTEREST_S: Final = 120.0
PREMIUM: Final = "/openApi/swap/v2/quote/premiumIndex"
INTEREST: Final = "/openApi/swap/v2/quote/openInterest"
TRADFI_HEADS: Final = ("NCSK", "NCCO", "NCFX", "NCSI")


class TradeRow(msgspec.Struct, gc=False):
    """One trade."""

    s: str
    p: float
    q: float
    T: int
    m: bool


class MarkRow(msgspec.Struct, gc=False):
    """``markPriceUpdate``."""

    s: str
    p: float
    E: int


class Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    dataType: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    id: str = ""
    code: int | None = None
    msg: str = ""
    ping: str | int | None = None
    time: str | int = ""


class Premium(msgspec.Struct):
    """Mark price, index and funding of a symbol."""

    symbol: str
    markPrice: float
    indexPrice: str | float = ""
    lastFundingRate: str | float = ""
    nextFundingTime: int = 0


class Interest(msgspec.Struct):
    """Open interest of a symbol."""

    symbol: str
    openInterest: float
    time: int


class ListedInstrument(msgspec.Struct):
    """A contract in the exchange's list."""

    symbol: str
    status: int = 1


_TRADES: Final = RowDecoder(TradeRow)
_MARKS: Final = RowDecoder(MarkRow)
_PREMIUMS: Final = RowDecoder(Premium)
_INTERESTS: Final = RowDecoder(Interest)
_LISTED: Final = RowDecoder(ListedInstrument)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)


class Bingx(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "bingx"
    ws_url: ClassVar[str] = "wss://open-api-swap.bingx.com/swap-market"
    rest_url: ClassVar[str] = "https://open-api.bingx.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = ()
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/openApi/swap/v2/quote/contracts"),)
    rest_weight_per_minute: ClassVar[int] = 300
    """The exchange allows 100 requests in ten seconds to the market interface."""
    known_keys: ClassVar[frozenset[str]] = keys(
        "dataType data id code msg ping time timestamp success", "s p q T m e E t", "reqType"
    )

    def listing_reader(self) -> ListingReader:
        """Return how listings are read off names: those of contracts against a dollar coin alone."""
        return listing_of_name

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: each carries all channels of its symbols; open interest by REST needs mark prices."""
        wanted = frozenset(channels)
        carried = carried_channels(wanted | ({"mark_price"} if "open_interest" in wanted else set()), OFFERED)
        plans = []
        for number, group in enumerate(chunked(symbols, SYMBOLS_PER_CONNECTION) if carried else ()):
            topics = [symbol + TOPICS[channel] for channel in carried for symbol in group]
            plans.append(
                Connection(
                    name=f"swap-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(
                        request({"id": topic, "reqType": "sub", "dataType": topic}, [topic]) for topic in topics
                    ),
                    channels=frozenset(carried),
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        receipt = receipt._replace(frame=inflate(receipt.frame))
        if receipt.frame == b"Ping":
            return [Ping("Pong")]
        envelope = _ENVELOPE.decode(receipt.frame)
        if envelope.ping is not None:
            return [Ping(msgspec.json.encode({"pong": envelope.ping, "time": envelope.time}).decode())]
        if envelope.id:
            return [
                Ack(envelope.id) if envelope.code == 0 else Refusal(envelope.id, f"{envelope.code}: {envelope.msg}")
            ]
        if envelope.dataType.endswith(TOPICS["trades"]):
            seen: dict[str, int] = {}
            return self._records.read_rows(
                envelope.data, _TRADES, lambda row, at: [self._trade(row, seen, at)], receipt
            )
        if envelope.dataType.endswith(TOPICS["mark_price"]):
            return self._records.read_rows(
                envelope.data, _MARKS, lambda row, at: [self._mark(MarkUpdate(row.s, row.p, row.E * 1000), at)], receipt
            )
        if envelope.dataType:
            return [self._records.unknown_channel(envelope.dataType, receipt)]
        if envelope.code:
            return [Refusal("", f"{envelope.code}: {envelope.msg}")]
        return [self._records.malformed(receipt)]

    def _trade(self, row: TradeRow, seen: dict[str, int], receipt: Receipt) -> Message:
        side = "sell" if row.m else "buy"
        key = number_duplicate(seen, f"{row.T}:{side}:{row.q!r}:{row.p!r}")
        return self._records.trade(Fill(row.s, side, row.p, row.q, row.T * 1000, key), receipt)

    def _mark(self, mark: MarkUpdate, receipt: Receipt) -> Message:
        """Read a mark price and remember it: open interest is valued by it."""
        message = self._records.mark(mark, receipt)
        if isinstance(message, MarkPrice):
            self._records.latest(mark.symbol, receipt).update_mark_price(mark.price, mark.time_us)
        return message

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``quote/contracts``."""
        rows, faults = _LISTED.rows(unwrap_data(self.venue, body, 0))
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError("bingx lists no contract")
        instruments = []
        for row in rows:
            name = split_symbol(row.symbol)
            if not name.is_usd:
                left_out[row.symbol] = f"quoted in {name.quote}, which is no US dollar"
            elif name.quote == "USD":
                left_out[row.symbol] = "coin-margined: its sizes are contracts of a size that the table does not have"
            elif row.symbol.startswith(TRADFI_HEADS):
                left_out[row.symbol] = TRADFI
            else:
                instruments.append(Instrument(row.symbol, name.asset, name.units, 1.0, "base", row.status == 1))
        return InstrumentPage(instruments, left_out, None)

    def polls(self, symbols: Sequence[str], channels: Iterable[Channel]) -> Sequence[Poll]:
        """Return the polls: index and funding of all symbols at once, open interest of each."""
        wanted = frozenset(channels)
        polls = []
        if symbols and "mark_price" in wanted:
            polls.append(Poll("mark_price", RestRequest(PREMIUM), PREMIUM_S))
        if "open_interest" in wanted:
            polls += [
                Poll("open_interest", RestRequest(INTEREST, {"symbol": symbol}, about=symbol), INTEREST_S)
                for symbol in symbols
            ]
        return polls

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read ``premiumIndex``, as of its receipt, or ``openInterest``; symbols that are not watched are left."""
        data, receipt = unwrap_data(self.venue, body, 0), Receipt(received_us, body, memory)
        if request.path == PREMIUM:
            return RestPage(self._records.read_rows(data, _PREMIUMS, self._premium, receipt))
        return RestPage(self._records.read_rows(data, _INTERESTS, self._interest, receipt))

    def _premium(self, row: Premium, receipt: Receipt) -> list[Message]:
        if self._listings[row.symbol] is None:
            return [Skipped("other_market", 1)]
        next_us = optional_time_us(row.nextFundingTime)
        at = receipt.received_us
        mark = MarkUpdate(row.symbol, row.markPrice, at, row.indexPrice or UNSET, row.lastFundingRate, next_us)
        return [self._mark(mark, receipt)]

    def _interest(self, row: Interest, receipt: Receipt) -> list[Message]:
        """Read dollars, and divide them by the last mark price for coins; none before the first one."""
        listing, price = self._listings[row.symbol], self._records.latest(row.symbol, receipt).price
        if listing is not None and price is UNSET:
            return [Skipped("unpriced", 1)]
        coins = 0.0 if listing is None or price is UNSET else row.openInterest / price * listing[1]
        return [self._records.open_interest_from_amounts(row.symbol, coins, row.openInterest, row.time * 1000, receipt)]


def listing_of_name(venue: str, symbol: str) -> Listing | None:
    """Return the listing read off a symbol's name; None for a coin-margined one, whose sizes are contracts."""
    return None if split_symbol(symbol).quote == "USD" else listing_by_name(venue, symbol)
