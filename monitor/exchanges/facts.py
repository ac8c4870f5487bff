"""What is known of each exchange beyond what its adapter does: one row each, for ``docs/exchanges.md``.

Kept here and not in the adapters because it is said to people and decides nothing. ``source`` is where it was read;
nothing in it was tried on a live socket, which is what ``checked`` is the date of.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from monitor.exchanges.instrument import Instrument


class Facts(NamedTuple):
    """One exchange.

    Attributes:
        name: as people call it.
        long_died: by which words of its a long was liquidated; empty where it shows no liquidations.
        price: which price a liquidation has; empty where it shows none.
        unit: what its sizes count.
        limits: on sockets and subscriptions.
        source: where this was read.
        checked: when, ISO date.
        examples: one instrument of each of its markets, to plan sockets for.
    """

    name: str
    long_died: str
    price: str
    unit: str
    limits: str
    source: str
    checked: str
    examples: tuple[Instrument, ...]


CHECKED: Final = "2026-11-22"


def _coin(symbol: str, product: str = "", key: str = "") -> Instrument:
    return Instrument(symbol, "BTC", 1, 1.0, "base", product=product, key=key)


def _lot(symbol: str, size: float, product: str = "") -> Instrument:
    return Instrument(symbol, "BTC", 1, size, "base", product=product)


def _usd(symbol: str, size: float, product: str = "") -> Instrument:
    return Instrument(symbol, "BTC", 1, size, "usd", product=product)


FACTS: Final[dict[str, Facts]] = {
    "binance-usdm": Facts(
        "Binance USD-M", "`o.S` is `SELL` (the order)", "average fill `ap`, else the limit `p`", "coins",
        "200 streams a socket (careful; 1,024 also reported), 10 messages/s, 24 h a socket, 300 dials in 5 min",
        "developers.binance.com; npm @binance/derivatives-trading-usds-futures 38.1.1", CHECKED, (_coin("BTCUSDT"),),
    ),
    "binance-coinm": Facts(
        "Binance COIN-M", "`o.S` is `SELL` (the order)", "average fill `ap`, else the limit `p`", "contracts of USD",
        "as Binance USD-M, and one REST budget with it", "developers.binance.com", CHECKED,
        (_usd("BTCUSD_PERP", 100.0),),
    ),
    "aster": Facts(
        "Aster", "`o.S` is `SELL` (the order)", "average fill `ap`, else the limit `p`", "coins",
        "200 streams a socket, 10 messages/s, 24 h a socket", "github.com/asterdex/api-docs", CHECKED,
        (_coin("BTCUSDT"),),
    ),
    "bybit": Facts(
        "Bybit linear and inverse", "`S` is `Buy` (the position)", "bankruptcy price `p`", "coins; USD where inverse",
        "21,000 characters of topics a socket, 500 dials in 5 min; no wildcard for liquidations",
        "github.com/bybit-exchange/docs", CHECKED, (_coin("BTCUSDT", "linear"), _usd("BTCUSD", 1.0, "inverse")),
    ),
    "okx": Facts(
        "OKX swaps and futures", "`side` is `sell` (the order)", "bankruptcy price `bkPx`", "contracts",
        "64 kB of channels a socket, 480 requests an hour and socket, 3 dials/s", "okx.com/docs-v5", CHECKED,
        (_lot("BTC-USDT-SWAP", 0.01, "SWAP"), _usd("BTC-USD-SWAP", 100.0, "SWAP")),
    ),
    "bitget": Facts(
        "Bitget, three settlements", "`side` is `buy` (the position)", "liquidation price, bankruptcy by its decimals",
        "USD for liquidations, coins for trades", "10 messages/s, small requests; a silent client is cut after 2 min",
        "bitget.com/api-doc/uta; npm bitget-api 3.2.3", CHECKED,
        (_coin("BTCUSDT", "usdt-futures"), _coin("BTCPERP", "usdc-futures"), _usd("BTCUSD", 1.0, "coin-futures")),
    ),
    "gate": Facts(
        "Gate, USDT and BTC settled", "`size` is below 0 (the order; not documented)", "order price; by REST the fill",
        "contracts", "the clock of a request may be off by 60 s", "gate.com/docs/developers/futures; "
        "github.com/gateio/WebSocket-API/issues/132", CHECKED, (_lot("BTC_USDT", 0.0001, "usdt"),),
    ),
    "htx": Facts(
        "HTX linear and coin-margined", "`direction` is `sell` (the closing order)", "bankruptcy price", "contracts",
        "compressed frames; liquidations, trades and marks on sockets of their own", "the exchange's documents",
        CHECKED,
        (_lot("BTC-USDT", 0.001, "linear-swap"), _usd("BTC-USD", 100.0, "swap")),
    ),
    "deribit": Facts(
        "Deribit", "flag `T` and `direction` `sell`, or flag `M` and `buy`; `MT` is both sides", "fill",
        "USD where inverse, else coins", "3 subscriptions/s after a burst of 10; raw channels need a login",
        "docs.deribit.com", CHECKED, (_usd("BTC-PERPETUAL", 10.0),),
    ),
    "kraken": Facts(
        "Kraken Futures", "`type` is `liquidation` and `side` is `sell` (the taker)", "fill",
        "USD for `PI_`, coins for `PF_`", "REST and these sockets end on 2027-03-01",
        "docs.kraken.com/exchange/api-reference", CHECKED, (_coin("PF_XBTUSD"),),
    ),
    "bitfinex": Facts(
        "Bitfinex derivatives", "amount is above 0 (the position)", "execution price, row field 11", "coins",
        "one subscription shows all symbols", "github.com/tardis-dev/tardis-node 18.2.0",
        CHECKED, (_coin("tBTCF0:USTF0"),),
    ),
    "bitmex": Facts(
        "BitMEX (closed 2026-09-23: recordings alone)", "`side` is `Sell` (the closing order)", "order price",
        "contracts; USD for `XBTUSD`", "nothing to dial", "bitmex.com/blog/bitmex-closure", CHECKED,
        (_usd("XBTUSD", 1.0),),
    ),
    "dydx": Facts(
        "dYdX v4", "`type` is `LIQUIDATED` and `side` is `SELL` (the taker)", "fill", "coins",
        "a subscription a market", "github.com/nautechsystems/nautilus_trader, dydx.md", CHECKED, (_coin("BTC-USD"),),
    ),
    "lighter": Facts(
        "Lighter", "`is_maker_ask` is false in `liquidation_trades`", "fill", "coins", "a subscription a market",
        "the exchange's documents", CHECKED, (_coin("BTC", key="1"),),
    ),
    "hyperliquid": Facts(
        "Hyperliquid, builder exchanges included",
        "the liquidated account's side is `A`, or the other's is `B` (fills of vaults and configured accounts)", "fill",
        "coins", "10 sockets, 1,000 subscriptions and 10 accounts (14 measured) an address; 30 dials/min",
        "hyperliquid.gitbook.io; npm @nktkas/hyperliquid 0.32.2; github.com/theyachtsman/hl-reaper", CHECKED,
        (_coin("BTC"),),
    ),
    "kucoin": Facts(
        "KuCoin Futures", "", "", "contracts", "a token before each dial; 100 symbols a subscription",
        "kucoin.com/docs; github.com/tardis-dev/tardis-node 18.2.0; ccxt 4.5.90", CHECKED, (_lot("XBTUSDTM", 0.001),),
    ),
    "mexc": Facts(
        "MEXC", "", "", "contracts", "a request a channel and symbol, confirmed without its symbol",
        "mexcdevelop.github.io; ccxt 4.5.90", CHECKED, (_lot("BTC_USDT", 0.0001),),
    ),
    "bingx": Facts(
        "BingX", "", "", "coins; open interest in USD", "compressed frames; 200 subscriptions a socket",
        "bingx-api.github.io; ccxt 4.5.90", CHECKED, (_coin("BTC-USDT"),),
    ),
    "phemex": Facts(
        "Phemex", "", "", "coins", "20 subscriptions a socket, 5 sockets an address",
        "phemex-docs.github.io; ccxt 4.5.90", CHECKED, (_coin("BTCUSDT"),),
    ),
    "coinbase-intl": Facts(
        "Coinbase International", "", "", "coins", "as Deribit, whose technology it runs on",
        "ccxt 4.5.90; docs.deribit.com", CHECKED, (_coin("BTC_USDC-PERPETUAL"),),
    ),
}  # fmt: skip
"""By venue."""
