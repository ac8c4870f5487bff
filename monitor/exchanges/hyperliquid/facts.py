"""Facts about Hyperliquid for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "hyperliquid": Facts(
        name="Hyperliquid, with builder-deployed exchanges",
        long_liquidated=(
            "`side` is `A` in the fill of the liquidated account, or `B` in that of its counterparty (fills of vaults "
            "and configured accounts)"
        ),
        price="fill",
        unit="coins",
        limits="10 sockets, 1,000 subscriptions and 10 accounts (14 measured) an IP address; 30 dials/min",
        source="hyperliquid.gitbook.io; npm @nktkas/hyperliquid 0.32.2; github.com/theyachtsman/hl-reaper",
        checked="2026-11-22",
        examples=(coin("BTC"),),
    ),
}
