"""MEXC perpetuals, linear and coin-margined: trades, tickers, funding. No liquidations are shown.

Sizes are contracts: ``contractSize`` base coins each for linear ones, dollars for coin-margined ones (``BTC_USD``).
Without the instrument table sizes have no unit, so every row is quarantined.

Trades (``push.deal``): ``T`` is the taker's side, 1 buys and 2 sells; ``data`` is an array, in older frames one object.
``push.ticker``: ``fairPrice`` is the mark price, ``holdVol`` the open interest in contracts, taken for one side's.
``push.funding.rate`` has no price: the last of each symbol is remembered and goes out with its next mark price. Before
the first one the ticker's own ``fundingRate`` does.

A confirmation names the channel and no symbol, so a socket's confirmations are numbered as they come; an error names
neither.

Ids:
    trade ``<i>``, the exchange's number; in frames before 2025 that have none ``<t>:<T>:<v>:<p>``, and ``#1``, ``#2`` …
    appended to twins of one frame.

Sources: mexcdevelop.github.io (contract: public channels, contract information); ccxt 4.5.90 (frames);
github.com/tardis-dev/tardis-node (frames with ``i``). Not seen on the wire: that ``holdVol`` counts one side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive, Request
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Ack, Message, Pong, Refusal
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import keys, number_duplicate, optional_time_us
from monitor.exchanges.toolkit.listings import TRADFI
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel
from monitor.model.symbols import USD_QUOTES, split_base

OFFERED: Final[tuple[Channel, ...]] = ("mark_price", "open_interest", "trades")

SYMBOLS_PER_CONNECTION: Final = 50
REQUEST_INTERVAL_S: Final = 0.05
"""A request is one channel of one symbol; 100 in two seconds are reported to pass."""
KEEPALIVE: Final = Keepalive('{"method":"ping"}', interval_s=15.0, timeout_s=10.0)
"""A socket without our ping for a minute is closed; 10 to 20 s are advised."""
STALE_AFTER_S: Final = 20.0
TAKERS: Final = {1: "buy", 2: "sell"}
PUSHES: Final = ("deal", "ticker", "funding.rate")


class DealRow(msgspec.Struct, gc=False):
    """One trade."""

    p: float
    v: float
    T: int
    t: int
    i: int | str | UnsetType = UNSET


class Ticker(msgspec.Struct, gc=False):
    """``push.ticker``."""

    fairPrice: float
    timestamp: int
    indexPrice: float | UnsetType = UNSET
    holdVol: float | UnsetType = UNSET
    fundingRate: float | UnsetType = UNSET


class FundingRow(msgspec.Struct, gc=False):
    """``push.funding.rate``; newer frames have ``fundingRate`` instead of ``rate``."""

    rate: float | UnsetType = UNSET
    fundingRate: float | UnsetType = UNSET
    nextSettleTime: int = 0


class Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    channel: str
    symbol: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    ts: int | str = 0


class ListedInstrument(msgspec.Struct):
    """A contract in the exchange's list."""

    symbol: str
    baseCoin: str
    quoteCoin: str
    settleCoin: str
    contractSize: float
    state: int = 0


class Answer(msgspec.Struct):
    """Any REST answer."""

    success: bool
    code: int
    data: msgspec.Raw = msgspec.Raw(b"null")
    message: str = ""


_DEALS: Final = RowDecoder(DealRow)
_TICKERS: Final = RowDecoder(Ticker)
_FUNDINGS: Final = RowDecoder(FundingRow)
_LISTED: Final = RowDecoder(ListedInstrument)
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_ANSWER: Final = msgspec.json.Decoder(Answer)


class Mexc(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "mexc"
    ws_url: ClassVar[str] = "wss://contract.mexc.com/edge"
    rest_url: ClassVar[str] = "https://contract.mexc.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = ()
    counts_contracts: ClassVar[bool] = True
    by_name: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/api/v1/contract/detail"),)
    rest_weight_per_minute: ClassVar[int] = 12
    """The table may be requested once in five seconds."""
    known_keys: ClassVar[frozenset[str]] = keys(
        "channel symbol data ts method param",
        "p v T O M t i cts",
        "lastPrice riseFallRate fairPrice indexPrice volume24 amount24 maxBidPrice minAskPrice lower24Price",
        "high24Price timestamp bid1 ask1 holdVol riseFallValue fundingRate zone riseFallRates",
        "riseFallRatesOfTimezone contractId",
        "rate nextSettleTime maxFundingRate minFundingRate collectCycle",
    )

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: each carries all channels of its symbols."""
        carried = carried_channels(channels, OFFERED)
        plans = []
        for number, group in enumerate(chunked(symbols, SYMBOLS_PER_CONNECTION) if carried else ()):
            requests: list[Request] = []
            if {"mark_price", "open_interest"} & set(carried):
                requests += subscriptions("funding.rate", group) + subscriptions("ticker", group)
            if "trades" in carried:
                requests += subscriptions("deal", group)
            plans.append(
                Connection(
                    name=f"contract-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(requests),
                    channels=frozenset(carried),
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                    keepalive=KEEPALIVE,
                )
            )
        return plans

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        envelope = _ENVELOPE.decode(receipt.frame)
        head, _, kind = envelope.channel.partition(".")
        symbol = envelope.symbol
        if head == "push" and kind in PUSHES:
            if kind == "deal":
                seen: dict[str, int] = {}
                return self._records.read_rows(
                    envelope.data, _DEALS, lambda row, at: [self._trade(symbol, row, seen, at)], receipt
                )
            if kind == "ticker":
                return self._records.read_rows(
                    envelope.data, _TICKERS, lambda row, at: self._state(symbol, row, at), receipt
                )
            time_us = self._records.plausible_time_us(envelope.ts, receipt)
            return self._records.read_rows(
                envelope.data, _FUNDINGS, lambda row, at: self._fund(symbol, row, time_us, at), receipt
            )
        if envelope.channel == "pong":
            return [Pong()]
        text = bytes(envelope.data).decode(errors="replace").strip('"')
        if envelope.channel == "rs.error" or (head == "rs" and text != "success"):
            return [Refusal("", f"{envelope.channel}: {text}")]
        if head == "rs":
            return [self._confirmation(kind.removeprefix("sub."), receipt)]
        return [self._records.unknown_channel(envelope.channel, receipt)]

    def _confirmation(self, channel: str, receipt: Receipt) -> Ack:
        """Number a confirmation, which names its channel alone: the n-th is that of the channel's n-th request."""
        confirmed = receipt.kept.confirmed
        if channel in PUSHES:  # nothing else was subscribed, and what the exchange names must not fill the memory
            confirmed[channel] += 1
        return Ack(f"{channel}:{confirmed[channel]}")

    def _trade(self, symbol: str, row: DealRow, seen: dict[str, int], receipt: Receipt) -> Message:
        key = str(row.i)
        if row.i is UNSET:
            key = number_duplicate(seen, f"{row.t}:{row.T}:{row.v!r}:{row.p!r}")
        return self._records.trade(
            Fill(symbol, TAKERS.get(row.T, str(row.T)), row.p, row.v, row.t * 1000, key), receipt
        )

    def _state(self, symbol: str, row: Ticker, receipt: Receipt) -> list[Message]:
        """Read a ticker's mark price and open interest; the last funding goes out with them."""
        latest = self._records.latest(symbol, receipt)
        rate = row.fundingRate if latest.rate is UNSET else latest.rate
        mark = MarkUpdate(symbol, row.fairPrice, row.timestamp * 1000, row.indexPrice, rate, latest.next_us)
        return self._records.ticker(mark, row.holdVol, receipt)

    def _fund(self, symbol: str, row: FundingRow, time_us: int, receipt: Receipt) -> list[Message]:
        """Remember a funding rate for the next mark price."""
        rate = row.rate if row.rate is not UNSET else row.fundingRate
        return self._records.remember_funding(symbol, rate, optional_time_us(row.nextSettleTime), time_us, receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``contract/detail``."""
        answer = _ANSWER.decode(body)
        if not answer.success:
            raise ValueError(f"mexc answers {answer.code}: {answer.message}")
        rows, faults = _LISTED.rows(answer.data)
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError("mexc lists no contract")
        instruments = []
        for row in rows:
            if reason := exclusion_reason(row):
                left_out[row.symbol] = reason
                continue
            asset, units = split_base(row.baseCoin)
            currency = "base" if row.settleCoin == row.quoteCoin else "usd"
            instruments.append(Instrument(row.symbol, asset, units, row.contractSize, currency, row.state == 0))
        return InstrumentPage(instruments, left_out, None)


def subscriptions(channel: str, symbols: Sequence[str]) -> list[Request]:
    """Return the requests that subscribe a channel, symbol by symbol."""
    return [
        request({"method": f"sub.{channel}", "param": {"symbol": symbol}}, [f"{channel}:{number}"])
        for number, symbol in enumerate(symbols, 1)
    ]


def exclusion_reason(row: ListedInstrument) -> str:
    """Return why a contract is not watched; empty when it is."""
    if row.quoteCoin not in USD_QUOTES:
        return f"quoted in {row.quoteCoin}, which is no US dollar"
    if row.settleCoin not in (row.quoteCoin, row.baseCoin):
        return f"settled in {row.settleCoin}"
    if row.baseCoin.endswith("STOCK"):
        return TRADFI
    if not 0.0 < row.contractSize < 1e18:
        return f"contract size {row.contractSize}"
    return ""
