"""Aster's side of the conversation."""

from __future__ import annotations

from typing import ClassVar

from tests.exchanges.dialects import binance_usdm


class Aster(binance_usdm.BinanceUsdm):
    """Binance's dialect."""

    venue: ClassVar[str] = "aster"
