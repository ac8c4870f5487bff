"""Adapter of Binance COIN-M perpetuals, whose sizes are contracts.

A contract is worth a fixed number of USD (``contractSize`` of the instrument table: 100 for BTC, 10 for others). Its
coins are that number divided by the price. Without the instrument table sizes have no unit, so every row is rejected.
Since 2026-06-30 this host may also send rows of USD-M (``st`` 1). They are skipped, because the adapter of USD-M counts
them.
"""

from __future__ import annotations

from typing import ClassVar

from monitor.exchanges.adapter import CoverageEra
from monitor.exchanges.binance.adapter import Binance
from monitor.exchanges.binance.frames import COIN_M
from monitor.exchanges.binance.rest import Paths
from monitor.exchanges.rest_requests import RestRequest


class BinanceCoinm(Binance):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "binance-coinm"
    ws_url: ClassVar[str] = "wss://dstream.binance.com/stream"
    rest_url: ClassVar[str] = "https://dapi.binance.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(
            0,
            "latest_per_second",
            "at most one order a symbol and second, the latest",
            "developers.binance.com, COIN-M Liquidation Order Streams",
        ),
    )
    counts_contracts: ClassVar[bool] = True
    by_name: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/dapi/v1/exchangeInfo"),)
    rest_pool: ClassVar[str] = "binance"
    market_tag: ClassVar[int] = COIN_M
    paths: ClassVar[Paths] = Paths("/dapi/v1", "/futures/data/openInterestHist", by_pair=True)
