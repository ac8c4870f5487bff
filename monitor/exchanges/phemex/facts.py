"""Facts about Phemex for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "phemex": Facts(
        name="Phemex",
        unit="coins",
        limits="20 subscriptions a socket, 5 sockets an address",
        source="phemex-docs.github.io; ccxt 4.5.90",
        checked="2026-11-22",
        examples=(coin("BTCUSDT"),),
    ),
}
