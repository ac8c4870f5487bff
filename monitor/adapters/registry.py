"""The exchanges that the monitor can read: one line each."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from monitor.adapters.adapter import Adapter
from monitor.adapters.aster import Aster
from monitor.adapters.binance_coinm import BinanceCoinm
from monitor.adapters.binance_usdm import BinanceUsdm
from monitor.adapters.bingx import Bingx
from monitor.adapters.bitfinex import Bitfinex
from monitor.adapters.bitget import Bitget
from monitor.adapters.bitmex import Bitmex
from monitor.adapters.bybit import Bybit
from monitor.adapters.coinbase_intl import CoinbaseIntl
from monitor.adapters.deribit import Deribit
from monitor.adapters.dydx import Dydx
from monitor.adapters.gate import Gate
from monitor.adapters.htx import Htx
from monitor.adapters.hyperliquid import Hyperliquid
from monitor.adapters.kraken import Kraken
from monitor.adapters.kucoin import Kucoin
from monitor.adapters.lighter import Lighter
from monitor.adapters.mexc import Mexc
from monitor.adapters.okx import Okx
from monitor.adapters.phemex import Phemex

ADAPTERS: Final[dict[str, type[Adapter]]] = {
    Aster.venue: Aster,
    BinanceCoinm.venue: BinanceCoinm,
    BinanceUsdm.venue: BinanceUsdm,
    Bingx.venue: Bingx,
    Bitfinex.venue: Bitfinex,
    Bitget.venue: Bitget,
    Bitmex.venue: Bitmex,
    Bybit.venue: Bybit,
    CoinbaseIntl.venue: CoinbaseIntl,
    Deribit.venue: Deribit,
    Dydx.venue: Dydx,
    Gate.venue: Gate,
    Htx.venue: Htx,
    Hyperliquid.venue: Hyperliquid,
    Kraken.venue: Kraken,
    Kucoin.venue: Kucoin,
    Lighter.venue: Lighter,
    Mexc.venue: Mexc,
    Okx.venue: Okx,
    Phemex.venue: Phemex,
}


def adapter_named(venue: str) -> type[Adapter]:
    """The adapter of a venue.

    Raises:
        ValueError: there is none; the message names the nearest venue.
    """
    try:
        return ADAPTERS[venue]
    except KeyError:
        nearest = get_close_matches(venue.lower(), ADAPTERS, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ValueError(f"unknown venue {venue!r}: {hint}there are {', '.join(ADAPTERS)}") from None
