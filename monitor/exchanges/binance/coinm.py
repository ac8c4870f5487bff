"""Binance COIN-M perpetuals, whose quantities are contracts; the dialect is :mod:`monitor.exchanges.binance.adapter`.

A contract is a number of USD (100 for BTC, 10 for others; ``contractSize`` of the table), and its coins are that over
the price. Without the table nothing can be said, so every row is quarantined. Since the merge of 2026-06-30 this host
may send rows of USD-M too (``st`` 1): the adapter of that market counts them, here they are skipped.
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
