"""Facts about Lighter for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "lighter": Facts(
        name="Lighter",
        long_liquidated=(
            "`is_maker_ask` is false in `liquidation_trades` (the maker bought, so the liquidated taker sold)"
        ),
        price="fill",
        unit="coins",
        limits="a subscription a market",
        source="the exchange's documents",
        checked="2026-12-01",
        examples=(coin("BTC", key="1"),),
    ),
}
