"""Hyperliquid perpetuals, its own and builders' (``xyz:SP500``): trades, contexts, what can be seen of liquidations.

Sizes are base coins, prices US dollars; ``kPEPE`` is a thousand. No public channel has liquidations and trades bear no
flag. What shows some of them are the fills of accounts (``userFills``): a fill with ``liquidation`` closes the position
of ``liquidatedUser``. ``side`` (A sells, B buys) is that of the account whose fills these are, so it is the forced side
where that account is the liquidated one, and the opposite where it took the other side. Forced to sell ends a long. The
price is the fill's.

Watched are the vaults that take over what the book could not absorb (``backstop``), and the accounts that are
configured: of these also what they took from the book (``market``). So coverage is ``partial``, and how large the part
is nobody can say. A vault that is itself named as liquidated hands positions on to profitable accounts
(auto-deleveraging): their owners were liquidated before, so these fills make nothing. Two watched accounts that met in
one fill tell it with the same ``tid``. The first frame of an account's fills is a snapshot, and ``trades`` begin with
old rows: of more than 60 s before the receipt they are backlog; younger ones are told from repeats by their id.

Contexts come without a time and bear that of their receipt: mark price, oracle price as the index, funding of one hour
(paid on the hour), open interest of one side. Up to 300 coins have each its own channel; above that the one of all
exchanges is read, in which a coin is its place in its exchange's universe (``Instrument.key``, ``xyz:3``; ``:0`` on
Hyperliquid's own).

Of builders' coins those are kept that Hyperliquid lists itself (then they are crypto) and the indexes of traditional
markets that trade around the clock, under their full name as asset (``XYZ:SP500``). The rest are left out.

Ids:
    liquidation ``hyperliquid:<coin>:<time>:<tid>``.
    trade ``<tid>``.

Sources: hyperliquid.gitbook.io (websocket: subscriptions, timeouts; info endpoint; rate limits); npm
@nktkas/hyperliquid 0.32.2 (userFills, activeAssetCtx, allDexsAssetCtxs, allPerpMetas, userFillsByTime); the vaults'
addresses: github.com/tradingstrategy-ai/web3-ethereum-defi; fills of 2025-10-10 in which a vault is deleveraged:
github.com/ConejoCapital/HyperMultiAssetedADL. Not seen on the wire: that a take-over is among the vault's fills with
``liquidation``, and the order of the rows of ``userFillsByTime``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

import msgspec

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive
from monitor.exchanges.hyperliquid.frames import (
    ALL_CONTEXTS,
    ASKED,
    COIN_CONTEXT,
    CONTEXT,
    ENVELOPE,
    FILLS,
    KNOWN_KEYS,
    RESPONSE,
    TEXT,
    TRADES,
    UNIVERSES,
    USER_FILLS,
    Asked,
    Context,
    FillRow,
    TradeRow,
)
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Ack, Message, Pong, Refusal, Skipped
from monitor.exchanges.rest_requests import InstrumentPage, RestPage, RestRequest
from monitor.exchanges.toolkit.decoding import raw_rows, unknown_value, unreadable
from monitor.exchanges.toolkit.listings import TRADFI, Listing, ListingReader
from monitor.exchanges.toolkit.records import OPPOSITE, Fill, MarkUpdate, Receipt, RowAdapter, events_of_channel
from monitor.exchanges.toolkit.subscriptions import carried_channels, chunked, request
from monitor.model.events import Channel
from monitor.model.symbols import split_base
from monitor.model.validation import EARLIEST_US, UNREADABLE

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")

LIQUIDATORS: Final = (
    "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14",
    "0xb0a55f13d22f66e6d495ac98113841b2326e9540",
    "0x5e177e5e39c0f4e421f5865a6d8beed8d921cb70",
    "0x2ed5c4484ea3ff8b57d5f2fb152a40d9f2b68308",
)
"""The vaults HLP Liquidator 1 to 4."""

INDEXES: Final = ("xyz:SP500", "xyz:XYZ100", "xyz:VIX")
"""Perpetuals on indexes of traditional markets that trade around the clock."""

SYMBOLS_PER_CONNECTION: Final = 200
OWN_CONTEXTS: Final = 300
"""With a channel each for trades and context, 300 coins take 600 of the 1,000 subscriptions of an address."""

REQUEST_INTERVAL_S: Final = 0.05
"""2,000 messages a minute are allowed, over all sockets."""

KEEPALIVE: Final = Keepalive('{"method":"ping"}', interval_s=20.0, timeout_s=10.0)
"""Sockets on which the exchange has said nothing for 60 s are closed."""
STALE_AFTER_S: Final = 30.0
BACKLOG_US: Final = 60_000_000
HOUR_US: Final = 3_600_000_000

SIDES: Final = {"A": "sell", "B": "buy"}
METHODS: Final = frozenset({"market", "backstop"})
COIN: Final = re.compile(r"[A-Za-z0-9]+")
PAGE_ROWS: Final = 2000


class Hyperliquid(RowAdapter):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "hyperliquid"
    ws_url: ClassVar[str] = "wss://api.hyperliquid.xyz/ws"
    rest_url: ClassVar[str] = "https://api.hyperliquid.xyz"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(0, "partial", "what vaults take over, and fills of configured accounts", "npm @nktkas/hyperliquid"),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (
        RestRequest("/info", body={"type": "allPerpMetas"}, weight=20),
    )
    rest_weight_per_minute: ClassVar[int] = 600
    """The exchange allows 1,200."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(instruments)
        self._places = {each.key: symbol for symbol, each in (instruments or {}).items() if each.key}

    def listing_reader(self) -> ListingReader:
        """By the coin's name."""
        return listing_of_coin

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Every socket carries its coins' channels; the first one the accounts' fills, and contexts of all."""
        carried = carried_channels(channels, OFFERED)
        each = len(symbols) <= OWN_CONTEXTS
        contexts = bool({"mark_price", "open_interest"} & set(carried))
        plans = []
        for number, group in enumerate(chunked(symbols, SYMBOLS_PER_CONNECTION) if carried else ()):
            asks: list[dict[str, str]] = []
            here = set(carried) if number == 0 else set(carried) - {"liquidations"}
            if contexts and each:
                asks += [{"type": "activeAssetCtx", "coin": symbol} for symbol in group]
            elif contexts and number == 0:
                asks.append({"type": "allDexsAssetCtxs"})
            elif not each:
                here -= {"mark_price", "open_interest"}
            if "liquidations" in here:
                asks += [{"type": "userFills", "user": user} for user in self._accounts()]
            if "trades" in here:
                asks += [{"type": "trades", "coin": symbol} for symbol in group]
            if not asks:
                break
            plans.append(
                Connection(
                    name=f"market-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(
                        request({"method": "subscribe", "subscription": ask}, [key_of(Asked(**ask))]) for ask in asks
                    ),
                    channels=frozenset(here),
                    symbols=tuple(group),
                    stale_after_s=STALE_AFTER_S,
                    request_interval_s=REQUEST_INTERVAL_S,
                    keepalive=KEEPALIVE,
                )
            )
        return plans

    def _accounts(self) -> list[str]:
        """Whose fills are read. Ten accounts an address are documented, and fourteen were measured."""
        return list(dict.fromkeys((*LIQUIDATORS, *(account.lower() for account in self.accounts))))

    def read(self, receipt: Receipt) -> list[Message]:
        """Read a frame of any kind."""
        envelope = ENVELOPE.decode(receipt.frame)
        if envelope.channel == "trades":
            return self._records.read_rows(envelope.data, TRADES, self._trade, receipt)
        if envelope.channel == "activeAssetCtx":
            one = COIN_CONTEXT.decode(envelope.data)
            return self._context(one.coin, one.ctx, receipt)
        if envelope.channel == "allDexsAssetCtxs":
            return self._contexts(envelope.data, receipt)
        if envelope.channel == "userFills":
            account = USER_FILLS.decode(envelope.data)
            if account.isSnapshot:
                return [Skipped("backlog", len(raw_rows(account.fills)))]
            user = account.user.lower()
            return self._records.read_rows(account.fills, FILLS, lambda row, at: [self._forced(row, user, at)], receipt)
        return [self._reply(envelope.channel, envelope.data, receipt)]

    def _trade(self, row: TradeRow, receipt: Receipt) -> list[Message]:
        """The trade of a row, unless it is from before the subscription."""
        time_us = row.time * 1000
        if EARLIEST_US <= time_us < receipt.received_us - BACKLOG_US:
            return [Skipped("backlog", 1)]
        fill = Fill(row.coin, SIDES.get(row.side, row.side), row.px, row.sz, time_us, str(row.tid))
        return [self._records.trade(fill, receipt)]

    def _forced(self, row: FillRow, user: str, receipt: Receipt) -> Message:
        """The liquidation of an account's fill, if it is one."""
        forced = row.liquidation
        if forced is None:
            return Skipped("not_forced", 1)
        liquidated = forced.liquidatedUser.lower()
        if liquidated in LIQUIDATORS:
            return Skipped("off_book", 1)
        if self._listings[row.coin] is None and not COIN.fullmatch(row.coin):
            return Skipped("other_market", 1)  # spot, outcomes, builders' coins that are left out
        if not liquidated:
            return self._records.refuse(unknown_value("liquidatedUser", ""), receipt)
        if forced.method not in METHODS:
            return self._records.refuse(unknown_value("method", forced.method), receipt)
        side = SIDES.get(row.side, row.side)
        if liquidated != user:
            side = OPPOSITE.get(side, side)
        fill = Fill(row.coin, side, row.px, row.sz, row.time * 1000, f"{row.time}:{row.tid}")
        return self._records.liquidation(fill, "fill", receipt)

    def _contexts(self, data: msgspec.Raw, receipt: Receipt) -> list[Message]:
        """The contexts of all exchanges, of the coins whose place is known."""
        messages: list[Message] = []
        unknown = 0
        for dex, raws in ALL_CONTEXTS.decode(data).ctxs:
            for place, raw in enumerate(raws):
                symbol = self._places.get(f"{dex}:{place}")
                if symbol is None:
                    unknown += 1
                    continue
                try:
                    messages += self._context(symbol, CONTEXT.decode(raw), receipt)
                except UNREADABLE as error:
                    messages.append(self._records.refuse(unreadable(error), receipt))
        return [*messages, Skipped("other_market", unknown)] if unknown else messages

    def _context(self, coin: str, context: Context, receipt: Receipt) -> list[Message]:
        """Mark price and open interest, as of the receipt."""
        time_us = receipt.received_us
        if context.markPx is None:
            return []  # listed, and not priced yet
        next_us = (time_us // HOUR_US + 1) * HOUR_US
        mark = MarkUpdate(
            coin, context.markPx, time_us, context.oraclePx or msgspec.UNSET, given(context.funding), next_us
        )
        return self._records.ticker(mark, context.openInterest, receipt)

    def _reply(self, channel: str, data: msgspec.Raw, receipt: Receipt) -> Message:
        """What the exchange says of a request, or its pong."""
        if channel == "pong":
            return Pong()
        if channel == "subscriptionResponse":
            return Ack(key_of(RESPONSE.decode(data).subscription))
        if channel == "error":
            detail = TEXT.decode(data)
            return Refusal(key_in(detail), detail)
        return self._records.unknown_channel(channel, receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``allPerpMetas``: the universes of Hyperliquid's own exchange and of the builders'."""
        universes = UNIVERSES.decode(body)
        own = {split_base(listed.name)[0] for listed in (universes[0].universe if universes else ())}
        instruments, left_out = [], {}
        for universe in universes:
            for place, listed in enumerate(universe.universe):
                dex, _, name = listed.name.rpartition(":")
                asset, units = split_base(name)
                if listed.name in INDEXES:
                    asset, units = listed.name.upper(), 1
                elif dex and asset not in own:
                    left_out[listed.name] = TRADFI
                    continue
                instruments.append(
                    Instrument(
                        listed.name, asset, units, 1.0, "base", not listed.isDelisted, product=dex, key=f"{dex}:{place}"
                    )
                )
        return InstrumentPage(instruments, left_out, None)

    def backfill(self, channel: Channel, symbols: Sequence[str], from_us: int, to_us: int) -> Sequence[RestRequest]:
        """The fills of a gap, account by account; the exchange keeps the last 10,000 of each."""
        if channel != "liquidations":
            return ()
        span = {"startTime": from_us // 1000, "endTime": -(-to_us // 1000)}
        return [
            RestRequest("/info", body={"type": "userFillsByTime", "user": user, **span}, about=user, weight=120)
            for user in self._accounts()
        ]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read ``userFillsByTime`` of the account that ``about`` names; a full page is followed from its latest row."""
        receipt = Receipt(received_us, body, memory)
        rows, faults = FILLS.rows(msgspec.Raw(body))
        if not rows and faults:
            raise ValueError(f"hyperliquid's fills are no array of fills: {faults[0][1]}")
        messages: list[Message] = [self._forced(row, request.about, receipt) for row in rows]
        messages += [self._records.refuse(fault, receipt) for fault in faults]
        further = None
        asked = request.body or {}
        latest = max((row.time for row in rows), default=0)
        if len(rows) + len(faults) >= PAGE_ROWS and latest > int(str(asked.get("startTime", 0))):
            further = request._replace(body={**asked, "startTime": latest})
        return RestPage(events_of_channel(messages, "liquidations"), further)


def key_of(asked: Asked) -> str:
    """What a subscription is acknowledged by."""
    return ":".join(word for word in (asked.type, asked.coin, asked.user.lower()) if word)


def key_in(detail: str) -> str:
    """The key of the subscription that an error quotes; empty where it quotes none."""
    start, end = detail.find("{"), detail.rfind("}")
    try:
        return key_of(ASKED.decode(detail[start : end + 1].encode()))
    except UNREADABLE:
        return ""


def given(value: float | str | msgspec.UnsetType | None) -> float | str | msgspec.UnsetType:
    """The value, UNSET for null."""
    return msgspec.UNSET if value is None else value


def listing_of_coin(venue: str, coin: str) -> Listing | None:
    """The listing read off a coin's name; None for spot pairs (``@107``) and outcomes (``#250``)."""
    dex, _, name = coin.rpartition(":")
    if not COIN.fullmatch(name) or (dex and not COIN.fullmatch(dex)):
        return None
    asset, units = (coin.upper(), 1) if coin in INDEXES else split_base(name)
    return asset, float(units), 1.0, False, f"{venue}:{coin}:"
