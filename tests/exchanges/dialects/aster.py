"""Simulates an Aster socket."""

from __future__ import annotations

from typing import ClassVar

from tests.exchanges.dialects import binance_usdm


class Aster(binance_usdm.BinanceUsdm):
    """A socket with Binance's frames."""

    venue: ClassVar[str] = "aster"
