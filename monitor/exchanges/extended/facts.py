"""Facts about Extended for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "extended": Facts(
        name="Extended",
        long_liquidated="`tT` is `LIQUIDATION` and `S` is `SELL` (the taker, who is liquidated; unverified)",
        price="fill",
        unit="coins",
        limits="one subscription shows all markets; a `User-Agent` is required; 1,000 REST requests/min",
        source="api.docs.extended.exchange; PyPI x10-python-trading-starknet 2.6.0; frames captured by others",
        checked="2026-12-01",
        examples=(coin("BTC-USD"),),
    ),
}
