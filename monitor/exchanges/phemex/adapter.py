"""Phemex perpetuals settled in USDT (``perp_…_p``): trades, mark prices, funding, open interest. No liquidations shown.

Sizes and open interest are base coins as decimals, so no instrument table is needed. Coin-margined contracts
(``BTCUSD``), whose numbers are scaled, are left out.

Trades (``trades_p``): rows of time in nanoseconds, taker's side, price, size. The first frame, a ``snapshot``, is
backlog.

``perp_market24h_pack_p`` reports mark price, index, funding rate and open interest of all symbols at once; ``fields``
names its columns. The first frame alone, a ``snapshot``, has it: the names are remembered by socket for the
``incremental`` rows after it, which come in the same order. When funding is paid is not in it. Open interest is taken
for one side's: 1,323.6 BTC in a documented answer.

Ids:
    trade ``<time>:<side>:<size>:<price>``, since trades have no number, and ``#1``, ``#2`` … appended to twins of one
    frame.

Sources: phemex-docs.github.io (perpetual: websocket; product information); ccxt 4.5.90 (frames). Not seen on the wire:
which of the symbols are stocks, so that none is left out for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Ack, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.exchanges.toolkit.decoding import (
    keys,
    number_duplicate,
    onboard_us,
    optional_float,
    optional_time_us,
    raw_rows,
)
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RowAdapter, RowDecoder
from monitor.exchanges.toolkit.rest_envelope import unwrap_data
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel
from monitor.model.symbols import split_symbol

OFFERED: Final[tuple[Channel, ...]] = ("mark_price", "open_interest", "trades")

SYMBOLS_PER_CONNECTION: Final = 19
"""A socket takes 20 subscriptions, of which the first socket needs one for the tickers; an address takes 5 sockets."""
REQUEST_INTERVAL_S: Final = 0.1
PING_ID: Final = 1_000_000
KEEPALIVE: Final = Keepalive('{"id":1000000,"method":"server.ping","params":[]}', interval_s=5.0, timeout_s=10.0)
"""Sockets without our ping for 30 s are closed; 5 s are advised."""
STALE_AFTER_S: Final = 30.0
TICKERS: Final = "perp_market24h_pack_p"
COLUMNS: Final = ("symbol", "markRp")
"""Without these a ticker is none."""


class TradeRow(msgspec.Struct, array_like=True, gc=False):
    """One trade."""

    time: int
    side: str
    price: float
    size: float


class Failure(msgspec.Struct, gc=False):
    """Code and text of an error."""

    code: int = 0
    message: str = ""


class Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    symbol: str = ""
    type: str = ""
    trades_p: msgspec.Raw | UnsetType = UNSET
    method: str = ""
    fields: list[str] = []
    data: list[msgspec.Raw] = []
    timestamp: int | str = 0
    id: int | None = None
    error: Failure | None = None
    result: Any = None


class ListedInstrument(msgspec.Struct):
    """A product in the exchange's list."""

    symbol: str
    type: str = ""
    status: str = ""
    listTime: int = 0


class Products(msgspec.Struct):
    """Data of ``/public/products``."""

    perpProductsV2: msgspec.Raw


_TRADES: Final = RowDecoder(TradeRow)
_LISTED: Final = RowDecoder(ListedInstrument)
_ROW: Final = msgspec.json.Decoder(list[str | float | None])
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_PRODUCTS: Final = msgspec.json.Decoder(Products)


class Phemex(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "phemex"
    ws_url: ClassVar[str] = "wss://ws.phemex.com"
    rest_url: ClassVar[str] = "https://api.phemex.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = ()
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/public/products"),)
    rest_weight_per_minute: ClassVar[int] = 60
    known_keys: ClassVar[frozenset[str]] = keys(
        "symbol type sequence trades_p dts mts method fields data timestamp id error result status code message",
    )

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets: the first has all tickers; each has the trades of its symbols."""
        carried = carried_channels(channels, OFFERED)
        plans: list[Connection] = []
        for number, group in enumerate(chunked(symbols, SYMBOLS_PER_CONNECTION) if carried else ()):
            here = frozenset(carried) if number == 0 else frozenset(carried) & {"trades"}
            asks: list[tuple[str, list[str]]] = []
            if here & {"mark_price", "open_interest"}:
                asks.append((f"{TICKERS}.subscribe", []))
            if "trades" in here:
                asks += [("trade_p.subscribe", [symbol]) for symbol in group]
            if not asks:
                break
            plans.append(
                Connection(
                    name=f"perpetual-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(
                        request({"id": place, "method": method, "params": params}, [str(place)])
                        for place, (method, params) in enumerate(asks, 1)
                    ),
                    channels=here,
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
        if envelope.trades_p is not UNSET:
            if envelope.type == "snapshot":
                return [Skipped("backlog", len(raw_rows(envelope.trades_p)))]
            seen: dict[str, int] = {}
            symbol = envelope.symbol
            return self._records.read_rows(
                envelope.trades_p, _TRADES, lambda row, at: [self._trade(symbol, row, seen, at)], receipt
            )
        if envelope.method == f"{TICKERS}.update":
            return self._tickers(envelope, receipt)
        if envelope.method:
            return [self._records.unknown_channel(envelope.method, receipt)]
        return [self._reply(envelope, receipt)]

    def _trade(self, symbol: str, row: TradeRow, seen: dict[str, int], receipt: Receipt) -> Message:
        key = number_duplicate(seen, f"{row.time}:{row.side}:{row.size!r}:{row.price!r}")
        return self._records.trade(Fill(symbol, row.side, row.price, row.size, row.time // 1000, key), receipt)

    def _tickers(self, envelope: Envelope, receipt: Receipt) -> list[Message]:
        """Read mark price and open interest of each symbol that is watched, and remember what the columns are."""
        columns = receipt.kept.columns
        if envelope.fields:
            columns = receipt.kept.columns = tuple(envelope.fields) if set(COLUMNS) <= set(envelope.fields) else ()
        time_us = optional_time_us(str(envelope.timestamp)[:-6])
        if time_us is UNSET or not columns:
            return [self._records.malformed(receipt)]
        messages: list[Message] = []
        for raw in envelope.data:
            try:
                row = dict(zip(columns, _ROW.decode(raw), strict=True))
            except ValueError as error:
                messages.append(self._records.refuse(("malformed", str(error)), receipt))
                continue
            messages += self._ticker(
                {name: value for name, value in row.items() if value is not None}, time_us, receipt
            )
        return messages

    def _ticker(self, row: dict[str, str | float], time_us: int, receipt: Receipt) -> list[Message]:
        symbol = str(row.get("symbol", ""))
        if self._listings[symbol] is None:
            return [Skipped("other_market", 1)]
        price = optional_float(row.get("markRp", UNSET))
        if price is UNSET:
            return [self._records.refuse(("not_finite", "mark_price is no finite number"), receipt)]
        mark = MarkUpdate(symbol, price, time_us, row.get("indexRp", UNSET), row.get("fundingRateRr", UNSET))
        return self._records.ticker(mark, optional_float(row.get("openInterestRv", UNSET)), receipt)

    def _reply(self, envelope: Envelope, receipt: Receipt) -> Message:
        """Read the answer to a request."""
        key = "" if envelope.id is None else str(envelope.id)
        if envelope.error is not None:
            return Refusal(key, f"{envelope.error.code}: {envelope.error.message}")
        if envelope.result == "pong":
            return Pong()
        if not key or envelope.result is None:
            return self._records.malformed(receipt)
        return Ack(key)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``/public/products``: the perpetuals that are settled in a dollar coin."""
        rows, faults = _LISTED.rows(_PRODUCTS.decode(unwrap_data(self.venue, body, 0)).perpProductsV2)
        left_out = {f"row {number}": detail for number, (_, detail) in enumerate(faults)}
        if not rows:
            raise ValueError("phemex lists no perpetual")
        instruments = []
        for row in rows:
            name = split_symbol(row.symbol)
            if not name.is_usd or name.dated:
                left_out[row.symbol] = "no perpetual against US dollars"
                continue
            instruments.append(
                Instrument(
                    row.symbol, name.asset, name.units, 1.0, "base", row.status == "Listed", onboard_us(row.listTime)
                )
            )
        return InstrumentPage(instruments, left_out, None)
