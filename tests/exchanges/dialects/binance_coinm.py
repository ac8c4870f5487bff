"""Simulates a socket of Binance COIN-M."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from monitor.exchanges.instrument import Instrument
from tests.exchanges.dialects import binance_usdm


class BinanceCoinm(binance_usdm.BinanceUsdm):
    """A socket with the frames of USD-M whose rows have the market tag of COIN-M."""

    venue: ClassVar[str] = "binance-coinm"
    symbols: ClassVar[tuple[str, ...]] = ("BTCUSD_PERP",)
    instruments: ClassVar[Mapping[str, Instrument]] = {"BTCUSD_PERP": Instrument("BTCUSD_PERP", "BTC", 1, 100.0, "usd")}
    tag: ClassVar[int] = 2
