"""Facts about BitMEX (closed 2026-09-23: recordings alone) for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, usd

FACTS: Final = {
    "bitmex": Facts(
        name="BitMEX (closed 2026-09-23: recordings alone)",
        long_liquidated="`side` is `Sell` (the closing order)",
        price="order price",
        unit="contracts; USD for `XBTUSD`",
        limits="nothing to dial",
        source="bitmex.com/blog/bitmex-closure",
        checked="2026-12-01",
        examples=(usd("XBTUSD", 1.0),),
    ),
}
