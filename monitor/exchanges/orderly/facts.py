"""Facts about Orderly for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "orderly": Facts(
        name="Orderly",
        long_liquidated="`positionQty` is above 0 (the position; unverified)",
        price="none in the frame: the last mark price",
        unit="coins",
        limits="a topic a request; 10 REST requests/s",
        source="orderly.network/docs (websocket, public); ccxt 4.5.90",
        checked="2026-12-01",
        examples=(coin("PERP_BTC_USDC"),),
    ),
}
