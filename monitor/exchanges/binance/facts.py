"""Facts about Binance and Aster for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin, usd

FACTS: Final = {
    "aster": Facts(
        name="Aster",
        long_liquidated="`o.S` is `SELL` (the closing order)",
        price="average fill `ap`, else the limit `p`",
        unit="coins",
        limits="200 streams a socket, 10 messages/s, 24 h a socket",
        source="github.com/asterdex/api-docs",
        checked="2026-11-22",
        examples=(coin("BTCUSDT"),),
    ),
    "binance-coinm": Facts(
        name="Binance COIN-M",
        long_liquidated="`o.S` is `SELL` (the closing order)",
        price="average fill `ap`, else the limit `p`",
        unit="contracts of USD",
        limits="as Binance USD-M, with which it shares one REST budget",
        source="developers.binance.com",
        checked="2026-11-22",
        examples=(usd("BTCUSD_PERP", 100.0),),
    ),
    "binance-usdm": Facts(
        name="Binance USD-M",
        long_liquidated="`o.S` is `SELL` (the closing order)",
        price="average fill `ap`, else the limit `p`",
        unit="coins",
        limits=("200 streams a socket (other sources: 1,024), 10 messages/s, 24 h a socket, 300 dials in 5 min"),
        source="developers.binance.com; npm @binance/derivatives-trading-usds-futures 38.1.1",
        checked="2026-11-22",
        examples=(coin("BTCUSDT"),),
    ),
}
