"""Facts about Reya for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "reya": Facts(
        name="Reya",
        long_liquidated=(
            "`type` is `LIQUIDATION` and `side` is `A` (the taker, taken to be the liquidated account; unverified)"
        ),
        price="fill",
        unit="coins",
        limits="a subscription a market; no limit is documented",
        source="docs.reya.xyz; github.com/Reya-Labs/reya-python-sdk, OpenAPI 3.0.15",
        checked="2026-12-01",
        examples=(coin("BTCRUSDPERP"),),
    ),
}
