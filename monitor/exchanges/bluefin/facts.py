"""Facts about Bluefin for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "bluefin": Facts(
        name="Bluefin Pro",
        long_liquidated="`tradeType` is `LIQUIDATION` and `side` is `SHORT` (the closing order; unverified)",
        price="fill",
        unit="coins, in billionths",
        limits="a subscription a market, confirmed without its name; no limit is documented",
        source="github.com/fireflyprotocol/pro-sdk, websocket-api.yaml; crate bluefin_api 1.13.0",
        checked="2026-12-01",
        examples=(coin("BTC-PERP"),),
    ),
}
