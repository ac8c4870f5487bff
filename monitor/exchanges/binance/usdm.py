"""Adapter of Binance USD-M perpetuals, whose sizes are base units.

Since 2026-04-23 the liquidation streams are served on the path ``/market`` only. The old paths still accept a
connection but send no liquidations (developers.binance.com, Important WebSocket Change Notice).
"""

from __future__ import annotations

from typing import ClassVar

from monitor.exchanges.adapter import CoverageEra
from monitor.exchanges.binance.adapter import STREAMS_PER_CONNECTION, Binance
from monitor.exchanges.binance.rest import Paths
from monitor.exchanges.rest_requests import RestRequest

__all__ = ["STREAMS_PER_CONNECTION", "BinanceUsdm"]


class BinanceUsdm(Binance):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "binance-usdm"
    ws_url: ClassVar[str] = "wss://fstream.binance.com/market/stream"
    rest_url: ClassVar[str] = "https://fapi.binance.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(
            0,
            "latest_per_second",
            "at most one order a symbol and second, the latest",
            "developers.binance.com, Liquidation Order Streams",
        ),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/fapi/v1/exchangeInfo"),)
    rest_pool: ClassVar[str] = "binance"
    paths: ClassVar[Paths] = Paths("/fapi/v1", "/futures/data/openInterestHist")
