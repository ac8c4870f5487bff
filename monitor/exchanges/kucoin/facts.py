"""Facts about KuCoin Futures for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, lot

FACTS: Final = {
    "kucoin": Facts(
        name="KuCoin Futures",
        unit="contracts",
        limits="a token before each dial; 100 symbols a subscription",
        source="kucoin.com/docs; github.com/tardis-dev/tardis-node 18.2.0; ccxt 4.5.90",
        checked="2026-11-22",
        examples=(lot("XBTUSDTM", 0.001),),
    ),
}
