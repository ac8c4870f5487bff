"""Facts about Bitget for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin, usd

FACTS: Final = {
    "bitget": Facts(
        name="Bitget, three settlements",
        long_liquidated="`side` is `buy` (the position)",
        price="liquidation price, taken as the bankruptcy price because it is not rounded to the tick size",
        unit="USD for liquidations, coins for trades",
        limits="10 messages/s, small requests; a client without pings is disconnected after 2 min",
        source="bitget.com/api-doc/uta; npm bitget-api 3.2.3",
        checked="2026-11-22",
        examples=(
            coin("BTCUSDT", product="usdt-futures"),
            coin("BTCPERP", product="usdc-futures"),
            usd("BTCUSD", 1.0, product="coin-futures"),
        ),
    ),
}
