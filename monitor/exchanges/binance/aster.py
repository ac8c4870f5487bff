"""Adapter of Aster perpetuals, whose sizes are base units and whose message format is Binance's.

All streams are on one path, as at Binance before 2026. A socket is closed after 24 hours and carries at most 200
streams. Clients that sent their subscriptions fast were disconnected, so requests are 0.5 s apart. No history of open
interest is documented.

Source: github.com/asterdex/api-docs.
"""

from __future__ import annotations

from typing import ClassVar

from monitor.exchanges.adapter import CoverageEra
from monitor.exchanges.binance.adapter import Binance
from monitor.exchanges.binance.rest import Paths
from monitor.exchanges.rest_requests import RestRequest


class Aster(Binance):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "aster"
    ws_url: ClassVar[str] = "wss://fstream.asterdex.com/stream"
    rest_url: ClassVar[str] = "https://fapi.asterdex.com"
    eras: ClassVar[tuple[CoverageEra, ...]] = (
        CoverageEra(
            0,
            "latest_per_second",
            "at most one order a symbol and second, the latest",
            "github.com/asterdex/api-docs, Liquidation Order Streams",
        ),
    )
    counts_contracts: ClassVar[bool] = False
    instruments_requests: ClassVar[tuple[RestRequest, ...]] = (RestRequest("/fapi/v3/exchangeInfo"),)
    request_interval_s: ClassVar[float] = 0.5
    paths: ClassVar[Paths] = Paths("/fapi/v3")
