"""Adapter of Hyperliquid perpetuals: its own and those of builder-deployed exchanges (``xyz:SP500``).

Sizes are base coins and prices US dollars; one unit of ``kPEPE`` is 1,000 PEPE.

Liquidations have no public channel, and trades have no liquidation flag. Some liquidations appear in the fills of
accounts (``userFills``): a fill with the field ``liquidation`` closes the position of ``liquidatedUser``. ``side`` (A:
sell, B: buy) is the side of the account whose fills these are. It is the closing order's side if that account is the
liquidated one, and the opposite if that account was the counterparty. A sale closes a long. The price is that of the
fill.

The adapter reads the fills of the liquidator vaults, which take over positions that the order book could not absorb
(``backstop``), and of the configured accounts, also where they were the counterparty in the order book (``market``).
Coverage is therefore ``partial``, and the covered share is unknown. If a vault itself is named as liquidated, its
position was transferred to profitable accounts by auto-deleveraging. The original owners were liquidated before, so
such a fill is skipped. A fill between two accounts whose fills are read arrives twice, with the same ``tid``.

The first frame of an account's fills is a snapshot and is skipped. ``trades`` begins with past rows: in the
first seconds after a subscription those more than 60 s older than their receipt are skipped, and later ones are
deduplicated by their id.

Contexts (``activeAssetCtx``) have the mark price, the oracle price (used as the index price), the funding rate of one
hour (paid on the hour) and the open interest, which counts one side of each contract. They have no time, so the time of
receipt is used. For up to 300 coins, each coin has a channel of its own. For more coins, the channel of all exchanges
(``allDexsAssetCtxs``) is read instead. It identifies a coin by its position in the list of its exchange, which is the
``Instrument.key`` (``xyz:3``; ``:0`` on Hyperliquid's own exchange).

Of the coins of builder-deployed exchanges, the adapter keeps those that Hyperliquid's own exchange lists too, which are
cryptocurrencies, and the indexes of traditional markets that trade around the clock. An index has its full name as its
asset (``XYZ:SP500``). All others are left out.

Ids:
    liquidation ``hyperliquid:<coin>:<time>:<tid>``.
    trade ``<tid>``.

Sources: hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api (websocket: subscriptions, timeouts and heartbeats;
info endpoint; rate limits); npm package @nktkas/hyperliquid 0.32.2 (userFills, activeAssetCtx, allDexsAssetCtxs,
allPerpMetas, userFillsByTime); addresses of the vaults: github.com/tradingstrategy-ai/web3-ethereum-defi; fills of
2025-10-10 in which a vault was deleveraged: github.com/ConejoCapital/HyperMultiAssetedADL. Two points were not verified
on live data: that a vault's fills contain the positions that it takes over, with ``liquidation``; and the order of rows
of ``userFillsByTime``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

import msgspec

from monitor.exchanges.adapter import Connection, CoverageEra, Keepalive
from monitor.exchanges.hyperliquid.frames import (
    ALL_CONTEXTS,
    COIN_CONTEXT,
    CONTEXT,
    ENVELOPE,
    FILLS,
    KNOWN_KEYS,
    RESPONSE,
    SUBSCRIPTION,
    TEXT,
    TRADES,
    UNIVERSES,
    USER_FILLS,
    Context,
    FillRow,
    Subscription,
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
from monitor.model.validation import UNREADABLE

OFFERED: Final[tuple[Channel, ...]] = ("liquidations", "mark_price", "open_interest", "trades")

LIQUIDATORS: Final = (
    "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14",
    "0xb0a55f13d22f66e6d495ac98113841b2326e9540",
    "0x5e177e5e39c0f4e421f5865a6d8beed8d921cb70",
    "0x2ed5c4484ea3ff8b57d5f2fb152a40d9f2b68308",
)
"""Addresses of the vaults HLP Liquidator 1 to 4."""

INDEXES: Final = ("xyz:SP500", "xyz:XYZ100", "xyz:VIX")
"""Perpetuals on indexes of traditional markets that trade around the clock and are therefore kept."""

SYMBOLS_PER_CONNECTION: Final = 200
OWN_CONTEXTS: Final = 300
"""Largest number of coins with a channel of contexts each; with trades, they use 600 of the 1,000 channels allowed."""

REQUEST_INTERVAL_S: Final = 0.05
"""Seconds between requests; the exchange allows 2,000 messages a minute over all sockets."""

KEEPALIVE: Final = Keepalive('{"method":"ping"}', interval_s=20.0, timeout_s=10.0)
"""The exchange closes a socket on which it has sent nothing for 60 s."""
STALE_AFTER_S: Final = 30.0
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
        CoverageEra(
            0,
            "partial",
            "positions taken over by the liquidator vaults, and fills of configured accounts",
            "npm @nktkas/hyperliquid",
        ),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (
        RestRequest("/info", body={"type": "allPerpMetas"}, weight=20),
    )
    rest_weight_per_minute: ClassVar[int] = 600
    """Half of the 1,200 that the exchange allows an IP address."""
    known_keys: ClassVar[frozenset[str]] = KNOWN_KEYS

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(instruments)
        self._coins_by_key = {each.key: symbol for symbol, each in (instruments or {}).items() if each.key}

    def listing_reader(self) -> ListingReader:
        """Return the reader of coins' names."""
        return listing_of_coin

    def connections(
        self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
    ) -> list[Connection]:
        """Plan the sockets. Each carries its coins' channels; the first also has the channels that are not of one coin.

        These are the fills of accounts and, for more than :data:`OWN_CONTEXTS` coins, the contexts of all exchanges.
        """
        carried = carried_channels(channels, OFFERED)
        each = len(symbols) <= OWN_CONTEXTS
        contexts = bool({"mark_price", "open_interest"} & set(carried))
        plans = []
        for number, group in enumerate(chunked(symbols, SYMBOLS_PER_CONNECTION) if carried else ()):
            subscriptions: list[dict[str, str]] = []
            here = set(carried) if number == 0 else set(carried) - {"liquidations"}
            if contexts and each:
                subscriptions += [{"type": "activeAssetCtx", "coin": symbol} for symbol in group]
            elif contexts and number == 0:
                subscriptions.append({"type": "allDexsAssetCtxs"})
            elif not each:
                here -= {"mark_price", "open_interest"}
            if "liquidations" in here:
                subscriptions += [{"type": "userFills", "user": user} for user in self._accounts()]
            if "trades" in here:
                subscriptions += [{"type": "trades", "coin": symbol} for symbol in group]
            if not subscriptions:
                break
            plans.append(
                Connection(
                    name=f"market-{number}",
                    url=ws_url or self.ws_url,
                    requests=tuple(
                        request({"method": "subscribe", "subscription": one}, [key_of(Subscription(**one))])
                        for one in subscriptions
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
        """Return the accounts whose fills are read; an IP address may read ten (documented) or fourteen (measured)."""
        return list(dict.fromkeys((*LIQUIDATORS, *(account.lower() for account in self.accounts))))

    def read(self, receipt: Receipt) -> list[Message]:
        """Read one frame."""
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
            return self._records.read_rows(
                account.fills, FILLS, lambda row, at: [self._liquidation(row, user, at)], receipt
            )
        return [self._reply(envelope.channel, envelope.data, receipt)]

    def _trade(self, row: TradeRow, receipt: Receipt) -> list[Message]:
        """Build the trade of a row, or skip it if it is from before the subscription."""
        time_us = row.time * 1000
        if receipt.is_backlog(time_us, "trades"):
            return [Skipped("backlog", 1)]
        fill = Fill(row.coin, SIDES.get(row.side, row.side), row.px, row.sz, time_us, str(row.tid))
        return [self._records.trade(fill, receipt)]

    def _liquidation(self, row: FillRow, user: str, receipt: Receipt) -> Message:
        """Build the liquidation of an account's fill, or skip the fill if it is not one."""
        forced = row.liquidation
        if forced is None:
            return Skipped("not_forced", 1)
        liquidated = forced.liquidatedUser.lower()
        if liquidated in LIQUIDATORS:
            return Skipped("off_book", 1)
        if self._listings[row.coin] is None and not COIN.fullmatch(row.coin):
            return Skipped("other_market", 1)  # spot, outcome markets, or a coin that is left out
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
        """Read the contexts of all exchanges, of the coins whose position in the list is known."""
        messages: list[Message] = []
        unknown = 0
        for dex, raws in ALL_CONTEXTS.decode(data).ctxs:
            for place, raw in enumerate(raws):
                symbol = self._coins_by_key.get(f"{dex}:{place}")
                if symbol is None:
                    unknown += 1
                    continue
                try:
                    messages += self._context(symbol, CONTEXT.decode(raw), receipt)
                except UNREADABLE as error:
                    messages.append(self._records.refuse(unreadable(error), receipt))
        return [*messages, Skipped("other_market", unknown)] if unknown else messages

    def _context(self, coin: str, context: Context, receipt: Receipt) -> list[Message]:
        """Build the mark price and the open interest of a context, with the time of receipt."""
        time_us = receipt.received_us
        if context.markPx is None:
            return [Skipped("unpriced", 1)]  # a newly listed coin without a price
        next_us = (time_us // HOUR_US + 1) * HOUR_US
        mark = MarkUpdate(
            coin, context.markPx, time_us, context.oraclePx or msgspec.UNSET, unset_if_null(context.funding), next_us
        )
        return self._records.ticker(mark, context.openInterest, receipt)

    def _reply(self, channel: str, data: msgspec.Raw, receipt: Receipt) -> Message:
        """Read the answer to a subscription request or to a ping."""
        if channel == "pong":
            return Pong()
        if channel == "subscriptionResponse":
            subscription = RESPONSE.decode(data).subscription
            if subscription.type == "trades":
                receipt.kept.subscribed_us["trades"] = receipt.received_us
            return Ack(key_of(subscription))
        if channel == "error":
            detail = TEXT.decode(data)
            return Refusal(key_in(detail), detail)
        return self._records.unknown_channel(channel, receipt)

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """Read ``allPerpMetas``: the coins of Hyperliquid's own exchange and of the builder-deployed ones."""
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
        """Return one request an account for its fills in a gap; the exchange serves the last 10,000 of each account."""
        if channel != "liquidations":
            return ()
        span = {"startTime": from_us // 1000, "endTime": -(-to_us // 1000)}
        return [
            RestRequest("/info", body={"type": "userFillsByTime", "user": user, **span}, about=user, weight=120)
            for user in self._accounts()
        ]

    def parse_rest(self, request: RestRequest, body: bytes, received_us: int, memory: Memory | None = None) -> RestPage:
        """Read ``userFillsByTime`` of the account ``about``; after a full page, the next one starts at its last row."""
        receipt = Receipt(received_us, body, memory)
        rows, faults = FILLS.rows(msgspec.Raw(body))
        if not rows and faults:
            raise ValueError(f"hyperliquid's answer is not an array of fills: {faults[0][1]}")
        messages: list[Message] = [self._liquidation(row, request.about, receipt) for row in rows]
        messages += [self._records.refuse(fault, receipt) for fault in faults]
        further = None
        sent = request.body or {}
        latest = max((row.time for row in rows), default=0)
        if len(rows) + len(faults) >= PAGE_ROWS and latest > int(str(sent.get("startTime", 0))):
            further = request._replace(body={**sent, "startTime": latest})
        return RestPage(events_of_channel(messages, "liquidations"), further)


def key_of(subscription: Subscription) -> str:
    """Return the key of a subscription's acknowledgement."""
    return ":".join(word for word in (subscription.type, subscription.coin, subscription.user.lower()) if word)


def key_in(detail: str) -> str:
    """Return the key of the subscription that an error message quotes; empty if it quotes none."""
    start, end = detail.find("{"), detail.rfind("}")
    try:
        return key_of(SUBSCRIPTION.decode(detail[start : end + 1].encode()))
    except UNREADABLE:
        return ""


def unset_if_null(value: float | str | msgspec.UnsetType | None) -> float | str | msgspec.UnsetType:
    """Return the value, or UNSET in place of null."""
    return msgspec.UNSET if value is None else value


def listing_of_coin(venue: str, coin: str) -> Listing | None:
    """Derive a listing from a coin's name; None for spot pairs (``@107``) and outcome markets (``#250``)."""
    dex, _, name = coin.rpartition(":")
    if not COIN.fullmatch(name) or (dex and not COIN.fullmatch(dex)):
        return None
    asset, units = (coin.upper(), 1) if coin in INDEXES else split_base(name)
    return asset, float(units), 1.0, False, f"{venue}:{coin}:"
