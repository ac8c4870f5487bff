"""Lists the exchanges that the monitor can read, one line each."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from monitor.exchanges.adapter import Adapter
from monitor.exchanges.binance.aster import Aster
from monitor.exchanges.binance.coinm import BinanceCoinm
from monitor.exchanges.binance.usdm import BinanceUsdm
from monitor.exchanges.bingx.adapter import Bingx
from monitor.exchanges.bitfinex.adapter import Bitfinex
from monitor.exchanges.bitget.adapter import Bitget
from monitor.exchanges.bitmex.adapter import Bitmex
from monitor.exchanges.bluefin.adapter import Bluefin
from monitor.exchanges.bybit.adapter import Bybit
from monitor.exchanges.deribit.adapter import Deribit
from monitor.exchanges.deribit.coinbase_intl import CoinbaseIntl
from monitor.exchanges.dydx.adapter import Dydx
from monitor.exchanges.extended.adapter import Extended
from monitor.exchanges.gate.adapter import Gate
from monitor.exchanges.htx.adapter import Htx
from monitor.exchanges.hyperliquid.adapter import Hyperliquid
from monitor.exchanges.kraken.adapter import Kraken
from monitor.exchanges.kucoin.adapter import Kucoin
from monitor.exchanges.lighter.adapter import Lighter
from monitor.exchanges.mexc.adapter import Mexc
from monitor.exchanges.okx.adapter import Okx
from monitor.exchanges.orderly.adapter import Orderly
from monitor.exchanges.pacifica.adapter import Pacifica
from monitor.exchanges.phemex.adapter import Phemex
from monitor.exchanges.reya.adapter import Reya

ADAPTERS: Final[dict[str, type[Adapter]]] = {
    Aster.venue: Aster,
    BinanceCoinm.venue: BinanceCoinm,
    BinanceUsdm.venue: BinanceUsdm,
    Bingx.venue: Bingx,
    Bitfinex.venue: Bitfinex,
    Bitget.venue: Bitget,
    Bitmex.venue: Bitmex,
    Bluefin.venue: Bluefin,
    Bybit.venue: Bybit,
    CoinbaseIntl.venue: CoinbaseIntl,
    Deribit.venue: Deribit,
    Dydx.venue: Dydx,
    Extended.venue: Extended,
    Gate.venue: Gate,
    Htx.venue: Htx,
    Hyperliquid.venue: Hyperliquid,
    Kraken.venue: Kraken,
    Kucoin.venue: Kucoin,
    Lighter.venue: Lighter,
    Mexc.venue: Mexc,
    Okx.venue: Okx,
    Orderly.venue: Orderly,
    Pacifica.venue: Pacifica,
    Phemex.venue: Phemex,
    Reya.venue: Reya,
}


def adapter_named(venue: str) -> type[Adapter]:
    """Return the adapter class of a venue.

    Raises:
        ValueError: there is no such venue; the message suggests the one with the most similar name.
    """
    try:
        return ADAPTERS[venue]
    except KeyError:
        nearest = get_close_matches(venue.lower(), ADAPTERS, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ValueError(f"unknown venue {venue!r}: {hint}the known ones are {', '.join(ADAPTERS)}") from None
