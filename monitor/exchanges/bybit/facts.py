"""Facts about Bybit for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin, usd

FACTS: Final = {
    "bybit": Facts(
        name="Bybit linear and inverse",
        long_liquidated="`S` is `Buy` (the position)",
        price="bankruptcy price `p`",
        unit="coins; USD where inverse",
        limits="21,000 characters of topics a socket, 500 dials in 5 min; no wildcard for liquidations",
        source="github.com/bybit-exchange/docs",
        checked="2026-12-01",
        examples=(
            coin("BTCUSDT", product="linear"),
            usd("BTCUSD", 1.0, product="inverse"),
        ),
    ),
}
