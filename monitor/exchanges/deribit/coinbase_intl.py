"""Adapter of Coinbase's international derivatives, which publish no liquidations.

Since 2026-09-09 the exchange runs on Deribit's technology. Its frames, units, heartbeats and names
(``BTC_USDC-PERPETUAL``) are those of :mod:`monitor.exchanges.deribit.adapter`. The documentation does not state whether
its trades can have Deribit's liquidation flag; a trade with the flag is read as a trade only. A socket on which the
client sends nothing for about 30 s is closed.

Ids:
    trade ``<trade_id>``.

Sources: docs.cdp.coinbase.com (Advanced Trade APIs, derivatives: overview and technical guide), docs.deribit.com.
"""

from __future__ import annotations

from typing import ClassVar

from monitor.exchanges.adapter import CoverageEra
from monitor.exchanges.deribit.adapter import Deribit
from monitor.model.events import Channel


class CoinbaseIntl(Deribit):
    """See :class:`monitor.exchanges.adapter.Adapter`."""

    venue: ClassVar[str] = "coinbase-intl"
    ws_url: ClassVar[str] = "wss://streams.drb.coinbase.com/ws/api/v2"
    rest_url: ClassVar[str] = "https://drb.coinbase.com/api/v2"
    eras: ClassVar[tuple[CoverageEra, ...]] = ()
    offered: ClassVar[tuple[Channel, ...]] = ("mark_price", "open_interest", "trades")
