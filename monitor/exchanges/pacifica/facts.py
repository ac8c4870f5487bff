"""Facts about Pacifica for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "pacifica": Facts(
        name="Pacifica",
        long_liquidated=(
            "`tc` is `market_liquidation` or `backstop_liquidation` and `d` is `close_long` (the position; unverified)"
        ),
        price="fill; of a backstop liquidation the price of the transfer",
        unit="coins",
        limits="20 subscriptions a channel and socket, 300 sockets an IP address, 24 h a socket; 100 REST credits/min",
        source="docs.pacifica.fi; ccxt 4.5.90",
        checked="2026-12-01",
        examples=(coin("BTC"),),
    ),
}
