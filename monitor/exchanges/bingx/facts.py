"""Facts about BingX for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "bingx": Facts(
        name="BingX",
        unit="coins; contracts of USD where coin-margined; open interest in USD",
        limits="compressed frames; 200 subscriptions a socket",
        source="bingx-api.github.io; ccxt 4.5.90",
        checked="2026-12-01",
        examples=(coin("BTC-USDT"),),
    ),
}
