"""Facts about Bitfinex derivatives for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "bitfinex": Facts(
        name="Bitfinex derivatives",
        long_liquidated="amount is above 0 (the position)",
        price="order price, row field 11",
        unit="coins",
        limits="one subscription shows all symbols",
        source="github.com/tardis-dev/tardis-node 18.2.0",
        checked="2026-11-22",
        examples=(coin("tBTCF0:USTF0"),),
    ),
}
