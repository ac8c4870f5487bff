"""Facts about dYdX for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "dydx": Facts(
        name="dYdX v4",
        long_liquidated="`type` is `LIQUIDATED` and `side` is `SELL` (the taker, who is liquidated)",
        price="fill",
        unit="coins",
        limits="a subscription a market",
        source="github.com/nautechsystems/nautilus_trader, dydx.md",
        checked="2026-12-01",
        examples=(coin("BTC-USD"),),
    ),
}
